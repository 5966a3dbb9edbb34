"""Visits of visitors with whom nothing is special, cut all at once with arrays. Pure.

Nearly all visitors of a batch are plain: each of their hits comes after the one before it and
after all that is stored of them, pings come within a visit that has room for them, and nothing
lasts a day. Their visits are the runs between pauses longer than `GAP_US`. The rules are those of
tracking.sessions, which takes all others; this way they take a third of the time of a hit at a
time. A test compares the two.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tracking.columns import Columns, Flags, Ints
from tracking.hits import PAGE_KINDS, Kind, visit_id_of
from tracking.pings import MOST_PINGS, SIZE, pack_pings
from tracking.visits import GAP_US, LONGEST_US, Visit

_EVER = GAP_US + 1
"""A pause that ends a visit."""
_PAGE_KINDS = np.isin(np.arange(256), list(map(int, PAGE_KINDS)))


class PlainVisits(NamedTuple):
    """What became of the hits of plain visitors."""

    visits: npt.NDArray[np.object_]
    """Visit of each hit; None for the hits of others."""
    is_plain: Flags
    """Whether the hit's visitor is plain."""
    new: list[Visit]
    """In order of their first hits."""
    changed: list[Visit]
    """Stored visits that got hits."""


class _Runs(NamedTuple):
    """Hits by visitor, then time, and the runs of them that pauses cut."""

    hits: Columns
    paths: Ints
    is_ping: Flags
    is_view: Flags
    first: Ints
    """Place of each run's first hit."""
    run: Ints
    """Run of each hit."""
    is_plain: Flags
    """Of each run."""
    stored: dict[int, Visit]
    """The stored visits that runs continue, by run."""


def cut_plain_visits(
    hits: Columns, paths: Ints, stored: Mapping[tuple[int, int], Sequence[Visit]]
) -> PlainVisits:
    """Give each hit of a plain visitor its visit.

    `hits` in order of time, `paths` their label ids, `stored` by site and visitor, in order of
    start. The stored ones are changed in place.
    """
    if not len(hits):
        return PlainVisits(np.empty(0, object), np.empty(0, np.bool_), [], [])
    if (hits.site_id == hits.site_id[0]).all():
        order = np.argsort(hits.visitor, kind="stable")
    else:
        order = np.lexsort((hits.visitor, hits.site_id))
    runs = _runs(hits.take(order), paths[order], stored)
    visits = np.empty(len(runs.first), object)
    new, changed = _settle_runs(runs, order[runs.first], visits)
    found = np.empty(len(hits), object)
    found[order] = visits[runs.run]
    is_plain = np.empty(len(hits), np.bool_)
    is_plain[order] = runs.is_plain[runs.run]
    return PlainVisits(found, is_plain, new, changed)


def _runs(hits: Columns, paths: Ints, stored: Mapping[tuple[int, int], Sequence[Visit]]) -> _Runs:
    """Cut hits, sorted by visitor and time, and tell which visitors are plain."""
    begins = np.ones(len(hits), np.bool_)
    begins[1:] = (hits.visitor[1:] != hits.visitor[:-1]) | (hits.site_id[1:] != hits.site_id[:-1])
    first_of_visitor = np.flatnonzero(begins)
    pause = np.full(len(hits), _EVER)
    pause[1:] = hits.at_us[1:] - hits.at_us[:-1]
    pause[first_of_visitor] = _EVER
    started = hits.at_us[first_of_visitor]
    latest = _after_stored(hits, first_of_visitor, stored, pause, started)

    is_ping = hits.kind == int(Kind.ENGAGEMENT)
    is_special = (pause <= 0) | (is_ping & (hits.has_more | (pause > GAP_US)))
    last_of_visitor = np.append(first_of_visitor[1:], len(hits)) - 1
    is_plain_visitor = ~np.logical_or.reduceat(is_special, first_of_visitor)
    is_plain_visitor &= hits.at_us[last_of_visitor] - started < LONGEST_US

    cuts = begins | (pause > GAP_US)
    first = np.flatnonzero(cuts)
    run = np.cumsum(cuts) - 1
    visitor = (np.cumsum(begins) - 1)[first]
    continued = {
        int(run[first_of_visitor[number]]): visit
        for number, visit in latest.items()
        if pause[first_of_visitor[number]] <= GAP_US
    }
    pings = np.add.reduceat(is_ping.astype(np.int64), first)
    for number, visit in continued.items():
        pings[number] += len(visit.pings) // SIZE
    is_plain_visitor[visitor[pings > MOST_PINGS]] = False
    return _Runs(
        hits,
        paths,
        is_ping,
        _PAGE_KINDS[hits.kind],
        first,
        run,
        is_plain_visitor[visitor],
        continued,
    )


def _after_stored(
    hits: Columns,
    first_of_visitor: Ints,
    stored: Mapping[tuple[int, int], Sequence[Visit]],
    pause: Ints,
    started: Ints,
) -> dict[int, Visit]:
    """The latest stored visit of each visitor who has one, and in `pause` the time since it.

    A pause of 0 makes a visitor special: one whose first hit is not later than all that is stored,
    or whose visit has no page yet. `started` is set to the start of that visit.
    """
    if not stored:
        return {}
    sites, visitors = hits.site_id[first_of_visitor], hits.visitor[first_of_visitor]
    latest = {}
    for number, key in enumerate(zip(sites.tolist(), visitors.tolist(), strict=True)):
        own = stored.get(key)
        if own is None:
            continue
        visit = latest[number] = own[-1]
        first = first_of_visitor[number]
        at_us = hits.at_us[first]
        is_after = at_us > max(each.last_us for each in own)
        pause[first] = at_us - visit.last_us if is_after and visit.pageviews else 0
        started[number] = visit.started_us
    return latest


