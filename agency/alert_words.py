"""Alerts and their events in words, for pages, mails and webhooks."""

import datetime as dt
import zoneinfo

import babel
from babel.dates import format_date, format_time

from agency import figures
from tracking.models import Alert, AlertEvent
from tracking.models.delivery import AlertKind


def watches(alert: Alert, goal_name: str = "") -> str:
    """What an alert watches for: *No hit for 3 hours, where 20 visits or more are usual*."""
    match AlertKind(alert.kind):
        case AlertKind.NO_HITS:
            return (
                f"No hit for {_hours(alert.hours)}, where {figures.number(alert.minimum)} visits "
                "or more are usual"
            )
        case AlertKind.FALL | AlertKind.RISE:
            way = "below" if alert.kind == AlertKind.FALL else "above"
            return (
                f"Visits of the day {alert.percent}% or more {way} the same weekday’s mean, where "
                f"{figures.number(alert.minimum)} or more are usual"
            )
        case AlertKind.NOT_FOUND_BURST:
            return (
                f"{figures.number(alert.count)} pages not found in an hour, and "
                f"{alert.factor:g} times the usual"
            )
        case AlertKind.GOAL_REACHED:
            name = goal_name or "a goal that was deleted"
            return f"{figures.number(alert.count)} visits in a day reach {name}"


def event_words(alert: Alert, event: AlertEvent, goal_name: str = "") -> str:
    """What happened, with its numbers and what they are compared with."""
    what = event.what
    match AlertKind(alert.kind):
        case AlertKind.NO_HITS:
            return (
                f"No hit for {_hours(int(what.get('hours', alert.hours)))}. In these hours of this "
                f"weekday {_usual(what)} visits are usual."
            )
        case AlertKind.FALL | AlertKind.RISE:
            change = figures.change(
                float(what.get("visits", 0)), float(what.get("usual", 0)), rising_is=""
            )
            return (
                f"{figures.counted(int(what.get('visits', 0)), 'visit')} by "
                f"{what.get('until', '')}, where {_usual(what)} are usual by then on this "
                f"weekday: {change.words}."
            )
        case AlertKind.NOT_FOUND_BURST:
            return (
                f"{figures.number(int(what.get('views', 0)))} pages were not found within an "
                f"hour, where {_usual(what)} are usual."
            )
        case AlertKind.GOAL_REACHED:
            return (
                f"{figures.counted(int(what.get('conversions', 0)), 'visit')} of the day reached "
                f"{goal_name or 'the goal'}; {figures.number(int(what.get('wanted', 0)))} were "
                "asked for."
            )


def _usual(what: dict[str, float]) -> str:
    usual = float(what.get("usual", 0))
    return figures.number(round(usual)) if usual >= 10 else figures.decimal(usual)


def _hours(hours: int) -> str:
    return "an hour" if hours == 1 else f"{hours} hours"


def time_words(at: dt.datetime, timezone: str, locale: babel.Locale) -> str:
    """An instant on the site's clock: 23 Nov 2026, 14:30."""
    local = at.astimezone(zoneinfo.ZoneInfo(timezone))
    return f"{format_date(local.date(), 'medium', locale=locale)}, {_clock(local, locale)}"


def span_words(
    began_at: dt.datetime, ended_at: dt.datetime | None, timezone: str, locale: babel.Locale
) -> str:
    """From when to when: *23 Nov 2026, 14:30 to 16:05*, or *since …*."""
    zone = zoneinfo.ZoneInfo(timezone)
    begin = began_at.astimezone(zone)
    day = format_date(begin.date(), "medium", locale=locale)
    words = f"{day}, {_clock(begin, locale)}"
    if ended_at is None:
        return f"since {words}"
    end = ended_at.astimezone(zone)
    if end.date() == begin.date():
        return f"{words} to {_clock(end, locale)}"
    return f"{words} to {format_date(end.date(), 'medium', locale=locale)}, {_clock(end, locale)}"


def _clock(at: dt.datetime, locale: babel.Locale) -> str:
    return format_time(at, "short", tzinfo=at.tzinfo, locale=locale)
