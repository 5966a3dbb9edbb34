"""Goals against a recount of raw rows in Python, and what they must not tell."""

import datetime as dt
import fnmatch
import random
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.clients import new_site_key
from tenants.models import Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import RawVisit, busy_hits, raw_visits
from tracking.analysis.conversions import get_conversions
from tracking.analysis.goals import (
    Rule,
    label_condition,
    like_pattern,
    load_goals,
    outcode_patterns,
    rule_of,
)
from tracking.analysis.scope import Scope, scope_of
from tracking.hits import Hit, Kind
from tracking.models import Goal, GoalKind
from tracking.query.model import Condition, Done, Every
from tracking.reports.periods import Period
from tracking.writer.store import site_zones, store_hits

ZONE = "America/New_York"
PERIOD = Period(dt.date(2025, 11, 1), dt.date(2025, 11, 3))
RULES = (
    Rule("exact page", GoalKind.PAGE, "/a"),
    Rule("any below", GoalKind.PAGE, "/a/*"),
    Rule("underscore is itself", GoalKind.PAGE, "/b_c"),
    Rule("underscore with a star", GoalKind.PAGE, "*b_c"),
    Rule("percent with a star", GoalKind.PAGE, "/d%*"),
    Rule("never seen", GoalKind.PAGE, "/nowhere"),
    Rule("event", GoalKind.EVENT, "Buy"),
    Rule("events", GoalKind.EVENT, "Buy*"),
    Rule("event with property", GoalKind.EVENT, "Buy", "plan", "pro"),
    Rule("event with a property like", GoalKind.EVENT, "*", "plan", "*r*"),
    Rule("event with any value", GoalKind.EVENT, "*", "plan"),
    Rule("outcode", GoalKind.OUTCODE, "GB SW1A"),
    Rule("outcodes", GoalKind.OUTCODE, "sw*, US 902"),
    Rule("half way", GoalKind.SCROLL, "/a*", least=50),
    Rule("to the end of any page", GoalKind.SCROLL, "", least=90),
    Rule("a minute", GoalKind.ENGAGED, least=60),
)


@pytest.fixture(scope="module")
def busy(new_client):
    """A client whose two sites had random traffic around New York's change of clocks."""
    client = new_client("goals-busy", timezone_name=ZONE)
    other = Site.objects.create(
        client=client, key=new_site_key(), name="Other", hosts=["o.example"], timezone="UTC"
    )
    rng = random.Random(5)
    hits: list[Hit] = []
    for site in (site_of(client), other):
        hits += busy_hits(rng, client, site.pk, dt.datetime(2025, 10, 31, 20, tzinfo=dt.UTC))
    store_hits(client, hits, zones=site_zones(client))
    return client


def in_period(at: dt.datetime, period: Period = PERIOD) -> bool:
    return period.starts_on <= at.astimezone(ZoneInfo(ZONE)).date() <= period.ends_on


def is_like(text: str, pattern: str) -> bool:
    """`*` is any text; by fnmatch, whose own signs are taken away first."""
    quoted = re.sub(r"([\[\]?])", r"[\1]", pattern)
    return fnmatch.fnmatchcase(text, quoted)


def fits(rule: Rule, hit: dict[str, Any]) -> bool:
    kind = Kind(hit["kind"])
    match rule.kind:
        case GoalKind.PAGE:
            return kind in {Kind.PAGEVIEW, Kind.NOT_FOUND} and is_like(hit["path"], rule.match)
        case GoalKind.EVENT:
            value = hit["props"].get(rule.property_name)
            return (
                kind in {Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD}
                and is_like(hit["name"], rule.match)
                and (
                    not rule.property_name
                    or (value is not None and is_like(value, rule.property_value or "*"))
                )
            )
        case GoalKind.SCROLL:
            return (hit["scroll"] or 0) >= rule.least and is_like(hit["path"], rule.match or "*")
    return False


def fits_visit(rule: Rule, visit: RawVisit) -> bool:
    if rule.kind == GoalKind.ENGAGED:
        return bool(visit.row["engaged_s"] >= rule.least)
    wanted = {"outcode": ["GB SW1A"], "outcodes": ["GB SW*", "US 902"]}[rule.name]
    return any(is_like(visit.outcode, pattern) for pattern in wanted)


def recounted(visits: list[RawVisit], rule: Rule) -> tuple[int, int]:
    """Converting visitors and conversions."""
    visitors, times = set(), []
    for visit in visits:
        if rule.is_per_visit:
            if in_period(visit.row["started_at"]) and fits_visit(rule, visit):
                visitors.add(visit.row["visitor"])
                times.append(visit.row["id"])
            continue
        for hit in visit.hits:
            if in_period(hit["at"]) and fits(rule, hit):
                visitors.add(visit.row["visitor"])
                is_scroll = rule.kind == GoalKind.SCROLL
                times.append((visit.row["id"], hit["path"]) if is_scroll else hit["tag"])
    return len(visitors), len(set(times))


