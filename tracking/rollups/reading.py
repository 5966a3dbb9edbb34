"""Raw rows as arrays: PostgreSQL aggregates each column, numpy decodes it in one go.

In the binary form of an array without nulls each element takes the same room: its length, then
its value, big-endian, after a header of five numbers. So nulls are read as 0, which is the label
of what is not set. COPY would give the same bytes row by row, at four times the cost.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from tracking.models import Dimension
from tracking.raw_rows import hits_and_pings
from tracking.rollups.hours import Ints, from_us
from tracking.visits import GAP_US, LONGEST_US, NO_VISIT

_HEADER = 20
_WIDTHS = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "timestamptz": ">i8"}
_POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01, from which binary timestamps count."""

_HIT_COLUMNS = {
    "at": "timestamptz",
    "visit_id": "int8",
    "kind": "int2",
    "path": "int4",
    "name": "int4",
    "status": "int2",
    "engaged_s": "int4",
    "bytes_sent": "int8",
}
_VISIT_LABELS = {
    Dimension.ENTRY: "entry",
    Dimension.EXIT: "exit",
    Dimension.SOURCE: "source",
    Dimension.CHANNEL: "channel",
    Dimension.UTM_SOURCE: "utm_source",
    Dimension.UTM_MEDIUM: "utm_medium",
    Dimension.UTM_CAMPAIGN: "utm_campaign",
    Dimension.UTM_TERM: "utm_term",
    Dimension.UTM_CONTENT: "utm_content",
    Dimension.COUNTRY: "country",
    Dimension.REGION: "region",
    Dimension.BROWSER: "browser",
    Dimension.OS: "os",
    Dimension.DEVICE: "device",
    Dimension.LANGUAGE: "language",
}
_VISIT_COUNTERS = ("pageviews", "events", "engaged_s")

_VISITS = (
    "SELECT {columns} FROM visits r "
    "LEFT JOIN origins o ON o.started_at = r.started_at AND o.visit_id = r.id "
    "AND o.started_at >= %s AND o.started_at < %s "
    "WHERE r.site_id = %s AND r.started_at >= %s AND r.started_at < %s"
)


@dataclass(frozen=True)
class Hits:
    """Columns of hits, in no order. `visit` is an index into the visits."""

    at: Ints
    visit: Ints
    kind: Ints
    path: Ints
    name: Ints
    status: Ints
    engaged_s: Ints
    bytes_sent: Ints


@dataclass(frozen=True)
class Visits:
    """Columns of visits, ordered by id."""

    id: Ints
    started_at: Ints
    duration_s: Ints
    visitor: Ints
    bounced: Ints
    pageviews: Ints
    events: Ints
    engaged_s: Ints
    labels: dict[Dimension, Ints]


def read_hours(cursor: Any, site_id: int, first: int, ends_before: int) -> tuple[Hits, Visits]:
    """Hits of a time, their visits, the visits that start in it; instants in microseconds.

    Of visits that started before, all earlier hits are among the hits too: without them nobody
    could say which hit of a page was its visit's first. Two to four queries. A hit without a
    visit (its visit is gone with an older partition) is left out.
    """
    hits = _read_hits(cursor, site_id, first, ends_before)
    visits = _read_visits(cursor, site_id, first, ends_before)
    others = np.setdiff1d(hits["visit_id"], np.append(visits["id"], NO_VISIT))
    if others.size:
        # A hit may come up to a gap before its visit's start, and a day after it.
        outer = _read_visits(cursor, site_id, first - LONGEST_US, ends_before + GAP_US, others)
        visits = {name: np.concatenate([outer[name], visits[name]]) for name in visits}
    straddling = visits["started_at"] < first + GAP_US
    if straddling.any():
        since = int(visits["started_at"][straddling].min()) - GAP_US
        before = _read_hits(cursor, site_id, since, first, visits["id"][straddling])
        hits = {name: np.concatenate([before[name], hits[name]]) for name in hits}
    return _joined(hits, visits)


