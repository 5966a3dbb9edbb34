"""Hits and pings of a time as one table, in SQL: most pings are kept in their visits' rows.

Who asks for engaged seconds, for scroll depth or for who was there at a time reads this instead of
`hits`; who asks for page views and events has them all in `hits`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tracking.hits import Kind
from tracking.pings import PATH_AT, SECONDS_SHIFT, SIZE, TIME_SHIFT
from tracking.visits import GAP_US, LONGEST_US

Params = list[Any]

_GAP, _LONGEST = dt.timedelta(microseconds=GAP_US), dt.timedelta(microseconds=LONGEST_US)

_HITS = (
    "SELECT at, visit_id, site_id, path, kind, scroll, engaged_s, name, host, status, bytes_sent, "
    "props FROM hits WHERE site_id = ANY(%s::int4[]) AND at >= %s AND at < %s"
)
# A visit's pings lie between GAP before its start and its last hit. Functions that return sets
# are unpacked in the list of columns, which is twice as fast as in FROM. Bytes become numbers by
# way of bits, since PostgreSQL casts them to numbers from version 18 on only.
_PINGS = f"""
SELECT p.at, p.id, p.site_id, p.path, {int(Kind.ENGAGEMENT)}::int2,
       (p.what & {(1 << SECONDS_SHIFT) - 1})::int2,
       ((p.what & {(1 << TIME_SHIFT) - 1}) >> {SECONDS_SHIFT})::int4,
       NULL::int4, NULL::int4, NULL::int2, NULL::int8, NULL::jsonb
FROM (
    SELECT t.id, t.site_id, t.what, ('x' || right(t.bits, 8))::bit(32)::int4 AS path,
           t.started_at + ((t.what >> {TIME_SHIFT}) - {GAP_US}) * interval '1 microsecond' AS at
    FROM (
        SELECT s.id, s.site_id, s.started_at, s.bits, ('x' || s.bits)::bit(64)::int8 AS what
        FROM (
            SELECT id, site_id, started_at, encode(substr(pings, generate_series(
                1, length(pings), {SIZE}), {PATH_AT + 4}), 'hex') AS bits
            FROM visits WHERE site_id = ANY(%s::int4[]) AND pings IS NOT NULL
            AND started_at > %s AND started_at <= %s AND last_at >= %s
        ) s
    ) t
) p WHERE p.at >= %s AND p.at < %s
"""  # noqa: S608 - numbers of our own


def hits_alone(sites: Sequence[int], since: dt.datetime, before: dt.datetime) -> tuple[str, Params]:
    """A table for FROM, without an alias, and its parameters: what `hits` has of the time.

    All columns of `hits` but `tag` and `import_id`. A few rows of pings are among them.
    """
    return f"({_HITS})", [list(sites), since, before]


def hits_and_pings(
    sites: Sequence[int], since: dt.datetime, before: dt.datetime
) -> tuple[str, Params]:
    """The same with all pings of the time, of kind ENGAGEMENT, in no order."""
    of_pings: Params = [since - _LONGEST, before + _GAP, since, since, before]
    return (
        f"({_HITS} UNION ALL {_PINGS})",
        [list(sites), since, before, list(sites), *of_pings],
    )
