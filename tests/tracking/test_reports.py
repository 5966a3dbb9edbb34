"""Reports against a recount of the raw rows, and what they must not tell."""

import datetime as dt
import functools
import random
from collections import defaultdict
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.clients import new_site_key
from tenants.models import Client, Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.recount import Counts, Key, recount, rows_of
from tests.tracking.traffic import hit, random_hits
from tracking.hits import Hit, Kind
from tracking.models import Dimension
from tracking.models.raw import OTHER
from tracking.reports.live import count_live_visitors
from tracking.reports.periods import Period, Preset, site_today
from tracking.reports.thresholds import Group, fold_small
from tracking.reports.tops import TopRow, get_top
from tracking.reports.totals import (
    Totals,
    compare,
    find_first_day,
    get_overview,
    get_series,
    get_totals,
)
from tracking.rollups.run import roll_up_client
from tracking.sketches import sketch_of
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
STARTS_ON = dt.date(2026, 10, 31)


@pytest.fixture(scope="module")
def busy(new_client):
    """A client whose two sites had random traffic around New York's change of clocks."""
    client = new_client("busy", timezone_name="America/New_York")
    other = Site.objects.create(
        client=client, key=new_site_key(), name="Other", hosts=["o.example"], timezone="UTC"
    )
    rng = random.Random(11)
    hits: list[Hit] = []
    for site in (site_of(client), other):
        starts_at = dt.datetime(2026, 10, 31, 4, tzinfo=dt.UTC)
        hits += random_hits(rng, client.pk, site.pk, starts_at, hours=100, visitors=120)
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=NOW)
    return client


@functools.lru_cache(maxsize=1)
def counts_of(client: Client) -> dict[Key, Counts]:
    return recount(client, site_zones(client))


def recounted(
    client: Client, site: Site, period: Period, dimension: Dimension
) -> dict[int, tuple[int, ...]]:
    """Visitors, visits, bounces, page views, events, engaged s, duration s and bytes by label."""
    zone = ZoneInfo(site.timezone)
    sums: dict[int, list[int]] = defaultdict(lambda: [0] * 7)
    visitors: dict[int, set[int]] = defaultdict(set)
    for (of, which, hour, label), counts in counts_of(client).items():
        day = hour.astimezone(zone).date()
        if of == site.pk and which == dimension and period.starts_on <= day <= period.ends_on:
            sums[label] = [a + b for a, b in zip(sums[label], counts.numbers(), strict=True)]
            visitors[label] |= counts.visitors
    return {label: (len(visitors[label]), *sums[label]) for label in sums}


def reads_of(queries: CaptureQueriesContext) -> int:
    """Queries but for the change of the search path at the first."""
    return sum("day_stats" in query["sql"] for query in queries)


def as_tuple(row: Totals | TopRow) -> tuple[int, ...]:
    return (
        row.visitors,
        row.visits,
        row.bounces,
        row.pageviews,
        row.events,
        row.engaged_s,
        row.duration_s,
        row.bytes_sent,
    )


def test_totals_comparison_and_days_equal_a_recount(busy):
    site = site_of(busy)
    period = Period(dt.date(2026, 11, 2), dt.date(2026, 11, 3))
    wanted = {of: recounted(busy, site, of, Dimension.TOTAL)[0] for of in (period, period.before())}
    with entered(busy):
        with CaptureQueriesContext(connection) as queries:
            overview = get_overview(site, period)
        assert reads_of(queries) == 1
        assert as_tuple(get_totals(site, period)) == wanted[period]
        assert compare(site, period) == overview.comparison
        assert find_first_day(site) == STARTS_ON
    comparison = overview.comparison
    assert as_tuple(comparison.totals) == wanted[period]
    assert as_tuple(comparison.before) == wanted[period.before()]
    visits, before = wanted[period][1], wanted[period.before()][1]
    assert comparison.change("visits") == pytest.approx((visits - before) / before)
    assert comparison.totals.views_per_visit == wanted[period][3] / visits
    assert [point.starts_at.date() for point in overview.series] == list(period.dates())
    for point in overview.series:
        day = Period(point.starts_at.date(), point.starts_at.date())
        assert as_tuple(point.totals) == recounted(busy, site, day, Dimension.TOTAL)[0]


