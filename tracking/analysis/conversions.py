"""How many visitors reached each goal, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.analysis.goals import Params, Rule, goal_condition, load_goals
from tracking.analysis.scope import Scope
from tracking.models import GoalKind
from tracking.query.model import GOAL, Query, Row
from tracking.query.parts import asks_goals
from tracking.query.reading import raw_cursor
from tracking.query.run import run_query


@dataclass(frozen=True)
class Conversion:
    """How a goal was reached in a period."""

    rule: Rule
    visitors: int
    """Distinct visitors who reached it."""
    conversions: int
    """Times it was reached: each matching page view or event; each page once a visit for scroll
    depth; visits for engaged time and outcodes."""
    rate: float | None
    """Converting visitors per visitor of the period, 0 to 1; None without visitors."""
    is_hidden: bool = False
    """Fewer than k visitors where that would tell: all numbers are 0 and mean nothing."""


@dataclass(frozen=True)
class Conversions:
    """Goals of a period in the order asked for, and the visitors that their rates are of."""

    visitors: int | None
    """None: fewer than k where that would tell."""
    goals: tuple[Conversion, ...]


Counts = dict[int, tuple[int, int]]


def get_conversions(scope: Scope, rules: Sequence[Rule], *, k: int) -> Conversions:
    """Conversions of each rule. Up to three queries, however many rules.

    Hidden below k: goals on outcodes always, the others where the scope's filters name something
    else (a goal crossed with it is a group of two dimensions). In a filtered scope some queries
    for each rule, as in the goals' panel of a report.
    """
    counts = _of_hits(scope, rules) | _of_visits(scope, rules)
    if scope.filters is not None:
        return _filtered(scope, rules, counts, k)
    visitors = _count_visitors(scope)
    return Conversions(
        visitors,
        tuple(
            _conversion(rule, counts.get(number, (0, 0)), visitors, k)
            for number, rule in enumerate(rules)
        ),
    )


def _conversion(rule: Rule, counts: tuple[int, int], visitors: int, k: int) -> Conversion:
    conversions, converting = counts
    if rule.kind == GoalKind.OUTCODE and converting < k:
        return Conversion(rule, 0, 0, None, is_hidden=True)
    # A late hit may belong to a visitor whom the period does not count.
    rate = min(1.0, converting / visitors) if visitors else None
    return Conversion(rule, converting, conversions, rate)


def _filtered(scope: Scope, rules: Sequence[Rule], counts: Counts, k: int) -> Conversions:
    """Visitors, rates and what is hidden as the query engine has them: it knows what tells."""
    found = {row.dimensions[0]: row for row in _ask(scope, rules, k, GOAL)}
    goals = []
    for number, rule in enumerate(rules):
        row = found[rule.name]
        visitors, rate = row.metrics
        if row.is_hidden:
            goals.append(Conversion(rule, 0, 0, None, is_hidden=True))
            continue
        share = None if rate is None else min(1.0, rate / 100)
        times = counts.get(number, (0, 0))[0]
        goals.append(Conversion(rule, int(visitors or 0), times, share))
    (everyone,) = _ask(scope, rules, k)
    visitors = everyone.metrics[0]
    return Conversions(None if visitors is None else int(visitors), tuple(goals))


def _ask(scope: Scope, rules: Sequence[Rule], k: int, *dimensions: str) -> Sequence[Row]:
    named = (
        {rule.name: rule for rule in load_goals(scope.site)} if asks_goals(scope.filters) else {}
    )
    metrics = ("visitors", "conversion_rate") if dimensions else ("visitors",)
    query = Query(
        metrics,
        scope.period.starts_on,
        scope.period.ends_on,
        dimensions,
        scope.filters,
        goals=tuple((named | {rule.name: rule for rule in rules}).values()),
        ends_before=scope.ends_before,
    )
    # The clock only warns of days to come.
    return run_query(scope.site, query, k=k, now=scope.ends_before).rows


def _count_visitors(scope: Scope) -> int:
    query, params = scope.visitors()
    with raw_cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({query}) AS seen", params)  # noqa: S608 - our own
        return int(cursor.fetchone()[0])


def _of_hits(scope: Scope, rules: Sequence[Rule]) -> Counts:
    """Counts of the rules that ask something of a hit, in one pass over the hits."""
    asked = {number: rule for number, rule in enumerate(rules) if not rule.is_per_visit}
    if not asked:
        return {}
    conditions = {number: goal_condition(rule) for number, rule in asked.items()}
    any_text, any_params = _either(list(conditions.values()))
    values = ", ".join(f"({number}, {text})" for number, (text, _) in conditions.items())
    value_params: Params = [param for _, params in conditions.values() for param in params]
    hits, hit_params = scope.hits(list(asked.values()))
    visits, visit_params = scope.visits_of_hits()
    # Scroll depth is sent again and again: a page counts once a visit. Pairs are dear to sort.
    scrolls = [number for number, rule in asked.items() if rule.kind == GoalKind.SCROLL]
    pages = "CASE WHEN g.number = ANY(%s::int4[]) THEN (h.visit_id, h.path) END"
    query = (
        f"SELECT g.number, count(*), count(DISTINCT {pages}), "  # noqa: S608 - our own words
        f"count(DISTINCT v.visitor) FROM {hits} h JOIN visits v ON v.id = h.visit_id "
        f"CROSS JOIN LATERAL (VALUES {values}) AS g (number, reached) "
        f"WHERE {visits} AND {any_text} AND g.reached GROUP BY g.number"
    )
    with raw_cursor() as cursor:
        cursor.execute(query, [scrolls, *hit_params, *value_params, *visit_params, *any_params])
        return {
            number: (pages if asked[number].kind == GoalKind.SCROLL else times, visitors)
            for number, times, pages, visitors in cursor.fetchall()
        }


def _of_visits(scope: Scope, rules: Sequence[Rule]) -> Counts:
    """Counts of the rules that ask something of the visit, for visits begun in the period."""
    asked = {number: rule for number, rule in enumerate(rules) if rule.is_per_visit}
    if not asked:
        return {}
    conditions = {number: goal_condition(rule) for number, rule in asked.items()}
    values = ", ".join(f"({number}, {text})" for number, (text, _) in conditions.items())
    value_params: Params = [param for _, params in conditions.values() for param in params]
    visits, visit_params = scope.visits()
    query = (
        "SELECT g.number, count(*), count(DISTINCT v.visitor) FROM visits v "  # noqa: S608 - our own words
        f"CROSS JOIN LATERAL (VALUES {values}) AS g (number, reached) "
        f"WHERE {visits} AND g.reached GROUP BY g.number"
    )
    with raw_cursor() as cursor:
        cursor.execute(query, [*value_params, *visit_params])
        return {number: (visits, visitors) for number, visits, visitors in cursor.fetchall()}


def _either(conditions: Sequence[tuple[str, Params]]) -> tuple[str, Params]:
    text = " OR ".join(text for text, _ in conditions)
    return f"({text})", [param for _, params in conditions for param in params]


def get_examples(scope: Scope, rule: Rule, *, limit: int = 5) -> list[tuple[str, int]]:
    """What a goal's pattern matches: pages (of events: their names) and times, most first.

    Empty for goals that ask something of the visit. One query.
    """
    if rule.is_per_visit:
        return []
    condition, params = goal_condition(rule)
    hits, hit_params = scope.hits([rule])
    column = "name" if rule.kind == GoalKind.EVENT else "path"
    query = (
        f"SELECT labels.value, found.times FROM (SELECT h.{column} AS label, count(*) AS times "  # noqa: S608 - our own words
        f"FROM {hits} h WHERE {condition} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s) found "
        "JOIN labels ON labels.id = found.label ORDER BY found.times DESC, labels.value"
    )
    with raw_cursor() as cursor:
        cursor.execute(query, [*hit_params, *params, limit])
        return [(value, times) for value, times in cursor.fetchall()]
