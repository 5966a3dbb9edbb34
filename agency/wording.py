"""What a report says in words: values, periods, dimensions, in the reader's locale."""

import datetime as dt
from functools import lru_cache

import babel
from babel.dates import format_date, format_interval, format_skeleton, format_time

from tracking.models import Dimension
from tracking.query.buckets import UpTo, whole_days
from tracking.reports.periods import Period, Preset

DIRECT = "Direct or unknown"
NOT_SET = "Not known"


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


@lru_cache(maxsize=32)
def locale_of(code: str) -> babel.Locale:
    """Babel's locale of `en-gb`; English for one that it does not know."""
    try:
        return babel.Locale.parse(code, sep="-")
    except (babel.UnknownLocaleError, ValueError):
        return babel.Locale("en", "GB")


def period_words(period: Period, locale: babel.Locale) -> str:
    """1–30 Nov 2026, or 3 November 2026, or either until 14:00."""
    if isinstance(period, UpTo) and period.hour is not None:
        hour = format_time(dt.time(period.hour), "short", locale=locale)
        return f"{period_words(whole_days(period), locale)}, until {hour}"
    if period.days == 1:
        return format_date(period.starts_on, "long", locale)
    return format_interval(period.starts_on, period.ends_on, "yMMMd", locale=locale)


def date_words(day: dt.date, locale: babel.Locale) -> str:
    """3 November 2026."""
    return format_date(day, "long", locale)


def point_words(at: dt.datetime, *, step: str, locale: babel.Locale) -> tuple[str, str]:
    """Words under the axis, and the longer ones of a tip; `step` is hour, day, week or month."""
    if step == "hour":
        hour = format_time(at, "short", tzinfo=at.tzinfo, locale=locale)
        return hour, f"{format_date(at.date(), 'medium', locale)}, {hour}"
    return _day_words(at.date(), step, locale)


@lru_cache(maxsize=4096)
def _day_words(day: dt.date, step: str, locale: babel.Locale) -> tuple[str, str]:
    if step == "month":
        words = format_skeleton("yMMM", day, locale=locale)
        return words, format_skeleton("yMMMM", day, locale=locale)
    words = format_skeleton("MMMd", day, locale=locale)
    if step == "week":
        return words, f"Week from {format_date(day, 'long', locale)}"
    return words, format_date(day, "full", locale)


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
