"""Forms of shared links: making one, and opening one that asks for a password."""

import datetime as dt
import re
from typing import Any

from django import forms
from django.utils import timezone

from agency.forms.delivery import sections_field
from agency.forms.fields import NameField
from tenants.models import Client, User

ORIGIN = re.compile(r"(https?://)?(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")
"""A host source of Content-Security-Policy, as far as a link may name one."""
EXPIRIES = {"7": "In a week", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
KINDS = [("link", "A link: opens the report"), ("embed", "An embedded view: a small box in a page")]


class LinkForm(forms.Form):
    """Makes a shared link."""

    def __init__(self, *args: Any, client: Client, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sections"] = sections_field(user, client, "What it shows")
        self.order_fields(["kind", "name", "sections", "expires", "password", "frame_hosts"])

    kind = forms.ChoiceField(label="Kind", choices=KINDS, widget=forms.RadioSelect, initial="link")
    name = NameField(
        label="Name", max_length=80, help_text="For whom it is. Its readers do not see this."
    )
    expires = forms.ChoiceField(
        label="Ends",
        choices=[*EXPIRIES.items(), ("never", "Never, until somebody revokes it")],
        initial="90",
    )
    password = forms.CharField(
        label="Password",
        required=False,
        min_length=8,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: whoever has the link reads. Not for embedded views.",
    )
    frame_hosts = forms.CharField(
        label="Websites that may embed it",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line, such as https://www.example.com. Empty: any website.",
    )

    def clean_frame_hosts(self) -> list[str]:
        """One host a line; a path is taken off."""
        hosts = []
        for line in self.cleaned_data["frame_hosts"].split():
            scheme, separator, rest = line.strip().lower().rpartition("://")
            host = f"{scheme}{separator}{rest.partition('/')[0]}"
            if not ORIGIN.fullmatch(host):
                raise forms.ValidationError(
                    f"{line!r} is no website: write it as https://www.example.com."
                )
            hosts.append(host)
        return hosts[:20]

    def clean(self) -> dict[str, Any]:
        """A frame cannot ask for a password: its cookies would be another website's."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("kind") == "embed" and cleaned.get("password"):
            self.add_error("password", "An embedded view has no password: leave this empty.")
        return cleaned

    @property
    def expires_at(self) -> dt.datetime | None:
        """When the link ends; None: never by itself."""
        days = self.cleaned_data["expires"]
        return None if days == "never" else timezone.now() + dt.timedelta(days=int(days))


class LinkPasswordForm(forms.Form):
    """Asks a link's reader for its password."""

    password = forms.CharField(
        label="Password",
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
