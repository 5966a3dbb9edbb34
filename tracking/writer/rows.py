"""Rows in PostgreSQL's binary COPY format.

https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format": per row a 16-bit number of
fields, then for each its 32-bit length (-1 for null) and its bytes, all big-endian. A length of
4 and a 32-bit value that is not negative are packed as one 64-bit number, and what is the same
in every row as bytes: the fewer arguments `struct.pack` has, the dearest call here, the better.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter

import msgspec

from tracking.hits import Hit
from tracking.sessions import NO_VISIT, Visit

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
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
_LENGTH_8 = _LENGTH(8)
# A hit from its number of fields to its kind, and to its end where nothing or only times follow.
_HIT_HEAD = struct.Struct(">hi").pack(14, 8)
_HIT = struct.Struct(">6sq4sq4s8sqq").pack
_PLAIN = struct.Struct(">6sq4sq4s8sqq38s").pack
_ENGAGED = struct.Struct(">6sq4sq4s8sqq10shq24s").pack
_KINDS = tuple(_TWO(2, kind) for kind in range(7))
_PLAIN_ENDS = tuple(kind + _NULL * 8 for kind in _KINDS)
_ENGAGED_KINDS = tuple(kind + _LENGTH(2) for kind in _KINDS)
_SIX_NULLS = _NULL * 6
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


def pack_hits(
    hits: Iterable[Hit], visits: Iterable[Visit | None], ids: Mapping[str, int]
) -> Iterator[bytes]:
    """Row of `hits` of each hit, with its visit. They must be valid (tracking.writer.validity)."""
    head, eight, nulls = _HIT_HEAD, _LENGTH_8, _SIX_NULLS
    four, epoch_us = _FOUR, EPOCH_US
    for hit, visit in zip(hits, visits, strict=True):
        visit_id = NO_VISIT if visit is None else visit.id
        at, site, path, kind = hit.at_us - epoch_us, four | hit.site_id, ids[hit.path], hit.kind
        path |= four
        engaged_s, scroll, tag = hit.engaged_s, hit.scroll, hit.id[8:]
        if (
            hit.name
            or hit.host
            or hit.props
            or hit.status
            or hit.import_id
            or hit.bytes_sent
            or (engaged_s == 0) is not (scroll == 0)
        ):
            end = _KINDS[kind] + _extras(hit, ids)
            yield _HIT(head, at, eight, visit_id, eight, tag, site, path) + end
        elif engaged_s:
            engaged_s |= four
            end = _ENGAGED_KINDS[kind]
            yield _ENGAGED(
                head,
                at,
                eight,
                visit_id,
                eight,
                tag,
                site,
                path,
                end,
                scroll,
                engaged_s,
                nulls,
            )
        else:
            end = _PLAIN_ENDS[kind]
            yield _PLAIN(head, at, eight, visit_id, eight, tag, site, path, end)


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
