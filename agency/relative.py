"""How long ago something was, in words."""

import datetime as dt

import babel
from babel.dates import format_date, format_time, format_timedelta

_JUST_NOW = dt.timedelta(seconds=60)
_A_MONTH = dt.timedelta(days=30)


def ago(at: dt.datetime | None, *, now: dt.datetime, locale: babel.Locale, never: str) -> str:
    """Just now, 3 minutes ago, 2 days ago; a date when it is over a month; `never` for None."""
    if at is None:
        return never
    passed = now - at
    if passed < _JUST_NOW:
        return "just now"
    if passed > _A_MONTH:
        return format_date(at.date(), "medium", locale)
    return format_timedelta(-passed, add_direction=True, locale=locale, threshold=1)


def moment(at: dt.datetime, *, timezone: dt.tzinfo, locale: babel.Locale) -> str:
    """3 Nov 2026, 14:05 on the given clock."""
    local = at.astimezone(timezone)
    date, time = (
        format_date(local.date(), "medium", locale),
        format_time(local, "short", locale=locale),
    )
    return f"{date}, {time}"