def _joined(hits: dict[str, Ints], visits: dict[str, Ints]) -> tuple[Hits, Visits]:
    order = np.argsort(visits["id"], kind="stable")
    visits = {name: column[order] for name, column in visits.items()}
    place = np.searchsorted(visits["id"], hits["visit_id"])
    place = np.minimum(place, max(visits["id"].size - 1, 0))
    known = np.zeros(place.size, dtype=bool)
    if visits["id"].size:
        known = visits["id"][place] == hits["visit_id"]
    kept = {name: column[known] for name, column in hits.items() if name != "visit_id"}
    labels = {dimension: visits[column] for dimension, column in _VISIT_LABELS.items()}
    labels[Dimension.TOTAL] = np.zeros_like(visits["id"])
    labels[Dimension.OUTCODE] = visits["outcode"]
    return Hits(visit=place[known], **kept), Visits(
        id=visits["id"],
        started_at=visits["started_at"],
        duration_s=visits["duration_s"],
        visitor=visits["visitor"],
        bounced=visits["bounced"],
        pageviews=visits["pageviews"],
        events=visits["events"],
        engaged_s=visits["engaged_s"],
        labels=labels,
    )


def _read_hits(
    cursor: Any, site_id: int, first: int, ends_before: int, visit_ids: Ints | None = None
) -> dict[str, Ints]:
    table, params = hits_and_pings([site_id], from_us(first), from_us(ends_before))
    query = f"SELECT {{columns}} FROM {table} r"  # noqa: S608 - our own words
    if visit_ids is not None:
        query += " WHERE r.visit_id = ANY(%s::bigint[])"
        params.append(visit_ids.tolist())
    columns = {
        name: f"r.{name}" if kind == "timestamptz" else f"coalesce(r.{name}, 0)"
        for name, kind in _HIT_COLUMNS.items()
    }
    return read_arrays(cursor, query, params, columns, _HIT_COLUMNS)


def _read_visits(
    cursor: Any, site_id: int, first: int, ends_before: int, ids: Ints | None = None
) -> dict[str, Ints]:
    query = _VISITS
    span = [from_us(first), from_us(ends_before)]
    params: list[object] = [*span, site_id, *span]
    if ids is not None:
        query += " AND r.id = ANY(%s::bigint[])"
        params.append(ids.tolist())
    columns = {
        "id": "r.id",
        "started_at": "r.started_at",
        "duration_s": "greatest(floor(extract(epoch FROM r.last_at - r.started_at)), 0)",
        "visitor": "r.visitor",
        "bounced": "r.bounced",
        **{name: f"r.{name}" for name in _VISIT_COUNTERS},
        **{name: f"coalesce(r.{name}, 0)" for name in _VISIT_LABELS.values()},
        "outcode": "coalesce(o.outcode, 0)",
    }
    kinds = dict.fromkeys(columns, "int4")
    kinds |= {"id": "int8", "started_at": "timestamptz", "visitor": "int8"}
    return read_arrays(cursor, query, params, columns, kinds)


def read_arrays(
    cursor: Any,
    query: str,
    params: list[object],
    columns: dict[str, str],
    kinds: dict[str, str],
) -> dict[str, Ints]:
    """The query's rows as columns of 64-bit integers; times as microseconds since 1970."""
    aggregates = ", ".join(f"array_agg(({columns[name]})::{kinds[name]})" for name in columns)
    # Django's cursors bind parameters in the client, which asks for text; nothing is prepared,
    # since a statement of another client's schema would look the same.
    raw = psycopg.Cursor(cursor.connection)
    with raw:
        raw.execute(query.format(columns=aggregates).encode(), params, binary=True, prepare=False)
        result = raw.pgresult
        arrays = {}
        for number, name in enumerate(columns):
            data = None if result is None else result.get_value(0, number)
            arrays[name] = _decoded(data or b"", _WIDTHS[kinds[name]])
            if kinds[name] == "timestamptz":
                arrays[name] += _POSTGRES_EPOCH
    return arrays


def _decoded(data: bytes, width: str) -> Ints:
    """Elements of a binary array; none of no array, which is what no rows aggregate to."""
    elements = np.dtype([("length", ">i4"), ("value", width)])
    return np.frombuffer(memoryview(data)[_HEADER:], dtype=elements)["value"].astype(np.int64)
