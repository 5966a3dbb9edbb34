"""The hit: what may be stored of one page view or event, and nothing else.

The collector and the weblog import make hits; the writer stores them. A `Hit` holds no raw IP
address, no inward postcode, no cookie value and no query string.
"""

import enum
import os
import struct
import uuid
from typing import Annotated

import msgspec
from msgspec import Meta


class Kind(enum.IntEnum):
    """What happened. Stored as smallint in `hits.kind`."""

    PAGEVIEW = 1
    EVENT = 2
    ENGAGEMENT = 3
    """Seconds and scroll depth of a page already counted; never a hit of its own in a report."""
    OUTBOUND = 4
    DOWNLOAD = 5
    NOT_FOUND = 6
    """A page view that ended on the site's 404 page: counts as page view and under *404*."""


PAGE_KINDS = frozenset({Kind.PAGEVIEW, Kind.NOT_FOUND})
"""Kinds that count as page views."""


MAX_ENGAGED_S = 86_400
"""Of a hit: a day."""

HitId = Annotated[bytes, Meta(min_length=16, max_length=16)]
Moment = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
RowId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
KindNumber = Annotated[int, Meta(ge=1, le=6)]
Visitor = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=MAX_ENGAGED_S)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Status = Annotated[int, Meta(ge=0, le=999)]
ByteCount = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Sealed = Annotated[bytes, Meta(max_length=1_000)]


class Hit(msgspec.Struct, array_like=True, gc=False, omit_defaults=False):
    """One hit on its way to the client's schema, as stored.

    Times are UTC microseconds since 1970. Texts are cut to their column's length and "" when
    unknown. `id` is a UUIDv7 whose 48-bit time is `at_us // 1000`. The bounds are checked where a
    hit is decoded, not where it is made.
    """

    id: HitId
    client_id: RowId
    site_id: RowId
    at_us: Moment
    kind: KindNumber
    visitor: Visitor
    """Signed 64-bit keyed hash: of the cookie id when `consented`, else of the day's visitor."""
    consented: bool
    host: str
    """Host name of the page, "" when it is the site's first host."""
    path: str
    name: str = ""
    """Event name; target URL without query for outbound and download."""
    props: dict[str, str] | None = None
    interactive: bool = True
    """False: an event that does not end a bounce."""
    engaged_s: Seconds = 0
    scroll: Percent = 0
    """Greatest depth seen, 0 to 100 percent."""
    status: Status = 0
    """HTTP status code; 0 from the browser."""
    bytes_sent: ByteCount = 0
    source: str = ""
    """Referrer's host name or known source's name; "" is direct."""
    channel: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    country: str = ""
    """ISO 3166-1 alpha-2."""
    region: str = ""
    """ISO 3166-2 subdivision, e.g. GB-ENG; "" without a city database."""
    language: str = ""
    browser: str = ""
    os: str = ""
    device: str = ""
    outcode: str = ""
    """Outward code or ZIP with its country in front: "GB SW1A", "US 902"."""
    ip_key_id: RowId = 0
    """Key of `ip_sealed` in the keys database; 0 when `ip_sealed` is not encrypted or empty."""
    ip_sealed: Sealed = b""
    """nonce(12) | ciphertext | tag(16) for mode encrypted; packed network for truncated."""
    import_id: RowId = 0
    """Weblog import that brought it; 0 for live hits."""


_last_bits = struct.Struct(">12xI").unpack
_VERSION_AND_VARIANT = 7 << 76 | 2 << 62
_RANDOM_BITS = (1 << 80) - 1 & ~(15 << 76 | 3 << 62)


def uuid7_bytes(at_us: int, random_bytes: bytes | None = None) -> bytes:
    """UUIDv7 (RFC 9562, 5.7) of a time in microseconds; 74 random bits unless 10 bytes are given.

    The same time and the same `random_bytes` give the same id: so an import is idempotent.
    """
    random = int.from_bytes(os.urandom(10) if random_bytes is None else random_bytes[:10], "big")
    return (at_us // 1000 << 80 | random & _RANDOM_BITS | _VERSION_AND_VARIANT).to_bytes(16, "big")


def has_more(hit: Hit) -> bool:
    """Whether it says more than all hits do: a name, a host, properties, a status and the like."""
    return bool(hit.name or hit.host or hit.props or hit.status or hit.import_id or hit.bytes_sent)


def tag_of(hit_id: bytes) -> int:
    """The last 8 bytes of an id, signed: 62 random bits, which name it beside its time."""
    return int.from_bytes(hit_id[8:], "big", signed=True)


def visit_id_of(hit_id: bytes, at_us: int) -> int:
    """Id of the visit that a hit begins: its second (32 bits), then the last 31 bits of its id.

    Positive, 63 bits. What is sealed beside such a visit is bound to it by these 8 bytes.
    """
    low: int = _last_bits(hit_id)[0]
    return (at_us // 1_000_000 & 0xFFFFFFFF) << 31 | low & 0x7FFFFFFF


def origin_row_id(hit_id: bytes, at_us: int) -> bytes:
    """Row id, in associated data, of the row of `origins` of the visit that this hit begins."""
    return visit_id_of(hit_id, at_us).to_bytes(8, "big")


def uuid7_ms(value: uuid.UUID | bytes) -> int:
    """Milliseconds since 1970 in a UUIDv7."""
    raw = value.bytes if isinstance(value, uuid.UUID) else value
    return int.from_bytes(raw[:6], "big")
