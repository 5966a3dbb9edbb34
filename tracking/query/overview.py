"""A whole page of numbers at once: totals, comparison, series and the top of many dimensions.

Unfiltered from rollups in six queries, however many panels. Filtered from raw rows, which are read
once for the period and once for what it is compared with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenants.models import Site
from tracking.analysis.goals import Rule, load_goals
from tracking.models import Dimension
from tracking.models.raw import OTHER
from tracking.query.arrays import Flags
from tracking.query.buckets import Buckets, cut, whole, whole_days
from tracking.query.counting import EVENTS, PAGEVIEWS, VISITS, Counter, count_groups
from tracking.query.differences import Asking, Differences
from tracking.query.model import Filter, Grain, QueryError, source_of
from tracking.query.naming import name_many
from tracking.query.parts import asks_goals, beside_goals
from tracking.query.reading import Raw, Wanted, read_raw
from tracking.query.rows import (
    Draft,
    Table,
    draft_rows,
    table_of_raw,
    table_of_stored,
)
from tracking.query.run import filter_grain, is_protected_question
from tracking.query.stored import Asked, Key, Stored, read_sketches, read_sums
from tracking.reports.periods import Period
from tracking.reports.tops import NO_BOUNCES, TopRow
from tracking.reports.totals import Point, Totals
from tracking.rollups.hours import Ints
from tracking.sketches import Count, count_both


@dataclass(frozen=True)
class Course:
    """A period's totals and their course."""

    totals: Totals
    series: tuple[Point, ...]
    """All hours, days, weeks or months of the period in order, zeros where nothing was seen."""
    is_hidden: bool = False
    """Fewer than k visitors where that would tell: all totals are 0 and mean nothing."""


@dataclass(frozen=True)
class Panel:
    """The most frequent values of a dimension."""

    rows: tuple[TopRow, ...]
    """Most visitors first, then by name, as a question is answered; then *other*, if any."""
    values: int
    """How many values could be shown, had all of them room; *other* not counted."""
    is_protected: bool
    """Values of fewer than k visitors are in *other*."""


@dataclass(frozen=True)
class Overview:
    """What a report page shows. `bytes_sent` are 0 where it is `from_raw`."""

    now: Course
    before: Course | None
    panels: dict[str, Panel]
    """By the names of their dimensions."""
    from_raw: bool


_NO_LIMITS: Mapping[str, int] = {}


def run_overview(
    site: Site,
    period: Period,
    comparison: Period | None,
    filters: Filter | None,
    panels: Sequence[str],
    *,
    k: int,
    step: str = "day",
    limit: int = 9,
    limits: Mapping[str, int] = _NO_LIMITS,
    goals: Sequence[Rule] | None = None,
) -> Overview:
    """Numbers of a period, what it is compared with, and at most `limit` values of each panel.

    `limits` are those of panels that have another one (a map shows all countries).
    `panels` are names of dimensions with a rollup; `step` is hour, day, week or month. The course
    of a comparison `UpTo` an hour goes on to the end of its last day; its totals do not. Called
    inside `entered(client)`. Raises QueryError for a filter that cannot be asked.
    """
    if goals is None:
        goals = load_goals(site) if asks_goals(filters) else []
    page = _Page(site, filters, tuple(panels), k, step, limit, limits, tuple(goals))
    read = _stored if filters is None else _raw
    return read(page, period, comparison)


@dataclass(frozen=True)
class _Page:
    """What is asked for, but for the periods."""

    site: Site
    filters: Filter | None
    panels: tuple[str, ...]
    k: int
    step: str
    limit: int
    limits: Mapping[str, int]
    goals: tuple[Rule, ...]

    def limit_of(self, name: str) -> int:
        """How many values a panel shows."""
        return self.limits.get(name, self.limit)

    @property
    def grain(self) -> Grain:
        """Of the filters."""
        return filter_grain(self.filters, self.goals)

    def protects(self, *dimensions: str) -> bool:
        """Whether rows of these dimensions, filtered so, must have k visitors."""
        return is_protected_question(dimensions, self.filters, self.goals)


@dataclass(frozen=True)
class _Groups:
    """A panel's groups, or those of them that can be shown."""

    table: Table
    values: int
    """How many groups there are, but for *other*."""


def _stored(page: _Page, period: Period, comparison: Period | None) -> Overview:
    now = _stored_course(page, period)
    before = None if comparison is None else _stored_course(page, comparison)
    panels = _panels(page, _stored_tables(page, period), now)
    return Overview(now, before, panels, from_raw=False)


def _stored_course(page: _Page, period: Period) -> Course:
    days = whole_days(period)
    asked = Asked(page.site, days, page.step, by_name=False)
    sums = read_sums(asked, [Dimension.TOTAL])
    sketches = read_sketches(asked, [Dimension.TOTAL])
    summed, of_sums = sums, sketches
    if days is not period:
        part = Asked(page.site, period)
        summed = read_sums(part, [Dimension.TOTAL])
        of_sums = read_sketches(part, [Dimension.TOTAL])
    total = replace(summed, bucket=np.zeros_like(summed.bucket))
    parts = [sketch for each in of_sums.values() for sketch in each]
    return _course(
        page,
        days,
        _stored_table(total, Dimension.TOTAL, {(int(Dimension.TOTAL), 0, 0): parts}),
        _stored_table(sums, Dimension.TOTAL, sketches),
    )


