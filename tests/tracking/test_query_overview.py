"""A whole page of numbers against single questions, goals, thresholds, and the seams to others."""

import dataclasses
import datetime as dt
import random
import zoneinfo
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.models import Client, Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.query_recount import Store, answer, holds, load
from tests.tracking.query_strategies import (
    FIRST,
    LAST,
    NOW,
    TIMEZONE,
    conditions,
    filters,
    make_query_client,
    queries,
)
from tests.tracking.traffic import hit
from tracking.analysis.conversions import get_conversions
from tracking.analysis.goals import Rule
from tracking.analysis.scope import Scope
from tracking.hits import Kind
from tracking.models import GoalKind
from tracking.query import sql
from tracking.query.buckets import UpTo, bounds_of, up_to_now, whole_days
from tracking.query.model import (
    DIMENSIONS,
    GOAL,
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    Query,
    QueryError,
    Result,
    both,
)
from tracking.query.overview import Overview, Panel, run_overview
from tracking.query.run import filterable_from, run_query
from tracking.query.sql import visit_condition
from tracking.query.text import FilterError
from tracking.reports.periods import Period
from tracking.reports.thresholds import is_protected, pick_small
from tracking.reports.tops import get_top
from tracking.reports.totals import get_overview
from tracking.rollups.hours import day_bounds, from_us
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

PANELS = tuple(name for name, source in DIMENSIONS.items() if source.stored is not None)
PERIOD = Period(dt.date(2026, 10, 31), dt.date(2026, 11, 2))
BEFORE = Period(dt.date(2026, 10, 29), dt.date(2026, 10, 30))
SLOW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SUMS = ("visitors", "visits", "pageviews", "events")


class Stage:
    """Not a dataclass, whose thousands of rows hypothesis would print."""

    def __init__(self, client: Client, site: Site, store: Store) -> None:
        self.client, self.site, self.store = client, site, store

    def ask(self, query: Query, *, k: int = 1) -> Result:
        with entered(self.client):
            return run_query(self.site, query, k=k, now=NOW)

    def overview(
        self, part: Filter | None, *, k: int = 1, step: str = "day", limit: int = 100
    ) -> Overview:
        with entered(self.client):
            return run_overview(
                self.site, PERIOD, BEFORE, part, PANELS, k=k, step=step, limit=limit
            )


@pytest.fixture(scope="module")
def stage(new_client):
    client, site = make_query_client(new_client)
    return Stage(client, site, load(client, site))


def told(panel: Panel) -> dict[str, tuple[int, ...]]:
    return {
        "(other)" if row.is_other else row.value: (
            row.visitors,
            row.visits,
            row.pageviews,
            row.events,
        )
        for row in panel.rows
        if not row.is_hidden
    }


def asked(stage: Stage, part: Filter | None, name: str, k: int) -> dict[str, tuple[object, ...]]:
    query = Query(SUMS, PERIOD.starts_on, PERIOD.ends_on, (name,), part)
    return {
        "(other)" if row.is_other else row.dimensions[0]: row.metrics
        for row in stage.ask(query, k=k).rows
        if not row.is_hidden
    }


@given(part=filters(), k=st.sampled_from([1, 5, 20]))
@SLOW
def test_every_panel_says_what_a_single_question_answers(stage, part, k):
    page = stage.overview(part, k=k)
    assert page.from_raw == (part is not None)
    for name in PANELS:
        assert told(page.panels[name]) == asked(stage, part, name, k), name
    total = Query(SUMS, PERIOD.starts_on, PERIOD.ends_on, filters=part)
    for period, course in ((PERIOD, page.now), (BEFORE, page.before)):
        query = dataclasses.replace(total, starts_on=period.starts_on, ends_on=period.ends_on)
        (row,) = stage.ask(query, k=k).rows
        assert course is not None
        assert course.is_hidden == row.is_hidden
        if not row.is_hidden:
            totals = course.totals
            found = (totals.visitors, totals.visits, totals.pageviews, totals.events)
            assert found == row.metrics


