"""Rows in PostgreSQL's binary COPY format.

https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format": per row a 16-bit number of
fields, then for each its 32-bit length (-1 for null) and its bytes, all big-endian. A length of
4 and a 32-bit value that is not negative are packed as one 64-bit number, which halves the
arguments of `struct.pack`, the dearest call here.
"""

import struct
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from tracking.hits import Hit
from tracking.sessions import NO_VISIT, Visit

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000."""

HIT_COLUMNS = (
    "at, visit_id, id, site_id, path, kind, "
    "scroll, engaged_s, name, host, status, import_id, bytes_sent, props"
)
VISIT_COLUMNS = (
    "id, started_at, last_at, visitor, site_id, pageviews, events, engaged_s, entry, exit, "
    "source, channel, country, language, browser, os, device, consented, bounced, "
    "region, utm_source, utm_medium, utm_campaign, utm_term, utm_content, import_id"
)
ORIGIN_COLUMNS = "started_at, visit_id, hit_id, ip_key_id, outcode, ip_sealed"

_NULL = b"\xff\xff\xff\xff"
_FOUR = 4 << 32
_TWO = struct.Struct(">ih").pack
_INT = struct.Struct(">q").pack
_EIGHT = struct.Struct(">iq").pack
_LENGTH = struct.Struct(">i").pack
_HIT = struct.Struct(">hiqiqi16sqqih").pack
_PLAIN = struct.Struct(">hiqiqi16sqqih32s").pack
_ENGAGED = struct.Struct(">hiqiqi16sqqihihq24s").pack
_EIGHT_NULLS = _NULL * 8
_SIX_NULLS = _NULL * 6
_VISIT = struct.Struct(">h iq iq iq iq 13q i? i?".replace(" ", "")).pack
_NO_CAMPAIGN = _NULL * 7
_ORIGIN = struct.Struct(">hiqiqi16s").pack
_encode_json = msgspec.json.Encoder().encode


visit_dimensions = attrgetter(
    "first.source",
    "first.channel",
    "first.country",
    "first.language",
    "first.browser",
    "first.os",
    "first.device",
    "first.region",
    "first.utm_source",
    "first.utm_medium",
    "first.utm_campaign",
    "first.utm_term",
    "first.utm_content",
)
"""Texts of a new visit's dimensions: seven that are always stored, then six that may be null."""


def pack_hit(hit: Hit, visit: Visit | None, ids: Mapping[str, int]) -> bytes:
    """Row of `hits`. The hit must be valid (tracking.writer.validity)."""
    visit_id = NO_VISIT if visit is None else visit.id
    at, site, path = hit.at_us - EPOCH_US, _FOUR | hit.site_id, _FOUR | ids[hit.path]
    if (
        hit.name
        or hit.host
        or hit.props
        or hit.status
        or hit.import_id
        or hit.bytes_sent
        or (hit.engaged_s == 0) is not (hit.scroll == 0)
    ):
        head = _HIT(14, 8, at, 8, visit_id, 16, hit.id, site, path, 2, hit.kind)
        return head + _extras(hit, ids)
    if hit.engaged_s:
        scroll, engaged_s = hit.scroll, _FOUR | hit.engaged_s
        return _ENGAGED(
            *(14, 8, at, 8, visit_id, 16, hit.id, site, path, 2, hit.kind, 2, scroll, engaged_s),
            _SIX_NULLS,
        )
    return _PLAIN(14, 8, at, 8, visit_id, 16, hit.id, site, path, 2, hit.kind, _EIGHT_NULLS)


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
    dimensions: tuple[str, ...] = visit_dimensions(visit)
    source, channel, country, language, browser, os, device = dimensions[:7]
    head = _VISIT(
        26,
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
    optional = dimensions[7:]
    if not (first.import_id or any(optional)):
        return head + _NO_CAMPAIGN
    fields = [_INT(_FOUR | ids[text]) if text else _NULL for text in optional]
    fields.append(_INT(_FOUR | first.import_id) if first.import_id else _NULL)
    return head + b"".join(fields)


def pack_origin(visit: Visit, outcode: str, ids: Mapping[str, int]) -> bytes | None:
    """Row of `origins` for a new visit, or None when there is nothing to keep."""
    first = visit.first
    if first is None or not (first.ip_sealed or outcode):
        return None
    sealed = first.ip_sealed
    return b"".join(
        (
            _ORIGIN(6, 8, visit.started_us - EPOCH_US, 8, visit.id, 16, first.id),
            _INT(_FOUR | first.ip_key_id) if first.ip_key_id else _NULL,
            _INT(_FOUR | ids[outcode]) if outcode else _NULL,
            _LENGTH(len(sealed)) + sealed if sealed else _NULL,
        )
    )
