"""Rolling up a client: its touched hours, day by day, the newest day first."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction

from tenants.models import Client, PrivacySettings, Site
from tenants.schemas import entered
from tracking.models import Dimension
from tracking.partitions import PARTITIONED, partition_name
from tracking.raw_rows import hits_and_pings
from tracking.rollups.copies import copy_days
from tracking.rollups.counting import HourRow, count_hours
from tracking.rollups.hours import (
    HOUR,
    clock_of,
    day_bounds,
    day_clock,
    day_of,
    from_us,
    to_us,
)
from tracking.rollups.reading import read_hours
from tracking.rollups.storing import (
    forget_weeks,
    hits_stored,
    merge_day,
    replace_hours,
    week_of,
)
from tracking.rollups.weeks import lock_rollup, merge_weeks
from tracking.states import SiteDay, record_days
from tracking.visits import GAP_US, LONGEST_US

HOURS_AT_ONCE = 6
"""Raw rows of so many hours are in memory together."""

_ALWAYS = dt.datetime(1980, 1, 1, tzinfo=dt.UTC), dt.datetime(2240, 1, 1, tzinfo=dt.UTC)
"""From before the first log to after the last hit."""
_AN_HOUR, _A_DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass(frozen=True)
class RollupResult:
    """What a rollup did."""

    hours: int = 0
    """Hours replaced."""
    days: int = 0
    """Site-days merged."""
    rows: int = 0
    """Hour and day rows stored."""
    kept: int = 0
    """Touched hours left as they were, because their raw rows are gone."""
    busy: bool = False
    """Another rollup of the client was at work: nothing, or nothing more, was done."""
    days_left: int = 0
    """Site-days with touched hours beyond `limit_days`."""
    merged: tuple[SiteDay, ...] = ()
    """Which site-days were merged."""


@dataclass(frozen=True)
class _SiteDay:
    site_id: int
    timezone: str
    day: dt.date
    raw_since: int
    """Raw rows before this instant may be gone."""


@dataclass(frozen=True)
class _Touched:
    """Rows of `touched_hours`, and the hours on the site's clock that they ask for."""

    ids: list[int]
    hours: list[int]


def roll_up_client(
    client: Client, *, now: dt.datetime, limit_days: int | None = None
) -> RollupResult:
    """Recompute every touched hour of the client and the days these hours are of.

    Idempotent: hours are recomputed from raw rows and replaced. Each site-day is a transaction
    that also deletes the touched rows it has read, and only those: what a writer commits
    meanwhile is read by the next run. One rollup of a client runs at a time, held by an advisory
    lock; a second one returns at once, `busy`. Hours in the future (a wrong clock in a log) are
    hours like any other. A site's hours are cut by its time zone of now: see `touch_all`.

    An hour whose raw rows may be gone (it is past the client's retention, or its month has no
    partition any more) is replaced only if the raw rows there are count no less than what is
    stored; else it is left as it is, and counted in `kept`.

    Days that were merged are copied to the shared schema (tracking.states) once the client's is
    left. Weeks that are over and whose days have all been merged are merged as well, and large
    days that are over are copied for filters. Call it outside a client's schema.
    """
    timezones = dict(client.sites.values_list("id", "timezone"))
    raw_since = to_us(_raw_since(client, now))
    result = RollupResult()
    with entered(client):
        site_days = [
            _SiteDay(site_id, timezone, day, raw_since)
            for site_id, timezone, day in _touched_days(timezones, client.timezone)
        ]
        wanted = site_days if limit_days is None else site_days[:limit_days]
        for site_day in wanted:
            with transaction.atomic(), connection.cursor() as cursor:
                if not lock_rollup(cursor, client):
                    result = _plus(result, RollupResult(busy=True))
                    break
                result = _plus(result, _roll_up_day(cursor, site_day))
        if result.days:
            merge_weeks(client, timezones, now=now)
            copy_days(client, timezones, raw_since=raw_since, now=now)
    record_days(client, result.merged, timezones=timezones, now=now)
    if result.busy:
        return result
    return _plus(result, RollupResult(days_left=len(site_days) - len(wanted)))


def has_touched_hours(client: Client) -> bool:
    """True if there is something to roll up. One query, of the first row it meets."""
    with entered(client), connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM touched_hours)")
        return bool(cursor.fetchone()[0])


def touch_all(client: Client, site: Site, *, now: dt.datetime) -> int:
    """Touch every hour of the site that has raw rows or, since the first of them, rollup rows.

    For a change of the site's time zone, or of what is counted: the next rollup makes hours and
    days anew. Days that are whole in raw rows are taken away at once, as the old clock's would
    stay beside the new one's; those before keep the old clock. Returns the touched hours.
    """
    since = _raw_since(client, now)
    with entered(client), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT min(at) FROM hits WHERE site_id = %s", [site.pk])
        first = cursor.fetchone()[0]
        if first is None:
            return 0
        since = max(since, first)
        table, params = hits_and_pings([site.pk], *_ALWAYS)
        cursor.execute(
            "WITH s AS MATERIALIZED ("  # noqa: S608 - our own words
            f"SELECT site_id, date_trunc('hour', at, 'UTC') AS hour FROM {table} r "
            "UNION SELECT site_id, date_trunc('hour', started_at, 'UTC') FROM visits "
            "WHERE site_id = %s "
            "UNION SELECT site_id, hour FROM hour_stats WHERE site_id = %s AND hour > %s) "
            "INSERT INTO touched_hours (site_id, hour) SELECT site_id, hour FROM s",
            [*params, site.pk, site.pk, since - _AN_HOUR],
        )
        touched = int(cursor.rowcount)
        cursor.execute(
            "SELECT max(hour) FROM hour_stats WHERE site_id = %s AND hour <= %s",
            [site.pk, since - _AN_HOUR],
        )
        last_without_raw = cursor.fetchone()[0]
        # No clock is more than a day from UTC, and none shows a date for longer than two.
        whole_from = since if last_without_raw is None else last_without_raw + 3 * _A_DAY
        first_day = (whole_from - _A_DAY).date()
        forget_weeks(cursor, site.pk, week_of(first_day), dt.date.max)
        cursor.execute("DELETE FROM hit_days WHERE site_id = %s", [site.pk])
        cursor.execute(
            "DELETE FROM day_stats WHERE site_id = %s AND day >= %s", [site.pk, first_day]
        )
        return touched