@given(part=st.one_of(st.none(), filters()), hour=st.integers(1, 23), k=st.sampled_from([1, 5]))
@SLOW
def test_what_a_day_under_way_is_compared_with_ends_at_its_hour(stage, part, hour, k):
    now = dt.datetime.combine(PERIOD.ends_on, dt.time(hour, 10), zoneinfo.ZoneInfo(TIMEZONE))
    compared = up_to_now(BEFORE, TIMEZONE, now)
    with entered(stage.client):
        page = run_overview(stage.site, PERIOD, compared, part, (), k=k)
        whole = run_overview(stage.site, PERIOD, BEFORE, part, (), k=k)
    ends = dt.datetime.combine(BEFORE.ends_on, dt.time(hour), zoneinfo.ZoneInfo(TIMEZONE))
    query = Query(
        SUMS, BEFORE.starts_on, BEFORE.ends_on, filters=part, ends_before=ends.astimezone(dt.UTC)
    )
    (row,) = stage.ask(query, k=k).rows
    assert page.before is not None
    assert whole.before is not None
    assert page.before.is_hidden == row.is_hidden
    if not row.is_hidden:
        totals = page.before.totals
        found = (totals.visitors, totals.visits, totals.pageviews, totals.events)
        assert found == row.metrics
        if k == 1:
            assert {(): row.metrics} == answer(stage.store, query)
    if not whole.before.is_hidden and not page.before.is_hidden:
        assert page.before.series == whole.before.series
    assert page.now == whole.now


@pytest.mark.parametrize(
    ("timezone_name", "local", "hour"),
    [
        ("America/New_York", dt.time(0, 5), 1),
        ("America/New_York", dt.time(11, 29), 11),
        ("America/New_York", dt.time(11, 30), 12),
        ("Asia/Kathmandu", dt.time(14, 10), 14),
        ("Europe/London", dt.time(23, 29), 23),
        ("Europe/London", dt.time(23, 31), None),
    ],
)
def test_a_comparison_ends_at_the_nearest_hour(timezone_name, local, hour):
    zone = zoneinfo.ZoneInfo(timezone_name)
    days = Period(dt.date(2026, 11, 20), dt.date(2026, 11, 27))
    found = up_to_now(days, timezone_name, dt.datetime.combine(dt.date(2026, 11, 28), local, zone))
    if hour is None:
        assert found == days
        return
    assert isinstance(found, UpTo)
    assert (whole_days(found), found.hour) == (days, hour)
    ends = from_us(bounds_of(timezone_name, found)[1]).astimezone(zone)
    assert ends == dt.datetime(2026, 11, 27, hour, tzinfo=zone)


@given(part=conditions(), step=st.sampled_from(["hour", "day", "week", "month"]))
@SLOW
def test_the_course_of_a_filtered_page_is_that_of_a_question(stage, part, step):
    page = stage.overview(part, step=step)
    query = Query(SUMS, PERIOD.starts_on, PERIOD.ends_on, (f"time:{step}",), part)
    wanted = {row.dimensions[0]: row.metrics for row in stage.ask(query).rows}
    found: dict[str, tuple[int, ...]] = {}
    for point in page.now.series:
        text = f"{point.starts_at:%Y-%m-%d %H:%M:%S}"
        if step != "hour":
            day = point.starts_at.date()
            day -= dt.timedelta(days=day.weekday() if step == "week" else 0)
            text = (day.replace(day=1) if step == "month" else day).isoformat()
        totals = point.totals
        row = (totals.visitors, totals.visits, totals.pageviews, totals.events)
        if totals.pageviews + totals.events and not text.startswith("2026-11-01 01"):
            found[text] = row
    # The hour that comes twice is one in a table and two in a chart.
    wanted = {k: v for k, v in wanted.items() if not k.startswith("2026-11-01 01")}
    assert found == wanted


def test_an_unfiltered_page_says_what_the_report_did_in_a_few_queries(stage):
    with entered(stage.client):
        with CaptureQueriesContext(connection) as captured:
            page = run_overview(stage.site, PERIOD, PERIOD.before(), None, PANELS, k=5, limit=60)
        # Raw cursors are not captured: each of them is preceded by one SELECT 1.
        reads = [query["sql"] for query in captured if "search_path" not in query["sql"]]
        assert len(reads) <= 6 + len(PANELS), reads
        before = get_overview(stage.site, PERIOD)
        assert page.now.totals == before.comparison.totals
        assert page.before is not None
        assert page.before.totals == before.comparison.before
        assert list(page.now.series) == before.series
        for name in PANELS:
            dimension = DIMENSIONS[name].stored
            assert dimension is not None
            rows = get_top(stage.site, PERIOD, dimension, k_threshold=5, limit=60)
            assert sorted(page.panels[name].rows, key=str) == sorted(rows, key=str), name