def test_conversions_of_every_kind_equal_a_recount(busy):
    site = site_of(busy)
    visits = raw_visits(busy, site.pk)
    visitors = {
        visit.row["visitor"]
        for visit in visits
        for hit in visit.hits
        if hit["kind"] != Kind.ENGAGEMENT and in_period(hit["at"])
    }
    with entered(busy), CaptureQueriesContext(connection) as queries:
        found = get_conversions(Scope(site, PERIOD), RULES, k=2)
    assert len([q for q in queries if "visits" in q["sql"]]) == 3
    assert found.visitors == len(visitors)
    seen = []
    for goal in found.goals:
        wanted = recounted(visits, goal.rule)
        assert (goal.visitors, goal.conversions) == wanted, goal.rule.name
        assert goal.rate == pytest.approx(wanted[0] / len(visitors))
        seen.append(wanted[0])
    assert seen.count(0) == 1, "only the page that does not exist was never seen"


def test_a_goal_on_an_outcode_of_few_visitors_is_hidden(busy):
    site = site_of(busy)
    visits = raw_visits(busy, site.pk)
    outcode = Rule("outcode", GoalKind.OUTCODE, "GB SW1A")
    few, _ = recounted(visits, outcode)
    nobody = Rule("nobody", GoalKind.OUTCODE, "GB ZE1")
    with entered(busy):
        at_k = get_conversions(Scope(site, PERIOD), [outcode], k=few).goals[0]
        above, none = get_conversions(Scope(site, PERIOD), [outcode, nobody], k=few + 1).goals
    assert at_k.visitors == few
    assert (above.visitors, above.conversions, above.rate, above.is_hidden) == (0, 0, None, True)
    assert none.is_hidden, "nought would tell an outcode apart from one of a few visitors"


def test_a_filtered_goal_of_few_visitors_is_hidden(busy):
    site = site_of(busy)
    rule = Rule("exact page", GoalKind.PAGE, "/a")
    everyone = raw_visits(busy, site.pk)
    indian = [v for v in everyone if v.country == "IN"]
    with entered(busy):
        scope = scope_of(site, PERIOD, Condition("is", "visit:country", ("IN",)))
        found = get_conversions(scope, [rule], k=2).goals[0]
        hidden = get_conversions(scope, [rule], k=found.visitors + 1).goals[0]
        whole = get_conversions(Scope(site, PERIOD), [rule], k=1000).goals[0]
    assert (found.visitors, found.conversions) == recounted(indian, rule)
    assert 0 < found.visitors < recounted(everyone, rule)[0]
    assert hidden.is_hidden
    assert not whole.is_hidden, "one dimension by itself is no cross"


def test_a_filter_of_hits_chooses_visits_that_have_such_a_hit(busy):
    site, rule = site_of(busy), Rule("event", GoalKind.EVENT, "Buy")
    filters = Every(
        (
            Condition("contains", "event:page", ("/a/",)),
            Done(Condition("is", "event:name", ("Ask",)), negated=True),
        )
    )
    chosen = [
        visit
        for visit in raw_visits(busy, site.pk)
        if any("/a/" in h["path"] and h["kind"] != Kind.ENGAGEMENT for h in visit.hits)
        and not any(h["name"] == "Ask" and h["kind"] == Kind.EVENT for h in visit.hits)
    ]
    with entered(busy):
        found = get_conversions(scope_of(site, PERIOD, filters), [rule], k=2).goals[0]
    assert (found.visitors, found.conversions) == recounted(chosen, rule)
    assert found.visitors


def test_a_period_without_visitors_has_no_rate(busy):
    scope = Scope(site_of(busy), Period(dt.date(2020, 1, 1), dt.date(2020, 1, 2)))
    with entered(busy):
        found = get_conversions(scope, RULES[:1], k=5)
    assert (found.visitors, found.goals[0].visitors, found.goals[0].rate) == (0, 0, None)


def test_goals_are_read_by_name_without_the_archived(busy):
    site = site_of(busy)
    with entered(busy):
        for name, archived in (("Second", False), ("First", False), ("Gone", True)):
            Goal.objects.create(
                site_id=site.pk,
                name=name,
                kind=GoalKind.PAGE,
                match="/a",
                is_archived=archived,
                created_at=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
            )
        assert [rule.name for rule in load_goals(site)] == ["First", "Second"]
        assert [r.name for r in load_goals(site, with_archived=True)] == ["First", "Gone", "Second"]
        goal = Goal.objects.get(name="First")
        assert rule_of(goal) == Rule("First", GoalKind.PAGE, "/a", id=goal.pk)


def test_patterns_keep_the_signs_of_like_for_themselves():
    assert like_pattern(r"/50%_\*") == r"/50\%\_\\%"
    assert label_condition("h.path", []) == ("(false)", [])


def test_outcodes_without_a_country_are_looked_for_in_each():
    assert outcode_patterns("gb  sw1a , US 902*") == ["GB SW1A", "US 902*"]
    assert "GB SW*" in outcode_patterns("sw*")
    assert "IE D02" in outcode_patterns("D02")
    assert outcode_patterns(" , ") == []
