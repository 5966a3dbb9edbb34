"""Rollups against a recount of the raw rows, and what must not be lost while they run."""

import datetime as dt
import os
import random
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest
from django.db import connection, connections

from tenants.clients import new_site_key
from tenants.models import Client, PrivacySettings, Site
from tenants.schemas import owning
from tests.conftest import site_of
from tests.tracking.recount import Counts, Key, hour_start, recount, rows_of
from tests.tracking.traffic import hit, random_hits
from tracking.hits import Hit
from tracking.models import Dimension
from tracking.models.raw import OTHER
from tracking.partitions import ensure_months
from tracking.rollups import counting, storing
from tracking.rollups.hours import DAY, clock_of, day_clock, from_us, to_us
from tracking.rollups.run import has_touched_hours, roll_up_client, touch_all
from tracking.sketches import count_visitors, sketch_of
from tracking.writer import hours
from tracking.writer.store import site_zones, store_hits

NOON = dt.datetime(2026, 6, 10, 12, tzinfo=dt.UTC)
COLUMNS = ("visits", "bounces", "pageviews", "events", "engaged_s", "duration_s", "bytes_sent")
# Each zone with a day on which its clocks change, if they do.
STARTS = {
    "Europe/London": dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC),
    "America/New_York": dt.datetime(2025, 11, 1, 22, tzinfo=dt.UTC),
    "Australia/Lord_Howe": dt.datetime(2026, 4, 4, 4, tzinfo=dt.UTC),
    "Asia/Kolkata": dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC),
    "America/Havana": dt.datetime(2026, 3, 7, 20, tzinfo=dt.UTC),
}


def add_site(client: Client, timezone: str) -> Site:
    return Site.objects.create(
        client=client, key=new_site_key(), name=timezone, hosts=["x.example"], timezone=timezone
    )


def store(client: Client, hits: list[Hit]) -> None:
    store_hits(client, hits, zones=site_zones(client))


def stored_hours(client: Client) -> dict[Key, dict[str, Any]]:
    rows = rows_of(client, "SELECT * FROM hour_stats")
    return {(r["site_id"], Dimension(r["dimension"]), r["hour"], r["label"]): r for r in rows}


def stored_days(client: Client) -> dict[Any, dict[str, Any]]:
    rows = rows_of(client, "SELECT * FROM day_stats")
    return {(r["site_id"], Dimension(r["dimension"]), r["day"], r["label"]): r for r in rows}


def stored_weeks(client: Client) -> dict[Any, dict[str, Any]]:
    rows = rows_of(client, "SELECT * FROM week_stats")
    return {(r["site_id"], Dimension(r["dimension"]), r["week"], r["label"]): r for r in rows}


def numbers(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[column] for column in COLUMNS)


def add(merged: Counts, counts: Counts) -> None:
    for column in COLUMNS:
        setattr(merged, column, getattr(merged, column) + getattr(counts, column))
    merged.visitors |= counts.visitors


