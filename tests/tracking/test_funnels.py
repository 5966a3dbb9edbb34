"""Funnels against a recount of raw rows in Python."""

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import RawVisit, busy_hits, raw_visits
from tests.tracking.test_goals import ZONE, fits
from tests.tracking.traffic import hit
from tracking.analysis.funnels import get_funnel, load_funnels
from tracking.analysis.goals import Rule, rule_of
from tracking.analysis.scope import Scope
from tracking.models import Funnel, FunnelStep, Goal, GoalKind, StepKind
from tracking.reports.periods import Period
from tracking.writer.store import site_zones, store_hits

PERIOD = Period(dt.date(2025, 11, 1), dt.date(2025, 11, 3))
STEPS = (
    Rule("any", GoalKind.PAGE, "*"),
    Rule("a", GoalKind.PAGE, "/a"),
    Rule("below a", GoalKind.PAGE, "/a/*"),
    Rule("buy", GoalKind.EVENT, "Buy*"),
    Rule("pro", GoalKind.EVENT, "*", "plan", "pro"),
    Rule("half", GoalKind.SCROLL, "*", least=50),
    Rule("engaged", GoalKind.ENGAGED, least=30),
    Rule("London", GoalKind.OUTCODE, "GB SW*, GB EC1"),
    Rule("nowhere", GoalKind.PAGE, "/nowhere"),
)


@pytest.fixture(scope="module")
def busy(new_client):
    """A client with random traffic around New York's change of clocks."""
    client = new_client("funnels-busy", timezone_name=ZONE)
    site = site_of(client)
    starts_at = dt.datetime(2025, 10, 31, 20, tzinfo=dt.UTC)
    hits = busy_hits(random.Random(8), client, site.pk, starts_at, visitors=250)
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


def holds(rule: Rule, visit: RawVisit) -> bool:
    if rule.kind == GoalKind.ENGAGED:
        return bool(visit.row["engaged_s"] >= rule.least)
    return visit.outcode.startswith("GB SW") or visit.outcode == "GB EC1"


def depth(visit: RawVisit, rules: list[Rule]) -> int:
    """How many steps the visit took, by trying every hit for every step."""
    reached: list[tuple[int, dt.datetime | None]] = [(0, None)]
    best = 0
    while reached:
        done, last = reached.pop()
        best = max(best, done)
        if done == len(rules):
            break
        rule = rules[done]
        if rule.is_per_visit:
            if holds(rule, visit):
                reached.append((done + 1, last))
            continue
        later = [h["at"] for h in visit.hits if (last is None or h["at"] > last) and fits(rule, h)]
        reached += [(done + 1, at) for at in set(later)]
    return best


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), k=st.sampled_from([2, 12]))
def test_any_funnel_equals_a_recount(busy, visits, rules, k):
    depths = [(visit, depth(visit, rules)) for visit in visits]
    site = site_of(busy)
    with entered(busy):
        found = get_funnel(Scope(site, PERIOD), rules, k=k)
    assert found.visitors == len({visit.row["visitor"] for visit in visits})
    before, first, hidden = found.visitors, 0, False
    for number, step in enumerate(found.steps, 1):
        came = [visit for visit, steps in depths if steps >= number]
        visitors = len({visit.row["visitor"] for visit in came})
        hidden = hidden or 0 < visitors < k
        if hidden:
            assert step.is_hidden
            assert (step.visitors, step.visits, step.lost, step.of_before) == (0, 0, 0, None)
            continue
        first = first if number > 1 else visitors
        assert (step.visitors, step.visits) == (visitors, len(came))
        assert step.lost == (before - visitors if number > 1 else 0)
        assert step.of_before == (visitors / before if before else None)
        assert step.of_first == (visitors / first if first else None)
        before = visitors


def test_steps_at_the_same_instant_are_not_one_after_the_other(new_client):
    client = new_client()
    site, at = site_of(client), dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)
    together = [
        hit(client.pk, site.pk, at, 7, path="/a"),
        hit(client.pk, site.pk, at, 7, path="/b"),
        *(
            hit(client.pk, site.pk, at + dt.timedelta(microseconds=late), 8, path=path)
            for late, path in ((0, "/a"), (1, "/b"))
        ),
    ]
    store_hits(client, together, zones=site_zones(client))
    rules = [Rule(path, GoalKind.PAGE, path) for path in ("/a", "/b")]
    with entered(client):
        found = get_funnel(Scope(site, PERIOD), rules, k=1)
    assert [step.visitors for step in found.steps] == [2, 1]


def test_a_step_in_another_visit_of_the_same_visitor_does_not_count(new_client):
    client = new_client()
    site, at = site_of(client), dt.datetime(2025, 11, 2, 12, tzinfo=dt.UTC)
    hits = [
        hit(client.pk, site.pk, at + dt.timedelta(minutes=late), visitor, path=path)
        for visitor, late, path in ((1, 0, "/a"), (1, 31, "/b"), (2, 0, "/a"), (2, 29, "/b"))
    ]
    store_hits(client, hits, zones=site_zones(client))
    rules = [Rule(path, GoalKind.PAGE, path) for path in ("/a", "/b")]
    with entered(client):
        found = get_funnel(Scope(site, PERIOD), rules, k=1)
    assert [(step.visitors, step.visits, step.lost) for step in found.steps] == [
        (2, 2, 0),
        (1, 1, 1),
    ]
    assert found.rate == 0.5


def test_a_visit_is_followed_over_the_end_of_the_period(new_client):
    client = new_client()
    site, midnight = site_of(client), dt.datetime(2025, 11, 4, tzinfo=dt.UTC)
    hits = [
        hit(client.pk, site.pk, midnight + dt.timedelta(minutes=late), 1, path=path)
        for late, path in ((-5, "/a"), (5, "/b"))
    ]
    store_hits(client, hits, zones=site_zones(client))
    rules = [Rule(path, GoalKind.PAGE, path) for path in ("/a", "/b")]
    with entered(client):
        found = get_funnel(Scope(site, PERIOD), rules, k=1)
    assert [step.visitors for step in found.steps] == [1, 1]


def test_funnels_are_read_with_the_goals_of_their_steps(busy):
    site, now = site_of(busy), dt.datetime(2025, 11, 2, tzinfo=dt.UTC)
    with entered(busy):
        goal = Goal.objects.create(
            site_id=site.pk, name="Pro", kind=GoalKind.EVENT, match="Buy", created_at=now
        )
        funnel = Funnel.objects.create(site_id=site.pk, name="Buying", created_at=now)
        FunnelStep.objects.create(
            funnel=funnel, position=1, kind=StepKind.EVENT, match="Ask", property_name="plan"
        )
        FunnelStep.objects.create(funnel=funnel, position=0, kind=StepKind.PAGE, match="/a")
        FunnelStep.objects.create(funnel=funnel, position=2, kind=StepKind.GOAL, goal=goal)
        (shape,) = load_funnels(site)
        assert shape.rules == (
            Rule("/a", GoalKind.PAGE, "/a"),
            Rule("Ask", GoalKind.EVENT, "Ask", "plan"),
            rule_of(goal),
        )
