"""Forms of logging in."""

from typing import Any

from allauth.account.forms import LoginForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms

from tenants.models import User


class LogInForm(LoginForm):  # type: ignore[misc]  # allauth has no types
    """E-mail address and password. Whether they are worth anything here, the adapter says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"
        self.fields["login"].widget.attrs = {"autocomplete": "username", "autofocus": True}
        self.fields["password"].label = "Password"
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs = {"autocomplete": "current-password"}


class NameForm(forms.ModelForm):  # type: ignore[type-arg]  # at run time it takes no argument
    """What others read as one's name."""

    class Meta:
        model = User
        fields = ("first_name", "last_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_name"].widget.attrs["autocomplete"] = "given-name"
        self.fields["last_name"].widget.attrs["autocomplete"] = "family-name"


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    """A passkey of this device, by default one that takes the password's place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = "By which you know it again, such as the device's."
        self.fields["passwordless"].label = "Log in with it instead of the password"
        self.fields["passwordless"].help_text = "Else it is asked for after the password."
        self.fields["passwordless"].initial = True
