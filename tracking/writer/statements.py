"""The SQL of a batch, for the client's schema in the search path.

Lists go in as array literals, built here because that is ten times as fast as adapting each
number. Moments go in as microseconds: `to_timestamp` of a double is immutable, as Citus wants,
and exact to the microsecond until 2242.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from django.db import connection

from tracking.columns import Columns
from tracking.hits import Kind
from tracking.visits import GAP_US, LONGEST_US, Visit

_ENGAGEMENT = int(Kind.ENGAGEMENT)
_FEW = 1_000
"""Up to so many rows of pings are read whole rather than looked up one by one."""

# What happens now is later than all that the planner knows: it takes such visits for none, and
# would read all of a day from the index by time for a few visitors, or compare each with each.
_FIND = """
SET LOCAL enable_bitmapscan = off;
SELECT id, site_id, visitor, (extract(epoch FROM started_at) * 1000000)::bigint,
       (extract(epoch FROM last_at) * 1000000)::bigint,
       pageviews, events, engaged_s, entry, exit, bounced, coalesce(pings, '')
FROM visits
WHERE visitor = ANY(%s::bigint[])
  AND started_at > to_timestamp(%s / 1000000.0::float8)
  AND started_at <= to_timestamp(%s / 1000000.0::float8)
"""

_LOCK = "ORDER BY id FOR UPDATE"
"""One order for all writers: no deadlock."""

_UPDATE = """
SET LOCAL enable_bitmapscan = off; SET LOCAL enable_nestloop = off;
UPDATE visits AS v
SET last_at = to_timestamp(n.last_us / 1000000.0::float8),
    pageviews = n.pageviews, events = n.events, engaged_s = n.engaged_s,
    entry = n.entry, exit = n.exit, bounced = n.bounced,
    pings = nullif(coalesce(v.pings, '') || decode(n.pings, 'hex'), '')
FROM unnest(
    %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[],
    %s::int[], %s::int[], %s::bool[], %s::text[],
    %s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[]
) AS n(id, visitor, started_us, last_us, pageviews, events, engaged_s, entry, exit, bounced, pings,
       old_last_us, old_pageviews, old_events, old_engaged_s, old_pings)
WHERE v.visitor = ANY(%s::bigint[]) AND v.visitor = n.visitor
  AND v.started_at = to_timestamp(n.started_us / 1000000.0::float8)
  AND v.id = n.id
  AND v.started_at >= to_timestamp(%s / 1000000.0::float8)
  AND v.started_at <= to_timestamp(%s / 1000000.0::float8)
  AND v.last_at = to_timestamp(n.old_last_us / 1000000.0::float8)
  AND v.pageviews = n.old_pageviews AND v.events = n.old_events
  AND v.engaged_s = n.old_engaged_s
  AND coalesce(length(v.pings), 0) = n.old_pings
"""

_STORED = """
SELECT n.at_us, n.tag
FROM unnest(%s::bigint[], %s::bigint[]) AS n(at_us, tag)
JOIN hits h ON h.at = to_timestamp(n.at_us / 1000000.0::float8) AND h.tag = n.tag
WHERE h.at >= to_timestamp(%s / 1000000.0::float8)
  AND h.at <= to_timestamp(%s / 1000000.0::float8)
"""

_STORED_PINGS = f"""
SELECT (extract(epoch FROM at) * 1000000)::bigint, tag FROM hits
WHERE kind = {_ENGAGEMENT} AND at >= to_timestamp(%s / 1000000.0::float8)
  AND at <= to_timestamp(%s / 1000000.0::float8)
