"""Goals: what reaching one means in SQL. How often it happened: tracking.analysis.conversions.

A goal asks something of a hit (page, event, scroll) or of the whole visit (outcode, engaged).
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tenants.models import Site
from tracking.hits import PAGE_KINDS, Kind
from tracking.models import FunnelStep, Goal, GoalKind, StepKind
from tracking.raw_rows import hits_alone, hits_and_pings

PER_VISIT = frozenset({GoalKind.OUTCODE, GoalKind.ENGAGED})
"""Kinds that ask something of the visit; the others ask it of one hit."""

_PAGES = ", ".join(str(int(kind)) for kind in sorted(PAGE_KINDS))
_EVENTS = ", ".join(str(int(kind)) for kind in (Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD))

OUTCODE_COUNTRIES = ("GB", "US", "IE", "CA", "NL", "AU")
"""Countries that tracking.outcode cuts a code for."""

Params = list[Any]

SEEN_IN_PINGS = frozenset({GoalKind.SCROLL})
"""Kinds that ask for what pings tell (tracking.raw_rows)."""


@dataclass(frozen=True)
class Rule:
    """A goal, or a step of a funnel, as read from its row."""

    name: str
    kind: GoalKind
    match: str = ""
    property_name: str = ""
    property_value: str = ""
    least: int = 0
    id: int = 0
    """The goal's id; 0 for what is not stored."""

    @property
    def is_per_visit(self) -> bool:
        """Whether it asks something of the visit rather than of one hit."""
        return self.kind in PER_VISIT


def rule_of(goal: Goal) -> Rule:
    """The goal without its table."""
    return Rule(
        name=goal.name,
        kind=GoalKind(goal.kind),
        match=goal.match,
        property_name=goal.property_name,
        property_value=goal.property_value,
        least=goal.least,
        id=goal.pk or 0,
    )


def rule_of_step(step: FunnelStep) -> Rule:
    """What a step asks for; a step's goal must be loaded with it."""
    if step.goal is not None:
        return rule_of(step.goal)
    kind = GoalKind.PAGE if step.kind == StepKind.PAGE else GoalKind.EVENT
    return Rule(step.match, kind, step.match, step.property_name, step.property_value)


def load_goals(site: Site, *, with_archived: bool = False) -> list[Rule]:
    """The site's goals by name. One query."""
    goals = Goal.objects.filter(site_id=site.pk).order_by("name")
    if not with_archived:
        goals = goals.filter(is_archived=False)
    return [rule_of(goal) for goal in goals]


def hits_for(
    rules: Iterable[Rule], site: Site, since: dt.datetime, before: dt.datetime
) -> tuple[str, Params]:
    """A table, for FROM and without an alias, of the site's rows that goals are looked for in."""
    with_pings = any(rule.kind in SEEN_IN_PINGS for rule in rules)
    return (hits_and_pings if with_pings else hits_alone)([site.pk], since, before)


def goal_condition(rule: Rule, *, hit: str = "h", visit: str = "v") -> tuple[str, Params]:
    """A condition in parentheses and its parameters, for `%s`.

    Of rows of `hits` under the alias `hit`, or, where `rule.is_per_visit`, of rows of `visits`
    under the alias `visit`. Never null.
    """
    match rule.kind:
        case GoalKind.PAGE:
            text, params = label_condition(f"{hit}.path", [rule.match])
            return f"({hit}.kind IN ({_PAGES}) AND {text})", params
        case GoalKind.EVENT:
            return _event(rule, hit)
        case GoalKind.SCROLL:
            text, params = label_condition(f"{hit}.path", [rule.match or "*"])
            return f"(coalesce({hit}.scroll, 0) >= %s AND {text})", [rule.least, *params]
        case GoalKind.OUTCODE:
            text, params = label_condition("o.outcode", outcode_patterns(rule.match))
            joined = f"o.visit_id = {visit}.id AND o.started_at = {visit}.started_at"
            query = f"SELECT 1 FROM origins o WHERE {joined} AND {text}"  # noqa: S608 - our own words
            return f"(EXISTS ({query}))", params
        case GoalKind.ENGAGED:
            return f"({visit}.engaged_s >= %s)", [rule.least]


def _event(rule: Rule, hit: str) -> tuple[str, Params]:
    """Outbound links and downloads are events too: their name is the address they lead to."""
    text, params = label_condition(f"coalesce({hit}.name, 0)", [rule.match])
    condition = f"{hit}.kind IN ({_EVENTS}) AND {text}"
    if rule.property_name:
        # A property that is absent is null, and null is like nothing: hence IS TRUE.
        condition += f" AND (({hit}.props ->> %s) LIKE %s) IS TRUE"
        params = [*params, rule.property_name, like_pattern(rule.property_value or "*")]
    return f"({condition})", params


def label_condition(column: str, patterns: Sequence[str]) -> tuple[str, Params]:
    """A condition of a label column: its text is, or is like, one of the patterns.

    Exact texts are looked up by their index, once a statement; `*` stands for any text. No
    pattern matches nothing, as does a text that was never stored.
    """
    if not patterns:
        return "(false)", []
    is_exact = not any("*" in pattern for pattern in patterns)
    ids = f"SELECT id FROM labels WHERE value {'=' if is_exact else 'LIKE'} ANY(%s)"  # noqa: S608 - two operators
    wanted = list(patterns) if is_exact else [like_pattern(pattern) for pattern in patterns]
    return f"({column} IN ({ids}))", [wanted]


def like_pattern(pattern: str) -> str:
    r"""The pattern for LIKE: `*` is any text, and `%`, `_` and `\` are themselves."""
    return re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")


def outcode_patterns(match: str) -> list[str]:
    """The outcodes of a list with commas, as they may be stored.

    `GB SW1A` is one code. Without its country (`SW1A`, `SW*`) it is looked for in each of those
    whose codes are kept.
    """
    found: list[str] = []
    for part in match.split(","):
        code = " ".join(part.upper().split())
        if not code:
            continue
        country, _, rest = code.partition(" ")
        has_country = bool(rest) and len(country) == 2 and country.isalpha()
        found += [code] if has_country else [f"{name} {code}" for name in OUTCODE_COUNTRIES]
    return found
