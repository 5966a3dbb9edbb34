"""A new API key."""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from tenants.models import Site


class ApiKeyForm(forms.Form):
    """What the key is for, what it reads, and until when."""

    name = forms.CharField(
        label="Name", max_length=80, help_text="Which program will use it: monthly dashboard."
    )
    sites = forms.MultipleChoiceField(
        label="Websites it may read",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: all of them, those to come too.",
    )
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Left empty, it works until it is revoked.",
    )

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["sites"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - it is declared so
        field.choices = [(str(site.pk), site.name) for site in sites]
        if len(sites) < 2:
            del self.fields["sites"]

    def clean_expires_on(self) -> dt.date | None:
        """Not a day that is over."""
        day: dt.date | None = self.cleaned_data["expires_on"]
        if day is not None and day < timezone.now().date():
            raise ValidationError("Choose today or a day to come.")
        return day

    def site_ids(self) -> list[int]:
        """Ids of the chosen websites; none for all."""
        return [int(one) for one in self.cleaned_data.get("sites", [])]
