"""Taking entries off the streams: first what a predecessor left pending, then new ones."""

import dataclasses
from typing import Any

import msgspec
import redis
import structlog

from tracking.columns import Columns, Gathering
from tracking.streams import (
    FIELD,
    GROUP,
    alone,
    decode_entry,
    decode_hits_one_by_one,
    entry_of,
    stream_name,
)

MAX_ENTRIES = 5_000
MAX_HITS = 80_000
"""A backlog is read in batches of about so many: the larger, the fewer visits are written twice."""
NEW = b">"
FIRST_PENDING = b"0"

logger = structlog.get_logger(__name__)


@dataclasses.dataclass(slots=True)
class Batch:
    """Decoded entries and where they came from."""

    hits: Columns | None = None
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
        gathering = Gathering()
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
            self._decode(partition, entries, batch, gathering)
        entries_read = sum(map(len, batch.entries.values()))
        if entries_read:
            self._hits_per_entry = max(1.0, len(gathering) / entries_read)
            batch.hits = _sound(gathering.columns(), batch)
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
    def _decode(partition: int, entries: list[Any], batch: Batch, gathering: Gathering) -> None:
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
                entry = decode_entry(payload)
            except msgspec.DecodeError:
                _decode_poison(payload, batch, gathering)
            else:
                gathering.add(entry.records, entry.paths, entry.hits)


def _decode_poison(payload: bytes, batch: Batch, gathering: Gathering) -> None:
    """Save the good hits of an entry that holds bad ones."""
    try:
        good, bad = decode_hits_one_by_one(payload)
    except msgspec.DecodeError as error:
        batch.dead.append((f"entry is no list of hits: {error}", payload))
        return
    entry = entry_of(good)
    gathering.add(entry.records, entry.paths, entry.hits)
    batch.dead += [(f"hit has the wrong form: {reason}", alone(raw)) for raw, reason in bad]


def _sound(hits: Columns, batch: Batch) -> Columns:
    """The hits without those of which a record has a number that no hit has."""
    is_sound = hits.are_in_range()
    if is_sound.all():
        return hits
    wrong = hits.take(~is_sound)
    reasons = dict(wrong.damaged())
    for number, raw in enumerate(wrong.encoded()):
        batch.dead.append((reasons.get(number, "record of a hit is out of range"), alone(raw)))
    return hits.take(is_sound)
