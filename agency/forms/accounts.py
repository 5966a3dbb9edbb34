"""Forms of logging in."""

from typing import Any

from allauth.account.forms import (
    ChangePasswordForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
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


HELP_WORDS = "Eight characters or more; a few words are better than a clever one."


class _NewPassword(forms.Form):
    """The words of the two fields of a new password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (
            ("oldpassword", "Password now"),
            ("password1", "New password"),
            ("password2", "New password again"),
        ):
            if name in self.fields:
                self.fields[name].label = label
                self.fields[name].help_text = HELP_WORDS if name == "password1" else ""
                self.fields[name].widget.attrs.pop("placeholder", None)


class NewPasswordForm(_NewPassword, ChangePasswordForm):  # type: ignore[misc]  # allauth has no types
    """Another password for who knows the one there is."""


class FirstPasswordForm(_NewPassword, SetPasswordForm):  # type: ignore[misc]  # allauth has no types
    """A password for who logged in without one."""


class ForgottenPasswordForm(_NewPassword, ResetPasswordKeyForm):  # type: ignore[misc]  # allauth has no types
    """A new password for who has the link from the letter."""


class StillYouForm(ReauthenticateForm):  # type: ignore[misc]  # allauth has no types
    """The password once more, before the account is changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        self.fields["password"].widget.attrs.pop("placeholder", None)


class AskForLinkForm(ResetPasswordForm):  # type: ignore[misc]  # allauth has no types
    """Where to send the link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"
        self.fields["email"].widget.attrs.pop("placeholder", None)


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