def assert_rollup_is_right(client: Client) -> int:
    """Compare all hour, day and week rows with the recount; returns how many hour rows there are.

    The weeks are those before `NOON`.
    """
    zones = site_zones(client)
    wanted = recount(client, zones)
    found = stored_hours(client)
    assert found.keys() == wanted.keys()
    for key, counts in wanted.items():
        assert numbers(found[key]) == counts.numbers(), key
        assert bytes(found[key]["visitors"]) == sketch_of(sorted(counts.visitors)), key

    days: dict[Any, Counts] = defaultdict(Counts)
    for (site, dimension, hour, label), counts in wanted.items():
        day = hour.astimezone(ZoneInfo(zones[site])).date()
        add(days[site, dimension, day, label], counts)
    weeks: dict[Any, Counts] = defaultdict(Counts)
    for (site, dimension, day, label), counts in days.items():
        week = day - dt.timedelta(days=day.weekday())
        if week + dt.timedelta(days=7) <= NOON.date():
            add(weeks[site, dimension, week, label], counts)
    for found, right in ((stored_days(client), days), (stored_weeks(client), weeks)):
        assert found.keys() == right.keys()
        for key, counts in right.items():
            assert numbers(found[key]) == counts.numbers(), key
            assert count_visitors([found[key]["visitors"]]) == len(counts.visitors), key
    return len(wanted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_and_days_equal_a_recount_of_the_raw_rows_in_every_zone(new_client, seed):
    client = new_client()
    rng = random.Random(seed)
    hits = []
    for timezone, starts_at in STARTS.items():
        site = add_site(client, timezone)
        hits += random_hits(rng, client.pk, site.pk, starts_at)
    hits.sort(key=lambda each: each.at_us)
    for part in range(0, len(hits), 100):
        store(client, hits[part : part + 100])
    result = roll_up_client(client, now=NOON)
    assert result.hours > 50
    assert not has_touched_hours(client)
    assert assert_rollup_is_right(client) > 500


def test_a_second_rollup_changes_nothing_and_late_hits_are_counted(new_client):
    client = new_client(timezone_name="America/New_York")
    site = site_of(client)
    hits = random_hits(random.Random(7), client.pk, site.pk, STARTS["America/New_York"])
    rng = random.Random(8)
    rng.shuffle(hits)
    for part in range(0, len(hits), 40):
        store(client, hits[part : part + 40])
        roll_up_client(client, now=NOON)
    assert_rollup_is_right(client)

    before = stored_hours(client), stored_days(client)
    assert touch_all(client, site, now=NOON) > 20
    assert roll_up_client(client, now=NOON).hours > 20
    assert (stored_hours(client), stored_days(client)) == before
    assert roll_up_client(client, now=NOON).hours == 0


def waiting_for(schema: str, table: str) -> bool:
    """True once another connection waits for a lock on the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND NOT l.granted",
            [schema, table],
        )
        return bool(cursor.fetchone()[0])


def in_thread(call):
    def run():
        try:
            return call()
        finally:
            connections.close_all()

    return ThreadPoolExecutor(1).submit(run)


def test_a_hit_stored_while_a_rollup_runs_is_counted_by_the_next(new_client):
    client = new_client()
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, NOON, 1)])
    with psycopg.connect(os.environ["OUTWARD_DATABASE_URL"]) as holder:
        holder.execute(f"LOCK TABLE {client.schema_name}.hour_stats IN SHARE MODE")
        running = in_thread(lambda: roll_up_client(client, now=NOON))
        while not waiting_for(client.schema_name, "hour_stats"):
            time.sleep(0.01)
        # The rollup has read the raw rows and waits to store what it counted.
        store(client, [hit(client.pk, site.pk, NOON, 2)])
        assert roll_up_client(client, now=NOON).busy
        holder.rollback()
    assert running.result().hours == 1
    total = (site.pk, Dimension.TOTAL, NOON, 0)
    assert stored_hours(client)[total]["visits"] == 1
    assert has_touched_hours(client)
    assert roll_up_client(client, now=NOON).hours == 1
    assert stored_hours(client)[total]["visits"] == 2
    assert_rollup_is_right(client)


def drop_month(client: Client, month: str) -> None:
    with owning(client), connection.cursor() as cursor:
        for table in ("hits", "visits", "origins"):
            cursor.execute(f"DROP TABLE {table}_{month}")


def test_an_hour_whose_partition_was_dropped_keeps_its_rollup(new_client):
    client = new_client()
    site = site_of(client)
    old = NOON - dt.timedelta(days=400)
    ensure_months(client, [old.date()])
    store(client, [hit(client.pk, site.pk, old, visitor) for visitor in range(5)])
    roll_up_client(client, now=NOON)
    before = stored_hours(client), stored_days(client)

    drop_month(client, f"{old:%Y_%m}")
    store(client, [hit(client.pk, site.pk, old, 99)])
    result = roll_up_client(client, now=NOON)
    assert (result.hours, result.kept) == (0, 1)
    assert (stored_hours(client), stored_days(client)) == before
    assert not has_touched_hours(client)


def test_an_hour_past_retention_is_never_lowered_but_a_new_import_is_counted(new_client):
    client = new_client()
    site = site_of(client)
    PrivacySettings.objects.filter(client=client).update(hits_retention_days=30)
    old = NOON - dt.timedelta(days=60)
    ensure_months(client, [old.date()])
    hits = [hit(client.pk, site.pk, old, visitor) for visitor in range(3)]
    store(client, hits)
    assert roll_up_client(client, now=NOON).kept == 0
    assert stored_hours(client)[site.pk, Dimension.TOTAL, old, 0]["pageviews"] == 3

    with owning(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM hits")
        cursor.execute("INSERT INTO touched_hours (site_id, hour) VALUES (%s, %s)", [site.pk, old])
    assert roll_up_client(client, now=NOON).kept == 1
    assert stored_hours(client)[site.pk, Dimension.TOTAL, old, 0]["pageviews"] == 3


def test_raw_rows_erased_within_retention_leave_the_rollup(new_client):
    client = new_client()
    site = site_of(client)
    ensure_months(client, [NOON.date()])
    store(client, [hit(client.pk, site.pk, NOON, 1), hit(client.pk, site.pk, NOON, 2)])
    roll_up_client(client, now=NOON)
    with owning(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM hits")
        cursor.execute("DELETE FROM visits")
        cursor.execute("INSERT INTO touched_hours (site_id, hour) VALUES (%s, %s)", [site.pk, NOON])
    roll_up_client(client, now=NOON)
    assert stored_hours(client) == {}
    assert stored_days(client) == {}


def test_an_hour_keeps_its_thousand_most_frequent_pages_and_folds_the_rest(new_client):
    client = new_client()
    site = site_of(client)
    hits = []
    for page in range(1_100):
        # The first hundred pages are seen by two visitors, the others by one.
        for visitor in range(1 + (page < 100)):
            at = NOON + dt.timedelta(seconds=page)
            hits.append(hit(client.pk, site.pk, at, visitor, path=f"/page/{page}"))
    hits += [hit(client.pk, site.pk, NOON + dt.timedelta(hours=1), 7, path=f"/{n}") for n in (1, 2)]
    store(client, hits)
    roll_up_client(client, now=NOON)

    wanted = recount(client, site_zones(client))
    pages = {k: v for k, v in wanted.items() if k[1] == Dimension.PAGE and k[2] == NOON}
    ranked = sorted(pages, key=lambda key: (-pages[key].visits, -pages[key].pageviews, key[3]))
    found = {
        key: row
        for key, row in stored_hours(client).items()
        if key[1] == Dimension.PAGE and key[2] == NOON
    }
    other = (site.pk, Dimension.PAGE, NOON, OTHER)
    assert found.keys() == {*ranked[: counting.HOUR_VALUES], other}
    for key in ranked[: counting.HOUR_VALUES]:
        assert numbers(found[key]) == pages[key].numbers()
    folded = ranked[counting.HOUR_VALUES :]
    assert len(folded) == 100
    columns = zip(*(pages[key].numbers() for key in folded), strict=True)
    assert numbers(found[other]) == tuple(map(sum, columns))
    assert count_visitors([found[other]["visitors"]]) == len(
        set().union(*(pages[key].visitors for key in folded))
    )


def test_a_day_folds_what_is_not_among_its_most_frequent_values():
    def row(visits: int) -> counting.Sums:
        return counting.Sums(visits, 0, visits, 0, 0, 0, 0)

    merged = {
        (1, 100): (row(5), sketch_of([1])),
        (1, 101): (row(3), sketch_of([2])),
        (1, 102): (row(3), sketch_of([3])),
        (1, OTHER): (row(9), sketch_of([3, 4])),
        (2, 100): (row(1), sketch_of([1])),
    }
    capped = storing._capped(merged, 2)
    assert capped.keys() == {(1, 100), (1, 101), (1, OTHER), (2, 100)}
    sums, sketch = capped[1, OTHER]
    assert sums == row(12)
    assert count_visitors([sketch]) == 2


def test_a_new_time_zone_cuts_all_raw_hours_and_days_anew(new_client):
    client = new_client(timezone_name="Europe/London")
    site = site_of(client)
    store(client, random_hits(random.Random(4), client.pk, site.pk, STARTS["Europe/London"]))
    roll_up_client(client, now=NOON)
    for timezone in ("Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"):
        Site.objects.filter(pk=site.pk).update(timezone=timezone)
        touch_all(client, site, now=NOON)
        roll_up_client(client, now=NOON)
        assert_rollup_is_right(client)


def test_a_rollup_may_be_cut_into_days_newest_first(new_client):
    client = new_client()
    site = site_of(client)
    days = [NOON - dt.timedelta(days=number) for number in range(3)]
    store(client, [hit(client.pk, site.pk, at, 1) for at in days])
    result = roll_up_client(client, now=NOON, limit_days=1)
    assert (result.days, result.days_left) == (1, 2)
    assert {key[2] for key in stored_days(client)} == {NOON.date()}
    assert roll_up_client(client, now=NOON).days == 2
    assert_rollup_is_right(client)


def test_hours_are_those_of_the_writer_and_of_a_walk_along_the_clock():
    for timezone, starts_at in STARTS.items():
        first = to_us(starts_at.replace(hour=0, minute=0))
        clock = clock_of(timezone, first, first + 3 * DAY)
        instants = np.arange(first, first + 3 * DAY, 900_000_000)
        keys = clock.hours_of(instants).tolist()
        assert sorted(set(keys)) == clock.hours()
        for at, key in zip(instants.tolist(), keys, strict=True):
            assert to_us(hour_start(from_us(at), timezone)) == key
            assert hours.hour_start(timezone, at // 900_000_000) * 1_000_000 == key


@pytest.mark.parametrize(
    ("timezone", "day", "count"),
    [
        ("Europe/London", dt.date(2026, 3, 29), 23),
        ("Europe/London", dt.date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", dt.date(2026, 4, 5), 25),
        ("Australia/Lord_Howe", dt.date(2026, 10, 4), 24),
        ("Asia/Kolkata", dt.date(2026, 3, 29), 24),
        ("America/Havana", dt.date(2026, 3, 8), 23),
    ],
)
def test_a_day_has_the_hours_that_its_clock_shows(timezone, day, count):
    assert len(day_clock(timezone, day).hours()) == count


def test_a_late_hit_moves_its_visit_to_the_earlier_hour_of_the_page(new_client):
    client = new_client()
    site = site_of(client)

    def view(minute: int, path: str) -> Hit:
        at = NOON + dt.timedelta(minutes=minute)
        return hit(client.pk, site.pk, at, 5, path=path)

    store(client, [view(55, "/first"), view(65, "/a")])
    roll_up_client(client, now=NOON)
    store(client, [view(58, "/a")])
    roll_up_client(client, now=NOON)
    assert_rollup_is_right(client)