def _stored_tables(page: _Page, period: Period) -> dict[str, _Groups]:
    """Each panel's groups; sketches are read of those that may be shown only."""
    numbers = {each: _dimension(each) for each in page.panels}
    asked = Asked(page.site, period)
    sums = read_sums(asked, list(numbers.values()))
    parts = {name: _seen(sums, dimension) for name, dimension in numbers.items()}
    first: dict[str, list[int]] = {}
    for name, part in parts.items():
        ranked = _ranked(part.sums, part.label)
        if not page.protects(name):
            named = part.label[ranked] != OTHER
            ranked = np.append(ranked[named][: page.limit_of(name)], ranked[~named])
        first[name] = part.label[ranked].tolist()
    sketches = _sketches(asked, numbers, first)
    counts = {key: count_both(each) for key, each in sketches.items()}
    more = {
        name: _contenders(part, numbers[name], counts, first[name], page.limit_of(name))
        for name, part in parts.items()
    }
    sketches |= _sketches(asked, numbers, more)
    tables = {}
    for name, part in parts.items():
        shown = _chosen(part, np.isin(part.label, [*first[name], *more[name]]))
        table = _stored_table(shown, numbers[name], sketches, counts)
        tables[name] = _Groups(table, int((part.label != OTHER).sum()))
    return tables


def _seen(sums: Stored, dimension: Dimension) -> Stored:
    """Groups of the dimension that have a page view or event."""
    part = _chosen(sums, sums.dimension == dimension)
    hits = part.sums[PAGEVIEWS]
    if dimension != Dimension.PAGE:
        hits = hits + part.sums[EVENTS]
    return _chosen(part, hits > 0)


def _sketches(
    asked: Asked, numbers: Mapping[str, Dimension], labels: Mapping[str, Sequence[int]]
) -> dict[Key, list[bytes]]:
    only = [(int(numbers[name]), label) for name, found in labels.items() for label in found]
    return read_sketches(asked, list(numbers.values()), only) if only else {}


def _contenders(
    part: Stored,
    dimension: Dimension,
    counts: Mapping[Key, Count],
    known: Sequence[int],
    limit: int,
) -> list[int]:
    """Labels that may have as many visitors as the last one shown: nobody comes without a hit."""
    visitors = sorted(
        counts.get((int(dimension), label, 0), _NOBODY).estimate
        for label in known
        if label != OTHER
    )
    if len(visitors) < limit:
        return []
    hits = part.sums[PAGEVIEWS] + part.sums[EVENTS]
    is_open = (hits >= visitors[-limit]) & ~np.isin(part.label, known)
    return [int(label) for label in part.label[is_open]]


def _chosen(stored: Stored, which: Flags) -> Stored:
    return Stored(
        stored.dimension[which], stored.label[which], stored.bucket[which], stored.sums[:, which]
    )


_NO_COUNTS: Mapping[Key, Count] = {}
_NOBODY = Count(0, 0)


def _stored_table(
    sums: Stored,
    dimension: Dimension,
    sketches: Mapping[Key, list[bytes]],
    counts: Mapping[Key, Count] = _NO_COUNTS,
) -> Table:
    return table_of_stored(
        sums,
        sketches,
        counts,
        has_label=dimension != Dimension.TOTAL,
        only_pages=dimension == Dimension.PAGE,
        has_bounces=dimension not in NO_BOUNCES,
        has_duration=True,
    )


def _dimension(name: str) -> Dimension:
    source = source_of(name)
    if source is None or source.stored is None:
        raise QueryError("dimensions", f"{name} has no panel.")
    return source.stored


def _raw(page: _Page, period: Period, comparison: Period | None) -> Overview:
    counts = _Counts(page, period, page.panels)
    now = _raw_course(page, period, counts)
    before = None
    if comparison is not None:
        before = _raw_course(page, comparison, _Counts(page, whole_days(comparison), ()))
    buckets = whole(page.site.timezone, period)
    tables = {}
    for name in page.panels:
        table = counts.table((name,), buckets)
        tables[name] = _Groups(table, table.bucket.size)
    panels = _panels(page, tables, now)
    return Overview(now, before, panels, from_raw=True)


