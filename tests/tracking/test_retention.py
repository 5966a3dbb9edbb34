"""Retention of consenting visitors against a recount in Python."""

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest

from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import busy_hits, by_visitor, raw_visits
from tests.tracking.traffic import hit
from tracking.analysis.retention import get_retention, monday_of
from tracking.analysis.scope import Scope
from tracking.reports.periods import Period
from tracking.writer.store import site_zones, store_hits

ZONE = "America/New_York"
PERIOD = Period(dt.date(2025, 10, 29), dt.date(2025, 12, 2))
TODAY = dt.date(2026, 3, 1)


@pytest.fixture(scope="module")
def busy(new_client):
    """A client whose consenting visitors come back over the change of clocks."""
    client = new_client("retention-busy", timezone_name=ZONE)
    starts_at = dt.datetime(2025, 10, 25, tzinfo=dt.UTC)
    hits = busy_hits(
        random.Random(21), client, site_of(client).pk, starts_at, hours=400, visitors=400
    )
    store_hits(client, hits, zones=site_zones(client))
    return client


def recounted(busy):
    """Visitors by (Monday of the first week, weeks later)."""
    zone = ZoneInfo(ZONE)
    counts: dict[tuple[dt.date, int], set[int]] = {}
    for visitor, visits in by_visitor(raw_visits(busy, site_of(busy).pk)).items():
        days = {v.row["started_at"].astimezone(zone).date() for v in visits if v.row["consented"]}
        weeks = {monday_of(d) for d in days if PERIOD.starts_on <= d <= PERIOD.ends_on}
        for week in weeks:
            counts.setdefault((min(weeks), (week - min(weeks)).days // 7), set()).add(visitor)
    return {key: len(visitors) for key, visitors in counts.items()}


@pytest.mark.parametrize("k", [2, 6])
def test_cohorts_and_their_weeks_equal_a_recount(busy, k):
    site, wanted = site_of(busy), recounted(busy)
    with entered(busy):
        found = get_retention(Scope(site, PERIOD), today=TODAY, k=k)
    assert found.visitors == sum(count for (_, week), count in wanted.items() if week == 0)
    assert [cohort.week for cohort in found.cohorts] == [
        dt.date(2025, 10, 27) + dt.timedelta(weeks=number) for number in range(6)
    ]
    for number, cohort in enumerate(found.cohorts):
        size = wanted.get((cohort.week, 0), 0)
        assert cohort.is_hidden == (0 < size < k)
        assert len(cohort.cells) == 5 - number
        if cohort.is_hidden:
            assert cohort.visitors == 0
            assert all(cell.is_hidden and cell.visitors == 0 for cell in cohort.cells)
            continue
        assert cohort.visitors == size
        for week, cell in enumerate(cohort.cells, 1):
            count = wanted.get((cohort.week, week), 0)
            assert cell.is_hidden == (0 < count < k)
            assert cell.visitors == (0 if cell.is_hidden else count)
            if not cell.is_hidden:
                assert cell.share == (count / size if size else None)
    assert any(cell.is_hidden for cohort in found.cohorts for cell in cohort.cells)
    assert any(cell.visitors for cohort in found.cohorts for cell in cohort.cells)


def test_visitors_without_consent_are_in_no_cohort(new_client):
    client = new_client()
    site, at = site_of(client), dt.datetime(2025, 11, 5, 12, tzinfo=dt.UTC)
    hits = [
        hit(client.pk, site.pk, at + dt.timedelta(weeks=week), visitor, consented=visitor < 3)
        for visitor in range(9)
        for week in (0, 1)
    ]
    store_hits(client, hits, zones=site_zones(client))
    with entered(client):
        found = get_retention(Scope(site, PERIOD), today=TODAY, k=2)
    (cohort,) = [one for one in found.cohorts if one.visitors]
    assert (found.visitors, cohort.visitors, cohort.week) == (3, 3, dt.date(2025, 11, 3))
    assert [cell.share for cell in cohort.cells][:2] == [1.0, 0.0]


def test_a_week_under_way_is_marked(busy):
    site = site_of(busy)
    with entered(busy):
        found = get_retention(Scope(site, PERIOD), today=dt.date(2025, 11, 19), k=2)
    unfinished = [cell.is_unfinished for cell in found.cohorts[0].cells]
    assert unfinished == [False, False, True, True, True]


def test_a_week_that_ends_with_the_period_is_over(busy):
    site = site_of(busy)
    period = Period(dt.date(2025, 11, 3), dt.date(2025, 11, 23))  # to a Sunday
    with entered(busy):
        past = get_retention(Scope(site, period), today=dt.date(2025, 12, 5), k=2)
        under_way = get_retention(Scope(site, period), today=dt.date(2025, 11, 23), k=2)
    assert [cell.is_unfinished for cell in past.cohorts[0].cells] == [False, False]
    assert [cell.is_unfinished for cell in under_way.cohorts[0].cells] == [False, True]
