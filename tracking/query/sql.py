"""Filters as SQL over raw rows: hits under the alias `h`, visits under `v`.

Values become label ids first, by one small statement a condition, so that the statement over the
raw rows compares numbers, and the planner knows how many.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import DataError, OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from tenants.models import Site
from tracking.analysis.goals import Rule, goal_condition, load_goals
from tracking.hits import Kind
from tracking.models import GoalKind
from tracking.models.raw import NOT_SET
from tracking.query.model import (
    GOAL,
    OUTCODE,
    PROPS,
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Grain,
    Negated,
    source_of,
)
from tracking.query.parts import asks_goals, beside_goals
from tracking.query.text import FilterError
from tracking.raw_rows import Params, hits_and_pings
from tracking.visits import GAP_US, LONGEST_US

GAP = dt.timedelta(microseconds=GAP_US)
LONGEST = dt.timedelta(microseconds=LONGEST_US)
PATTERN_MS = 2_000
"""How long looking for the texts that a pattern matches may take."""

_ENGAGEMENT = int(Kind.ENGAGEMENT)
VISIT_COLUMNS = {
    "visit:source": "source",
    "visit:channel": "channel",
    "visit:utm_source": "utm_source",
    "visit:utm_medium": "utm_medium",
    "visit:utm_campaign": "utm_campaign",
    "visit:utm_term": "utm_term",
    "visit:utm_content": "utm_content",
    "visit:entry_page": "entry",
    "visit:exit_page": "exit",
    "visit:country": "country",
    "visit:region": "region",
    "visit:device": "device",
    "visit:browser": "browser",
    "visit:os": "os",
    "visit:language": "language",
}
"""Label columns of `visits`."""
HIT_VALUES = {
    "event:page": "{h}.path",
    "event:name": f"CASE WHEN {{h}}.kind = {int(Kind.EVENT)} THEN {{h}}.name END",
    "event:outbound": f"CASE WHEN {{h}}.kind = {int(Kind.OUTBOUND)} THEN {{h}}.name END",
    "event:download": f"CASE WHEN {{h}}.kind = {int(Kind.DOWNLOAD)} THEN {{h}}.name END",
    "event:not_found": f"CASE WHEN {{h}}.kind = {int(Kind.NOT_FOUND)} THEN {{h}}.path END",
    "event:hostname": "{h}.host",
}
"""Label of a hit's dimension; null where it has none."""
_TESTS = {
    ("is", True): "{} = ANY(%s::text[])",
    ("is", False): "lower({}) = ANY(%s::text[])",
    ("contains", True): "{} LIKE ANY(%s::text[])",
    ("contains", False): "{} ILIKE ANY(%s::text[])",
    ("matches", True): "{} ~ ANY(%s::text[])",
    ("matches", False): "{} ~* ANY(%s::text[])",
}


@dataclass(frozen=True)
class Sql:
    """A condition that is never null, its parameters for `%s`, and whose rows it looks at."""

    text: str
    params: Params = field(default_factory=list)
    of_hit: bool = False
    of_visit: bool = False

    def __and__(self, other: "Sql") -> "Sql":
        return _joined([self, other], "AND")


TRUE = Sql("true")


@dataclass(frozen=True)
class Selection:
    """A filter in two parts, both of which must hold."""

    of_visits: Sql
    """Looks at visits `v` alone."""
    of_hits: Sql
    """Looks at hits `h`, and maybe at their visits `v`. `TRUE` when no hit needs to be asked."""

    @property
    def asks_hits(self) -> bool:
        """Whether hits are selected one by one."""
        return self.of_hits is not TRUE


@dataclass(frozen=True)
class Span:
    """The site and the time in which the visits start that a condition is asked of."""

    site: Site
    starts_at: dt.datetime
    ends_before: dt.datetime
    goals: tuple[Rule, ...] = ()

    @property
    def hits_from(self) -> dt.datetime:
        """Earliest hit of such a visit."""
        return self.starts_at - GAP

    @property
    def hits_before(self) -> dt.datetime:
        """After the last hit of such a visit."""
        return self.ends_before + LONGEST


def visit_condition(
    site: Site,
    filters: Filter | None,
    *,
    starts_at: dt.datetime,
    ends_before: dt.datetime,
    goals: Sequence[Rule] | None = None,
) -> tuple[str, Params]:
    """SQL (never null, in parentheses) of the visits `v` that the filter selects, and parameters.

    Visits that start from `starts_at` to `ends_before` only; later and earlier ones may be left
    out. One query for each condition of the filter. Raises FilterError.
    """
    if goals is None:
        goals = load_goals(site) if asks_goals(filters) else []
    span = Span(site, starts_at, ends_before, tuple(goals))
    selection = select(beside_goals(filters), span)
    condition = selection.of_visits
    if selection.asks_hits:
        condition &= _exists(selection.of_hits, span)
    return f"({condition.text})", condition.params


