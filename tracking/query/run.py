"""Answering queries. Called inside `tenants.schemas.entered(client)`."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from tenants.models import Site
from tracking.analysis.goals import Rule, load_goals
from tracking.models import Dimension, GoalKind
from tracking.query.asking import check_query, order_of, period_of
from tracking.query.buckets import Buckets, cut, step_of, whole
from tracking.query.counting import count_groups
from tracking.query.differences import Asking, Differences
from tracking.query.model import (
    GOAL,
    Condition,
    Filter,
    Grain,
    Query,
    Result,
    Row,
    both,
    conditions_of,
    is_time,
    source_of,
)
from tracking.query.naming import name_labels
from tracking.query.parts import (
    asks_goals,
    beside_goals,
    names_in,
    visits_of,
    without_goals,
)
from tracking.query.reading import Raw, Wanted, read_raw
from tracking.query.rows import (
    Draft,
    Table,
    Whole,
    draft_rows,
    in_order,
    metric_of,
    table_of_raw,
    table_of_stored,
)
from tracking.query.sql import names_rule
from tracking.query.stored import Asked, read_sketches, read_sums
from tracking.reports.periods import Period, site_today
from tracking.reports.thresholds import is_protected
from tracking.reports.tops import NO_BOUNCES

ONLY_RAW = frozenset({"scroll_depth", "conversion_rate", "group_conversion_rate"})
"""Metrics that rollups do not hold."""


def filterable_from(site: Site, *, hits_retention_days: int, now: dt.datetime) -> dt.date:
    """First day on the site's clock of which all raw rows still live.

    `hits_retention_days` is of the client's `PrivacySettings`: read it before entering the client.
    """
    return site_today(site, now) - dt.timedelta(days=hits_retention_days - 1)


def raw_warning(raw_since: dt.date | None, starts_on: dt.date) -> str:
    """What must be said of numbers from raw rows, of which the first days may be gone; or ""."""
    if raw_since is None or starts_on >= raw_since:
        return ""
    return f"Counted from single visits, which are kept since {raw_since}: days before are missing."


def run_query(
    site: Site, query: Query, *, k: int, now: dt.datetime, raw_since: dt.date | None = None
) -> Result:
    """Answer the query; `k` is the client's `PrivacySettings.k_threshold`.

    With `raw_since` (`filterable_from`) days whose raw rows are gone are warned of.

    Three queries from rollups; from raw rows three, and one for each condition, and the same again
    for each rate and each goal asked for. Raises QueryError, saying what to change.
    """
    check_query(query)
    goals = query.goals
    if goals is None:
        named = GOAL in query.dimensions or asks_goals(query.filters)
        goals = tuple(load_goals(site)) if named else ()
    question = Question(site, query, period_of(query, site), goals, k)
    if GOAL in query.dimensions:
        halves, from_raw = _by_goal(question), True
    else:
        halves, from_raw = _answer(question)
    rows = _named(question, halves)
    ordered = in_order(rows, query.dimensions, query.metrics, order_of(query))
    chosen = ordered[query.offset : query.offset + query.limit]
    warnings = ["The end of the period has not come yet."] if _is_ahead(question, now) else []
    if from_raw and (gone := raw_warning(raw_since, query.starts_on)):
        warnings.append(gone)
    return Result(
        tuple(chosen), len(ordered), from_raw, tuple(warnings), is_protected=question.protected
    )


def _is_ahead(question: "Question", now: dt.datetime) -> bool:
    return question.period.ends_on > site_today(question.site, now)


@dataclass(frozen=True)
class Question:
    """A query made ready; without `event:goal`, which is asked goal by goal."""

    site: Site
    query: Query
    period: Period
    goals: tuple[Rule, ...]
    k: int
    goal: Rule | None = None
    """The goal whose rows are asked for."""
    of_hits: bool = True
    """Whether filters may select single hits, where there is no goal."""

    @property
    def filters(self) -> Filter | None:
        """The query's filters as they are meant, and the goal."""
        return self.meant(self.query.filters)

    def meant(self, part: Filter | None) -> Filter | None:
        """What filters mean here: beside a goal they select visits, all hits of which count."""
        if not self.of_hits:
            return visits_of(beside_goals(part))
        if self.goal is None:
            return beside_goals(part)
        return both(visits_of(beside_goals(part)), self._own_goal)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Those of the query that are labels."""
        return tuple(each for each in self.query.dimensions if not is_time(each) and each != GOAL)

    @property
    def time(self) -> str:
        """The query's time dimension, or ""."""
        return next((each for each in self.query.dimensions if is_time(each)), "")

    @property
    def step(self) -> str:
        """Of the time dimension, or ""."""
        return step_of(self.time, self.period) if self.time else ""

    @property
    def buckets(self) -> Buckets:
        """The period in its steps."""
        if not self.step:
            return whole(self.site.timezone, self.period)
        return cut(self.site.timezone, self.period, self.step).by_name()

    @property
    def grain(self) -> Grain:
        """Of the goals that are counted."""
        if not self.of_hits:
            return Grain.VISIT
        return filter_grain(self._own_goal or self.query.filters, self.goals)

    @property
    def protected(self) -> bool:
        """Whether rows must have k visitors."""
        filters = both(self.query.filters, self._own_goal)
        return is_protected_question(self.dimensions, filters, self.goals)

    @property
    def _own_goal(self) -> Filter | None:
        return None if self.goal is None else Condition("is", GOAL, (self.goal.name,))