@given(
    part=st.one_of(st.none(), filters()),
    name=st.sampled_from(PANELS),
    limit=st.integers(1, 6),
    k=st.sampled_from([1, 5]),
)
@SLOW
def test_the_first_rows_of_a_panel_are_those_of_a_question(stage, part, name, limit, k):
    page = stage.overview(part, k=k, limit=limit)
    query = Query(("visitors",), PERIOD.starts_on, PERIOD.ends_on, (name,), part)
    rows = [
        (row.dimensions[0], row.metrics[0])
        for row in stage.ask(query, k=k).rows
        if not row.is_other
    ]
    found = [(row.value, row.visitors) for row in page.panels[name].rows if not row.is_other]
    assert found == rows[:limit]


def test_a_page_without_hits_is_empty_but_whole(stage):
    for part in (None, Condition("is", "event:page", ("/nothing",))):
        with entered(stage.client):
            period = Period(dt.date(2025, 1, 1), dt.date(2025, 1, 3))
            page = run_overview(stage.site, period, None, part, PANELS, k=5)
        assert page.now.totals.visits == 0
        assert not page.now.is_hidden
        assert len(page.now.series) == 3
        assert all(panel.rows == () for panel in page.panels.values())


# --- the threshold


@pytest.mark.parametrize(
    ("dimensions", "protected"),
    [
        ((), False),
        (("visit:source",), False),
        (("visit:source", "visit:source"), False),
        (("time:hour", "visit:source"), False),
        (("visit:outcode",), True),
        (("time:day", "visit:outcode"), True),
        (("visit:source", "visit:country"), True),
        (("event:page", "event:goal"), True),
    ],
)
def test_which_questions_are_protected(dimensions, protected):
    assert is_protected(dimensions) is protected
    assert is_protected(dimensions, outcode=True)


@pytest.mark.parametrize(
    ("dimensions", "filtered", "protected"),
    [
        ((), (), False),
        ((), ("visit:os",), False),
        (("visit:os",), ("visit:os", "visit:os"), False),
        (("time:day",), ("visit:os",), False),
        ((), ("visit:outcode",), True),
        ((), ("visit:os", "event:page"), True),
        (("visit:source",), ("visit:os",), True),
        (("time:day",), ("visit:os", "event:props:plan"), True),
    ],
)
def test_a_filter_is_as_good_as_a_dimension_for_a_cross(stage, dimensions, filtered, protected):
    parts = tuple(Condition("is_not", name, ("x",)) for name in filtered)
    # However deep it is: the conditions stand in an *or*, below a *not*, or for the whole visit.
    nested = Either((*parts, Negated(Done(parts[0])))) if parts else None
    for part in (both(Every(parts), None) if parts else None, nested):
        query = Query(("visitors",), FIRST, LAST, dimensions, part)
        result = stage.ask(query, k=10_000)
        assert result.is_protected is protected
        assert all(row.is_hidden for row in result.rows) is protected


