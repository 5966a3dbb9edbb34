"""Counting selected raw rows by dimensions and time: arrays in, groups out. No database.

Grain and rules are those of the package's docstring, which are those of tracking.rollups.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracking.hits import PAGE_KINDS, Kind
from tracking.models.raw import NOT_SET
from tracking.query.arrays import (
    Columns,
    Flags,
    appended,
    coded,
    columns_of,
    distinct,
    factorised,
    is_new,
    summed,
    taken,
)
from tracking.query.buckets import Buckets
from tracking.query.model import Grain, source_of
from tracking.query.reading import Hits, Raw
from tracking.rollups.hours import Ints

VISITS, BOUNCES, PAGEVIEWS, EVENTS, ENGAGED, DURATION, BYTES = range(7)
"""Counters of a group; raw rows leave `BYTES` 0, which no metric asks for."""

PAGE = "event:page"
NOT_FOUND = "event:not_found"
KEEPS_NOT_SET = frozenset({"visit:source"})
_OF_KIND = {
    "event:name": Kind.EVENT,
    "event:outbound": Kind.OUTBOUND,
    "event:download": Kind.DOWNLOAD,
    NOT_FOUND: Kind.NOT_FOUND,
}
_OF_ANY_ROW = frozenset({PAGE, "event:hostname"})

MAX_KIND = max(Kind)


@dataclass(frozen=True)
class Groups:
    """Groups in ascending order of bucket, then of labels."""

    labels: tuple[Ints, ...]
    """Of each dimension, in the order asked for."""
    bucket: Ints
    sums: Ints
    """`sums[VISITS, i]` and so on of group i."""
    visitors: Ints
    """Distinct visitors of each group."""
    pairs: Ints
    """`group * people + visitor`, ascending, each once."""
    people: int
    depth: npt.NDArray[np.float64]
    """Mean scroll depth of views, NaN where none is known or none was asked for."""
    has_bounces: bool = True
    has_duration: bool = True

    def joint(self, groups: Sequence[int]) -> int:
        """Distinct visitors of some groups together."""
        wanted = np.sort(np.asarray(groups, dtype=np.int64))
        low = np.searchsorted(self.pairs, wanted * self.people)
        high = np.searchsorted(self.pairs, (wanted + 1) * self.people)
        parts = [self.pairs[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)]
        if not parts:
            return 0
        return int(np.unique(np.concatenate(parts) % self.people).size)


class _Entries(NamedTuple):
    """Entry i adds its sums under its keys; `visitor` is -1 where nobody is counted."""

    keys: tuple[Ints, ...]
    """Bucket, then the labels."""
    sums: Columns
    visitor: Ints


def count_groups(
    raw: "Raw | Counter",
    dimensions: Sequence[str],
    buckets: Buckets,
    *,
    with_depth: bool = False,
    at_least: Grain = Grain.VISIT,
) -> Groups:
    """Sums and visitors of each group that has a page view or event.

    `at_least` is the grain of what else the question asks for, such as a goal.
    """
    grain = max((at_least, *(_grain(each) for each in dimensions)))
    counter = raw if isinstance(raw, Counter) else Counter(raw)
    if grain is Grain.HIT:
        entries, hit_keys = _by_hit(counter, dimensions, buckets)
    elif grain is Grain.WHOLE:
        entries, hit_keys = _by_whole_visit(counter, dimensions, buckets)
    else:
        entries, hit_keys = _by_visit(counter, dimensions, buckets)
    return _grouped(counter.raw, entries, hit_keys if with_depth else None, dimensions)


def _grain(dimension: str) -> Grain:
    source = source_of(dimension)
    return source.grain if source else Grain.VISIT


_IS_PAGE = np.array([kind in PAGE_KINDS for kind in range(MAX_KIND + 1)])
_IS_HIT = np.array([kind != Kind.ENGAGEMENT for kind in range(MAX_KIND + 1)])


def _hit_sums(hits: Hits) -> Columns:
    is_page = _IS_PAGE[hits.kind]
    columns = {
        PAGEVIEWS: is_page.astype(np.int64),
        EVENTS: (_IS_HIT[hits.kind] & ~is_page).astype(np.int64),
        ENGAGED: hits.engaged_s,
    }
    return {number: column for number, column in columns.items() if column.any()}


def _start_sums(raw: Raw, which: Ints) -> Columns:
    return {
        VISITS: np.ones(which.size, dtype=np.int64),
        BOUNCES: raw.visits.bounced[which],
        DURATION: raw.visits.duration_s[which],
    }


class Counter:
    """Counts the same raw rows by any number of dimensions."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._sums: Columns | None = None
        self._by_bucket: dict[int, tuple[Buckets, _Seen]] = {}

    @property
    def hit_sums(self) -> Columns:
        """What each hit adds."""
        if self._sums is None:
            self._sums = _hit_sums(self.raw.hits)
        return self._sums

    def seen(self, buckets: Buckets) -> "_Seen":
        """Hits summed by bucket and visit, and the starts of visits; worked out once."""
        known = self._by_bucket.get(id(buckets))
        if known is None:
            # The buckets are kept beside it, so that no others can get their number.
            known = self._by_bucket[id(buckets)] = buckets, _seen(self, buckets)
        return known[1]