def select(filters: Filter | None, span: Span) -> Selection:
    """The filter in its two parts. One query for each condition. Raises FilterError."""
    parts = filters.parts if isinstance(filters, Every) else (filters,) if filters else ()
    compiled = [_compile(part, span) for part in parts]
    of_visits = [each for each in compiled if not each.of_hit]
    of_hits = [each for each in compiled if each.of_hit]
    return Selection(
        _joined(of_visits, "AND") if of_visits else TRUE,
        _joined(of_hits, "AND") if of_hits else TRUE,
    )


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    parts = [each for each in parts if each is not TRUE] if word == "AND" else parts
    if not parts:
        return TRUE
    return Sql(
        "(" + f" {word} ".join(each.text for each in parts) + ")",
        [param for each in parts for param in each.params],
        any(each.of_hit for each in parts),
        any(each.of_visit for each in parts),
    )


def _compile(part: Filter, span: Span) -> Sql:
    match part:
        case Condition():
            return _condition(part, span)
        case Every(parts):
            return _joined([_compile(each, span) for each in parts], "AND")
        case Either(parts):
            return _joined([_compile(each, span) for each in parts], "OR")
        case Negated(each):
            return _not(_compile(each, span))
        case Done(each, negated):
            found = _done(each, span)
            return _not(found) if negated else found


def _done(part: Filter, span: Span) -> Sql:
    """Visits with a hit of which the part is true; conditions of the visit taken out of it.

    What is left inside looks at hits alone, as far as can be: PostgreSQL then finds such visits
    once, instead of looking for each visit's hits.
    """
    if isinstance(part, Either):
        return _joined([_done(each, span) for each in part.parts], "OR")
    if isinstance(part, Every):
        compiled = [_compile(each, span) for each in part.parts]
        outside = [each for each in compiled if not each.of_hit]
        inside = [each for each in compiled if each.of_hit]
        return _joined(outside, "AND") & _exists(_joined(inside, "AND"), span)
    return _exists(_compile(part, span), span)


def _not(part: Sql) -> Sql:
    return Sql(f"(NOT {part.text})", part.params, part.of_hit, part.of_visit)


def _exists(part: Sql, span: Span, *, any_row: bool = False) -> Sql:
    """Visits with a page view or event (`any_row`: or a ping) of which the part is true."""
    if not part.of_hit:
        return part  # every visit has a hit
    bounds = span.hits_from, span.hits_before
    if any_row:
        table, params = hits_and_pings([span.site.pk], *bounds)
        return Sql(
            f"EXISTS (SELECT 1 FROM {table} h WHERE h.visit_id = v.id AND {part.text})",  # noqa: S608 - our own words
            [*params, *part.params],
            of_visit=True,
        )
    return Sql(
        "EXISTS (SELECT 1 FROM hits h WHERE h.visit_id = v.id AND h.site_id = %s "  # noqa: S608 - our own words
        f"AND h.at >= %s AND h.at < %s AND h.kind <> {_ENGAGEMENT} AND {part.text})",
        [span.site.pk, *bounds, *part.params],
        of_visit=True,
    )


def _condition(part: Condition, span: Span) -> Sql:
    positive = part.op.removesuffix("_not")
    source = source_of(part.dimension)
    if source is None:
        raise FilterError(f'filters: "{part.dimension}" is no dimension.')
    if part.dimension == GOAL:
        found = _goal(part, positive, span)
    elif part.dimension.startswith(PROPS):
        found = _text_test(part, positive, "coalesce(h.props ->> %s, '')", [_prop(part)])
    elif part.dimension == "event:status":
        found = _text_test(part, positive, "coalesce(h.status::text, '')", [])
    elif source.grain is Grain.HIT:
        found = _of_hit_label(part, positive, span)
    elif part.dimension == OUTCODE:
        found = _outcode(find_labels(part, positive), span)
    else:
        column = f"v.{VISIT_COLUMNS[part.dimension]}"
        found = _label_test(column, find_labels(part, positive), of_visit=True)
    return _not(found) if part.op.endswith("_not") else found


def _prop(part: Condition) -> str:
    return part.dimension.removeprefix(PROPS)


def _text_test(part: Condition, positive: str, column: str, before: Params) -> Sql:
    if positive == "matches":
        _check_patterns(part.values)
    test = _TESTS[positive, part.case_sensitive].format(column)
    return Sql(f"({test})", [*before, _wanted(part, positive)], of_hit=True)


