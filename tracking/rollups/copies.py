"""Copies of a day's hits, column by column: what filtered reports read instead of single rows.

Reading a row costs a database far more than reading its numbers. So a day that is over is copied
into one row of seven columns, ordered by visit and time and compressed (zstd): some 8 bytes a hit.

A copy is made under the rollup's lock, of a day without touched hours. Whoever changes hits adds
a touched hour in the same transaction; so a copy beside which there is none says what the rows
say, and the statement that reads copies asks for that itself.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import zstandard
from django.db import connection, transaction

from tenants.models import Client
from tracking.models import Dimension
from tracking.raw_rows import hits_and_pings
from tracking.rollups.hours import SECOND, Ints, day_bounds, day_of, from_us, to_us
from tracking.rollups.reading import read_arrays
from tracking.rollups.storing import forget_copy
from tracking.rollups.weeks import lock_rollup

LEAST = 2_000
"""Page views and events from which a day is copied: fewer are read as fast as they are."""
KIND_BITS = 3
MOST_ENGAGED_S = 2**28 - 1
"""Nobody is engaged for eight years: the bound only keeps the kind's bits free."""

_FORMS = {
    "visits": "<i8",
    "seconds": "<i4",
    "what": "<i4",
    "paths": "<i4",
    "names": "<i4",
    "scrolls": "<u1",
    "statuses": "<i2",
}
_READ = {
    "visit_id": "int8",
    "at": "timestamptz",
    "kind": "int2",
    "engaged_s": "int4",
    "path": "int4",
    "name": "int4",
    "scroll": "int2",
    "status": "int2",
}
_MISSING = """
SELECT d.site_id, d.day FROM day_stats d
WHERE d.dimension = %s AND d.label = 0 AND d.pageviews + d.events >= %s AND d.day >= %s
  AND NOT EXISTS (SELECT 1 FROM hit_days h WHERE h.site_id = d.site_id AND h.day = d.day)
ORDER BY d.day DESC, d.site_id
"""
# A touched hour names its start: it may have begun before the day.
_IS_TOUCHED = (
    "EXISTS (SELECT 1 FROM touched_hours t WHERE t.site_id = {site} "
    "AND t.hour > {first} - interval '1 hour' AND t.hour < {after})"
)
_ADD = (
    f"INSERT INTO hit_days (site_id, day, starts_at, ends_before, {', '.join(_FORMS)}) "  # noqa: S608 - names of columns only
    f"VALUES (%s, %s, %s, %s{', %s' * len(_FORMS)})"
)


@dataclass(frozen=True)
class Copy:
    """Hits of a time, as they were copied. Columns are unpacked when they are asked for."""

    starts_us: int
    ends_before_us: int
    packed: Mapping[str, bytes]

    def column(self, name: str) -> Ints:
        """A column of `_FORMS`, by visit and time."""
        data = zstandard.ZstdDecompressor().decompress(self.packed[name])
        return np.frombuffer(data, dtype=_FORMS[name]).astype(np.int64)


def copy_days(
    client: Client, timezones: Mapping[int, str], *, raw_since: int, now: dt.datetime
) -> int:
    """Copy the days that are over, long enough and not copied yet; returns how many.

    Days of before `raw_since` (microseconds) are left: their rows may be gone. Called inside
    `entered(client)`; each day is a transaction under the rollup's lock, and where another rollup
    holds it the rest is left to that one.
    """
    with connection.cursor() as cursor:
        first = from_us(raw_since).date()
        cursor.execute(_MISSING, [int(Dimension.TOTAL), LEAST, first])
        missing = cursor.fetchall()
    copied = 0
    for site_id, day in missing:
        timezone = timezones.get(site_id, client.timezone)
        starts_us, ends_before_us = day_bounds(timezone, day)
        if starts_us < raw_since or day >= day_of(timezone, to_us(now)):
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            if not lock_rollup(cursor, client):
                break
            copied += _copy_day(cursor, site_id, day, starts_us, ends_before_us)
    return copied


def _copy_day(cursor: Any, site_id: int, day: dt.date, starts_us: int, ends_before_us: int) -> bool:
    bounds = from_us(starts_us), from_us(ends_before_us)
    touched = _IS_TOUCHED.format(site="%s", first="%s::timestamptz", after="%s")
    cursor.execute(f"SELECT {touched}", [site_id, *bounds])
    if cursor.fetchone()[0]:
        return False
    columns = {
        name: f"r.{name}" if kind == "timestamptz" else f"coalesce(r.{name}, 0)"
        for name, kind in _READ.items()
    }
    table, params = hits_and_pings([site_id], *bounds)
    query = f"SELECT {{columns}} FROM {table} r"  # noqa: S608 - our own words
    hits = read_arrays(cursor, query, params, columns, _READ)
    order = np.lexsort((hits["at"], hits["visit_id"]))
    hits = {name: column[order] for name, column in hits.items()}
    values = {
        "visits": hits["visit_id"],
        "seconds": (hits["at"] - starts_us) // SECOND,
        "what": (np.minimum(hits["engaged_s"], MOST_ENGAGED_S) << KIND_BITS) | hits["kind"],
        "paths": hits["path"],
        "names": hits["name"],
        "scrolls": hits["scroll"],
        "statuses": hits["status"],
    }
    pack = zstandard.ZstdCompressor(level=3).compress
    packed = [pack(values[name].astype(form).tobytes()) for name, form in _FORMS.items()]
    # Another rollup may have copied it since it was found missing.
    forget_copy(cursor, site_id, day)
    cursor.execute(_ADD, [site_id, day, *bounds, *packed])
    return True


def read_copies(
    cursor: Any, site_id: int, first: dt.datetime, after: dt.datetime, names: Sequence[str]
) -> list[Copy]:
    """Copies that lie in the time and say what the rows say, the oldest first, some columns."""
    touched = _IS_TOUCHED.format(site="d.site_id", first="d.starts_at", after="d.ends_before")
    query = (
        f"SELECT d.starts_at, d.ends_before, {', '.join(f'd.{name}' for name in names)} "  # noqa: S608 - names of columns only
        "FROM hit_days d WHERE d.site_id = %s AND d.starts_at >= %s AND d.ends_before <= %s "
        f"AND NOT {touched} ORDER BY d.starts_at"
    )
    # In binary: as text each column would be twice as long, and read digit by digit.
    with psycopg.Cursor(cursor.connection) as raw:
        raw.execute(query.encode(), [site_id, first, after], binary=True, prepare=False)
        return [
            Copy(to_us(starts_at), to_us(ends_before), dict(zip(names, packed, strict=True)))
            for starts_at, ends_before, *packed in raw.fetchall()
        ]
