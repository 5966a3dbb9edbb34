"""Date ranges of the API: names, days, hours. Pure."""

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenants.models import Site
from tracking.query.model import QueryError
from tracking.reports.periods import months_earlier, site_today
from tracking.rollups.hours import HOUR, clock_of, from_us, to_us

LAST_DAYS = {"day": 1, "7d": 7, "28d": 28, "30d": 30, "91d": 91}
MONTHS = {"month": 1, "6mo": 6, "12mo": 12}
NAMES = (*LAST_DAYS, "24h", *MONTHS, "year", "all")
_DAY = dt.timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class DateRange:
    """Days on the site's clock, both included, or hours of them."""

    starts_on: dt.date
    ends_on: dt.date
    starts_at: dt.datetime | None = None
    ends_before: dt.datetime | None = None


def read_date_range(
    value: Any, site: Site, *, first_day: dt.date | None, now: dt.datetime, trim: bool
) -> DateRange:
    """The range that was sent. Named ones end today, on the site's clock.

    `first_day` is the site's first with any statistics, for "all". `trim` leaves out the hours of
    a named range that have not come yet. Raises QueryError.
    """
    if isinstance(value, str):
        found = _named(value, site, first_day, now)
        return _until_now(found, site, now) if trim and value != "24h" else found
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(v, str) for v in value):
        raise _error("Send a name or a list of two dates.")
    if all(_DATE.match(each) for each in value):
        starts_on, ends_on = (_date(each) for each in value)
        return DateRange(starts_on, ends_on)
    return _hours(_instant(value[0]), _instant(value[1]), site)


def _named(name: str, site: Site, first_day: dt.date | None, now: dt.datetime) -> DateRange:
    today = site_today(site, now)
    if name in LAST_DAYS:
        return DateRange(today - (LAST_DAYS[name] - 1) * _DAY, today)
    if name in MONTHS:
        return DateRange(months_earlier(today.replace(day=1), MONTHS[name] - 1), today)
    if name == "year":
        return DateRange(today.replace(month=1, day=1), today)
    if name == "all":
        return DateRange(min(first_day or today, today), today)
    if name == "24h":
        ends_before = _end_of_hour(site, now)
        return _hours(ends_before - 24 * dt.timedelta(hours=1), ends_before - _SECOND, site)
    raise _error(f'"{name[:20]}" is no date range.')


def _until_now(found: DateRange, site: Site, now: dt.datetime) -> DateRange:
    return DateRange(found.starts_on, found.ends_on, ends_before=_end_of_hour(site, now))


def _hours(start: dt.datetime, end: dt.datetime, site: Site) -> DateRange:
    """Whole hours of the site's clock; the end may be named by its last second."""
    zone = zoneinfo.ZoneInfo(site.timezone)
    if end.second == 59:
        end = end.replace(microsecond=0) + _SECOND
    if any(_start_of_hour(site, each) != each for each in (start, end)):
        raise _error("A range of times begins and ends with full hours of the site's clock.")
    if end <= start:
        raise _error("The range ends before it starts: exchange the two.")
    last = (end - _SECOND).astimezone(zone).date()
    return DateRange(start.astimezone(zone).date(), last, start, end)


def _start_of_hour(site: Site, at: dt.datetime) -> dt.datetime:
    at_us = to_us(at)
    clock = clock_of(site.timezone, at_us - HOUR, at_us + HOUR)
    return from_us(int(clock.hours_of(np.array([at_us]))[0]))


def _end_of_hour(site: Site, now: dt.datetime) -> dt.datetime:
    start = _start_of_hour(site, now)
    clock = clock_of(site.timezone, to_us(start), to_us(start) + 2 * HOUR)
    return from_us(clock.hours()[1])


def _date(text: str) -> dt.date:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        raise _error(f'"{text}" is no date.') from None
    # Around the ends of the calendar a day of another time zone has no date.
    if not 1970 < found.year < 9999:
        raise _error(f'"{text}" is out of range.')
    return found


def _instant(text: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _error("A time is not written as 2026-05-01T12:00:00+01:00.") from None
    if found.tzinfo is None:
        raise _error("A time has no offset from UTC: write it as 2026-05-01T12:00:00+01:00.")
    if not 1970 < found.year < 9998:
        raise _error("A time is out of range.")
    return found.astimezone(dt.UTC)


def _error(what: str) -> QueryError:
    return QueryError(
        "date_range",
        f'{what} Use one of {", ".join(NAMES)}, or ["2026-05-01", "2026-05-31"], or two times '
        "such as 2026-05-01T12:00:00+01:00.",
    )
