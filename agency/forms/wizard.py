"""The steps of a new client."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms import BaseFormSet, formset_factory

from agency.forms.fields import (
    ColourField,
    HostsField,
    TimezoneField,
    currency_choices,
    locale_choices,
)
from tenants.clients import RESERVED_SLUGS, schema_of, slug_from
from tenants.domains import clean_domain
from tenants.logos import Logo, LogoError, check_logo
from tenants.models import Client, Domain, Role, Site
from tenants.models.clients import SLUG_PATTERN

MAX_SITES, MAX_PEOPLE = 20, 20

PRESET_WORDS = {
    "closed": (
        "Closed",
        (
            "Counts page views and nothing that could point at a person: no address, no postcode, "
            "no cookie. Single hits are kept for 90 days; where two things are crossed, groups of "
            "fewer than 10 visitors are not shown."
        ),
    ),
    "statistics": (
        "Statistics only",
        (
            "No address and no cookie. The outward half of a postcode is kept where a visitor "
            "types one, so that you see districts. Single hits are kept for 25 months."
        ),
    ),
    "usual": (
        "Usual",
        (
            "As the agency's policy describes: addresses are encrypted and unreadable after 30 "
            "days, outward postcodes are kept, a cookie recognises those who agree to it."
        ),
    ),
}
"""Presets of tenants.privacy in plain words."""


class NameForm(forms.Form):
    """Who the client is, and where its reports will be."""

    name = forms.CharField(label="Name", max_length=120, help_text="As on its letterhead.")
    slug = forms.CharField(
        label="Short name",
        max_length=40,
        required=False,
        help_text="Names the address of its reports, and cannot be changed later. Left empty, it "
        "is made of the name.",
        validators=[
            RegexValidator(
                rf"^{SLUG_PATTERN}$",
                "Use 2 to 40 small letters, digits and hyphens, starting with a letter.",
            )
        ],
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )
    own_domain = forms.CharField(
        label="Own address",
        max_length=253,
        required=False,
        help_text="Such as stats.example.com, pointed here by a CNAME record. It can be added "
        "later.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )
    timezone = TimezoneField()
    locale = forms.ChoiceField(label="Dates and numbers", choices=locale_choices, initial="en-gb")
    currency = forms.ChoiceField(label="Currency", choices=currency_choices, initial="GBP")

    def clean(self) -> dict[str, Any]:
        """Make a slug where none is given; refuse what is taken."""
        data = super().clean() or {}
        if "slug" in data and not data["slug"] and data.get("name"):
            data["slug"] = slug_from(data["name"])
        slug = data.get("slug", "")
        if slug and (
            slug in RESERVED_SLUGS
            or f"{slug}.{settings.BASE_DOMAIN}" == settings.AGENCY_HOST
            or Client.objects.filter(slug=slug).exists()
            or Client.objects.filter(schema_name=schema_of(slug)).exists()
        ):
            self.add_error("slug", f"{slug!r} is taken: choose another.")
        return data

    def clean_own_domain(self) -> str:
        """A host name that nobody has yet, or nothing."""
        text: str = self.cleaned_data["own_domain"]
        if not text.strip():
            return ""
        name = clean_domain(text)
        if Domain.objects.filter(domain=name).exists():
            raise ValidationError(f"{name!r} is in use already: name another one.")
        return name


class SiteForm(forms.Form):
    """One website."""

    name = forms.CharField(label="Name", max_length=120)
    hosts = HostsField()
    timezone = TimezoneField(help_text="Days of its report are cut on this clock.")

    def __init__(self, *args: Any, timezone: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if timezone:
            self.fields["timezone"].initial = timezone

    def clean(self) -> dict[str, Any]:
        """Hosts as `Site` takes them."""
        data = super().clean() or {}
        if data.get("hosts"):
            try:
                Site(name="-", hosts=data["hosts"]).clean()
            except ValidationError as error:
                self.add_error("hosts", error.message_dict["hosts"])
        return data


class _SiteForms(BaseFormSet):  # type: ignore[type-arg]  # takes no type at run time
    """Websites; a row left empty is none, but there must be one."""

    def clean(self) -> None:
        if any(self.errors):
            return
        if not any(form.has_changed() and form.cleaned_data.get("hosts") for form in self.forms):
            raise ValidationError("Name at least one website: without one there is no report.")


SiteForms = formset_factory(
    SiteForm, formset=_SiteForms, extra=1, max_num=MAX_SITES, absolute_max=40
)


class PrivacyForm(forms.Form):
    """What may be collected, to begin with."""

    preset = forms.ChoiceField(
        label="What may be collected",
        choices=[(key, words) for key, (words, _) in PRESET_WORDS.items()],
        widget=forms.RadioSelect,
        initial="usual",
        help_text="Each of its settings can be changed later, by the privacy officer, with a "
        "reason.",
    )


class LookForm(forms.Form):
    """The client's colour and logo."""

    accent_colour = ColourField(
        label="Accent colour", initial="#0b6b57", help_text="Made readable where it is too pale."
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        help_text="PNG or SVG, up to 100 kB. It stands in the head of the client's pages.",
        widget=forms.ClearableFileInput(attrs={"accept": ".png,.svg,image/png,image/svg+xml"}),
    )

    remove_logo = forms.BooleanField(label="Use no logo", required=False)

    def __init__(self, *args: Any, has_logo: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_logo:
            del self.fields["remove_logo"]

    def clean_logo(self) -> Logo | None:
        """The logo as it may be stored."""
        return checked_logo(self.cleaned_data.get("logo"))


def checked_logo(upload: Any) -> Logo | None:
    """What was uploaded, checked; None for nothing. Raises ValidationError."""
    if not upload:
        return None
    try:
        return check_logo(upload.read())
    except LogoError as error:
        raise ValidationError(str(error)) from None


class PersonForm(forms.Form):
    """Somebody to invite."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(
        label="Role",
        choices=[
            (Role.MANAGER.value, "Manager: reports, goals, own people"),
            (Role.VIEWER.value, "Viewer: reports"),
        ],
        initial=Role.VIEWER.value,
    )


PeopleForms = formset_factory(PersonForm, extra=2, max_num=MAX_PEOPLE, absolute_max=40)
