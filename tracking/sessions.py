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
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from tracking.hits import PAGE_KINDS, Hit, Kind, visit_id_of
from tracking.pings import MOST_PINGS, SIZE, has_ping, is_plain, pack_ping

GAP_US = 30 * 60 * 1_000_000
"""Longest pause inside a visit, in microseconds."""
LONGEST_US = 24 * 3600 * 1_000_000
"""A hit this long after the start of a visit begins another. Bounds what must be looked up."""
NO_VISIT = 0
"""Visit id of an engagement row whose visit is not known."""

# Plain numbers: comparing with an enum's member costs ten times as much.
_PAGE_KINDS = frozenset(map(int, PAGE_KINDS))
_ENGAGEMENT = int(Kind.ENGAGEMENT)
_INT_MAX = 2_147_483_647
_MOST_BYTES = MOST_PINGS * SIZE
_by_time = attrgetter("at_us")
_by_start = attrgetter("started_us")


class Visit(msgspec.Struct, gc=False):
    """A visit, stored or new. Times are UTC microseconds since 1970; pages are label ids."""

    id: int
    site_id: int
    visitor: int
    started_us: int
    last_us: int
    pageviews: int = 0
    events: int = 0
    engaged_s: int = 0
    entry: int = 0
    exit: int = 0
    bounced: bool = False
    pings: bytes = b""
    """Those kept in the visit (tracking.pings), in the order in which they came."""
    first: Hit | None = None
    """The hit that began it; None for a stored visit."""
    before: tuple[int, int, int, int, int] | None = None
    """last_us, pageviews, events, engaged_s and length of `pings` as stored, once hits of this
    batch changed them."""


class Sessions(msgspec.Struct, gc=False):
    """What a batch does to visits. `hits` in order of time, `visits` beside them."""

    hits: list[Hit]
    """Without the pings that their visits had already."""
    visits: list[Visit | None]
    """Visit of each hit; None for an engagement row without one."""
    new: list[Visit]
    changed: list[Visit]
    """Stored visits that got hits, each once."""
    row_hits: list[Hit]
    """Those of the hits that are stored as rows, and not within their visits."""
    row_visits: list[Visit | None]


def sessionise(  # noqa: C901 - in pieces it takes a fifth longer
    hits: Sequence[Hit], paths: Mapping[str, int], stored: Iterable[Visit] = ()
) -> Sessions:
    """Give each hit its visit.

    `paths` knows the label id of each hit's path. `stored` must hold the visits of these hits'
    visitors that started from `LONGEST_US` before the first hit to `GAP_US` after the last; more
    do no harm. They are changed in place. Hits of equal time keep their order. As long as hits
    come in order of time, it does not matter how they are cut into batches. A ping that a visit
    has already is left out; whether other hits are stored already, the caller must know.
    """
    known: defaultdict[int, dict[int, list[Visit]]] = defaultdict(dict)
    for visit in sorted(stored, key=_by_start):
        known[visit.site_id].setdefault(visit.visitor, []).append(visit)
    # Local names, and few calls: a writer spends a quarter of its time in this loop.
    gap_us, longest_us, engagement = GAP_US, LONGEST_US, _ENGAGEMENT
    taken: list[Hit] = []
    visits: list[Visit | None] = []
    row_hits: list[Hit] = []
    row_visits: list[Visit | None] = []
    new: list[Visit] = []
    changed: list[Visit] = []
    site_id = None
    visitors: dict[int, list[Visit]] = {}
    found: Visit | None
    for hit in sorted(hits, key=_by_time):
        at = hit.at_us
        if hit.site_id != site_id:
            site_id = hit.site_id
            visitors = known[site_id]
        own = visitors.get(hit.visitor)
        if own is None:
            found = None
        else:
            found = own[-1]
            started_us = found.started_us
            if not started_us <= at <= found.last_us + gap_us or at - started_us >= longest_us:
                found = _find_visit(own, hit)
        if hit.kind != engagement:
            if found is None:
                found = _begun_by(hit, paths)
                new.append(found)
                visitors[hit.visitor] = [found] if own is None else _in_order(own, found)
            else:
                if found.before is None and found.first is None:
                    found.before = _numbers(found)
                    changed.append(found)
                _add_hit(found, hit, paths)
            row_hits.append(hit)
            row_visits.append(found)
        elif found is None or own is None:
            row_hits.append(hit)
            row_visits.append(None)
        else:
            ping = _ping_of(hit, found, own, paths)
            if ping is None:
                continue
            if found.before is None and found.first is None:
                found.before = _numbers(found)
                changed.append(found)
            if ping:
                found.pings += ping
            else:
                row_hits.append(hit)
                row_visits.append(found)
            found.engaged_s += hit.engaged_s
            if found.last_us < at <= found.last_us + gap_us:
                found.last_us = at
        taken.append(hit)
        visits.append(found)
    _bound_seconds(new)
    _bound_seconds(changed)
    return Sessions(taken, visits, new, changed, row_hits, row_visits)


def _begun_by(hit: Hit, paths: Mapping[str, int]) -> Visit:
    at, page = hit.at_us, 0
    is_view = hit.kind in _PAGE_KINDS
    if is_view:
        page = paths[hit.path]
    return Visit(
        visit_id_of(hit.id, at),
        hit.site_id,
        hit.visitor,
        at,
        at,
        int(is_view),
        int(not is_view),
        hit.engaged_s,
        page,
        page,
        is_view,
        b"",
        hit,
    )


def _in_order(own: list[Visit], begun: Visit) -> list[Visit]:
    return sorted([*own, begun], key=_by_start)


def _bound_seconds(visits: list[Visit]) -> None:
    for visit in visits:
        if visit.engaged_s > _INT_MAX:
            visit.engaged_s = _INT_MAX


def _numbers(visit: Visit) -> tuple[int, int, int, int, int]:
    return visit.last_us, visit.pageviews, visit.events, visit.engaged_s, len(visit.pings)


def _ping_of(
    hit: Hit, visit: Visit, own: Sequence[Visit], paths: Mapping[str, int]
) -> bytes | None:
    """The hit as a ping of its visit; empty if it needs a row, None if one of `own` has it."""
    if not is_plain(hit):
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
