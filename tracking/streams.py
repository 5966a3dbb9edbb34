"""Names and form of the hit stream between collector and writer.

`partitions` streams hold the hits; a hit's partition follows from its visitor, so one writer at
a time sees all hits of a visitor in order. All writers share the consumer group `writers`; the
holder of a partition's lease reads it under the consumer name `p<partition>`, so what a killed
writer left pending is found under the same name by the next holder.

An entry is a micro-batch: one field `b`, a MessagePack array of three. First the hits' records one
after the other, the numbers that are asked of every hit in `RECORD`s of one size, so that a writer
reads a batch of them as arrays (tracking.columns); then their paths; then each hit itself, encoded,
of which most are never opened. A plain array of hits is read too: former collectors sent it, and
spool and dead letters, whose hits are opened anyway, have it, since it is smaller.
"""

import struct
from collections.abc import Sequence

import msgspec

from tracking.hits import Hit, has_more

GROUP = "writers"
FIELD = b"b"

RECORD = struct.Struct("<q8sqiiiBBB")
"""at_us, last half of the id (big-endian), visitor, client id, site id, engaged_s, kind, scroll,
and of these flags those that are true."""
HAS_MORE = 1
"""As `tracking.hits.has_more`."""
HAS_OUTCODE = 2
IS_INTERACTIVE = 4


class Entry(msgspec.Struct, array_like=True, gc=False):
    """Hits as an entry holds them, an element of each for each."""

    records: bytes
    paths: list[str]
    hits: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[Hit])
_entry_decoder = msgspec.msgpack.Decoder(Entry)
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
encode_hit = _encode
decode_hit = msgspec.msgpack.Decoder(Hit).decode


_BYTES = {b"\xc4", b"\xc5", b"\xc6"}
"""What bytes begin with in MessagePack."""


def stream_name(prefix: str, partition: int) -> str:
    """Stream of a partition."""
    return f"{prefix}:hits:{partition}"


def dead_name(prefix: str) -> str:
    """Stream of entries and hits that could not be stored, each with its reason."""
    return f"{prefix}:dead"


def lease_name(prefix: str, partition: int) -> str:
    """Key that the writer holding a partition keeps alive."""
    return f"{prefix}:lease:{partition}"


def partition_of(visitor: int, partitions: int) -> int:
    """Partition of a visitor (signed 64-bit)."""
    return (visitor & 0x7FFFFFFFFFFFFFFF) % partitions


def entry_of(hits: Sequence[Hit]) -> Entry:
    """Hits in the form of an entry. Raises struct.error for a number that no record holds."""
    return Entry(
        b"".join(map(record_of, hits)),
        [hit.path for hit in hits],
        [_encode(hit) for hit in hits],
    )


def record_of(hit: Hit) -> bytes:
    """A hit's `RECORD`. Raises struct.error for a number that it does not hold."""
    flags = HAS_MORE if has_more(hit) else 0
    if hit.outcode:
        flags |= HAS_OUTCODE
    if hit.interactive:
        flags |= IS_INTERACTIVE
    return RECORD.pack(
        hit.at_us,
        hit.id[8:],
        hit.visitor,
        hit.client_id,
        hit.site_id,
        hit.engaged_s,
        hit.kind,
        hit.scroll,
        flags,
    )


def encode_hits(hits: Sequence[Hit]) -> bytes:
    """The entry's payload. Raises struct.error for a number that no record holds."""
    return _encode(entry_of(hits))


def encode_plainly(hits: Sequence[Hit]) -> bytes:
    """The same as a plain array, a third smaller."""
    return _encode(hits)


def alone(hit: bytes) -> bytes:
    """A payload of one encoded hit, whatever is wrong with it."""
    return b"\x91" + hit  # heads a MessagePack array of one


def decode_entry(payload: bytes) -> Entry:
    """An entry of either form, its hits unopened unless it is a plain array of them.

    Raises msgspec.DecodeError (also for a wrong shape) for a poison entry.
    """
    try:
        entry = _entry_decoder.decode(payload)
    except msgspec.DecodeError:
        return entry_of(_decoder.decode(payload))
    if len(entry.records) != RECORD.size * len(entry.hits) or len(entry.paths) != len(entry.hits):
        raise msgspec.ValidationError("Records, paths and hits are not equally many")
    return entry


def decode_hits(payload: bytes) -> list[Hit]:
    """Hits of an entry; raises msgspec.DecodeError (also for a wrong shape) for a poison entry."""
    try:
        entry = _entry_decoder.decode(payload)
    except msgspec.DecodeError:
        return _decoder.decode(payload)
    return [decode_hit(raw) for raw in entry.hits]


def decode_hits_one_by_one(payload: bytes) -> tuple[list[Hit], list[tuple[bytes, str]]]:
    """Good hits, and (raw bytes, reason) of the others; for entries `decode_hits` refuses."""
    raws: Sequence[bytes | msgspec.Raw]
    try:
        raws = _entry_decoder.decode(payload).hits
    except msgspec.DecodeError:
        raws = _raw_decoder.decode(payload)
        if raws and bytes(raws[0])[:1] in _BYTES:  # records: an entry that is broken as a whole
            raise
    good: list[Hit] = []
    bad: list[tuple[bytes, str]] = []
    for raw in raws:
        try:
            good.append(decode_hit(raw))
        except msgspec.DecodeError as error:
            bad.append((bytes(raw), str(error)))
    return good, bad
