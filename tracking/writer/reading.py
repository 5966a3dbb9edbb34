"""Taking entries off the streams: first what a predecessor left pending, then new ones."""

import dataclasses
from typing import Any

import msgspec
import redis
import structlog

from tracking.hits import Hit
from tracking.streams import FIELD, GROUP, decode_hits, decode_hits_one_by_one, stream_name

MAX_ENTRIES = 5_000
MAX_HITS = 80_000
"""A backlog is read in batches of about so many: the larger, the fewer visits are written twice."""
NEW = b">"
FIRST_PENDING = b"0"

logger = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class Batch:
    """Decoded entries and where they came from."""

    hits: list[Hit] = dataclasses.field(default_factory=list)
    entries: dict[int, list[bytes]] = dataclasses.field(default_factory=dict)
    """Entry ids to acknowledge, by partition."""
    dead: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)
    """Reason and payload of what cannot be decoded."""
    maybe_stored: bool = False
    """Some of it was delivered before, and perhaps stored."""
    has_more: bool = False


class Reader:
    """Reads the partitions it is told to under the group's one consumer name for each."""

    def __init__(self, valkey: "redis.Redis", prefix: str) -> None:
        self._valkey = valkey
        self._prefix = prefix
        self._positions: dict[int, bytes] = {}
        # Learned from each batch; at first as for entries of a busy collector.
        self._hits_per_entry = 50.0

    def start_over(self) -> None:
        """Read what is pending again: after an answer of Valkey was lost, it may hold entries."""
        self._positions.clear()

    def take(self, partitions: list[int]) -> Batch:
        """What these partitions hold, at most about `MAX_HITS`, at once. Raises RedisError."""
        batch = Batch()
        if not partitions:
            return batch
        for partition in set(self._positions).difference(partitions):
            del self._positions[partition]  # another writer may have had it in between
        count = min(MAX_ENTRIES, int(MAX_HITS / self._hits_per_entry) + 1) // len(partitions) + 1
        pipe = self._valkey.pipeline(transaction=False)
        asked = [(p, self._positions.get(p, FIRST_PENDING)) for p in partitions]
        for partition, position in asked:
            name = stream_name(self._prefix, partition)
            pipe.xreadgroup(GROUP, f"p{partition}", {name: position}, count=count)
        for (partition, position), answer in zip(
            asked, pipe.execute(raise_on_error=False), strict=True
        ):
            if isinstance(answer, redis.ResponseError) and "NOGROUP" in str(answer):
                self._make_group(partition)
                continue
            if isinstance(answer, Exception):
                raise answer
            entries = answer[0][1] if answer else []
            if position != NEW:
                batch.maybe_stored = batch.maybe_stored or bool(entries)
                self._positions[partition] = entries[-1][0] if entries else NEW
            batch.has_more |= len(entries) >= count or position != NEW
            self._decode(partition, entries, batch)
        entries_read = sum(map(len, batch.entries.values()))
        if entries_read:
            self._hits_per_entry = max(1.0, len(batch.hits) / entries_read)
        return batch

    def _make_group(self, partition: int) -> None:
        try:
            self._valkey.xgroup_create(
                stream_name(self._prefix, partition), GROUP, id="0", mkstream=True
            )
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    @staticmethod
    def _decode(partition: int, entries: list[Any], batch: Batch) -> None:
        if not entries:
            return
        batch.entries[partition] = [entry_id for entry_id, _ in entries]
        for _, fields in entries:
            if not fields:  # deleted already, but not acknowledged
                continue
            payload = fields.get(FIELD)
            if payload is None:
                batch.dead.append(("entry has no payload", repr(sorted(fields)).encode()))
                continue
            try:
                batch.hits += decode_hits(payload)
            except msgspec.DecodeError:
                _decode_poison(payload, batch)


def _decode_poison(payload: bytes, batch: Batch) -> None:
    """Save the good hits of an entry that holds bad ones."""
    try:
        good, bad = decode_hits_one_by_one(payload)
    except msgspec.DecodeError as error:
        batch.dead.append((f"entry is no list of hits: {error}", payload))
        return
    batch.hits += good
    # 0x91 heads a MessagePack array of one: a dead letter has the form of an entry.
    batch.dead += [(f"hit has the wrong form: {reason}", b"\x91" + raw) for raw, reason in bad]