def _wanted(part: Condition, positive: str) -> list[str]:
    if positive == "contains":
        return [f"%{_escaped(value)}%" for value in part.values]
    if positive == "is" and not part.case_sensitive:
        return [value.lower() for value in part.values]
    return list(part.values)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _label_test(column: str, ids: Sequence[int], *, of_visit: bool = False) -> Sql:
    # Not coalesce(), whose rows the planner would have to guess.
    word = "IS NULL OR" if NOT_SET in ids else "IS NOT NULL AND"
    text = f"({column} {word} {column} = ANY(%s::int4[]))"
    return Sql(text, [list(ids)], of_hit=not of_visit, of_visit=of_visit)


def _of_hit_label(part: Condition, positive: str, span: Span) -> Sql:
    ids = find_labels(part, positive)
    column = HIT_VALUES[part.dimension].format(h="h")
    if part.dimension == "event:hostname":
        # The main host is stored as null: it stands for the label of its name.
        main = _tested(part, positive, span.site.main_host)
        ids = [NOT_SET if main else -1, *(each for each in ids if each != NOT_SET)]
    return _label_test(column, ids)


def _tested(part: Condition, positive: str, text: str) -> bool:
    """Whether the condition is true of one text, as PostgreSQL sees it."""
    test = _TESTS[positive, part.case_sensitive].format("%s")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {test}", [text, _wanted(part, positive)])
        return bool(cursor.fetchone()[0])


def _outcode(ids: Sequence[int], span: Span) -> Sql:
    """No row of `origins`, or one without an outcode, is an outcode that is not set."""
    has_none = NOT_SET in ids
    test = "o.outcode <> ALL(%s::int4[])" if has_none else "o.outcode = ANY(%s::int4[])"
    return Sql(
        f"({'NOT ' if has_none else ''}EXISTS (SELECT 1 FROM origins o "  # noqa: S608 - our own words
        "WHERE o.visit_id = v.id AND o.started_at = v.started_at "
        f"AND o.started_at >= %s AND o.started_at < %s AND {test}))",
        [span.starts_at, span.ends_before, list(ids)],
        of_visit=True,
    )


def _goal(part: Condition, positive: str, span: Span) -> Sql:
    rules = [rule for rule in span.goals if names_rule(part, rule)]
    if positive == "is" and not rules:
        raise FilterError("filters: this site has no goal of that name; choose one of its goals.")
    return _joined([goal_sql(rule, span) for rule in rules], "OR") if rules else Sql("(false)")


def names_rule(part: Condition, rule: Rule) -> bool:
    """Whether a condition of `event:goal`, taken without its `_not`, means this goal."""
    name, values = rule.name, part.values
    if not part.case_sensitive:
        name, values = name.lower(), tuple(value.lower() for value in values)
    if part.op.removesuffix("_not") == "is":
        return name in values
    return any(value in name for value in values)


def goal_sql(rule: Rule, span: Span) -> Sql:
    """The hits that reach a goal, or the visits where it is one of visits or of scroll depth."""
    text, params = goal_condition(rule)
    if rule.is_per_visit:
        return Sql(text, params, of_visit=True)
    found = Sql(text, params, of_hit=True)
    return _exists(found, span, any_row=True) if rule.kind == GoalKind.SCROLL else found


def find_labels(part: Condition, positive: str) -> list[int]:
    """Ids of the stored texts that the condition, taken without its `_not`, is true of.

    The text that is not set is "". One query. Raises FilterError for a pattern that is none, or
    that takes too long.
    """
    test = _TESTS[positive, part.case_sensitive].format("value")
    query = f"SELECT id FROM labels WHERE {test}"  # noqa: S608 - one of six tests
    try:
        # A transaction, since the limit is meant for this statement only.
        with transaction.atomic(), connection.cursor() as cursor:
            if positive == "matches":
                cursor.execute(f"SET LOCAL statement_timeout = {PATTERN_MS}")
            cursor.execute(query, [_wanted(part, positive)])
            found = [number for (number,) in cursor.fetchall()]
            if positive == "matches":
                cursor.execute("SET LOCAL statement_timeout = DEFAULT")
    except DataError:
        raise _bad_pattern() from None
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise FilterError(
            "filters: this pattern takes too long; use a simpler one, or contains."
        ) from None
    return found


def _check_patterns(patterns: Sequence[str]) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT '' ~ ANY(%s::text[])", [list(patterns)])
    except DataError:
        raise _bad_pattern() from None


def _bad_pattern() -> FilterError:
    return FilterError(
        "filters: this is no valid pattern; write a regular expression such as ^/blog/.*, with a "
        "backslash before a character that stands for itself."
    )
