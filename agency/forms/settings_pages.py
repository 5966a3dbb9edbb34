"""A client's settings."""

from typing import Any

from django import forms

from agency.forms.fields import ColourField, TimezoneField, currency_choices, locale_choices
from agency.forms.wizard import SiteForm, checked_logo
from tenants.logos import Logo
from tenants.models import ClientGroup


class GeneralForm(forms.Form):
    """What the client is called, and how its pages write."""

    name = forms.CharField(label="Name", max_length=120)
    timezone = TimezoneField(help_text="For mails and for new websites; each website has its own.")
    locale = forms.ChoiceField(label="Dates and numbers", choices=locale_choices)
    currency = forms.ChoiceField(label="Currency", choices=currency_choices)
    groups = forms.ModelMultipleChoiceField(
        label="Groups",
        queryset=ClientGroup.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Filters of the clients' page.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not ClientGroup.objects.exists():
            del self.fields["groups"]
        # A client made by command may have what the list does not offer: it stays choosable.
        for name, choices in (("locale", locale_choices()), ("currency", currency_choices())):
            field = self.fields[name]
            held = self.initial.get(name)
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - they are declared so
            if held and held not in dict(choices):
                field.choices = [(held, held), *choices]


class LookForm(forms.Form):
    """Colour and logo."""

    accent_colour = ColourField(
        label="Accent colour", help_text="Made readable on light and dark where it is too pale."
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        help_text="PNG or SVG, up to 100 kB. Left empty, the logo stays as it is.",
        widget=forms.FileInput(attrs={"accept": ".png,.svg,image/png,image/svg+xml"}),
    )

    def clean_logo(self) -> Logo | None:
        """The logo as it may be stored."""
        return checked_logo(self.cleaned_data.get("logo"))


class DomainForm(forms.Form):
    """A host name of the client's own."""

    domain = forms.CharField(
        label="Host name",
        max_length=253,
        help_text="Such as stats.example.com.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )


__all__ = ["DomainForm", "GeneralForm", "LookForm", "SiteForm"]
