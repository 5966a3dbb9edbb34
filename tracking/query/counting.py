"""Counting selected raw rows by dimensions and time: arrays in, groups out. No database.

Grain and rules are those of the package's docstring, which are those of tracking.rollups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracking.hits import PAGE_KINDS, Kind
from tracking.models.raw import NOT_SET
from tracking.query.buckets import Buckets
from tracking.query.model import Grain, source_of
from tracking.query.reading import Hits, Raw
from tracking.rollups.hours import Ints

VISITS, BOUNCES, PAGEVIEWS, EVENTS, ENGAGED, DURATION = range(6)
SUMS = 6

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

Flags = npt.NDArray[np.bool_]


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
    """Entry i adds `sums[:, i]` under its keys; `visitor` is -1 where nobody is counted."""

    keys: tuple[Ints, ...]
    """Bucket, then the labels."""
    sums: Ints
    visitor: Ints


def count_groups(
    raw: Raw,
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
    if grain is Grain.HIT:
        entries, at_hits = _by_hit(raw, dimensions, buckets)
    elif grain is Grain.WHOLE:
        entries, at_hits = _by_whole_visit(raw, dimensions, buckets)
    else:
        entries, at_hits = _by_visit(raw, dimensions, buckets)
    only_pages = PAGE in dimensions
    return _grouped(raw, entries, at_hits if with_depth else None, dimensions, only_pages)


def _grain(dimension: str) -> Grain:
    source = source_of(dimension)
    return source.grain if source else Grain.VISIT


def _is_in(kinds: Ints, wanted: frozenset[Kind]) -> Flags:
    return np.isin(kinds, sorted(wanted))


def _hit_sums(hits: Hits) -> Ints:
    sums = np.zeros((SUMS, hits.at.size), dtype=np.int64)
    sums[PAGEVIEWS] = _is_in(hits.kind, PAGE_KINDS)
    sums[EVENTS] = hits.kind != Kind.ENGAGEMENT
    sums[EVENTS] -= sums[PAGEVIEWS]
    sums[ENGAGED] = hits.engaged_s
    return sums


def _visit_labels(raw: Raw, dimensions: Sequence[str]) -> tuple[tuple[Ints, ...], Flags]:
    """Labels of each visit, and which visits count: those in which all are set."""
    labels = tuple(raw.visits.labels[each] for each in dimensions)
    keep = np.ones(raw.visits.id.size, dtype=bool)
    for name, column in zip(dimensions, labels, strict=True):
        if name not in KEEPS_NOT_SET:
            keep &= column != NOT_SET
    return labels, keep


_HitKeys = tuple[tuple[Ints, ...], Flags]
"""Keys of each hit (bucket, then labels), and which hits count."""


def _by_visit(raw: Raw, dimensions: Sequence[str], buckets: Buckets) -> tuple[_Entries, _HitKeys]:
    """Hits are first summed by bucket and visit."""
    visits, hits = raw.visits, raw.hits
    labels, keep = _visit_labels(raw, dimensions)
    bucket, start = buckets.index_of(hits.at), buckets.index_of(visits.started_at)
    inside = np.flatnonzero((bucket >= 0) & keep[hits.visit])
    size = max(visits.id.size, 1)
    place = bucket[inside] * size + hits.visit[inside]
    if buckets.starts.size == 1:
        pairs = np.arange(size)
    else:
        pairs, place = np.unique(place, return_inverse=True)
    sums = summed(_hit_sums(hits)[:, inside], place, pairs.size)
    if buckets.starts.size == 1:
        pairs = np.flatnonzero(sums.any(axis=0))
        sums = sums[:, pairs]
    pair_bucket, pair_visit = pairs // size, pairs % size
    seen = sums[PAGEVIEWS] + sums[EVENTS] > 0
    started = np.flatnonzero((start >= 0) & keep)
    visit = np.concatenate([pair_visit, started])
    entries = _Entries(
        (np.concatenate([pair_bucket, start[started]]), *(each[visit] for each in labels)),
        np.concatenate([sums, _start_sums(raw, started)], axis=1),
        np.concatenate([np.where(seen, visits.visitor[pair_visit], -1), np.full(started.size, -1)]),
    )
    return entries, ((bucket, *(each[hits.visit] for each in labels)), keep[hits.visit])


def _by_whole_visit(
    raw: Raw, dimensions: Sequence[str], buckets: Buckets
) -> tuple[_Entries, _HitKeys]:
    """A visit counts with all its selected hits, whenever they were."""
    visits, hits = raw.visits, raw.hits
    labels, keep = _visit_labels(raw, dimensions)
    start = buckets.index_of(visits.started_at)
    which = np.flatnonzero((start >= 0) & keep)
    sums = _start_sums(raw, which)
    if raw.hits_selected:
        of_hits = summed(_hit_sums(hits), hits.visit, visits.id.size)[:, which]
        sums[PAGEVIEWS:DURATION] = of_hits[PAGEVIEWS:DURATION]
    else:
        sums[PAGEVIEWS] = visits.pageviews[which]
        sums[EVENTS] = visits.events[which]
        sums[ENGAGED] = visits.engaged_s[which]
    keys = (start[which], *(each[which] for each in labels))
    hit_start = start[hits.visit]
    hit_keys = (hit_start, *(each[hits.visit] for each in labels))
    return _Entries(keys, sums, visits.visitor[which]), (hit_keys, keep[hits.visit])


def _start_sums(raw: Raw, which: Ints) -> Ints:
    sums = np.zeros((SUMS, which.size), dtype=np.int64)
    sums[VISITS] = 1
    sums[BOUNCES] = raw.visits.bounced[which]
    sums[DURATION] = raw.visits.duration_s[which]
    return sums


def _by_hit(raw: Raw, dimensions: Sequence[str], buckets: Buckets) -> tuple[_Entries, _HitKeys]:
    """A hit counts under its own values; a visit once under each, at the first such hit."""
    visits, hits = raw.visits, raw.hits
    of_visit = [each for each in dimensions if _grain(each) is not Grain.HIT]
    of_hit = [each for each in dimensions if _grain(each) is Grain.HIT]
    keep = _visit_labels(raw, of_visit)[1][hits.visit]
    labels = tuple(
        hits.labels[each] if each in hits.labels else visits.labels[each][hits.visit]
        for each in dimensions
    )
    counted = hits.kind != Kind.ENGAGEMENT
    for dimension in of_hit:
        keep &= hits.labels[dimension] != NOT_SET
        if dimension in _OF_KIND:
            keep &= hits.kind == _OF_KIND[dimension]
        elif dimension not in _OF_ANY_ROW:
            keep &= counted
    if PAGE in of_hit and set(of_hit) <= _OF_ANY_ROW:
        counted = _is_in(hits.kind, PAGE_KINDS)
    bucket = buckets.index_of(hits.at)
    inside = np.flatnonzero(keep & (bucket >= 0))
    first = _firsts(hits, labels, np.flatnonzero(keep & counted))
    first = first[bucket[first] >= 0]
    sums = np.zeros((SUMS, first.size), dtype=np.int64)
    sums[VISITS] = 1
    if PAGE in of_hit or NOT_FOUND in of_hit:
        visit = hits.visit[first]
        sums[BOUNCES] = visits.bounced[visit] * (visits.entry[visit] == hits.path[first])
    which = np.concatenate([inside, first])
    seen = np.where(counted[inside], visits.visitor[hits.visit[inside]], -1)
    entries = _Entries(
        (bucket[which], *(each[which] for each in labels)),
        np.concatenate([_hit_sums(hits)[:, inside], sums], axis=1),
        np.concatenate([seen, np.full(first.size, -1)]),
    )
    return entries, ((bucket, *labels), keep)


def _firsts(hits: Hits, labels: tuple[Ints, ...], which: Ints) -> Ints:
    """Indices of the first hit of each visit and value, among those given."""
    columns = [each[which] for each in labels]
    visit = hits.visit[which]
    order = np.lexsort((hits.at[which], *columns, visit))
    which = which[order]
    return which[_changes([visit[order], *(each[order] for each in columns)])]


def _changes(columns: Sequence[Ints]) -> Flags:
    """Where a row of sorted columns differs from the one before."""
    size = columns[0].size
    new = np.zeros(size, dtype=bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _coded(keys: Sequence[Ints]) -> tuple[Ints, Ints]:
    """A number for each different row of keys, in their order, and the index of one such row."""
    code = keys[0]
    for column in keys[1:]:
        values, place = np.unique(column, return_inverse=True)
        _, code = np.unique(code, return_inverse=True)
        code = code * max(values.size, 1) + place
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return place, first


def _grouped(
    raw: Raw,
    entries: _Entries,
    at_hits: _HitKeys | None,
    dimensions: Sequence[str],
    only_pages: bool,
) -> Groups:
    place, first = _coded(entries.keys)
    sums = summed(entries.sums, place, first.size)
    keys = [column[first] for column in entries.keys]
    people = max(raw.visitors, 1)
    seen = entries.visitor >= 0
    pairs = np.unique(place[seen] * people + entries.visitor[seen])
    counted = sums[PAGEVIEWS] if only_pages else sums[PAGEVIEWS] + sums[EVENTS]
    kept = np.flatnonzero(counted > 0)
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
        depth=_depths(raw, at_hits, [column[kept] for column in keys]),
        has_bounces=Grain.HIT not in grains or PAGE in dimensions or NOT_FOUND in dimensions,
        has_duration=Grain.HIT not in grains,
    )


def _depths(raw: Raw, at_hits: _HitKeys | None, keys: Sequence[Ints]) -> npt.NDArray[np.float64]:
    """Mean of the greatest depth that each visit reached on each page, by group."""
    size = keys[0].size
    if at_hits is None or not size:
        return np.full(size, np.nan)
    hits = raw.hits
    hit_keys, keep = at_hits
    which = np.flatnonzero(keep & (hits.scroll > 0) & (hit_keys[0] >= 0))
    both = [np.concatenate([a, b[which]]) for a, b in zip(keys, hit_keys, strict=True)]
    place, _ = _coded(both)
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


def summed(sums: Ints, place: Ints, size: int) -> Ints:
    """Sums by place. Floats carry them, exactly: they stay below 2**53."""
    return np.array([np.bincount(place, weights=column, minlength=size) for column in sums]).astype(
        np.int64
    )
