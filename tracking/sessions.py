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
- An event before the first page view counts as interactive for the bounce, whatever it says,
  since a visit row does not keep what its events said.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from tracking.hits import PAGE_KINDS, Hit, Kind

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
_by_time = attrgetter("at_us")


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
    first: Hit | None = None
    """The hit that began it; None for a stored visit."""
    before: tuple[int, int, int, int] | None = None
    """last_us, pageviews, events, engaged_s as stored, once hits of this batch changed them."""


class Sessions(msgspec.Struct, gc=False):
    """What a batch does to visits. `hits` in order of time, `visits` beside them."""

    hits: list[Hit]
    visits: list[Visit | None]
    """Visit of each hit; None for an engagement row without one."""
    new: list[Visit]
    changed: list[Visit]
    """Stored visits that got hits, each once."""


def visit_id(first: Hit) -> int:
    """Positive 63-bit id: second of the start (32 bits), then the last 31 bits of the hit's id."""
    low = int.from_bytes(first.id[12:16], "big") & 0x7FFFFFFF
    return (first.at_us // 1_000_000 & 0xFFFFFFFF) << 31 | low


def sessionise(
    hits: Sequence[Hit], paths: Mapping[str, int], stored: Iterable[Visit] = ()
) -> Sessions:
    """Give each hit its visit.

    `paths` knows the label id of each hit's path. `stored` must hold the visits of these hits'
    visitors that started from `LONGEST_US` before the first hit to `GAP_US` after the last; more
    do no harm. They are changed in place. Hits of equal time keep their order. As long as hits
    come in order of time, it does not matter how they are cut into batches.
    """
    known: dict[int, dict[int, list[Visit]]] = {}
    for visit in sorted(stored, key=attrgetter("started_us")):
        known.setdefault(visit.site_id, {}).setdefault(visit.visitor, []).append(visit)
    ordered = sorted(hits, key=_by_time)
    visits: list[Visit | None] = []
    new: list[Visit] = []
    changed: list[Visit] = []
    for hit in ordered:
        at = hit.at_us
        site = known.get(hit.site_id)
        if site is None:
            site = known[hit.site_id] = {}
        own = site.get(hit.visitor)
        found = None
        if own is not None:
            found = own[-1]
            started = found.started_us
            if not (started <= at <= found.last_us + GAP_US and at < started + LONGEST_US):
                found = _find_visit(own, at, hit.kind == _ENGAGEMENT)
        if found is None and hit.kind != _ENGAGEMENT:
            found = Visit(visit_id(hit), hit.site_id, hit.visitor, at, at, first=hit)
            new.append(found)
            if own is None:
                site[hit.visitor] = [found]
            else:
                own.append(found)
                own.sort(key=attrgetter("started_us"))
        visits.append(found)
        if found is None:
            continue
        if found.first is None and found.before is None:
            found.before = (found.last_us, found.pageviews, found.events, found.engaged_s)
            changed.append(found)
        _add_hit(found, hit, at, paths)
    return Sessions(ordered, visits, new, changed)


def _find_visit(own: Sequence[Visit], at: int, is_engagement: bool) -> Visit | None:
    """The visit that a hit joins, by the rules above; `own` in order of start."""
    latest = after = None
    for visit in own:
        if visit.started_us <= at:
            latest = visit
        elif after is None and visit.started_us - at <= GAP_US:
            after = visit
    if (
        latest is not None
        and at - latest.started_us < LONGEST_US
        and (is_engagement or at - latest.last_us <= GAP_US)
    ):
        return latest
    return after


def _add_hit(visit: Visit, hit: Hit, at: int, paths: Mapping[str, int]) -> None:
    kind = hit.kind
    if hit.engaged_s:
        visit.engaged_s += hit.engaged_s
        if visit.engaged_s > _INT_MAX:
            visit.engaged_s = _INT_MAX
    if kind == _ENGAGEMENT:
        if at - visit.last_us > GAP_US:
            return
    elif kind in _PAGE_KINDS:
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
