"""Copies of days are a faster way to what the rows say, whatever happens to the rows."""

import datetime as dt
import random

import pytest
import zstandard
from django.db import connection

from tenants.models import PrivacySettings
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.recount import rows_of
from tests.tracking.test_rollups import NOON, store
from tests.tracking.traffic import hit, random_hits
from tracking.models import Dimension
from tracking.query.model import Query
from tracking.query.overview import run_overview
from tracking.query.reading import Wanted, read_raw
from tracking.query.run import run_query
from tracking.query.text import parse_filters
from tracking.reports.periods import Period
from tracking.retention import apply_retention
from tracking.rollups import copies
from tracking.rollups.hours import day_bounds
from tracking.rollups.run import roll_up_client, touch_all

ZONE = "Europe/London"
FIRST = dt.date(2026, 5, 30)
"""Of the days with hits."""
LAST = dt.date(2026, 6, 3)
PANELS = ("event:page", "event:name", "event:not_found", "event:status", "visit:country")


def at(day: int, hour: int = 12) -> dt.datetime:
    return dt.datetime.combine(FIRST, dt.time(hour), dt.UTC) + dt.timedelta(days=day)


@pytest.fixture
def client(new_client, monkeypatch):
    """Some days of visits, many of them over midnight, rolled up and copied."""
    monkeypatch.setattr(copies, "LEAST", 1)
    client = new_client(timezone_name=ZONE)
    site = site_of(client)
    rng = random.Random(3)
    hits = [each for day in range(5) for each in random_hits(rng, client.pk, site.pk, at(day, 18))]
    store(client, sorted(hits, key=lambda each: each.at_us))
    roll_up_client(client, now=NOON)
    return client


def copied(client) -> set[dt.date]:
    return {row["day"] for row in rows_of(client, "SELECT day FROM hit_days")}


def forget(client) -> None:
    with entered(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM hit_days")


def views_of(client, text: str) -> int:
    """Page views of all days under a filter."""
    site = site_of(client)
    with entered(client):
        query = Query(("pageviews",), FIRST, LAST, filters=parse_filters([text]))
        (row,) = run_query(site, query, k=1, now=NOON).rows
        return int(row.metrics[0] or 0)


@pytest.mark.parametrize(
    "text",
    ["is,visit:country,GB", "is_not,visit:device,phone", "is,visit:entry_page,/p1", ""],
)
@pytest.mark.parametrize("step", ["day", "hour"])
def test_an_overview_is_the_same_from_copies_and_from_rows(client, text, step):
    site = site_of(client)
    period, before = Period(FIRST + dt.timedelta(days=1), LAST), Period(FIRST, FIRST)
    assert copied(client) >= {FIRST, LAST}

    def numbers():
        with entered(client):
            filters = parse_filters([text or "contains,visit:source,"])
            return run_overview(site, period, before, filters, PANELS, k=2, step=step)

    from_copies = numbers()
    assert from_copies.from_raw
    assert from_copies.now.totals.pageviews > 0
    forget(client)
    assert numbers() == from_copies


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(frozenset({"event:page", "event:name", "event:status"}), scroll=True),
        Wanted(frozenset({"visit:browser"}), engaged=False),
        Wanted(frozenset({"event:outbound"}), engaged=False, one_in=3),
        Wanted(frozenset({"event:hostname"})),
    ],
)
def test_each_column_is_the_same_from_copies_and_from_rows(client, wanted):
    site = site_of(client)

    def rows():
        with entered(client):
            raw = read_raw(site, Period(FIRST, LAST), None, wanted)
        hits = raw.hits
        columns = [hits.at, raw.visits.id[hits.visit], hits.kind]
        columns += [hits.path, hits.engaged_s, hits.scroll]
        columns += [hits.labels[name] for name in sorted(hits.labels)]
        return sorted(zip(*(column.tolist() for column in columns), strict=True))

    from_copies = rows()
    assert len(from_copies) > 50
    forget(client)
    assert rows() == from_copies