class _Seen(NamedTuple):
    """Entry i adds to a bucket for a visit."""

    bucket: Ints
    visit: Ints
    sums: Columns
    is_seen: Flags
    """Whether a page view or event was in it."""


def _seen(counter: Counter, buckets: Buckets) -> _Seen:
    raw = counter.raw
    visits, hits = raw.visits, raw.hits
    bucket, start = buckets.index_of(hits.at), buckets.index_of(visits.started_at)
    # Nearly every visit begins and ends in one bucket: its hits there are summed by its number,
    # and only what lies in another bucket has to be grouped.
    is_home = bucket == start[hits.visit]
    home, away = np.flatnonzero(is_home & (bucket >= 0)), np.flatnonzero(~is_home & (bucket >= 0))
    sums = summed(taken(counter.hit_sums, home), hits.visit[home], visits.id.size)
    started = np.flatnonzero(start >= 0)
    for number, column in _start_sums(raw, started).items():
        sums[number, started] += column
    place, first = coded((bucket[away], hits.visit[away]))
    first = away[first]
    others = summed(taken(counter.hit_sums, away), place, first.size)
    of_home = taken(columns_of(sums), started)
    seen = [(each[PAGEVIEWS] + each[EVENTS]) > 0 for each in (sums[:, started], others)]
    return _Seen(
        np.concatenate([start[started], bucket[first]]),
        np.concatenate([started, hits.visit[first]]),
        appended(of_home, started.size, columns_of(others), first.size),
        np.concatenate(seen),
    )


def _visit_labels(raw: Raw, dimensions: Sequence[str]) -> tuple[tuple[Ints, ...], Flags]:
    """Labels of each visit, and which visits count: those in which all are set."""
    labels = tuple(raw.visits.labels[each] for each in dimensions)
    keep = np.ones(raw.visits.id.size, dtype=bool)
    for name, column in zip(dimensions, labels, strict=True):
        if name not in KEEPS_NOT_SET:
            keep &= column != NOT_SET
    return labels, keep


_HitKeys = Callable[[], tuple[tuple[Ints, ...], Flags]]
"""Keys of each hit (bucket, then labels), and which hits count; worked out when asked for."""


def _by_visit(
    counter: Counter, dimensions: Sequence[str], buckets: Buckets
) -> tuple[_Entries, _HitKeys]:
    """A hit counts under its visit's value, at its own time."""
    visits, hits = counter.raw.visits, counter.raw.hits
    labels, keep = _visit_labels(counter.raw, dimensions)
    seen = counter.seen(buckets)
    bucket, visit, sums, is_seen = seen
    if not keep.all():
        which = np.flatnonzero(keep[visit])
        bucket, visit = bucket[which], visit[which]
        sums, is_seen = taken(sums, which), is_seen[which]
    entries = _Entries(
        (bucket, *(each[visit] for each in labels)),
        sums,
        np.where(is_seen, visits.visitor[visit], -1),
    )

    def hit_keys() -> tuple[tuple[Ints, ...], Flags]:
        of_hits = (buckets.index_of(hits.at), *(each[hits.visit] for each in labels))
        return of_hits, keep[hits.visit]

    return entries, hit_keys


def _by_whole_visit(
    counter: Counter, dimensions: Sequence[str], buckets: Buckets
) -> tuple[_Entries, _HitKeys]:
    """A visit counts with all its selected hits, whenever they were."""
    raw = counter.raw
    visits, hits = raw.visits, raw.hits
    labels, keep = _visit_labels(raw, dimensions)
    start = buckets.index_of(visits.started_at)
    which = np.flatnonzero((start >= 0) & keep)
    sums = _start_sums(raw, which)
    if raw.hits_selected:
        sums |= taken(columns_of(summed(counter.hit_sums, hits.visit, visits.id.size)), which)
    else:
        sums[PAGEVIEWS] = visits.pageviews[which]
        sums[EVENTS] = visits.events[which]
        sums[ENGAGED] = visits.engaged_s[which]
    keys = (start[which], *(each[which] for each in labels))

    def hit_keys() -> tuple[tuple[Ints, ...], Flags]:
        of_hits = (start[hits.visit], *(each[hits.visit] for each in labels))
        return of_hits, keep[hits.visit]

    return _Entries(keys, sums, visits.visitor[which]), hit_keys


