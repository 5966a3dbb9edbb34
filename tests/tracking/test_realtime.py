"""The last half hour against a recount, and how long it takes to read."""

import datetime as dt
import random
import statistics
import time
from collections import Counter

import pytest

from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import busy_hits, raw_visits
from tracking.analysis.realtime import get_realtime
from tracking.hits import PAGE_KINDS
from tracking.reports.live import count_live_visitors
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2025, 11, 2, 12, 0, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def busy(new_client):
    """A client whose visitors come within three hours."""
    client = new_client("realtime-busy")
    hits = busy_hits(
        random.Random(4),
        client,
        site_of(client).pk,
        NOW - dt.timedelta(hours=2, minutes=30),
        hours=3,
        visitors=600,
    )
    store_hits(client, hits, zones=site_zones(client))
    return client


def test_the_last_half_hour_equals_a_recount(busy):
    site = site_of(busy)
    visits = raw_visits(busy, site.pk)
    with entered(busy):
        found = get_realtime(site, now=NOW, limit=100)
        live = count_live_visitors(site, now=NOW)
    minutes, seen = [0] * 30, 0
    pages: Counter[str] = Counter()
    sources: Counter[int] = Counter()
    countries: Counter[str] = Counter()
    for visit in visits:
        recent = [h for h in visit.hits if NOW - dt.timedelta(minutes=30) < h["at"] <= NOW]
        seen += bool(recent)
        if recent:
            sources[visit.row["source"]] += 1
            countries[visit.country] += 1
        views = [h for h in recent if h["kind"] in PAGE_KINDS]
        for view in views:
            minutes[29 - int((NOW - view["at"]).total_seconds() // 60)] += 1
        pages.update({view["path"] for view in views})
    assert found.live_visitors == live > 0
    assert found.visits == seen
    assert found.minutes == tuple(minutes)
    assert found.pageviews == sum(minutes)
    assert {now.value: now.visits for now in found.pages} == dict(pages)
    assert sorted(now.visits for now in found.sources) == sorted(sources.values())
    assert {now.value: now.visits for now in found.countries} == dict(countries)
    assert [now.visits for now in found.pages] == sorted(pages.values(), reverse=True)
    assert sum(now.share for now in found.sources) == pytest.approx(1)


def test_nothing_is_there_before_anything_happened(busy):
    site = site_of(busy)
    with entered(busy):
        found = get_realtime(site, now=NOW - dt.timedelta(days=9))
    assert (found.live_visitors, found.visits, found.pageviews) == (0, 0, 0)
    assert found.minutes == (0,) * 30
    assert found.pages == found.sources == found.countries == ()


def test_reading_it_takes_less_than_100_ms(busy):
    site, took = site_of(busy), []
    with entered(busy):
        for _ in range(7):
            began = time.perf_counter()
            get_realtime(site, now=NOW)
            took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.1
