"""Rows in PostgreSQL's binary COPY format.

https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format": per row a 16-bit number of
fields, then for each its 32-bit length (-1 for null) and its bytes, all big-endian. A length of
4 and a 32-bit value that is not negative are packed as one 64-bit number, and what is the same
in every row as bytes: the fewer arguments `struct.pack` has, the dearest call here, the better.
Hits that say only what all say, most of them, are packed a thousand at a time.
"""

import struct
from collections.abc import Iterator, Mapping
from operator import attrgetter

import msgspec
import numpy as np

from tracking.columns import Columns, Ints
from tracking.hits import Hit
from tracking.sessions import Sessions
from tracking.visits import NO_VISIT, Visit

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
CHUNK = 1_000
"""Rows packed before they are sent: PostgreSQL stores one chunk while the next is packed."""
EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000."""

HIT_COLUMNS = (
    "at, visit_id, tag, site_id, path, kind, "
    "scroll, engaged_s, name, host, status, import_id, bytes_sent, props"
)
VISIT_COLUMNS = (
    "id, started_at, last_at, visitor, site_id, pageviews, events, engaged_s, entry, exit, "
    "source, channel, country, language, browser, os, device, consented, bounced, "
    "region, utm_source, utm_medium, utm_campaign, utm_term, utm_content, import_id, pings"
)
ORIGIN_COLUMNS = "started_at, visit_id, ip_key_id, outcode, ip_sealed"

_NULL = b"\xff\xff\xff\xff"
_FOUR = 4 << 32
_TWO = struct.Struct(">ih").pack
_INT = struct.Struct(">q").pack
_EIGHT = struct.Struct(">iq").pack
_LENGTH = struct.Struct(">i").pack
_EIGHT_NULLS = _NULL * 8
# A hit from its number of fields to its kind, and nulls for all that it may say more.
_PLAIN_HIT = np.dtype(
    [
        ("head", "V6"),
        ("at", ">i8"),
        ("length_of_visit", ">i4"),
        ("visit", ">i8"),
        ("length_of_tag", ">i4"),
        ("tag", ">i8"),
        ("site", ">i8"),
        ("path", ">i8"),
        ("length_of_kind", ">i4"),
        ("kind", ">i2"),
        ("nulls", f"V{len(_EIGHT_NULLS)}"),
    ]
)
_HIT_HEAD = np.void(struct.pack(">hi", 14, 8))
_VISIT = struct.Struct(">h iq iq iq iq 13q i? i?".replace(" ", "")).pack
_NO_CAMPAIGN = _NULL * 7
_ORIGIN = struct.Struct(">hiqiq").pack
_encode_json = msgspec.json.Encoder().encode


visit_dimensions = attrgetter(
    "source",
    "channel",
    "country",
    "language",
    "browser",
    "os",
    "device",
    "region",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
)
"""Texts of a visit's dimensions, of its first hit: seven always stored, six that may be null."""


def pack_hits(sessions: Sessions, ids: Mapping[str, int]) -> Iterator[bytes]:
    """Rows of `hits` of those that are stored as rows, `CHUNK` at a time."""
    places = np.flatnonzero(sessions.is_row)
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        visits = [sessions.visits[place] for place in chunk.tolist()]
        visit_ids = [NO_VISIT if visit is None else visit.id for visit in visits]
        yield _pack_some(sessions.hits.take(chunk), sessions.paths[chunk], visit_ids, ids)


