"""Funnels: how many visitors went through steps in order, within one visit."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenants.models import Site
from tracking.analysis.goals import Params, Rule, goal_condition, rule_of_step
from tracking.analysis.scope import Scope, Sql
from tracking.models import Funnel
from tracking.query.reading import raw_cursor

FEWEST_STEPS = 2
MOST_STEPS = 10


@dataclass(frozen=True)
class FunnelShape:
    """A funnel and what its steps ask for."""

    id: int
    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class StepCount:
    """How far visitors came."""

    rule: Rule
    visitors: int
    """Distinct visitors with a visit that came to this step through all steps before it."""
    visits: int
    lost: int
    """Visitors of the step before who did not come to this one; 0 for the first."""
    of_before: float | None
    """Visitors per visitor of the step before (of the first: of the period), 0 to 1."""
    of_first: float | None
    """Visitors per visitor of the first step, 0 to 1."""
    is_hidden: bool = False
    """Fewer than k visitors: all numbers are 0 or None and mean nothing."""


@dataclass(frozen=True)
class FunnelCount:
    """A funnel's steps in a period."""

    visitors: int | None
    """Visitors with a visit that began in the period; None: fewer than k where that would tell."""
    steps: tuple[StepCount, ...]

    @property
    def rate(self) -> float | None:
        """Visitors of the last step per visitor of the first; None: hidden, or nobody began."""
        return self.steps[-1].of_first


def load_funnels(site: Site) -> list[FunnelShape]:
    """The site's funnels by name. Two queries."""
    funnels = Funnel.objects.filter(site_id=site.pk).order_by("name")
    return [
        FunnelShape(funnel.pk, funnel.name, tuple(map(rule_of_step, funnel.steps.all())))
        for funnel in funnels.prefetch_related("steps__goal")
    ]


def get_funnel(scope: Scope, rules: Sequence[Rule], *, k: int) -> FunnelCount:
    """Visitors of each step, of visits that began in the period. One query.

    Each step's hit is later than that of the step before. A goal that asks something of the
    whole visit (engaged time, outcode) takes no time: it holds or it does not. Steps of fewer
    than k visitors are hidden with all after them, but for a first step that nobody took.
    """
    if not rules:
        raise ValueError("A funnel needs at least one step.")
    query, params = _query(scope, rules)
    with raw_cursor() as cursor:
        cursor.execute(query, params)
        counts = {step: (visits, visitors) for step, visits, visitors in cursor.fetchall()}
    _, everyone = counts[-1]
    steps: list[StepCount] = []
    before = everyone
    for number, rule in enumerate(rules):
        visits, visitors = counts[number]
        first = visitors if number == 0 else counts[0][1]
        lost = before - visitors if number else 0
        step = StepCount(
            rule, visitors, visits, lost, _per(visitors, before), _per(visitors, first)
        )
        if 0 < visitors < k or (steps and steps[-1].is_hidden):
            step = StepCount(rule, 0, 0, 0, None, None, is_hidden=True)
        steps.append(step)
        before = visitors
    return FunnelCount(None if scope.hides(everyone, k) else everyone, tuple(steps))


def _per(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _query(scope: Scope, rules: Sequence[Rule]) -> Sql:
    """One CTE a step: visits that came to it, and when first.

    The earliest hit that fits is always the best one to go on from.
    """
    visits, params = scope.visits()
    parts = [f"v AS MATERIALIZED (SELECT * FROM visits v WHERE {visits})"]  # noqa: S608 - our own
    all_params: Params = [*params]
    found = _matching_hits(scope, rules)
    if found is not None:
        parts.append(found[0])
        all_params += found[1]
    for number, rule in enumerate(rules):
        text, params = _step(number, rule)
        parts.append(f"s{number} AS MATERIALIZED ({text})")
        all_params += params
    counted = ["SELECT -1, count(*), count(DISTINCT v.visitor) FROM v"]
    counted += [
        f"SELECT {number}, count(*), count(DISTINCT v.visitor) "  # noqa: S608 - our own words
        f"FROM s{number} s JOIN v ON v.id = s.visit_id"
        for number in range(len(rules))
    ]
    return f"WITH {', '.join(parts)} {' UNION ALL '.join(counted)}", all_params


def _matching_hits(scope: Scope, rules: Sequence[Rule]) -> Sql | None:
    """Hits that any step asks for, with a column for each step that says whether it fits."""
    conditions = {
        number: goal_condition(rule) for number, rule in enumerate(rules) if not rule.is_per_visit
    }
    if not conditions:
        return None
    columns = ", ".join(f"{text} AS c{number}" for number, (text, _) in conditions.items())
    wanted = " OR ".join(text for text, _ in conditions.values())
    params: Params = [param for _, params in conditions.values() for param in params]
    hits, hit_params = scope.hits_for_visits(rules)
    query = f"SELECT h.visit_id, h.at, {columns} FROM {hits} h WHERE {wanted}"  # noqa: S608 - our own words
    return f"m AS MATERIALIZED ({query})", [*params, *hit_params, *params]


def _step(number: int, rule: Rule) -> Sql:
    if rule.is_per_visit:
        condition, params = goal_condition(rule)
        if number == 0:
            at = "'-infinity'::timestamptz"
            return f"SELECT v.id AS visit_id, {at} AS at FROM v WHERE {condition}", params  # noqa: S608 - our own words
        joined = f"s{number - 1} p JOIN v ON v.id = p.visit_id"
        return f"SELECT p.visit_id, p.at FROM {joined} WHERE {condition}", params  # noqa: S608 - our own words
    if number == 0:
        joined = "JOIN v ON v.id = m.visit_id"
    else:
        joined = f"JOIN s{number - 1} p ON p.visit_id = m.visit_id AND m.at > p.at"
    first = f"SELECT m.visit_id, min(m.at) AS at FROM m {joined}"  # noqa: S608 - our own words
    return f"{first} WHERE m.c{number} GROUP BY m.visit_id", []
