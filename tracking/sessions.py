"""Cutting hits into visits. Pure: stored visits and hits in, visits out.

A visit is the hits of one visitor on one site with gaps of at most 30 minutes, and no hit a day
or more after its start. The rules where the plain case ends:

- A hit that comes late, before the start of a visit but at most 30 minutes before it, joins that
  visit. Start, id and entry page of a stored visit never change.
- A hit within reach of two visits joins the one that started last before it. Visits are never
  merged: a late hit that would have bridged two leaves them two.
- An engagement row never starts a visit. Within a day after the start of the visitor's latest
  visit it adds its seconds to that visit, and prolongs it only if it came within 30 minutes. A
  tab that is closed in the evening thus neither opens a visit without a page nor stretches the
  one of the morning. Without such a visit it belongs to none (`NO_VISIT`).
- An engagement row within a visit is a ping: it is kept in the visit itself (tracking.pings),
  unless it has more to say than its seconds and its depth, or the visit has `MOST_PINGS` already.
- An event before the first page view counts as interactive for the bounce, whatever it says,
  since a visit row does not keep what its events said.

Visitors with whom nothing is special, nearly all, are done at once (tracking.plain_visits).
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import numpy as np

from tracking.columns import Columns, Flags, Ints
from tracking.hits import PAGE_KINDS, Hit, Kind, has_more, visit_id_of
from tracking.pings import MOST_PINGS, SIZE, has_ping, pack_ping
from tracking.plain_visits import cut_plain_visits
from tracking.visits import GAP_US, LONGEST_US, Visit

# Plain numbers: comparing with an enum's member costs ten times as much.
_PAGE_KINDS = frozenset(map(int, PAGE_KINDS))
_ENGAGEMENT = int(Kind.ENGAGEMENT)
_INT_MAX = 2_147_483_647
_MOST_BYTES = MOST_PINGS * SIZE
_by_start = attrgetter("started_us")


@dataclasses.dataclass(frozen=True, slots=True)
class Sessions:
    """What a batch does to visits."""

    hits: Columns
    """In order of time, without the pings that their visits had already."""
    paths: Ints
    """Label id of each hit's path."""
    visits: list[Visit | None]
    """Visit of each hit; None for an engagement row without one."""
    is_row: Flags
    """Whether the hit is stored as a row, and not within its visit."""
    new: list[Visit]
    """In order of their start."""
    changed: list[Visit]
    """Stored visits that got hits, each once."""


def sessionise(hits: Columns, ids: Mapping[str, int], stored: Iterable[Visit] = ()) -> Sessions:
    """Give each hit, in order of time, its visit.

    `ids` knows the label id of each hit's path. `stored` must hold the visits of these hits'
    visitors that started from `LONGEST_US` before the first hit to `GAP_US` after the last; more
    do no harm. They are changed in place. Hits of equal time keep their order. As long as hits
    come in order of time, it does not matter how they are cut into batches. A ping that a visit
    has already is left out; whether other hits are stored already, the caller must know.
    """
    paths = hits.path_labels(ids)
    known: dict[tuple[int, int], list[Visit]] = {}
    for visit in sorted(stored, key=_by_start):
        known.setdefault((visit.site_id, visit.visitor), []).append(visit)
    plain = cut_plain_visits(hits, paths, known)
    visits: list[Visit | None] = plain.visits.tolist()
    is_row = hits.kind != _ENGAGEMENT
    new, changed = plain.new, plain.changed
    others = np.flatnonzero(~plain.is_plain)
    if len(others):
        numbers = others.tolist()
        cut = OneByOne(known, ids)
        gone = []
        for number, hit in zip(numbers, hits.hits(others), strict=True):
            visits[number], is_row[number], is_stored = cut.add(hit)
            if is_stored:
                gone.append(number)
        new = sorted([*new, *cut.new], key=_by_start)
        changed = changed + cut.changed
        if gone:
            kept = np.ones(len(hits), np.bool_)
            kept[gone] = False
            hits, paths, is_row = hits.take(kept), paths[kept], is_row[kept]
            visits = [visits[number] for number in np.flatnonzero(kept).tolist()]
    _bound_seconds(new)
    _bound_seconds(changed)
    return Sessions(hits, paths, visits, is_row, new, changed)


