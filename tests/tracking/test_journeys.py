"""Journeys against a recount in Python; the folding of small groups."""

import datetime as dt
import random
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import RawVisit, busy_hits, raw_visits
from tests.tracking.traffic import hit
from tracking.analysis.folding import Counted, fold
from tracking.analysis.journeys import LEFT, get_journey
from tracking.analysis.scope import Scope
from tracking.hits import PAGE_KINDS
from tracking.reports.periods import Period
from tracking.writer.store import site_zones, store_hits

ZONE = "Asia/Kolkata"
PERIOD = Period(dt.date(2025, 11, 1), dt.date(2025, 11, 4))


@pytest.fixture(scope="module")
def busy(new_client):
    """A client with random traffic."""
    client = new_client("journeys-busy", timezone_name=ZONE)
    starts_at = dt.datetime(2025, 10, 31, 20, tzinfo=dt.UTC)
    hits = busy_hits(random.Random(3), client, site_of(client).pk, starts_at, visitors=400)
    store_hits(client, hits, zones=site_zones(client))
    return client


@pytest.fixture(scope="module")
def visits(busy):
    """Its visits that began in the period."""
    zone = ZoneInfo(ZONE)
    return [
        visit
        for visit in raw_visits(busy, site_of(busy).pk)
        if PERIOD.starts_on <= visit.row["started_at"].astimezone(zone).date() <= PERIOD.ends_on
    ]


def pages_of(visit: RawVisit, start: str | None) -> tuple[str, ...]:
    """Up to five pages from the start on; a page twice running is one."""
    pages: list[str] = []
    for each in visit.hits:
        if each["kind"] in PAGE_KINDS and (not pages or pages[-1] != each["path"]):
            pages.append(each["path"])
    if start is not None:
        pages = pages[pages.index(start) :] if start in pages else []
    return tuple(pages[:5])


def recounted(visits, start, prefix):
    """Visits, visitors by next page after the prefix, and by whole path."""
    counts: Counter[str | None] = Counter()
    paths: Counter[tuple[str, ...]] = Counter()
    visitors, of_paths = defaultdict(set), defaultdict(set)
    for visit in visits:
        pages = pages_of(visit, start)
        if pages and pages[: len(prefix)] == prefix:
            after = pages[len(prefix)] if len(pages) > len(prefix) else LEFT
            counts[after] += 1
            visitors[after].add(visit.row["visitor"])
            if len(pages) > 1:
                paths[pages] += 1
                of_paths[pages].add(visit.row["visitor"])
    return (
        counts,
        {page: len(who) for page, who in visitors.items()},
        paths,
        {path: len(who) for path, who in of_paths.items()},
    )


@pytest.mark.parametrize(
    ("start", "taken"),
    [
        (None, ()),
        (None, ("/a",)),
        (None, ("/", "/a")),
        ("/a", ()),
        ("/a/1", ("/",)),
        ("/d%", ("/a",)),
        (None, ("/", "/a", "/")),
    ],
)
@pytest.mark.parametrize("k", [2, 6, 25])
def test_columns_and_paths_equal_a_recount(busy, visits, start, taken, k):
    site = site_of(busy)
    with entered(busy):
        journey = get_journey(Scope(site, PERIOD), start, taken, k=k, limit=4)
    chosen = (() if start is None else (start,)) + taken
    assert 1 <= len(journey.columns) <= len(chosen) + 1
    for number, column in enumerate(journey.columns):
        counts, visitors, _, _ = recounted(visits, start, chosen[:number])
        total = sum(counts.values())
        if column.is_hidden:
            assert len(column.pages) == column.visits == column.other_visits == 0
            assert all(count < k for count in visitors.values())
            continue
        assert column.visits == total
        assert [page.visits for page in column.pages] == [counts[p.path] for p in column.pages]
        assert all(visitors[page.path] >= k for page in column.pages)
        assert sum(page.visits for page in column.pages) + column.other_visits == total
        assert len(column.pages) <= 4
        assert all(page.share == page.visits / total for page in column.pages)
        shown = {page.path for page in column.pages}
        left = [page for page in counts if page not in shown]
        assert not left or len(left) > 1 or visitors[left[0]] >= k, "a small group alone in other"
        assert {p.path for p in column.pages if p.is_taken} <= set(chosen[number : number + 1])
    if len(journey.columns) == len(chosen) + 1 and not journey.columns[-1].is_hidden:
        _, _, paths, of_paths = recounted(visits, start, chosen)
        assert all(of_paths[path.pages] >= k for path in journey.paths)
        assert [path.visits for path in journey.paths] == [paths[p.pages] for p in journey.paths]
        told = sum(path.visits for path in journey.paths)
        if journey.paths:
            assert told + journey.other_paths_visits == sum(paths.values())