def test_copies_are_read_where_there_are_any(client):
    """Or the tests beside this one would compare rows with rows."""
    site = site_of(client)
    with entered(client), connection.cursor() as cursor:
        copies_of = copies.read_copies(cursor, site.pk, at(-9), at(9), ["visits"])
    assert sum(each.column("visits").size for each in copies_of) > 100
    before = views_of(client, "is,visit:country,GB")
    with entered(client), connection.cursor() as cursor:
        nothing = zstandard.ZstdCompressor().compress(b"")
        cursor.execute("UPDATE hit_days SET visits = %s, seconds = %s, what = %s", [nothing] * 3)
    assert views_of(client, "is,visit:country,GB") < before


def test_a_late_hit_is_counted_at_once_and_copied_by_the_next_rollup(client):
    site = site_of(client)
    before = views_of(client, "is,visit:country,GB")
    store(client, [hit(client.pk, site.pk, at(2), 4711, country="GB")])
    assert views_of(client, "is,visit:country,GB") == before + 1
    day = at(2).date()
    assert day in copied(client), "it is there, and not read: its hour is touched"
    roll_up_client(client, now=NOON)
    assert day in copied(client)
    assert views_of(client, "is,visit:country,GB") == before + 1


def test_a_day_that_another_rollup_has_copied_meanwhile_is_copied_once(client):
    site = site_of(client)
    before = rows_of(client, "SELECT * FROM hit_days ORDER BY day")
    starts_us, ends_before_us = day_bounds(ZONE, FIRST)
    with entered(client), connection.cursor() as cursor:
        assert copies._copy_day(cursor, site.pk, FIRST, starts_us, ends_before_us)
    assert rows_of(client, "SELECT * FROM hit_days ORDER BY day") == before


def test_today_and_quiet_days_are_not_copied(client, monkeypatch):
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, NOON, 1)])
    roll_up_client(client, now=NOON)
    assert NOON.date() not in copied(client)
    forget(client)
    pageviews = rows_of(
        client,
        "SELECT day, pageviews + events AS hits FROM day_stats "
        f"WHERE dimension = {Dimension.TOTAL}",
    )
    least = sorted(row["hits"] for row in pageviews)[-2]
    monkeypatch.setattr(copies, "LEAST", least)
    store(client, [hit(client.pk, site.pk, NOON, 2)])
    roll_up_client(client, now=NOON)
    assert copied(client) == {row["day"] for row in pageviews if row["hits"] >= least}


def test_a_day_past_retention_has_no_copy(client):
    days = (NOON.date() - FIRST).days - 2
    PrivacySettings.objects.filter(client=client).update(hits_retention_days=days)
    apply_retention(client, now=NOON)
    kept = {FIRST + dt.timedelta(days=number) for number in (3, 4, 5)}
    # The third day is past in part: its copy would hold what was removed.
    assert copied(client) & {FIRST + dt.timedelta(days=number) for number in range(3)} == set()
    assert copied(client) >= kept - {LAST + dt.timedelta(days=2)}
    store(client, [hit(client.pk, site_of(client).pk, NOON, 1)])
    roll_up_client(client, now=NOON)
    assert FIRST + dt.timedelta(days=2) not in copied(client)


def test_the_copy_of_a_day_is_not_read_while_an_hour_of_it_is_touched(client):
    site = site_of(client)
    with entered(client), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO touched_hours (site_id, hour) VALUES (%s, %s)", [site.pk, at(1)]
        )
        found = copies.read_copies(cursor, site.pk, at(-9), at(9), ["visits"])
    assert all(
        not each.starts_us <= at(1).timestamp() * 1e6 < each.ends_before_us for each in found
    )


def test_another_time_zone_leaves_no_copy_of_the_old_days(client):
    site = site_of(client)
    site.timezone = "Asia/Kolkata"
    site.save(update_fields=["timezone"])
    touch_all(client, site, now=NOON)
    assert copied(client) == set()
    roll_up_client(client, now=NOON)
    assert len(copied(client)) >= 5
    starts = rows_of(client, "SELECT starts_at FROM hit_days")
    assert {(row["starts_at"].hour, row["starts_at"].minute) for row in starts} == {(18, 30)}