def _by_hit(
    counter: Counter, dimensions: Sequence[str], buckets: Buckets
) -> tuple[_Entries, _HitKeys]:
    """A hit counts under its own values; a visit once under each, at the first such hit."""
    raw = counter.raw
    visits, hits = raw.visits, raw.hits
    of_hit = [each for each in dimensions if _grain(each) is Grain.HIT]
    keep = _kept_hits(raw, dimensions, of_hit)
    counted = _IS_HIT[hits.kind]
    if PAGE in of_hit and set(of_hit) <= _OF_ANY_ROW:
        counted = _IS_PAGE[hits.kind]
    labels = tuple(
        hits.labels[each] if each in hits.labels else visits.labels[each][hits.visit]
        for each in dimensions
    )
    bucket = buckets.index_of(hits.at)
    inside = np.flatnonzero(keep & (bucket >= 0))
    first = _firsts(hits, labels, bucket, np.flatnonzero(keep & counted))
    sums: Columns = {VISITS: np.ones(first.size, dtype=np.int64)}
    if PAGE in of_hit or NOT_FOUND in of_hit:
        visit = hits.visit[first]
        sums[BOUNCES] = visits.bounced[visit] * (visits.entry[visit] == hits.path[first])
    which = np.concatenate([inside, first])
    seen = np.where(counted[inside], visits.visitor[hits.visit[inside]], -1)
    entries = _Entries(
        (bucket[which], *(each[which] for each in labels)),
        appended(taken(counter.hit_sums, inside), inside.size, sums, first.size),
        np.concatenate([seen, np.full(first.size, -1)]),
    )
    return entries, lambda: ((bucket, *labels), keep)


def _kept_hits(raw: Raw, dimensions: Sequence[str], of_hit: Sequence[str]) -> Flags:
    """Hits in which every dimension is set, and that are of its kind."""
    hits = raw.hits
    of_visit = [each for each in dimensions if each not in of_hit]
    keep = np.ones(hits.at.size, dtype=bool)
    if of_visit:
        keep = _visit_labels(raw, of_visit)[1][hits.visit]
    for dimension in of_hit:
        keep &= hits.labels[dimension] != NOT_SET
        if dimension in _OF_KIND:
            keep &= hits.kind == _OF_KIND[dimension]
        elif dimension not in _OF_ANY_ROW:
            keep &= _IS_HIT[hits.kind]
    return keep


def _firsts(hits: Hits, labels: tuple[Ints, ...], bucket: Ints, which: Ints) -> Ints:
    """Indices of the first hit of each visit and value, if it is in the period."""
    code = hits.visit[which]
    for each in labels:
        values, place = factorised(each[which])
        code = code * max(values, 1) + place
    order = np.lexsort((hits.at[which], code))
    which = which[order][is_new(code[order])]
    return which[bucket[which] >= 0]


def _changes(columns: Sequence[Ints]) -> Flags:
    """Where a row of sorted columns differs from the one before."""
    size = columns[0].size
    new = np.zeros(size, dtype=bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _grouped(
    raw: Raw,
    entries: _Entries,
    hit_keys: _HitKeys | None,
    dimensions: Sequence[str],
) -> Groups:
    place, first = coded(entries.keys)
    sums = summed(entries.sums, place, first.size)
    keys = [column[first] for column in entries.keys]
    people = max(raw.visitors, 1)
    seen = entries.visitor >= 0
    pairs = distinct(place[seen] * people + entries.visitor[seen])
    counted = sums[PAGEVIEWS] if PAGE in dimensions else sums[PAGEVIEWS] + sums[EVENTS]
    kept = np.flatnonzero(counted > 0)
    if kept.size < first.size:
        number = np.full(first.size, -1, dtype=np.int64)
        number[kept] = np.arange(kept.size)
        of_kept = number[pairs // people]
        pairs = (of_kept * people + pairs % people)[of_kept >= 0]
    grains = {_grain(each) for each in dimensions}
    return Groups(
        labels=tuple(column[kept] for column in keys[1:]),
        bucket=keys[0][kept],
        sums=sums[:, kept],
        visitors=np.bincount(pairs // people, minlength=kept.size),
        pairs=pairs,
        people=people,
        depth=_depths(raw, hit_keys, [column[kept] for column in keys]),
        has_bounces=Grain.HIT not in grains or PAGE in dimensions or NOT_FOUND in dimensions,
        has_duration=Grain.HIT not in grains,
    )


def _depths(raw: Raw, hit_keys: _HitKeys | None, keys: Sequence[Ints]) -> npt.NDArray[np.float64]:
    """Mean of the greatest depth that each visit reached on each page, by group."""
    size = keys[0].size
    if hit_keys is None or not size:
        return np.full(size, np.nan)
    hits = raw.hits
    of_hits, keep = hit_keys()
    which = np.flatnonzero(keep & (hits.scroll > 0) & (of_hits[0] >= 0))
    both = [np.concatenate([a, b[which]]) for a, b in zip(keys, of_hits, strict=True)]
    place, _ = coded(both)
    # The first rows are the groups themselves: what has no group has a number of its own.
    group_of = np.full(place.max(initial=0) + 1, -1, dtype=np.int64)
    group_of[place[:size]] = np.arange(size)
    group = group_of[place[size:]]
    which, group = which[group >= 0], group[group >= 0]
    order = np.lexsort((-hits.scroll[which], hits.path[which], hits.visit[which], group))
    which, group = which[order], group[order]
    deepest = _changes([group, hits.visit[which], hits.path[which]])
    depths = np.bincount(group[deepest], weights=hits.scroll[which[deepest]], minlength=size)
    views = np.bincount(group[deepest], minlength=size)
    means = np.full(size, np.nan)
    np.divide(depths, views, out=means, where=views > 0)
    return means