LIMIT %s
"""  # noqa: S608 - a number of our own

_TOUCH = """
INSERT INTO touched_hours (site_id, hour)
SELECT site_id, to_timestamp(hour_s) FROM unnest(%s::int[], %s::bigint[]) AS n(site_id, hour_s)
"""

_OUTCODE = """
INSERT INTO origins AS o (started_at, visit_id, outcode)
SELECT to_timestamp(started_us / 1000000.0::float8), visit_id, outcode
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS n(started_us, visit_id, outcode)
ON CONFLICT (started_at, visit_id) DO UPDATE SET outcode = excluded.outcode
"""


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def without_stored(hits: Columns) -> Columns:
    """The hits, in order of time, of which there is no row yet."""
    return _without(hits, _stored(hits))


def without_stored_pings(hits: Columns) -> Columns:
    """The hits, in order of time, without those pings of which there is a row already.

    No key would refuse them: they may now be kept in a visit that was not there before. Such rows
    are few, but for the time before pings were kept in visits, and have an index of their own.
    """
    pings = hits.take(hits.kind == _ENGAGEMENT)
    if not len(pings):
        return hits
    with connection.cursor() as cursor:
        cursor.execute(_STORED_PINGS, [int(pings.at_us[0]), int(pings.at_us[-1]), _FEW + 1])
        rows = set(cursor.fetchall())
    # A hit of another kind with the time and tag of such a row has no place beside it either.
    return _without(hits, _stored(pings) if len(rows) > _FEW else rows)


def _without(hits: Columns, stored: set[tuple[int, int]]) -> Columns:
    tags = np.array([tag for _, tag in stored], np.int64)
    places = np.flatnonzero(np.isin(hits.tag, tags))
    names = zip(hits.at_us[places].tolist(), hits.tag[places].tolist(), strict=True)
    gone = [place for place, name in zip(places, names, strict=True) if name in stored]
    return hits.take(np.delete(np.arange(len(hits)), gone)) if gone else hits


def _stored(hits: Columns) -> set[tuple[int, int]]:
    """Time and tag of those of which there is a row."""
    if not len(hits):
        return set()
    times = hits.at_us.tolist()
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [_array(times), _array(hits.tag.tolist()), times[0], times[-1]])
        return set(cursor.fetchall())


def find_visits(hits: Columns, *, lock: bool = False) -> list[Visit]:
    """Stored visits that these hits, in order of time, may belong to; bounds as in `sessionise`.

    `lock` keeps other writers from changing them until the transaction ends.
    """
    bounds = int(hits.at_us[0]) - LONGEST_US, int(hits.at_us[-1]) + GAP_US
    visitors = set(hits.visitor.tolist())
    with connection.cursor() as cursor:
        cursor.execute(_FIND + _LOCK if lock else _FIND, [_array(visitors), *bounds])
        cursor.nextset()
        return [Visit(*row) for row in cursor.fetchall()]


def update_visits(visits: Sequence[Visit]) -> int:
    """Write continued visits; returns how many were still as they were read."""
    before = [visit.before for visit in visits if visit.before is not None]
    started = [visit.started_us for visit in visits]
    old_last, old_pageviews, old_events, old_engaged, old_pings = zip(*before, strict=True)
    visitors = _array(visit.visitor for visit in visits)
    added = [visit.pings[old:] for visit, old in zip(visits, old_pings, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            _UPDATE,
            [
                _array(visit.id for visit in visits),
                visitors,
                _array(started),
                _array(visit.last_us for visit in visits),
                _array(visit.pageviews for visit in visits),
                _array(visit.events for visit in visits),
                _array(visit.engaged_s for visit in visits),
                _array(visit.entry for visit in visits),
                _array(visit.exit for visit in visits),
                _array("t" if visit.bounced else "f" for visit in visits),
                _array(pings.hex() or '""' for pings in added),
                _array(old_last),
                _array(old_pageviews),
                _array(old_events),
                _array(old_engaged),
                _array(old_pings),
                visitors,
                min(started),
                max(started),
            ],
        )
        cursor.nextset()
        cursor.nextset()
        return int(cursor.rowcount)


def set_outcodes(found: Sequence[tuple[Visit, str]], ids: Mapping[str, int]) -> None:
    """Keep outward codes that stored visits got later. The last one wins.

    The address of the hit that brought it is not kept: a visit has that of its first hit or none.
    """
    found = sorted(found, key=lambda pair: pair[0].id)  # one order for all writers: no deadlock
    with connection.cursor() as cursor:
        cursor.execute(
            _OUTCODE,
            [
                _array(visit.started_us for visit, _ in found),
                _array(visit.id for visit, _ in found),
                _array(ids[outcode] for _, outcode in found),
            ],
        )


def touch(hours: Sequence[tuple[int, int]]) -> None:
    """Append (site id, start of the hour in seconds since 1970) for the rollup."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [_array(site for site, _ in hours), _array(at for _, at in hours)])