class _Sums(NamedTuple):
    """What each run adds to its visit; an element, or a slice of `pings`, for each run."""

    last_us: Ints
    pageviews: Ints
    events: Ints
    engaged_s: Ints
    entry: Ints
    """Path of the first page; 0 without one."""
    exit: Ints
    """Path of the last page; 0 without one."""
    has_answer: Flags
    """Whether there is an interactive event."""
    pings: bytes
    ends: list[int]
    """Where the pings of each run begin, and the last one ends."""


def _sums(runs: _Runs, started_us: Ints) -> _Sums:
    hits, paths, first = runs.hits, runs.paths, runs.first
    is_event = ~(runs.is_view | runs.is_ping)
    pageviews = np.add.reduceat(runs.is_view.astype(np.int64), first)
    views = np.flatnonzero(runs.is_view)
    has_view = pageviews > 0
    first_view = np.searchsorted(views, first[has_view])
    entry, leave = np.zeros(len(first), np.int64), np.zeros(len(first), np.int64)
    entry[has_view] = paths[views[first_view]]
    leave[has_view] = paths[views[first_view + pageviews[has_view] - 1]]
    pings, ends = _pings_of_runs(runs, started_us)
    return _Sums(
        last_us=hits.at_us[np.append(first[1:], len(hits)) - 1],
        pageviews=pageviews,
        events=np.add.reduceat(is_event.astype(np.int64), first),
        engaged_s=np.add.reduceat(hits.engaged_s, first),
        entry=entry,
        exit=leave,
        has_answer=np.logical_or.reduceat(is_event & hits.is_interactive, first),
        pings=pings,
        ends=ends,
    )


def _settle_runs(
    runs: _Runs, positions: Ints, visits: npt.NDArray[np.object_]
) -> tuple[list[Visit], list[Visit]]:
    """Make or continue the visit of each plain run: put it into `visits`; new ones and changed.

    `positions` say in which order new ones are returned.
    """
    started_us = runs.hits.at_us[runs.first]
    for number, visit in runs.stored.items():
        started_us[number] = visit.started_us
    sums = _sums(runs, started_us)
    is_new = runs.is_plain.copy()
    changed = []
    for number, visit in runs.stored.items():
        if runs.is_plain[number]:
            is_new[number] = False
            _continue(visit, number, sums)
            visits[number] = visit
            changed.append(visit)
    numbers = np.flatnonzero(is_new)
    numbers = numbers[np.argsort(positions[numbers])]
    new = _begun(runs, numbers, sums)
    visits[numbers] = new
    return new, changed


def _continue(visit: Visit, number: int, sums: _Sums) -> None:
    """Add a run to the stored visit, which has a page already."""
    visit.before = visit.numbers()
    visit.last_us = int(sums.last_us[number])
    visit.pageviews += int(sums.pageviews[number])
    visit.events += int(sums.events[number])
    visit.engaged_s += int(sums.engaged_s[number])
    visit.pings += sums.pings[sums.ends[number] : sums.ends[number + 1]]
    has_view = sums.pageviews[number] > 0
    if has_view:
        visit.exit = int(sums.exit[number])
    if has_view or sums.has_answer[number]:
        visit.bounced = False


def _begun(runs: _Runs, numbers: Ints, sums: _Sums) -> list[Visit]:
    """The visits that these runs are."""
    hits, places = runs.hits, runs.first[numbers]
    firsts = list(hits.hits(places))
    is_one_view = runs.is_view[places] & (sums.pageviews[numbers] == 1)
    pings, ends = sums.pings, sums.ends
    return list(
        map(
            Visit,
            [visit_id_of(hit.id, hit.at_us) for hit in firsts],
            hits.site_id[places].tolist(),
            hits.visitor[places].tolist(),
            hits.at_us[places].tolist(),
            sums.last_us[numbers].tolist(),
            sums.pageviews[numbers].tolist(),
            sums.events[numbers].tolist(),
            sums.engaged_s[numbers].tolist(),
            sums.entry[numbers].tolist(),
            sums.exit[numbers].tolist(),
            (is_one_view & ~sums.has_answer[numbers]).tolist(),
            [pings[ends[number] : ends[number + 1]] for number in numbers.tolist()],
            firsts,
        )
    )


def _pings_of_runs(runs: _Runs, started_us: Ints) -> tuple[bytes, list[int]]:
    """All pings one after the other, and where those of each run begin, and the last one ends."""
    places = np.flatnonzero(runs.is_ping)
    hits = runs.hits
    since_us = hits.at_us[places] - started_us[runs.run[places]] + GAP_US
    pings = pack_pings(
        since_us, hits.engaged_s[places], hits.scroll[places], runs.paths[places], hits.tag[places]
    )
    ends = np.searchsorted(places, np.append(runs.first, len(hits))) * SIZE
    return pings, ends.tolist()