def rules_in(filters: Filter | None, goals: Sequence[Rule]) -> list[Rule]:
    """Goals that a filter names."""
    named = [each for each in conditions_of(filters) if each.dimension == GOAL]
    return [rule for rule in goals if any(names_rule(each, rule) for each in named)]


def filter_grain(filters: Filter | None, goals: Sequence[Rule]) -> Grain:
    """A goal of the whole visit counts the visitors of visits that start in the period."""
    per_visit = any(rule.is_per_visit for rule in rules_in(filters, goals))
    return Grain.WHOLE if per_visit else Grain.VISIT


def is_protected_question(
    dimensions: Iterable[str], filters: Filter | None, goals: Sequence[Rule]
) -> bool:
    """Whether rows of these dimensions, filtered so, must have k visitors."""
    named = {*dimensions, *names_in(filters)}
    outcode = any(rule.kind == GoalKind.OUTCODE for rule in rules_in(filters, goals))
    return is_protected(named, outcode=outcode)


@dataclass(frozen=True)
class _Half:
    """A row whose labels have no words yet."""

    draft: Draft
    metrics: tuple[int | float | None, ...]
    goal: str = ""


def stored_dimension(
    dimensions: Sequence[str], filters: Filter | None, metrics: Iterable[str]
) -> Dimension | None:
    """The rollup that answers a question; None when only raw rows can."""
    if filters is not None or len(dimensions) > 1 or ONLY_RAW & set(metrics):
        return None
    if not dimensions:
        return Dimension.TOTAL
    source = source_of(dimensions[0])
    return source.stored if source else None


def _answer(
    question: Question, without_goal: Callable[[Question], int | None] | None = None
) -> tuple[list[_Half], bool]:
    """Rows of one question, or of one of its goals, and whether they are of raw rows.

    `without_goal` counts the visitors of the question without its goal: the same of every goal.
    """
    query = question.query
    stored = stored_dimension(question.dimensions, question.filters, query.metrics)
    table = _raw_table(question) if stored is None else _stored_table(question, stored)
    shares = _shares(question, table, without_goal or _visitors)
    drafts = draft_rows(table, k=question.k, protected=question.protected)
    if not drafts and not question.dimensions and not question.time:
        # Nought would tell an outcode of nobody apart from one of a few visitors.
        is_outcode = question.goal is not None and question.goal.kind == GoalKind.OUTCODE
        drafts = [Draft(0, (), is_hidden=is_outcode)]
    halves = [
        _Half(
            draft,
            tuple(
                None if draft.is_hidden else metric_of(name, draft, shares)
                for name in query.metrics
            ),
            question.goal.name if question.goal else "",
        )
        for draft in drafts
    ]
    return halves, stored is None


def _by_goal(question: Question) -> list[_Half]:
    """The same question for each goal of the site that is in use."""
    halves: list[_Half] = []
    counted: list[int | None] = []

    def without_goal(bare: Question) -> int | None:
        if not counted:
            counted.append(_visitors(bare))
        return counted[0]

    for rule in question.goals:
        halves += _answer(replace(question, goal=rule), without_goal)[0]
    return halves