def test_a_period_without_hits_has_zeros_and_no_rates(busy):
    site = site_of(busy)
    period = Period(dt.date(2025, 1, 1), dt.date(2025, 1, 3))
    with entered(busy):
        comparison = compare(site, period)
        assert comparison.totals == Totals()
        assert comparison.totals.bounce_rate is None
        assert comparison.change("visitors") is None
        assert [point.totals for point in get_series(site, period)] == [Totals()] * 3
        assert get_top(site, period, Dimension.PAGE, k_threshold=5) == []


def test_hours_of_a_day_with_two_one_o_clocks_are_twenty_five_and_add_up(busy):
    site = site_of(busy)
    day = Period(dt.date(2026, 11, 1), dt.date(2026, 11, 1))
    with entered(busy):
        points = get_series(site, day, "hour")
        totals = get_totals(site, day)
    shown = [point.starts_at.strftime("%H:%M%z") for point in points]
    assert len(shown) == 25
    assert shown[:4] == ["00:00-0400", "01:00-0400", "01:00-0500", "02:00-0500"]
    for name in ("visits", "bounces", "pageviews", "events", "duration_s"):
        assert sum(getattr(p.totals, name) for p in points) == getattr(totals, name)
    assert totals.visits > 10


@pytest.mark.parametrize("dimension", [d for d in Dimension if d != Dimension.OUTCODE])
def test_the_top_of_every_dimension_equals_a_recount(busy, dimension):
    site = site_of(busy)
    period = Period(STARTS_ON, dt.date(2026, 11, 2))
    wanted = recounted(busy, site, period, dimension)
    if dimension == Dimension.PAGE:
        wanted = {label: row for label, row in wanted.items() if row[3]}
    names = {row["id"]: row["value"] for row in rows_of(busy, "SELECT id, value FROM labels")}
    ranked = sorted(wanted, key=lambda n: (-wanted[n][1], -wanted[n][3] - wanted[n][4], n))[:4]
    all_visits = recounted(busy, site, period, Dimension.TOTAL)[0][1]
    with entered(busy), CaptureQueriesContext(connection) as queries:
        rows = get_top(site, period, dimension, k_threshold=5, limit=4)
    assert reads_of(queries) == 1
    assert rows
    assert [as_tuple(row) for row in rows] == [wanted[label] for label in ranked]
    for row, label in zip(rows, ranked, strict=True):
        assert row.value == (str(label) if dimension == Dimension.STATUS else names[label])
        assert row.share == pytest.approx(wanted[label][1] / all_visits)


def outcode_client(new_client, visitors: dict[str, int]) -> tuple[Client, Site]:
    """A client with so many visitors of each outcode, spread over two days."""
    client = new_client()
    site = site_of(client)
    hits = []
    for number, (outcode, count) in enumerate(visitors.items()):
        for visitor in range(count):
            at = NOW - dt.timedelta(days=visitor % 2)
            hits.append(
                hit(client.pk, site.pk, at, number * 1000 + visitor, outcode=outcode, path="/x")
            )
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=NOW)
    return client, site


def outcodes(client: Client, site: Site, k: int = 5, limit: int = 10) -> list[TopRow]:
    period = Period(dt.date(2026, 11, 19), dt.date(2026, 11, 20))
    with entered(client):
        return get_top(site, period, Dimension.OUTCODE, k_threshold=k, limit=limit)


def test_outcodes_of_fewer_than_k_visitors_are_folded_into_other(new_client):
    found = {"GB SW1A": 9, "GB EC1": 5, "GB N1": 4, "GB N2": 1}
    rows = outcodes(*outcode_client(new_client, found))
    assert [(row.value, row.visitors) for row in rows] == [("GB SW1A", 9), ("GB EC1", 5), ("", 5)]
    assert rows[-1].is_other
    assert rows[-1].visits == 5


def test_other_takes_the_next_smallest_outcodes_until_it_has_k_visitors(new_client):
    found = {"GB SW1A": 9, "GB EC1": 5, "GB N1": 2}
    client, site = outcode_client(new_client, found)
    rows = outcodes(client, site)
    assert [(row.value, row.visitors) for row in rows] == [("GB SW1A", 9), ("", 7)]
    # Another threshold of the client's takes effect at once.
    assert [row.visitors for row in outcodes(client, site, k=2)] == [9, 5, 2]