class OneByOne:
    """Any hits, in order of time, by all rules.

    `visitors` has the stored visits by site and visitor, in order of start, and gets the new ones;
    `paths` the label ids of paths.
    """

    def __init__(
        self, visitors: dict[tuple[int, int], list[Visit]], paths: Mapping[str, int]
    ) -> None:
        self._visitors = visitors
        self._paths = paths
        self.new: list[Visit] = []
        self.changed: list[Visit] = []

    def add(self, hit: Hit) -> tuple[Visit | None, bool, bool]:
        """Its visit, whether it needs a row, and whether it is a ping that its visit has."""
        own = self._visitors.get((hit.site_id, hit.visitor))
        found = _find_visit(own, hit) if own else None
        if hit.kind != _ENGAGEMENT:
            if found is None:
                found = self._begin(hit, own)
            else:
                self._note(found)
                _add_hit(found, hit, self._paths)
            return found, True, False
        if found is None or own is None:
            return None, True, False
        ping = _ping_of(hit, found, own, self._paths)
        if ping is None:
            return found, False, True
        self._note(found)
        found.pings += ping
        found.engaged_s += hit.engaged_s
        if found.last_us < hit.at_us <= found.last_us + GAP_US:
            found.last_us = hit.at_us
        return found, not ping, False

    def _begin(self, hit: Hit, own: list[Visit] | None) -> Visit:
        visit = _begun_by(hit, self._paths)
        self.new.append(visit)
        self._visitors[hit.site_id, hit.visitor] = sorted([*(own or ()), visit], key=_by_start)
        return visit

    def _note(self, visit: Visit) -> None:
        """Remember a stored visit as it was, before its first change."""
        if visit.before is None and visit.first is None:
            visit.before = visit.numbers()
            self.changed.append(visit)


def _begun_by(hit: Hit, paths: Mapping[str, int]) -> Visit:
    is_view = hit.kind in _PAGE_KINDS
    page = paths[hit.path] if is_view else 0
    return Visit(
        id=visit_id_of(hit.id, hit.at_us),
        site_id=hit.site_id,
        visitor=hit.visitor,
        started_us=hit.at_us,
        last_us=hit.at_us,
        pageviews=int(is_view),
        events=int(not is_view),
        engaged_s=hit.engaged_s,
        entry=page,
        exit=page,
        bounced=is_view,
        first=hit,
    )


def _bound_seconds(visits: list[Visit]) -> None:
    for visit in visits:
        if visit.engaged_s > _INT_MAX:
            visit.engaged_s = _INT_MAX


def _ping_of(
    hit: Hit, visit: Visit, own: Sequence[Visit], paths: Mapping[str, int]
) -> bytes | None:
    """The hit as a ping of its visit; empty if it needs a row, None if one of `own` has it."""
    if has_more(hit):
        return b""
    at, last_us = hit.at_us, visit.last_us
    path = paths[hit.path]
    # No visit has a ping from after its end, and most pings come in the order of their time.
    if (at <= last_us or len(own) > 1) and any(_has_ping(each, hit, path) for each in own):
        return None
    if at - last_us > GAP_US or len(visit.pings) >= _MOST_BYTES:
        return b""
    return pack_ping(at - visit.started_us + GAP_US, hit, path)


def _has_ping(visit: Visit, hit: Hit, path: int) -> bool:
    since_us = hit.at_us - visit.started_us + GAP_US
    is_within = since_us >= 0 and hit.at_us <= visit.last_us
    return is_within and has_ping(visit.pings, pack_ping(since_us, hit, path))


def _find_visit(own: Sequence[Visit], hit: Hit) -> Visit | None:
    """The visit that a hit joins, by the rules above; `own` in order of start."""
    at = hit.at_us
    latest = after = None
    for visit in own:
        if visit.started_us <= at:
            latest = visit
        elif after is None and visit.started_us - at <= GAP_US:
            after = visit
    if (
        latest is not None
        and at - latest.started_us < LONGEST_US
        and (hit.kind == _ENGAGEMENT or at - latest.last_us <= GAP_US)
    ):
        return latest
    return after


def _add_hit(visit: Visit, hit: Hit, paths: Mapping[str, int]) -> None:
    at = hit.at_us
    visit.engaged_s += hit.engaged_s
    if hit.kind in _PAGE_KINDS:
        visit.pageviews += 1
        if visit.pageviews == 1:
            visit.entry = visit.exit = paths[hit.path]
            visit.bounced = visit.events == 0
        else:
            visit.bounced = False
            if at >= visit.last_us:
                visit.exit = paths[hit.path]
    else:
        visit.events += 1
        if hit.interactive:
            visit.bounced = False
    if at > visit.last_us:
        visit.last_us = at