class _Counts:
    """The raw rows of a period, read once, and what they would tell beside others."""

    def __init__(self, page: _Page, period: Period, dimensions: Sequence[str]) -> None:
        self.page, self.period = page, period
        wanted = Wanted(frozenset(dimensions), grain=page.grain)
        self._counter = Counter(self._read(beside_goals(page.filters), wanted))
        asking = Asking(
            page.site,
            period,
            page.filters,
            beside_goals,
            lambda part, names, one_in: self._read(
                part, Wanted(frozenset(names), engaged=False, grain=page.grain, one_in=one_in)
            ),
            page.grain,
            page.k,
        )
        self._differences = Differences(asking, dimensions) if self._may_tell(dimensions) else None

    def _may_tell(self, dimensions: Sequence[str]) -> bool:
        protects = self.page.protects
        return self.page.k > 1 and (protects() or any(protects(each) for each in dimensions))

    def _read(self, filters: Filter | None, wanted: Wanted) -> Raw:
        page = self.page
        return read_raw(page.site, self.period, filters, wanted, goals=page.goals)

    def table(self, dimensions: tuple[str, ...], buckets: Buckets, step: str = "") -> Table:
        """Groups by these dimensions, and buckets of that step."""
        counter, grain = self._counter, self.page.grain
        groups = count_groups(counter, dimensions, buckets, at_least=grain)
        if self._differences is None or not self.page.protects(*dimensions):
            return table_of_raw(groups)
        differs = self._differences.of(counter.raw, groups, dimensions, buckets, step)
        return table_of_raw(groups, differs)


def _raw_course(page: _Page, period: Period, counts: _Counts) -> Course:
    timezone, days = page.site.timezone, whole_days(period)
    return _course(
        page,
        days,
        counts.table((), whole(timezone, period)),
        counts.table((), cut(timezone, days, page.step), page.step),
    )


def _course(page: _Page, period: Period, total: Table, steps: Table) -> Course:
    """From the one group of the whole period, and those of its steps."""
    starts = cut(page.site.timezone, period, page.step).starts_at(page.site.timezone)
    is_empty = not total.bucket.size
    shown = set(range(steps.bucket.size))
    is_hidden = False
    if page.protects():
        is_hidden = not (is_empty or total.picked([0], page.k)[0])
        shown = set(steps.picked(range(steps.bucket.size), page.k)[0])
    totals = {
        bucket: _totals(steps, number) if number in shown and not is_hidden else None
        for number, bucket in enumerate(steps.bucket.tolist())
    }
    points = []
    for number, start in enumerate(starts):
        found = totals.get(number, Totals())
        points.append(Point(start, found or Totals(), is_hidden=found is None))
    nobody = is_empty or is_hidden
    return Course(Totals() if nobody else _totals(total, 0), tuple(points), is_hidden)


def _totals(table: Table, number: int) -> Totals:
    return Totals(int(table.visitors[number]), *table.sums[:, number].tolist())


def _panels(page: _Page, tables: Mapping[str, _Groups], course: Course) -> dict[str, Panel]:
    visits = 0 if course.is_hidden else course.totals.visits
    drafts_of = {name: _drafts(page, name, groups) for name, groups in tables.items()}
    first = {name: _first(drafts, page.limit_of(name)) for name, (drafts, _) in drafts_of.items()}
    texts = name_many(
        page.site,
        {name: {draft.labels[0] for draft in ranked} for name, ranked in first.items()},
    )
    panels = {}
    for name, (drafts, values) in drafts_of.items():
        names, table = texts[name], tables[name].table
        ranked = sorted(first[name], key=lambda each: (-each.visitors, names[each.labels[0]]))
        shown = ranked[: page.limit_of(name)]
        rows = [_top_row(draft, names[draft.labels[0]], visits, table) for draft in shown]
        rows += [_top_row(draft, "", visits, table) for draft in drafts if draft.is_other]
        panels[name] = Panel(tuple(rows), values, page.protects(name))
    return panels


def _first(drafts: Sequence[Draft], limit: int) -> list[Draft]:
    """Those with most visitors, and all with as many as the last one shown: names order them."""
    ranked = sorted((each for each in drafts if not each.is_other), key=_fewer_visitors)
    last = ranked[:limit][-1].visitors if ranked else 0
    return [draft for draft in ranked if draft.visitors >= last]


def _fewer_visitors(draft: Draft) -> int:
    return -draft.visitors


def _drafts(page: _Page, name: str, groups: _Groups) -> tuple[list[Draft], int]:
    """Rows that may be shown, in no order, and how many values could be."""
    drafts = draft_rows(groups.table, k=page.k, protected=page.protects(name))
    if page.protects(name):
        return drafts, sum(not draft.is_other for draft in drafts)
    return drafts, groups.values


def _ranked(sums: Ints, labels: Ints) -> Ints:
    """Numbers of the groups, most visits first, then most hits, then the oldest label."""
    return np.lexsort((labels, -(sums[PAGEVIEWS] + sums[EVENTS]), -sums[VISITS]))


def _top_row(draft: Draft, value: str, all_visits: int, table: Table) -> TopRow:
    if draft.is_hidden:
        return TopRow(value, 0, 0, 0, 0, 0, 0, 0, 0, None, None, is_other=True, is_hidden=True)
    visits, bounces, pageviews, events, engaged_s, duration_s, bytes_sent = draft.sums
    return TopRow(
        value,
        draft.visitors,
        visits,
        bounces,
        pageviews,
        events,
        engaged_s,
        duration_s,
        bytes_sent,
        share=visits / all_visits if all_visits else None,
        bounce_rate=bounces / visits if visits and table.has_bounces else None,
        is_other=draft.is_other,
    )