def test_a_reload_is_no_step_and_a_page_is_met_at_its_first_time(new_client):
    client = new_client()
    site, at = site_of(client), dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)
    hits = [
        hit(client.pk, site.pk, at + dt.timedelta(seconds=late), visitor, path=path)
        for visitor in range(3)
        for late, path in enumerate(["/a", "/a", "/b", "/a", "/c"])
    ]
    store_hits(client, hits, zones=site_zones(client))
    with entered(client):
        journey = get_journey(Scope(site, PERIOD), "/a", ("/b",), k=2)
        never = get_journey(Scope(site, PERIOD), "/never", k=2)
        empty = get_journey(
            Scope(site, Period(dt.date(2020, 1, 1), dt.date(2020, 1, 1))), None, k=2
        )
    assert [[p.path for p in column.pages] for column in journey.columns] == [
        ["/a"],
        ["/b"],
        ["/a"],
    ]
    assert [path.pages for path in journey.paths] == [("/a", "/b", "/a", "/c")]
    assert [column.visits for column in never.columns] == [0]
    assert [column.visits for column in empty.columns] == [0]


def test_a_way_that_few_took_is_hidden(new_client):
    client = new_client()
    site, at = site_of(client), dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)
    hits = [
        hit(client.pk, site.pk, at + dt.timedelta(seconds=late), visitor, path=path)
        for visitor in range(6)
        for late, path in enumerate(["/a", "/b" if visitor < 3 else "/c"])
    ]
    store_hits(client, hits, zones=site_zones(client))
    with entered(client):
        journey = get_journey(Scope(site, PERIOD), "/a", k=5)
        beyond = get_journey(Scope(site, PERIOD), "/a", ("/b",), k=5)
    first, then = journey.columns
    assert [p.path for p in first.pages] == ["/a"]
    assert (then.visits, then.pages, then.other_visits) == (6, (), 6)
    assert journey.paths == ()
    assert beyond.columns[-1].is_hidden


@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), max_size=12),
    k=st.integers(2, 10),
    limit=st.integers(1, 6),
)
def test_what_is_left_over_never_holds_one_small_group(sizes, k, limit):
    groups = [(number, visitors, visitors + more) for number, (visitors, more) in enumerate(sizes)]
    large = sorted((g for g in groups if g[1] >= k), key=lambda g: -g[2])
    visitors, visits = sum(g[1] for g in groups), sum(g[2] for g in groups)
    found = fold(
        [Counted(g[0], g[2]) for g in large[: limit + 1]],
        visits=visits,
        visitors=visitors,
        k=k,
        limit=limit,
    )
    kept = {group.key for group in found.kept}
    left = [g for g in groups if g[0] not in kept]
    assert all(g[1] >= k for g in groups if g[0] in kept)
    assert len(kept) <= limit
    if found.is_hidden:
        assert (found.kept, found.other_visits) == ((), 0)
        assert visitors < k
    else:
        assert found.other_visits == sum(g[2] for g in left)
        assert not left or sum(g[1] for g in left) >= k