def _raw_since(client: Client, now: dt.datetime) -> dt.datetime:
    return PrivacySettings.objects.get(client=client).raw_since(now)


def _touched_days(timezones: dict[int, str], default: str) -> list[tuple[int, str, dt.date]]:
    """Site, time zone and day of all touched hours, newest day first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT site_id, hour FROM touched_hours")
        touched = cursor.fetchall()
    found = {
        (site_id, zone, day_of(zone, _first_hour(zone, to_us(hour))))
        for site_id, hour in touched
        for zone in [timezones.get(site_id, default)]
    }
    return sorted(found, key=lambda key: (key[2], key[0]), reverse=True)


def _roll_up_day(cursor: Any, site_day: _SiteDay) -> RollupResult:
    touched = _read_touched(cursor, site_day)
    if not touched.ids:
        return RollupResult()
    unsure = _unsure(cursor, site_day, touched.hours)
    stored = hits_stored(cursor, site_day.site_id, unsure) if unsure else {}
    kept: set[int] = set()
    rows: list[HourRow] = []
    for start in range(0, len(touched.hours), HOURS_AT_ONCE):
        hours = touched.hours[start : start + HOURS_AT_ONCE]
        found = _count(cursor, site_day, hours)
        gone = _losing(hours, found, stored)
        kept |= gone
        rows += [row for row in found if row.hour not in gone]
    replaced = [hour for hour in touched.hours if hour not in kept]
    replace_hours(cursor, site_day.site_id, replaced, rows)
    days = sorted({day_of(site_day.timezone, hour) for hour in replaced})
    day_rows = 0
    for day in days:
        hours = day_clock(site_day.timezone, day).hours()
        day_rows += merge_day(cursor, site_day.site_id, day, hours)
    cursor.execute("DELETE FROM touched_hours WHERE id = ANY(%s)", [touched.ids])
    return RollupResult(
        hours=len(replaced),
        days=len(days),
        rows=len(rows) + day_rows,
        kept=len(kept),
        merged=tuple((site_day.site_id, day) for day in days),
    )


def _read_touched(cursor: Any, site_day: _SiteDay) -> _Touched:
    """The touched rows of the day, and every hour that an instant of theirs lies in.

    A row names an hour on the clock that the site had when it was written. On another clock the
    same instants lie in two hours, the second of which may be of the next day.
    """
    first, after = day_bounds(site_day.timezone, site_day.day)
    cursor.execute(
        "SELECT id, hour FROM touched_hours WHERE site_id = %s AND hour >= %s AND hour < %s",
        [site_day.site_id, from_us(first - HOUR), from_us(after + HOUR)],
    )
    ids: list[int] = []
    hours: set[int] = set()
    for row_id, hour in cursor.fetchall():
        start = to_us(hour)
        if day_of(site_day.timezone, _first_hour(site_day.timezone, start)) == site_day.day:
            ids.append(row_id)
            hours.update(clock_of(site_day.timezone, start, start + HOUR).hours())
    return _Touched(ids, sorted(hours))


def _first_hour(timezone: str, at_us: int) -> int:
    return clock_of(timezone, at_us, at_us + HOUR).hours()[0]


def _count(cursor: Any, site_day: _SiteDay, hours: list[int]) -> list[HourRow]:
    first, ends_before = hours[0], hours[-1] + HOUR
    hits, visits = read_hours(cursor, site_day.site_id, first, ends_before)
    clock = clock_of(site_day.timezone, first, ends_before)
    return count_hours(hits, visits, clock=clock, hours=np.array(hours, dtype=np.int64))


def _unsure(cursor: Any, site_day: _SiteDay, hours: list[int]) -> list[int]:
    """Those of the hours whose raw rows may be gone."""
    months = defaultdict(list)
    for hour in hours:
        months[from_us(hour).date().replace(day=1)].append(hour)
    # Hours soon after it have hits of visits that began before.
    unsure = [hour for hour in hours if hour < site_day.raw_since + LONGEST_US + GAP_US]
    for month, of_month in months.items():
        names = [partition_name(table, month) for table in PARTITIONED]
        cursor.execute(
            "SELECT count(*) FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL",
            [names],
        )
        if cursor.fetchone()[0]:
            unsure += of_month
    return sorted(set(unsure))


def _losing(hours: list[int], rows: list[HourRow], stored: dict[int, int]) -> set[int]:
    """Hours in which the raw rows count less than the rollup holds already."""
    counted = {
        row.hour: row.sums.pageviews + row.sums.events
        for row in rows
        if row.dimension == Dimension.TOTAL
    }
    return {hour for hour in hours if counted.get(hour, 0) < stored.get(hour, 0)}


def _plus(one: RollupResult, other: RollupResult) -> RollupResult:
    return RollupResult(
        hours=one.hours + other.hours,
        days=one.days + other.days,
        rows=one.rows + other.rows,
        kept=one.kept + other.kept,
        busy=one.busy or other.busy,
        days_left=one.days_left + other.days_left,
        merged=one.merged + other.merged,
    )
