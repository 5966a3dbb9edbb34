"""From groups to rows: folding what is too small, metrics, order. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tracking.models.raw import OTHER
from tracking.query.arrays import COUNTERS
from tracking.query.counting import (
    BOUNCES,
    DURATION,
    ENGAGED,
    EVENTS,
    PAGEVIEWS,
    VISITS,
    Groups,
)
from tracking.query.differences import Differs
from tracking.query.model import Direction, Row, is_time
from tracking.query.stored import Key, Stored
from tracking.reports.thresholds import pick_small
from tracking.rollups.hours import Ints
from tracking.sketches import Count, count_both, count_surely, count_visitors

_NOTHING_KNOWN: Mapping[Key, Count] = {}


@dataclass(frozen=True)
class Table:
    """Groups from raw rows or from rollups."""

    labels: tuple[Ints, ...]
    bucket: Ints
    sums: Ints
    visitors: Ints
    sure: Ints
    """The least visitors that each group is likely to have; decides whether it is shown."""
    depth: npt.NDArray[np.float64]
    joint: Callable[[Sequence[int]], int]
    """Visitors of some groups together."""
    joint_sure: Callable[[Sequence[int]], int]
    is_other: npt.NDArray[np.bool_]
    """Groups that a rollup has folded already."""
    has_bounces: bool = True
    has_duration: bool = True
    differs: Differs | None = None
    """What its groups would tell by subtraction, where that matters."""

    def picked(self, which: Sequence[int], k: int) -> tuple[list[int], list[int], bool]:
        """`pick_small` of some groups: places among them."""
        already = {place for place, number in enumerate(which) if self.is_other[number]}
        tells: Callable[[Sequence[int]], bool] | None = None
        if (differs := self.differs) is not None:
            already |= {place for place, number in enumerate(which) if differs.alone[number]}
            tells = lambda some: differs.together([which[number] for number in some])  # noqa: E731 - one line
        return pick_small(
            self.sure[which].tolist(),
            lambda some: self.joint_sure([which[number] for number in some]),
            k,
            already=already,
            tells=tells,
        )


@dataclass(frozen=True)
class Draft:
    """A row before it has words."""

    bucket: int
    labels: tuple[int, ...]
    """Empty for *other*."""
    sums: tuple[int, ...] = (0,) * COUNTERS
    visitors: int = 0
    depth: float | None = None
    is_other: bool = False
    is_hidden: bool = False
    goal: str = ""


@dataclass(frozen=True)
class Whole:
    """What the metrics that are shares divide by."""

    visitors: int | None = None
    """Of the same question without dimensions."""
    without_goal: int | None = None
    """Of the same question without its goal, and without dimensions."""
    groups_without_goal: Mapping[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)
    """By bucket and labels, of the same question without its goal."""
    has_bounces: bool = True
    has_duration: bool = True


def table_of_raw(groups: Groups, differs: Differs | None = None) -> Table:
    """Exact counts."""
    return Table(
        groups.labels,
        groups.bucket,
        groups.sums,
        groups.visitors,
        groups.visitors,
        groups.depth,
        groups.joint,
        groups.joint,
        np.zeros(groups.bucket.size, dtype=bool),
        groups.has_bounces,
        groups.has_duration,
        differs,
    )


def table_of_stored(
    stored: Stored,
    sketches: Mapping[Key, list[bytes]],
    known: Mapping[Key, Count] = _NOTHING_KNOWN,
    *,
    has_label: bool,
    only_pages: bool,
    has_bounces: bool,
    has_duration: bool,
) -> Table:
    """Estimates where there are many visitors; one dimension, or the total without a label.

    `known` are groups whose sketches are counted already.
    """
    place = stored.bucket * 2**32 + stored.label
    keys, group = np.unique(place, return_inverse=True)
    sums = np.array(
        [np.bincount(group, weights=column, minlength=keys.size) for column in stored.sums]
    ).astype(np.int64)
    dimension = int(stored.dimension[0]) if stored.dimension.size else 0
    counted = sums[PAGEVIEWS] if only_pages else sums[PAGEVIEWS] + sums[EVENTS]
    kept = np.flatnonzero(counted > 0)
    bucket, label = keys[kept] // 2**32, keys[kept] % 2**32
    names = [(dimension, *key) for key in zip(label.tolist(), bucket.tolist(), strict=True)]
    parts = [sketches.get(name, []) for name in names]
    counts = [known.get(name) or count_both(each) for name, each in zip(names, parts, strict=True)]

    def together(which: Sequence[int]) -> list[bytes]:
        return [sketch for number in which for sketch in parts[number]]

    return Table(
        (label,) if has_label else (),
        bucket,
        sums[:, kept],
        np.array([count.estimate for count in counts], dtype=np.int64),
        np.array([count.surely for count in counts], dtype=np.int64),
        np.full(kept.size, np.nan),
        lambda which: count_visitors(together(which)),
        lambda which: count_surely(together(which)),
        (label == OTHER) & has_label,
        has_bounces,
        has_duration,
    )


def draft_rows(table: Table, *, k: int, protected: bool) -> list[Draft]:
    """Groups as rows, in no order; small ones folded or hidden if they are protected."""
    everything = range(table.bucket.size)
    if not protected:
        return [draft_of(table, number) for number in everything]
    if not table.labels:
        shown = set(table.picked(everything, k)[0])
        return [
            draft_of(table, number)
            if number in shown
            else Draft(int(table.bucket[number]), (), is_hidden=True)
            for number in everything
        ]
    rows: list[Draft] = []
    for bucket in np.unique(table.bucket).tolist():
        rows += _folded(table, np.flatnonzero(table.bucket == bucket).tolist(), bucket, k)
    return rows


def _folded(table: Table, which: list[int], bucket: int, k: int) -> list[Draft]:
    kept, folded, hidden = table.picked(which, k)
    if hidden:
        return [Draft(bucket, (), is_other=True, is_hidden=True)]
    rows = [draft_of(table, which[number]) for number in kept]
    if folded:
        parts = [which[number] for number in folded]
        sums = tuple(table.sums[:, parts].sum(axis=1).tolist())
        rows.append(Draft(bucket, (), sums, table.joint(parts), is_other=True))
    return rows


def draft_of(table: Table, number: int) -> Draft:
    """A group as a row."""
    is_other = bool(table.is_other[number])
    depth = float(table.depth[number])
    return Draft(
        int(table.bucket[number]),
        () if is_other else tuple(int(column[number]) for column in table.labels),
        tuple(table.sums[:, number].tolist()),
        int(table.visitors[number]),
        None if np.isnan(depth) else depth,
        is_other=is_other,
    )


def metric_of(name: str, row: Draft, whole: Whole) -> int | float | None:
    """A metric as tracking.query.model.METRICS says."""
    sums, visits = row.sums, row.sums[VISITS]
    match name:
        case "visitors":
            return row.visitors
        case "visits" | "pageviews" | "events":
            return sums[{"visits": VISITS, "pageviews": PAGEVIEWS, "events": EVENTS}[name]]
        case "views_per_visit":
            return _ratio(sums[PAGEVIEWS], visits)
        case "bounce_rate":
            return _ratio(100 * sums[BOUNCES], visits) if whole.has_bounces else None
        case "visit_duration":
            return _ratio(sums[DURATION], visits) if whole.has_duration else None
        case "engaged_time" | "time_on_page":
            return _ratio(sums[ENGAGED], visits)
        case "scroll_depth":
            return row.depth
        case "percentage":
            return _ratio(100 * row.visitors, whole.visitors)
        case "conversion_rate":
            return _ratio(100 * row.visitors, whole.without_goal)
        case _:
            found = whole.groups_without_goal.get((row.bucket, row.labels))
            return None if row.is_other else _ratio(100 * row.visitors, found)


def _ratio(part: int, whole: int | None) -> float | None:
    return part / whole if whole else None


def in_order(
    rows: Sequence[Row],
    dimensions: Sequence[str],
    metrics: Sequence[str],
    order_by: Sequence[tuple[str, Direction]],
) -> list[Row]:
    """Rows by the given order, then by their texts; *other* after all others of its time.

    What has no number stands behind what has one, in either direction.
    """
    ordered = sorted(rows, key=lambda row: (row.is_other, row.dimensions))
    for name, direction in reversed(order_by):
        down = direction == "desc"
        # A sort keeps the order of what is equal, in reverse too.
        ordered.sort(key=_sort_key(name, dimensions, metrics, down=down), reverse=down)
    return ordered


def _sort_key(
    name: str, dimensions: Sequence[str], metrics: Sequence[str], *, down: bool
) -> Callable[[Row], tuple[object, ...]]:
    if name in metrics:
        place = metrics.index(name)

        def by_metric(row: Row) -> tuple[object, ...]:
            value = row.metrics[place]
            return row.is_other is not down, (value is None) is not down, value or 0

        return by_metric
    place = dimensions.index(name)
    if is_time(name):
        return lambda row: (row.dimensions[place],)
    return lambda row: (row.is_other is not down, row.dimensions[place])
