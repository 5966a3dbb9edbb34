"""Fields that several forms share: time zones, locales, currencies, colours, hosts."""

import re
import unicodedata
import zoneinfo
from functools import lru_cache
from typing import Any

import babel
from babel.numbers import get_currency_name, list_currencies
from django import forms
from django.core.exceptions import ValidationError

from agency.colours import parse_colour
from tenants.sites import hosts_of

LOCALES = (
    *("en-gb", "en-ie", "en-us", "en-ca", "en-au", "en-in", "de-de", "de-at", "de-ch", "fr-fr"),
    *("fr-be", "fr-ch", "nl-nl", "nl-be", "es-es", "pt-pt", "it-it", "da-dk", "sv-se", "nb-no"),
    *("fi-fi", "pl-pl", "cs-cz", "cy-gb"),
)
"""Ways of writing dates and numbers that clients are offered; pages themselves are in English."""
_FIRST_CURRENCIES = ("GBP", "EUR", "USD")


@lru_cache(maxsize=1)
def timezone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Names of the IANA database that are of a place, by continent."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(zoneinfo.available_timezones()):
        area, _, place = name.partition("/")
        if place and area not in {"Etc", "SystemV", "US", "posix", "right"}:
            groups.setdefault(area, []).append((name, place.replace("_", " ")))
    return [("Everywhere", [("UTC", "UTC")]), *groups.items()]


@lru_cache(maxsize=1)
def locale_choices() -> list[tuple[str, str]]:
    """(code, English name) in the order of the names."""
    names = [
        (code, str(babel.Locale.parse(code, sep="-").get_display_name("en"))) for code in LOCALES
    ]
    return sorted(names, key=lambda pair: pair[1])


@lru_cache(maxsize=1)
def currency_choices() -> list[tuple[str, str]]:
    """(code, code and English name), the commonest first."""
    others = sorted(code for code in list_currencies("en") if code not in _FIRST_CURRENCIES)
    return [
        (code, f"{code} · {get_currency_name(code, locale='en')}")
        for code in (*_FIRST_CURRENCIES, *others)
        if re.fullmatch("[A-Z]{3}", code)
    ]


class NameField(forms.CharField):
    """A name in one line: it stands in the heads of mails, where a line break begins a new head."""

    def validate(self, value: Any) -> None:
        """Without control characters and line separators."""
        super().validate(value)
        if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in value):
            raise ValidationError("A name is one line of text: take out line breaks and tabs.")


class TimezoneField(forms.ChoiceField):
    """A time zone by its IANA name."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Time zone")
        kwargs.setdefault("initial", "Europe/London")
        super().__init__(choices=timezone_choices, **kwargs)


class HostsField(forms.CharField):
    """Host names, one a line; addresses are cut down to their host."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "none"})

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Hosts")
        kwargs.setdefault(
            "help_text",
            "One a line, the main one first: www.example.com. Pages of other hosts are refused; "
            "*.example.com stands for all below it.",
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """A list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Lines as a list."""
        return hosts_of(value) if isinstance(value, str) else value or []

    def has_changed(self, initial: Any, data: Any) -> bool:
        """No lines are no change from no hosts."""
        return bool(hosts_of(data or "") != list(initial or []))

    def run_validators(self, value: Any) -> None:
        """Left to `Site.clean`, which knows what a host is."""

    def validate(self, value: Any) -> None:
        """At least one, unless none is required."""
        if self.required and not value:
            raise ValidationError("Name at least one host, such as www.example.com.")


class ColourField(forms.CharField):
    """A colour as #0b6b57, by the browser's own picker."""

    widget = forms.TextInput(attrs={"type": "color"})

    def clean(self, value: Any) -> str:
        """In small letters; raises ValidationError for another form."""
        text = str(super().clean(value)).strip().lower()
        try:
            parse_colour(text)
        except ValueError:
            raise ValidationError(f"{text!r} is not a colour: write it as #0b6b57.") from None
        return text
