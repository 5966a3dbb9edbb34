"""Counting raw rows by hour, dimension and value: arrays in, rows out. No database, no clock."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracking.hits import PAGE_KINDS, Kind
from tracking.models import Dimension
from tracking.models.raw import NOT_SET, OTHER
from tracking.rollups.hours import Clock, Ints
from tracking.rollups.reading import Hits, Visits
from tracking.sketches import sketch_of

HOUR_VALUES = 1_000
"""Most values that an hour keeps of a dimension."""
EVENT_KINDS = frozenset({Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD})
WHOLE_VISIT = frozenset({Dimension.ENTRY, Dimension.EXIT, Dimension.OUTCODE})
"""Dimensions whose value may change while the visit lasts."""
KEEPS_NOT_SET = frozenset({Dimension.TOTAL, Dimension.SOURCE})
"""Dimensions of the visit in which an empty value says something."""

_LABEL_BITS = 32
_VISITS, _BOUNCES, _PAGEVIEWS, _EVENTS, _ENGAGED, _DURATION, _BYTES = range(7)
_SUMS = 7

Flags = npt.NDArray[np.bool_]


class Sums(NamedTuple):
    """The counters of a row, in the order of their columns."""

    visits: int
    bounces: int
    pageviews: int
    events: int
    engaged_s: int
    duration_s: int
    bytes_sent: int


class HourRow(NamedTuple):
    """A row of `hour_stats` but for its site."""

    dimension: int
    hour: int
    """Key of the hour, microseconds."""
    label: int
    sums: Sums
    visitors: bytes


class _Entries(NamedTuple):
    """What is to be summed: entry i adds `sums[:, i]` under its hour and label."""

    hour: Ints
    """Index of the hour."""
    label: Ints
    sums: Ints


class _Seen(NamedTuple):
    """Who was seen: a visitor under an hour and a label, any number of times."""

    hour: Ints
    label: Ints
    visitor: Ints


def count_hours(
    hits: Hits, visits: Visits, *, clock: Clock, hours: Ints, values: int = HOUR_VALUES
) -> list[HourRow]:
    """Rows of the given hours (keys, ascending, all of the clock's), as tracking.rollups defines.

    Hits of other hours are looked at only to find which one is the first of its visit.
    """
    hit_hours = _index_in(hours, clock, hits.at)
    starts = _index_in(hours, clock, visits.started_at)
    rows: list[HourRow] = []
    for dimension, entries, seen in (
        *_by_visit(hits, visits, hit_hours, starts),
        *_by_whole_visit(visits, starts),
        *_by_hit(hits, visits, hit_hours),
    ):
        rows += _rows(dimension, hours, entries, seen, values)
    return rows


def _index_in(hours: Ints, clock: Clock, at: Ints) -> Ints:
    """Index of each instant's hour in `hours`; -1 if it is none of them."""
    inside = (at >= clock.starts_us) & (at < clock.ends_before_us)
    keys = clock.hours_of(np.where(inside, at, clock.starts_us))
    place = np.minimum(np.searchsorted(hours, keys), hours.size - 1)
    return np.where(inside & (hours[place] == keys), place, -1)


def _is_in(kinds: Ints, wanted: frozenset[Kind]) -> Flags:
    return np.isin(kinds, sorted(wanted))


def _hit_sums(hits: Hits) -> Ints:
    sums = np.zeros((_SUMS, hits.at.size), dtype=np.int64)
    sums[_PAGEVIEWS] = _is_in(hits.kind, PAGE_KINDS)
    sums[_EVENTS] = _is_in(hits.kind, EVENT_KINDS)
    sums[_ENGAGED] = hits.engaged_s
    sums[_BYTES] = hits.bytes_sent
    return sums


def _by_visit(
    hits: Hits, visits: Visits, hour: Ints, start: Ints
) -> Iterator[tuple[Dimension, _Entries, _Seen]]:
    """Dimensions of the visit: hits are first summed by hour and visit, once for all of them."""
    inside = hour >= 0
    size = max(visits.id.size, 1)
    pairs, place = np.unique(hour[inside] * size + hits.visit[inside], return_inverse=True)
    sums = _summed(_hit_sums(hits)[:, inside], place, pairs.size)
    pair_hour, pair_visit = pairs // size, pairs % size
    seen = sums[_PAGEVIEWS] + sums[_EVENTS] > 0

    started = np.flatnonzero(start >= 0)
    entry_hour = np.concatenate([pair_hour, start[started]])
    entry_visit = np.concatenate([pair_visit, started])
    sums = np.concatenate([sums, _start_sums(visits, started)], axis=1)
    for dimension, labels in visits.labels.items():
        if dimension in WHOLE_VISIT:
            continue
        label, seen_label = labels[entry_visit], labels[pair_visit]
        keep = np.ones(label.size, dtype=bool)
        keep_seen = seen
        if dimension not in KEEPS_NOT_SET:
            keep, keep_seen = label != NOT_SET, seen & (seen_label != NOT_SET)
        yield (
            dimension,
            _Entries(entry_hour[keep], label[keep], sums[:, keep]),
            _Seen(
                pair_hour[keep_seen],
                seen_label[keep_seen],
                visits.visitor[pair_visit[keep_seen]],
            ),
        )


def _by_whole_visit(visits: Visits, start: Ints) -> Iterator[tuple[Dimension, _Entries, _Seen]]:
    """Dimensions under which a visit counts with all its hits, whenever they were."""
    for dimension in sorted(WHOLE_VISIT):
        labels = visits.labels[dimension]
        which = np.flatnonzero((start >= 0) & (labels != NOT_SET))
        sums = _start_sums(visits, which)
        sums[_PAGEVIEWS] = visits.pageviews[which]
        sums[_EVENTS] = visits.events[which]
        sums[_ENGAGED] = visits.engaged_s[which]
        yield (
            dimension,
            _Entries(start[which], labels[which], sums),
            _Seen(start[which], labels[which], visits.visitor[which]),
        )


def _start_sums(visits: Visits, which: Ints) -> Ints:
    sums = np.zeros((_SUMS, which.size), dtype=np.int64)
    sums[_VISITS] = 1
    sums[_BOUNCES] = visits.bounced[which]
    sums[_DURATION] = visits.duration_s[which]
    return sums


def _by_hit(hits: Hits, visits: Visits, hour: Ints) -> Iterator[tuple[Dimension, _Entries, _Seen]]:
    """Dimensions of the hit."""
    pages = _is_in(hits.kind, PAGE_KINDS)
    everything = np.ones(hits.at.size, dtype=bool)
    sums = _hit_sums(hits)
    for dimension, labels, summed, counted in (
        (Dimension.PAGE, hits.path, everything, pages),
        (Dimension.EVENT, hits.name, hits.kind == Kind.EVENT, None),
        (Dimension.OUTBOUND, hits.name, hits.kind == Kind.OUTBOUND, None),
        (Dimension.DOWNLOAD, hits.name, hits.kind == Kind.DOWNLOAD, None),
        (Dimension.NOT_FOUND, hits.path, hits.kind == Kind.NOT_FOUND, None),
        (Dimension.STATUS, hits.status, hits.kind != Kind.ENGAGEMENT, None),
    ):
        is_set = labels != NOT_SET
        counting = is_set & (summed if counted is None else counted)
        inside = is_set & summed & (hour >= 0)
        seen = counting & (hour >= 0)
        first = _firsts(hits, labels, counting)
        first = first[hour[first] >= 0]
        of_pages = dimension in {Dimension.PAGE, Dimension.NOT_FOUND}
        yield (
            dimension,
            _Entries(
                np.concatenate([hour[inside], hour[first]]),
                np.concatenate([labels[inside], labels[first]]),
                np.concatenate(
                    [sums[:, inside], _first_sums(hits, visits, first, bounces=of_pages)], axis=1
                ),
            ),
            _Seen(hour[seen], labels[seen], visits.visitor[hits.visit[seen]]),
        )


def _firsts(hits: Hits, labels: Ints, counting: Flags) -> Ints:
    """Indices of the first hit of each visit and label, among those that count."""
    which = np.flatnonzero(counting)
    visit, label = hits.visit[which], labels[which]
    which = which[np.lexsort((hits.at[which], label, visit))]
    visit, label = hits.visit[which], labels[which]
    new = np.ones(which.size, dtype=bool)
    new[1:] = (visit[1:] != visit[:-1]) | (label[1:] != label[:-1])
    return which[new]


def _first_sums(hits: Hits, visits: Visits, first: Ints, *, bounces: bool) -> Ints:
    sums = np.zeros((_SUMS, first.size), dtype=np.int64)
    sums[_VISITS] = 1
    if bounces:
        visit = hits.visit[first]
        entered = visits.labels[Dimension.ENTRY][visit] == hits.path[first]
        sums[_BOUNCES] = visits.bounced[visit] * entered
    return sums


def _rows(
    dimension: Dimension, hours: Ints, entries: _Entries, seen: _Seen, values: int
) -> list[HourRow]:
    keys, place = np.unique((entries.hour << _LABEL_BITS) | entries.label, return_inverse=True)
    sums = _summed(entries.sums, place, keys.size)
    folded = _folded(keys, sums, values)
    kept, place = np.unique(folded, return_inverse=True)
    sums = _summed(sums, place, kept.size)
    seen_keys = (seen.hour << _LABEL_BITS) | seen.label
    sketches = _sketches(kept, folded[np.searchsorted(keys, seen_keys)], seen.visitor)
    found = hours[kept >> _LABEL_BITS].tolist()
    labels = (kept & ((1 << _LABEL_BITS) - 1)).tolist()
    return [
        HourRow(int(dimension), hour, label, Sums(*counts), sketch)
        for hour, label, counts, sketch in zip(
            found, labels, sums.T.tolist(), sketches, strict=True
        )
    ]


def _summed(sums: Ints, place: Ints, size: int) -> Ints:
    """Sums by place. Floats carry them, exactly: they stay below 2**53."""
    return np.array([np.bincount(place, weights=column, minlength=size) for column in sums]).astype(
        np.int64
    )


def _folded(keys: Ints, sums: Ints, values: int) -> Ints:
    """The key under which each key is counted: its own, or that of *other* in its hour."""
    hour, label = keys >> _LABEL_BITS, keys & ((1 << _LABEL_BITS) - 1)
    order = np.lexsort((label, -(sums[_PAGEVIEWS] + sums[_EVENTS]), -sums[_VISITS], hour))
    rank = np.empty(keys.size, dtype=np.int64)
    rank[order] = np.arange(keys.size) - np.searchsorted(hour, hour[order])
    return np.where(rank < values, keys, (hour << _LABEL_BITS) | OTHER)


def _sketches(keys: Ints, seen_keys: Ints, visitors: Ints) -> list[bytes]:
    """Sketch of each key's visitors. Sorted, so that the same people give the same bytes."""
    order = np.lexsort((visitors, seen_keys))
    seen_keys, visitors = seen_keys[order], visitors[order]
    new = np.ones(order.size, dtype=bool)
    new[1:] = (seen_keys[1:] != seen_keys[:-1]) | (visitors[1:] != visitors[:-1])
    seen_keys, visitors = seen_keys[new], visitors[new]
    bounds = np.searchsorted(seen_keys, np.append(keys, np.iinfo(np.int64).max)).tolist()
    ids = visitors.tolist()
    return [sketch_of(ids[low:high]) for low, high in itertools.pairwise(bounds)]
