"""Names and form of the hit stream between collector and writer.

`partitions` streams hold the hits; a hit's partition follows from its visitor, so one writer at
a time sees all hits of a visitor in order. An entry is a micro-batch: one field `b`, a
MessagePack array of hits. All writers share the consumer group `writers`; the holder of a
partition's lease reads it under the consumer name `p<partition>`, so what a killed writer left
pending is found under the same name by the next holder.
"""

from collections.abc import Sequence

import msgspec

from tracking.hits import Hit

GROUP = "writers"
FIELD = b"b"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Hit])
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_hit_decoder = msgspec.msgpack.Decoder(Hit)


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


def encode_hits(hits: Sequence[Hit]) -> bytes:
    """The entry's payload."""
    return _encoder.encode(hits)


def decode_hits(payload: bytes) -> list[Hit]:
    """Hits of an entry; raises msgspec.DecodeError (also for a wrong shape) for a poison entry."""
    return _decoder.decode(payload)


def decode_hits_one_by_one(payload: bytes) -> tuple[list[Hit], list[tuple[bytes, str]]]:
    """Good hits, and (raw bytes, reason) of the others; for entries `decode_hits` refuses."""
    good: list[Hit] = []
    bad: list[tuple[bytes, str]] = []
    for raw in _raw_decoder.decode(payload):
        try:
            good.append(_hit_decoder.decode(raw))
        except msgspec.DecodeError as error:
            bad.append((bytes(raw), str(error)))
    return good, bad