def _pack_some(hits: Columns, paths: Ints, visit_ids: list[int], ids: Mapping[str, int]) -> bytes:
    rows = np.empty(len(hits), _PLAIN_HIT)
    rows["head"], rows["nulls"] = _HIT_HEAD, np.void(_EIGHT_NULLS)
    rows["length_of_visit"] = rows["length_of_tag"] = 8
    rows["length_of_kind"] = 2
    rows["at"] = hits.at_us - EPOCH_US
    rows["visit"] = visit_ids
    rows["tag"] = hits.tag
    rows["site"] = hits.site_id | _FOUR
    rows["path"] = paths | _FOUR
    rows["kind"] = hits.kind
    raw = rows.tobytes()
    others = np.flatnonzero(hits.has_more | (hits.engaged_s != 0) | (hits.scroll != 0))
    if not len(others):
        return raw
    parts: list[bytes] = []
    done, size = 0, _PLAIN_HIT.itemsize
    for place, hit in zip(others.tolist(), hits.hits(others), strict=True):
        ends = (place + 1) * size
        parts += raw[done : ends - len(_EIGHT_NULLS)], _extras(hit, ids)
        done = ends
    parts.append(raw[done:])
    return b"".join(parts)


def _extras(hit: Hit, ids: Mapping[str, int]) -> bytes:
    name, host = hit.name, hit.host
    return b"".join(
        (
            _TWO(2, hit.scroll) if hit.scroll else _NULL,
            _INT(_FOUR | hit.engaged_s) if hit.engaged_s else _NULL,
            _INT(_FOUR | ids[name]) if name else _NULL,
            _INT(_FOUR | ids[host]) if host else _NULL,
            _TWO(2, hit.status) if hit.status else _NULL,
            _INT(_FOUR | hit.import_id) if hit.import_id else _NULL,
            _EIGHT(8, hit.bytes_sent) if hit.bytes_sent else _NULL,
            _pack_props(hit.props) if hit.props else _NULL,
        )
    )


def _pack_props(props: dict[str, str]) -> bytes:
    """A jsonb field: version 1, then JSON text, in which PostgreSQL refuses NUL."""
    clean = {_clean(key): _clean(value) for key, value in props.items()}
    raw = _encode_json(clean)
    return _LENGTH(len(raw) + 1) + b"\x01" + raw


def _clean(text: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def pack_visit(visit: Visit, ids: Mapping[str, int]) -> bytes:
    """Row of `visits` for a new visit; its dimensions are those of its first hit."""
    first = visit.first
    if first is None:
        raise ValueError("Only a new visit is packed.")
    dimensions: tuple[str, ...] = visit_dimensions(first)
    source, channel, country, language, browser, os, device = dimensions[:7]
    head = _VISIT(
        27,
        8,
        visit.id,
        8,
        visit.started_us - EPOCH_US,
        8,
        visit.last_us - EPOCH_US,
        8,
        visit.visitor,
        _FOUR | visit.site_id,
        _FOUR | visit.pageviews,
        _FOUR | visit.events,
        _FOUR | visit.engaged_s,
        _FOUR | visit.entry,
        _FOUR | visit.exit,
        _FOUR | ids[source],
        _FOUR | ids[channel],
        _FOUR | ids[country],
        _FOUR | ids[language],
        _FOUR | ids[browser],
        _FOUR | ids[os],
        _FOUR | ids[device],
        1,
        first.consented,
        1,
        visit.bounced,
    )
    pings = _LENGTH(len(visit.pings)) + visit.pings if visit.pings else _NULL
    optional = dimensions[7:]
    if not (first.import_id or any(optional)):
        return head + _NO_CAMPAIGN + pings
    fields = [_INT(_FOUR | ids[text]) if text else _NULL for text in optional]
    fields.append(_INT(_FOUR | first.import_id) if first.import_id else _NULL)
    return head + b"".join(fields) + pings


def pack_origin(visit: Visit, outcode: str, ids: Mapping[str, int]) -> bytes | None:
    """Row of `origins` for a new visit, or None when there is nothing to keep."""
    first = visit.first
    if first is None or not (first.ip_sealed or outcode):
        return None
    sealed = first.ip_sealed
    return b"".join(
        (
            _ORIGIN(5, 8, visit.started_us - EPOCH_US, 8, visit.id),
            _INT(_FOUR | first.ip_key_id) if first.ip_key_id else _NULL,
            _INT(_FOUR | ids[outcode]) if outcode else _NULL,
            _LENGTH(len(sealed)) + sealed if sealed else _NULL,
        )
    )
