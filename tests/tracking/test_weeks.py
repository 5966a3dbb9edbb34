"""Weeks are a faster way to what the days say, whatever happens to the days."""

import datetime as dt
import random

import pytest
from django.db import connection

from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.test_rollups import NOON, assert_rollup_is_right, store, stored_weeks
from tests.tracking.traffic import hit, random_hits
from tracking.models import Dimension
from tracking.query.overview import run_overview
from tracking.query.stored import Asked, read_sketches, read_sums
from tracking.reports.periods import Period
from tracking.rollups.run import roll_up_client, touch_all
from tracking.rollups.storing import merge_week

MONDAY = dt.date(2026, 5, 4)
"""Of a week that was over long before `NOON`."""
PANELS = ("event:page", "visit:source", "visit:country")


def at(day: int, hour: int = 12) -> dt.datetime:
    return dt.datetime.combine(MONDAY, dt.time(hour), dt.UTC) + dt.timedelta(days=day)


def period(first: int, last: int) -> Period:
    return Period(MONDAY + dt.timedelta(days=first), MONDAY + dt.timedelta(days=last))


def weeks_of(client) -> set[dt.date]:
    return {key[2] for key in stored_weeks(client)}


def run_sql(client, statement: str) -> None:
    with entered(client), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def client(new_client):
    """With three weeks of visits, rolled up."""
    client = new_client()
    site = site_of(client)
    rng = random.Random(5)
    for day in range(0, 21, 2):
        store(client, random_hits(rng, client.pk, site.pk, at(day, 9)))
    roll_up_client(client, now=NOON)
    return client


@pytest.mark.parametrize("days", [(0, 6), (-1, 7), (3, 16), (-30, 40), (1, 6), (0, 5), (7, 20)])
def test_a_period_reads_the_same_with_and_without_weeks(client, days):
    site = site_of(client)
    assert MONDAY in weeks_of(client)
    asked = period(*days)

    def numbers():
        with entered(client):
            return run_overview(site, asked, period(-60, -31), None, PANELS, k=2)

    with_weeks = numbers()
    assert with_weeks.now.totals.visits > 0
    run_sql(client, "DELETE FROM week_stats")
    assert numbers() == with_weeks


def test_a_whole_week_is_read_from_one_row_of_a_value(client):
    site = site_of(client)
    with entered(client):
        whole = read_sketches(Asked(site, period(-1, 7)), [Dimension.TOTAL])
        cut = read_sketches(Asked(site, period(0, 5)), [Dimension.TOTAL])
    assert len(whole[0, 0, 0]) == 2
    assert len(cut[0, 0, 0]) > 2


def test_a_late_hit_is_in_its_week_at_once(client):
    site = site_of(client)

    def pageviews() -> int:
        with entered(client):
            return int(read_sums(Asked(site, period(0, 6)), [Dimension.TOTAL]).sums[2].sum())

    before = pageviews()
    store(client, [hit(client.pk, site.pk, at(3), 4711)])
    roll_up_client(client, now=NOON)
    assert pageviews() == before + 1
    assert MONDAY in weeks_of(client)
    assert_rollup_is_right(client)


def test_a_week_waits_for_all_its_days(client):
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, at(day), 99) for day in (1, 4)])
    assert roll_up_client(client, now=NOON, limit_days=1).days_left == 1
    assert MONDAY not in weeks_of(client)
    roll_up_client(client, now=NOON)
    assert MONDAY in weeks_of(client)
    assert_rollup_is_right(client)


def test_a_week_that_another_rollup_has_merged_meanwhile_is_merged_once(client):
    before, site = stored_weeks(client), site_of(client)
    with entered(client), connection.cursor() as cursor:
        merge_week(cursor, site.pk, MONDAY)
    assert stored_weeks(client) == before


def test_the_running_week_is_not_merged(new_client):
    client = new_client(timezone_name="Pacific/Auckland")
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, at(day), 1) for day in (0, 5)])
    # It is Sunday evening in London, and Monday there.
    sunday = at(6, 20)
    roll_up_client(client, now=sunday - dt.timedelta(hours=9))
    assert weeks_of(client) == set()
    store(client, [hit(client.pk, site.pk, at(5), 2)])
    roll_up_client(client, now=sunday)
    assert weeks_of(client) == {MONDAY}


def test_another_time_zone_leaves_no_week_of_the_old_one(client):
    site = site_of(client)
    site.timezone = "Asia/Kolkata"
    site.save(update_fields=["timezone"])
    touch_all(client, site, now=NOON)
    assert weeks_of(client) == set()
    roll_up_client(client, now=NOON)
    assert_rollup_is_right(client)


def test_weeks_of_before_an_update_are_made_by_the_next_rollup(client):
    run_sql(client, "DELETE FROM week_stats")
    store(client, [hit(client.pk, site_of(client).pk, NOON, 1)])
    roll_up_client(client, now=NOON)
    assert MONDAY in weeks_of(client)
    assert_rollup_is_right(client)