@given(query=queries(), k=st.integers(2, 40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_protected_row_has_fewer_than_k_visitors(stage, query, k):
    query = dataclasses.replace(query, metrics=("visitors", "visits"))
    result = stage.ask(query, k=k)
    whole = answer(stage.store, query)
    if not result.is_protected:
        assert all(not row.is_hidden for row in result.rows)
        return
    for row in result.rows:
        if row.is_hidden:
            assert row.metrics == (None, None)
        else:
            visitors = row.metrics[0]
            assert visitors is not None
            assert visitors >= k or visitors == 0
        if not row.is_other and not row.is_hidden:
            assert whole[row.dimensions] == row.metrics
    shown = sum(row.metrics[1] or 0 for row in result.rows)
    hidden = any(row.is_hidden for row in result.rows)
    everything = sum(int(metrics[1] or 0) for metrics in whole.values())
    assert shown == everything or (hidden and shown < everything)


def test_what_is_hidden_cannot_be_had_by_subtraction():
    rng = random.Random(4)
    for _ in range(300):
        k = rng.randrange(2, 10)
        groups = [
            frozenset(rng.sample(range(40), rng.randrange(1, 12)))
            for _ in range(rng.randrange(1, 8))
        ]

        def joint(which: Sequence[int], groups: list[frozenset[int]] = groups) -> int:
            return len(frozenset[int]().union(*(groups[number] for number in which)))

        kept, folded, hidden = pick_small([len(group) for group in groups], joint, k)
        assert all(len(groups[number]) >= k for number in kept)
        assert not set(kept) & set(folded)
        together = frozenset().union(*(groups[number] for number in folded))
        if hidden:
            assert len(frozenset().union(*groups)) < k
        else:
            assert sorted([*kept, *folded]) == list(range(len(groups)))
            assert not folded or len(together) >= k


# --- goals

GOALS = (
    Rule("Page", GoalKind.PAGE, "/p1", id=1),
    Rule("Pages", GoalKind.PAGE, "/p1*", id=2),
    Rule("Event", GoalKind.EVENT, "n1", id=3),
    Rule("Plan", GoalKind.EVENT, "*", "plan", "pro", id=4),
    Rule("Scroll", GoalKind.SCROLL, "/p2", least=60, id=5),
    Rule("London", GoalKind.OUTCODE, "SW1A, EC*", id=6),
    Rule("Engaged", GoalKind.ENGAGED, least=40, id=7),
)
WHOLE = Period(FIRST, LAST)


def goal(name: str) -> Condition:
    return Condition("is", GOAL, (name,))


def test_goals_have_the_visitors_and_rates_of_their_own_page(stage):
    query = Query(("visitors", "conversion_rate"), FIRST, LAST, dimensions=(GOAL,), goals=GOALS)
    found = {row.dimensions[0]: row for row in stage.ask(query).rows}
    with entered(stage.client):
        wanted = get_conversions(Scope(stage.site, WHOLE), GOALS, k=1)
    assert found.keys() == {rule.name for rule in GOALS}
    for conversion in wanted.goals:
        row = found[conversion.rule.name]
        assert row.metrics[0] == conversion.visitors > 0, conversion.rule
        assert conversion.rate is not None
        assert row.metrics[1] == pytest.approx(100 * conversion.rate)


def reached(rule: Rule, row: dict[str, object], store: Store) -> bool:
    """Whether a hit, with its visit, reaches the goal."""
    visit = row["visit"]
    assert isinstance(visit, dict)
    match rule.name:
        case "Page":
            return row["kind"] in {Kind.PAGEVIEW, Kind.NOT_FOUND} and row["path"] == "/p1"
        case "Pages":
            is_page = row["kind"] in {Kind.PAGEVIEW, Kind.NOT_FOUND}
            return is_page and str(row["path"]).startswith("/p1")
        case "Event":
            return row["kind"] in {Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD} and (
                row["name"] == "n1"
            )
        case "Plan":
            props = row["props"]
            assert isinstance(props, dict)
            is_event = row["kind"] in {Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD}
            return is_event and props.get("plan") == "pro"
        case "Scroll":
            return any(one["path"] == "/p2" and (one["scroll"] or 0) >= 60 for one in visit["hits"])
        case "London":
            return visit["texts"]["visit:outcode"] in {"GB SW1A", "GB EC1"}
        case _:
            return bool(visit["engaged_s"] >= 40)


@pytest.mark.parametrize("rule", [rule for rule in GOALS if not rule.is_per_visit])
def test_a_goal_filters_hits_and_converts_groups(stage, rule):
    metrics = ("visitors", "group_conversion_rate", "conversion_rate")
    query = Query(
        metrics, FIRST, LAST, dimensions=("visit:source",), filters=goal(rule.name), goals=GOALS
    )
    found = {row.dimensions[0]: row.metrics for row in stage.ask(query).rows}
    groups: dict[str, set[int]] = {}
    all_groups: dict[str, set[int]] = {}
    for row in stage.store.hits:
        if row["kind"] == Kind.ENGAGEMENT:
            continue
        source, visitor = row["visit"]["texts"]["visit:source"], row["visit"]["visitor"]
        all_groups.setdefault(source, set()).add(visitor)
        if reached(rule, row, stage.store):
            groups.setdefault(source, set()).add(visitor)
    everybody = set().union(*all_groups.values())
    assert found == {
        source: (
            len(visitors),
            pytest.approx(100 * len(visitors) / len(all_groups[source])),
            pytest.approx(100 * len(visitors) / len(everybody)),
        )
        for source, visitors in groups.items()
    }
    assert found


def test_a_goal_of_an_outcode_is_protected_like_one(stage):
    query = Query(("visitors",), FIRST, LAST, filters=goal("London"), goals=GOALS)
    (row,) = stage.ask(query, k=5).rows
    assert row.metrics[0] is not None
    (row,) = stage.ask(query, k=100_000).rows
    assert row.is_hidden
    with pytest.raises(FilterError, match="no goal of that name"):
        stage.ask(dataclasses.replace(query, filters=goal("Nowhere")))


# --- the seams


@given(part=filters())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_condition_of_visits_selects_those_of_a_recount(stage, part):
    starts_at, ends_before = (
        from_us(day_bounds(TIMEZONE, day)[number]) for number, day in ((0, FIRST), (1, LAST))
    )
    with entered(stage.client), connection.cursor() as cursor:
        text, params = visit_condition(
            stage.site, part, starts_at=starts_at, ends_before=ends_before
        )
        bound: list[Any] = [stage.site.pk, starts_at, ends_before, *params]
        cursor.execute(
            "SELECT v.id FROM visits v WHERE v.site_id = %s AND v.started_at >= %s "
            f"AND v.started_at < %s AND {text}",
            bound,
        )
        found = {number for (number,) in cursor.fetchall()}
    wanted = {
        row["visit_id"]
        for row in stage.store.hits
        if row["kind"] != Kind.ENGAGEMENT and holds(part, row)
    }
    assert found == wanted


def test_a_pattern_that_takes_too_long_is_given_up(stage, monkeypatch):
    monkeypatch.setattr(sql, "PATTERN_MS", 1)
    values = tuple(f"(a|b|[^c]*)*{number}$" for number in range(400))
    slow = Condition("matches", "event:page", values)
    with pytest.raises(FilterError, match="takes too long"):
        stage.ask(Query(("visitors",), FIRST, LAST, filters=slow))
    # The connection is as good as before.
    assert stage.ask(Query(("visits",), FIRST, LAST)).rows[0].metrics[0]


def test_filters_reach_as_far_back_as_raw_rows_live(stage):
    now = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
    # It is still the 19th in New York.
    assert filterable_from(stage.site, hits_retention_days=1, now=now) == dt.date(2026, 11, 19)
    assert filterable_from(stage.site, hits_retention_days=30, now=now) == dt.date(2026, 10, 21)


def test_a_question_that_cannot_be_asked_names_its_field(stage):
    good = Query(("visitors",), FIRST, LAST)
    for changes, field in (
        ({"metrics": ()}, "metrics"),
        ({"metrics": ("time_on_page",)}, "metrics"),
        ({"dimensions": ("visit:shoes",)}, "dimensions"),
        ({"order_by": (("visits", "asc"),)}, "order_by"),
        ({"ends_on": FIRST - dt.timedelta(days=1)}, "date_range"),
        ({"limit": 0}, "pagination"),
    ):
        with pytest.raises(QueryError) as caught:
            stage.ask(dataclasses.replace(good, **changes))
        assert caught.value.field == field


def test_a_hit_of_another_site_or_of_no_visit_is_never_counted(new_client):
    client = new_client(timezone_name=TIMEZONE)
    site = site_of(client)
    alone = hit(client.pk, site.pk, NOW, 9, kind=Kind.ENGAGEMENT, engaged_s=50)
    view = hit(client.pk, site.pk, NOW, 1, path="/a")
    store_hits(client, [alone, view], zones=site_zones(client))
    roll_up_client(client, now=NOW)
    day = NOW.date()
    query = Query(("visitors", "visits", "pageviews", "engaged_time"), day, day)
    filtered = dataclasses.replace(query, filters=Condition("matches", "event:page", (".",)))
    with entered(client):
        for each in (query, filtered):
            (row,) = run_query(site, each, k=1, now=NOW).rows
            assert row.metrics == (1, 1, 1, 0)
