"""Raw rows as arrays: binary COPY out of the client's schema, decoded in one go by numpy.

A row of binary COPY whose columns are of fixed width and not null has a fixed number of bytes
(https://www.postgresql.org/docs/current/sql-copy.html, Binary Format): a count of fields, and
before each field its length. So nulls are read as 0, which is the label of what is not set.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracking.models import Dimension
from tracking.rollups.hours import Ints, from_us
from tracking.sessions import GAP_US, LONGEST_US, NO_VISIT

_HEADER, _TRAILER = 19, 2
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

_HITS = "SELECT {columns} FROM hits r WHERE r.site_id = %s AND r.at >= %s AND r.at < %s"
_VISITS = (
    "SELECT {columns}, coalesce(o.outcode, 0) FROM visits r "
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
    columns = ", ".join(
        f"coalesce(r.{name}, 0)::{kind}" if kind != "timestamptz" else f"r.{name}"
        for name, kind in _HIT_COLUMNS.items()
    )
    query = _HITS.format(columns=columns)
    params: list[object] = [site_id, from_us(first), from_us(ends_before)]
    if visit_ids is not None:
        query += " AND r.visit_id = ANY(%s)"
        params.append(visit_ids.tolist())
    return _copied(cursor, query, params, _HIT_COLUMNS)


def _read_visits(
    cursor: Any, site_id: int, first: int, ends_before: int, ids: Ints | None = None
) -> dict[str, Ints]:
    columns = [
        "r.id",
        "r.started_at",
        "greatest(floor(extract(epoch FROM r.last_at - r.started_at)), 0)::int4",
        "r.visitor",
        "r.bounced::int4",
        *(f"r.{name}" for name in _VISIT_COUNTERS),
        *(f"coalesce(r.{name}, 0)::int4" for name in _VISIT_LABELS.values()),
    ]
    query = _VISITS.format(columns=", ".join(columns))
    span = [from_us(first), from_us(ends_before)]
    params: list[object] = [*span, site_id, *span]
    if ids is not None:
        query += " AND r.id = ANY(%s)"
        params.append(ids.tolist())
    kinds = {"id": "int8", "started_at": "timestamptz", "duration_s": "int4", "visitor": "int8"}
    kinds |= dict.fromkeys(
        ["bounced", *_VISIT_COUNTERS, *_VISIT_LABELS.values(), "outcode"], "int4"
    )
    return _copied(cursor, query, params, kinds)


def _copied(
    cursor: Any, query: str, params: list[object], kinds: dict[str, str]
) -> dict[str, Ints]:
    """The query's rows as columns of 64-bit integers; times as microseconds since 1970."""
    with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", params) as copy:
        data = b"".join(copy)
    fields: list[tuple[str, str]] = [("field count", ">i2")]
    for name, kind in kinds.items():
        fields += [(f"{name} length", ">i4"), (name, _WIDTHS[kind])]
    rows = np.frombuffer(memoryview(data)[_HEADER:-_TRAILER], dtype=np.dtype(fields))
    columns = {name: rows[name].astype(np.int64) for name in kinds}
    for name, kind in kinds.items():
        if kind == "timestamptz":
            columns[name] += _POSTGRES_EPOCH
    return columns