def _stored_table(question: Question, dimension: Dimension) -> Table:
    asked = Asked(question.site, question.period, question.step)
    source = source_of(question.dimensions[0]) if question.dimensions else None
    return table_of_stored(
        read_sums(asked, [dimension]),
        read_sketches(asked, [dimension]),
        has_label=dimension != Dimension.TOTAL,
        only_pages=dimension == Dimension.PAGE,
        has_bounces=dimension not in NO_BOUNCES,
        has_duration=source is None or source.grain is not Grain.HIT,
    )


def _raw_table(question: Question) -> Table:
    depth = "scroll_depth" in question.query.metrics
    dimensions, buckets = question.dimensions, question.buckets
    needs = {"engaged_time", "time_on_page"} & set(question.query.metrics)
    wanted = Wanted(frozenset(dimensions), bool(needs), depth, question.grain)
    raw = _read(question, question.filters, wanted)
    groups = count_groups(raw, dimensions, buckets, with_depth=depth, at_least=question.grain)
    if not question.protected or question.k <= 1:
        return table_of_raw(groups)
    asking = Asking(
        question.site,
        question.period,
        question.query.filters,
        question.meant,
        lambda part, names, one_in: _read(
            question,
            part,
            Wanted(frozenset(names), engaged=False, grain=question.grain, one_in=one_in),
        ),
        question.grain,
        question.k,
    )
    differs = Differences(asking, dimensions).of(raw, groups, dimensions, buckets, question.step)
    return table_of_raw(groups, differs)


def _read(question: Question, filters: Filter | None, wanted: Wanted) -> Raw:
    return read_raw(question.site, question.period, filters, wanted, goals=question.goals)


def _shares(
    question: Question, table: Table, without_goal: Callable[[Question], int | None]
) -> Whole:
    """What the metrics that are shares divide by, as far as they are asked for.

    None where it is hidden itself: a share of it would tell it.
    """
    asked = set(question.query.metrics)
    found = Whole(has_bounces=table.has_bounces, has_duration=table.has_duration)
    bare = replace(question, goal=None, of_hits=False)
    if question.goal is None:
        filters = without_goals(question.query.filters)
        bare = replace(bare, query=replace(question.query, filters=filters))
    if "percentage" in asked:
        found = replace(found, visitors=_visitors(question))
    if "conversion_rate" in asked:
        found = replace(found, without_goal=without_goal(bare))
    if "group_conversion_rate" in asked:
        bare = replace(bare, query=replace(bare.query, metrics=("visitors",)))
        drafts = draft_rows(_raw_table(bare), k=question.k, protected=bare.protected)
        groups = {
            (draft.bucket, draft.labels): draft.visitors
            for draft in drafts
            if not (draft.is_other or draft.is_hidden)
        }
        found = replace(found, groups_without_goal=groups)
    return found


def _visitors(question: Question) -> int | None:
    """Visitors of the whole period, whatever it is grouped by; None if they are hidden."""
    query = replace(question.query, dimensions=(), metrics=("visitors",))
    plain = replace(question, query=query)
    is_stored = plain.filters is None
    table = _stored_table(plain, Dimension.TOTAL) if is_stored else _raw_table(plain)
    drafts = draft_rows(table, k=plain.k, protected=plain.protected)
    if not drafts:
        return 0
    return None if drafts[0].is_hidden else drafts[0].visitors


def _named(question: Question, halves: Sequence[_Half]) -> list[Row]:
    """Rows with the texts of their labels. One query at most for each kind of label."""
    dimensions, texts = question.dimensions, question.buckets.texts
    names = [
        name_labels(
            question.site,
            question.period,
            dimension,
            {half.draft.labels[place] for half in halves if half.draft.labels},
        )
        for place, dimension in enumerate(dimensions)
    ]
    rows = []
    for half in halves:
        draft = half.draft
        labels = {
            dimension: names[place][draft.labels[place]] if draft.labels else ""
            for place, dimension in enumerate(dimensions)
        }
        labels |= {GOAL: half.goal, question.time: texts[draft.bucket]}
        rows.append(
            Row(
                tuple(labels[each] for each in question.query.dimensions),
                half.metrics,
                is_other=draft.is_other,
                is_hidden=draft.is_hidden,
            )
        )
    return rows