def test_nothing_is_told_of_outcodes_that_together_have_fewer_than_k_visitors(new_client):
    client, site = outcode_client(new_client, {"GB SW1A": 2, "GB EC1": 2})
    (row,) = outcodes(client, site)
    assert row.is_hidden
    assert row.is_other
    assert as_tuple(row) == (0,) * 8
    assert (row.value, row.share, row.bounce_rate) == ("", None, None)


def test_a_limit_hides_no_fold(new_client):
    client, site = outcode_client(new_client, {"GB SW1A": 9, "GB EC1": 8, "GB N1": 3, "GB N2": 3})
    rows = outcodes(client, site, limit=1)
    assert [(row.value, row.visitors) for row in rows] == [("GB SW1A", 9), ("", 6)]


@pytest.mark.parametrize("seed", range(30))
def test_no_fold_ever_shows_a_group_of_fewer_than_k(seed):
    rng = random.Random(seed)
    k = rng.randrange(2, 12)
    people = iter(range(10_000))
    groups = [
        Group(100 + n, f"o{n}", (size,), (sketch_of([next(people) for _ in range(size)]),))
        for n, size in enumerate(rng.choices(range(1, 15), k=rng.randrange(1, 9)))
    ]
    kept, other, hidden = fold_small(groups, None, k)
    assert all(group.sums[0] >= k for group in kept)
    total = sum(group.sums[0] for group in groups)
    if hidden:
        assert (kept, other) == ([], None)
        assert total < k
    else:
        shown = sum(group.sums[0] for group in kept) + (other.sums[0] if other else 0)
        assert shown == total
    if other:
        assert other.label == OTHER
        assert other.sums[0] >= k
        assert len(other.sketches) >= 2


def test_live_visitors_are_visits_with_a_hit_in_the_last_five_minutes(new_client):
    client = new_client()
    site = site_of(client)

    def seen(minutes: float, visitor: int, kind: Kind = Kind.PAGEVIEW) -> Hit:
        return hit(client.pk, site.pk, NOW - dt.timedelta(minutes=minutes), visitor, kind=kind)

    hits = [seen(1, 1), seen(2, 1), seen(4.9, 2), seen(5.1, 3), seen(9, 4)]
    hits += [seen(0.5, 4, Kind.ENGAGEMENT), seen(1, 99, Kind.ENGAGEMENT), seen(-1, 5)]
    store_hits(client, hits, zones=site_zones(client))
    with entered(client):
        assert count_live_visitors(site, now=NOW) == 3


TODAY = dt.date(2026, 3, 1)


@pytest.mark.parametrize(
    ("preset", "starts_on", "ends_on", "before_starts_on"),
    [
        (Preset.TODAY, TODAY, TODAY, dt.date(2026, 2, 28)),
        (Preset.YESTERDAY, dt.date(2026, 2, 28), dt.date(2026, 2, 28), dt.date(2026, 2, 27)),
        (Preset.LAST_7_DAYS, dt.date(2026, 2, 23), TODAY, dt.date(2026, 2, 16)),
        (Preset.LAST_28_DAYS, dt.date(2026, 2, 2), TODAY, dt.date(2026, 1, 5)),
        (Preset.LAST_30_DAYS, dt.date(2026, 1, 31), TODAY, dt.date(2026, 1, 1)),
        (Preset.THIS_MONTH, TODAY, TODAY, dt.date(2026, 2, 28)),
        (Preset.LAST_MONTH, dt.date(2026, 2, 1), dt.date(2026, 2, 28), dt.date(2026, 1, 4)),
    ],
)
def test_named_periods_are_whole_days_and_have_as_many_before(
    preset, starts_on, ends_on, before_starts_on
):
    period = Period.of(preset, TODAY)
    assert (period.starts_on, period.ends_on) == (starts_on, ends_on)
    assert period.before() == Period(before_starts_on, starts_on - dt.timedelta(days=1))
    assert period.before().days == period.days == len(list(period.dates()))


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="exchange"):
        Period(TODAY, TODAY - dt.timedelta(days=1))


def test_today_is_the_date_on_the_sites_clock(busy):
    site = site_of(busy)
    assert site_today(site, dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC)) == dt.date(2026, 11, 19)
