"""Totals of a period, their change since the period before, and their course over time."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from django.db import connection

from tenants.models import Site
from tracking.models import Dimension
from tracking.reports.periods import Period
from tracking.rollups.hours import day_bounds, day_clock, from_us, to_us
from tracking.sketches import count_visitors

_SUMS = "visits, bounces, pageviews, events, engaged_s, duration_s, bytes_sent"
_DAYS = (
    f"SELECT day, visitors, {_SUMS} FROM day_stats "  # noqa: S608 - names of columns only
    "WHERE site_id = %s AND dimension = %s AND label = 0 AND day BETWEEN %s AND %s"
)
_HOURS = (
    f"SELECT hour, visitors, {_SUMS} FROM hour_stats "  # noqa: S608 - names of columns only
    "WHERE site_id = %s AND dimension = %s AND label = 0 AND hour >= %s AND hour < %s"
)


@dataclass(frozen=True)
class Totals:
    """Sums of a period; seconds are summed over all visits."""

    visitors: int = 0
    visits: int = 0
    bounces: int = 0
    pageviews: int = 0
    events: int = 0
    engaged_s: int = 0
    duration_s: int = 0
    bytes_sent: int = 0

    @property
    def views_per_visit(self) -> float | None:
        """Page views per visit; None without visits."""
        return self.pageviews / self.visits if self.visits else None

    @property
    def bounce_rate(self) -> float | None:
        """Bounces per visit, 0 to 1; None without visits."""
        return self.bounces / self.visits if self.visits else None

    @property
    def mean_duration_s(self) -> float | None:
        """Seconds from a visit's first to its last activity; None without visits."""
        return self.duration_s / self.visits if self.visits else None

    @property
    def mean_engaged_s(self) -> float | None:
        """Engaged seconds per visit; None without visits."""
        return self.engaged_s / self.visits if self.visits else None


@dataclass(frozen=True)
class Comparison:
    """A period's totals beside those of the period before."""

    totals: Totals
    before: Totals

    def change(self, name: str) -> float | None:
        """Relative change of a field or property of Totals: 0.5 is half as much again.

        None where there is nothing to compare with (no visits, or zero before).
        """
        now, before = getattr(self.totals, name), getattr(self.before, name)
        if now is None or not before:
            return None
        return float((now - before) / before)


@dataclass(frozen=True)
class Point:
    """An hour or a day of a series; `starts_at` is in the site's time zone."""

    starts_at: dt.datetime
    totals: Totals
    is_hidden: bool = False
    """Fewer than k visitors where that would tell: its totals are 0 and mean nothing."""


@dataclass(frozen=True)
class Overview:
    """What the top of the report page shows."""

    comparison: Comparison
    series: list[Point]
    """Days of the period."""
    series_before: list[Point]
    """Days of the period before, as many."""


def get_totals(site: Site, period: Period) -> Totals:
    """Totals of the period; zeros when nothing was seen. One query."""
    return _sum(_days(site, period).values())


def compare(site: Site, period: Period) -> Comparison:
    """Totals of the period and of as many days before it. One query."""
    return get_overview(site, period).comparison


def get_overview(site: Site, period: Period) -> Overview:
    """Totals, comparison and daily series of both periods. One query."""
    before = period.before()
    days = _days(site, Period(before.starts_on, period.ends_on))
    now, then = ({day: days[day] for day in of.dates() if day in days} for of in (period, before))
    return Overview(
        Comparison(_sum(now.values()), _sum(then.values())),
        _day_points(site, period, now),
        _day_points(site, before, then),
    )


def get_series(site: Site, period: Period, by: Literal["hour", "day"] = "day") -> list[Point]:
    """One point for each hour or day of the period, in order, zeros where nothing was seen.

    A day on which the clocks change has 23 or 25 hours; a repeated hour shows the same time
    twice, with another offset. One query.
    """
    if by == "day":
        return _day_points(site, period, _days(site, period))
    zone = zoneinfo.ZoneInfo(site.timezone)
    found = _hours(site, period)
    keys = [key for day in period.dates() for key in day_clock(site.timezone, day).hours()]
    return [Point(from_us(key).astimezone(zone), _sum(found.get(key, []))) for key in keys]


def find_first_day(site: Site) -> dt.date | None:
    """The first day of which there is anything; None before the first rollup. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(day) FROM day_stats WHERE site_id = %s AND dimension = %s",
            [site.pk, Dimension.TOTAL],
        )
        day: dt.date | None = cursor.fetchone()[0]
        return day


_Row = tuple[Totals, bytes]


def _days(site: Site, period: Period) -> dict[dt.date, _Row]:
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [site.pk, Dimension.TOTAL, period.starts_on, period.ends_on])
        return {
            day: (Totals(0, *sums), bytes(visitors)) for day, visitors, *sums in cursor.fetchall()
        }


def _hours(site: Site, period: Period) -> dict[int, list[_Row]]:
    first = day_bounds(site.timezone, period.starts_on)[0]
    after = day_bounds(site.timezone, period.ends_on)[1]
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, [site.pk, Dimension.TOTAL, from_us(first), from_us(after)])
        return {
            to_us(hour): [(Totals(0, *sums), bytes(visitors))]
            for hour, visitors, *sums in cursor.fetchall()
        }


def _day_points(site: Site, period: Period, days: dict[dt.date, _Row]) -> list[Point]:
    zone = zoneinfo.ZoneInfo(site.timezone)
    return [
        Point(dt.datetime.combine(day, dt.time(), zone), _sum([days[day]] if day in days else []))
        for day in period.dates()
    ]


def _sum(rows: Iterable[_Row]) -> Totals:
    rows = list(rows)
    if not rows:
        return Totals()
    names = [field.name for field in fields(Totals)][1:]
    sums = [sum(getattr(totals, name) for totals, _ in rows) for name in names]
    return Totals(count_visitors(sketch for _, sketch in rows), *sums)
