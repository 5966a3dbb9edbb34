"""What a report says in words: values, periods, dimensions, in the reader's locale."""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import babel
from babel.dates import format_date, format_interval, format_skeleton, format_time

from tracking.models import Dimension
from tracking.reports.periods import Period, Preset
from tracking.reports.tops import TopRow

DIRECT = "Direct or unknown"
NOT_SET = "Not known"


@dataclass(frozen=True)
class Panel:
    """Dimensions that share a place on the page, the first one open."""

    key: str
    title: str
    dimensions: tuple[Dimension, ...]


PANELS = (
    Panel(
        "pages",
        "Pages",
        (
            *(Dimension.PAGE, Dimension.ENTRY, Dimension.EXIT),
            *(Dimension.NOT_FOUND, Dimension.STATUS),
        ),
    ),
    Panel("sources", "Sources", (Dimension.SOURCE, Dimension.CHANNEL)),
    Panel("places", "Places", (Dimension.COUNTRY, Dimension.REGION, Dimension.OUTCODE)),
    Panel(
        "technology",
        "Technology",
        (Dimension.BROWSER, Dimension.OS, Dimension.DEVICE, Dimension.LANGUAGE),
    ),
    Panel("events", "Events", (Dimension.EVENT, Dimension.OUTBOUND, Dimension.DOWNLOAD)),
    Panel(
        "campaigns",
        "Campaigns",
        (
            *(Dimension.UTM_CAMPAIGN, Dimension.UTM_SOURCE, Dimension.UTM_MEDIUM),
            *(Dimension.UTM_TERM, Dimension.UTM_CONTENT),
        ),
    ),
)
TAB_WORDS = {
    Dimension.PAGE: "All",
    Dimension.ENTRY: "Entry",
    Dimension.EXIT: "Exit",
    Dimension.SOURCE: "Source",
    Dimension.CHANNEL: "Channel",
    Dimension.UTM_CAMPAIGN: "Name",
    Dimension.UTM_SOURCE: "Source",
    Dimension.UTM_MEDIUM: "Medium",
    Dimension.UTM_TERM: "Term",
    Dimension.UTM_CONTENT: "Content",
    Dimension.OUTCODE: "Outcode",
    Dimension.OS: "System",
    Dimension.EVENT: "Custom",
    Dimension.OUTBOUND: "Outbound",
    Dimension.DOWNLOAD: "Downloads",
    Dimension.NOT_FOUND: "404",
    Dimension.STATUS: "Status",
}
"""Where a tab's words differ from the dimension's."""

EMPTY = {
    Dimension.UTM_CAMPAIGN: "No visit came with campaign parameters (utm_campaign).",
    Dimension.OUTCODE: "Nobody gave a postcode. Mark its field with data-outward-postcode.",
    Dimension.REGION: "Regions need a city database: see OUTWARD_GEO_PATH.",
    Dimension.EVENT: 'No event. Send one with outward("event", "Newsletter").',
    Dimension.OUTBOUND: "Nobody followed a link to another website.",
    Dimension.DOWNLOAD: "Nobody downloaded a file.",
    Dimension.NOT_FOUND: "No page was missing.",
    Dimension.STATUS: "Status codes come with weblog imports; none covers this period.",
}

PRESETS = {
    Preset.TODAY: "Today",
    Preset.YESTERDAY: "Yesterday",
    Preset.LAST_7_DAYS: "7 days",
    Preset.LAST_30_DAYS: "30 days",
    Preset.LAST_90_DAYS: "90 days",
    Preset.THIS_MONTH: "This month",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_YEAR: "This year",
    Preset.LAST_12_MONTHS: "12 months",
    Preset.ALL: "All time",
}
"""Choices of the period, in order."""


def dimension_of(slug: str) -> Dimension | None:
    """The dimension that an address names: `utm-source`; None for another word."""
    name = slug.upper().replace("-", "_")
    return Dimension[name] if name in Dimension.__members__ and name != "TOTAL" else None


def slug_of(dimension: Dimension) -> str:
    """`utm-source`."""
    return dimension.name.lower().replace("_", "-")


@lru_cache(maxsize=32)
def locale_of(code: str) -> babel.Locale:
    """Babel's locale of `en-gb`; English for one that it does not know."""
    try:
        return babel.Locale.parse(code, sep="-")
    except (babel.UnknownLocaleError, ValueError):
        return babel.Locale("en", "GB")


def period_words(period: Period, locale: babel.Locale) -> str:
    """1–30 Nov 2026, or 3 November 2026."""
    if period.days == 1:
        return format_date(period.starts_on, "long", locale)
    return format_interval(period.starts_on, period.ends_on, "yMMMd", locale=locale)


def point_words(at: dt.datetime, *, by_hour: bool, locale: babel.Locale) -> tuple[str, str]:
    """Words under the axis, and the longer ones of a tip."""
    if by_hour:
        hour = format_time(at, "short", tzinfo=at.tzinfo, locale=locale)
        return hour, f"{format_date(at.date(), 'medium', locale)}, {hour}"
    return format_skeleton("MMMd", at, locale=locale), format_date(at.date(), "full", locale)


def value_words(dimension: Dimension, row: TopRow, locale: babel.Locale) -> str:
    """A row's name for people."""
    return "Other" if row.is_other else value_name(dimension, row.value, locale)


def value_name(dimension: Dimension | None, value: str, locale: babel.Locale) -> str:
    """A value's name for people; None is a dimension without a rollup, such as a property."""
    if dimension == Dimension.SOURCE and not value:
        return DIRECT
    if not value:
        return NOT_SET
    if dimension == Dimension.COUNTRY:
        return str(locale.territories.get(value, value))
    if dimension == Dimension.LANGUAGE:
        return _language(value, locale)
    if dimension == Dimension.DEVICE:
        return value.capitalize() if value != "tv" else "TV"
    return value


def _language(tag: str, locale: babel.Locale) -> str:
    try:
        name = babel.Locale.parse(tag, sep="-").get_display_name(locale)
    except (babel.UnknownLocaleError, ValueError):
        return tag
    return f"{name[0].upper()}{name[1:]}" if name else tag
