"""Hits that could not be stored: read, put back on their streams, or discarded.

A letter is as safe to put back as any entry is to deliver: the writer knows a stored hit by its
id. Taking it off the dead stream and adding it to its partition is one script, so that two people
who press the button at once put it back once. Says nothing of what a hit holds.
"""

import datetime as dt
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis
from django.conf import settings

from tenants.audit import record_act
from tracking.hits import Hit
from tracking.streams import (
    FIELD,
    dead_name,
    decode_hits,
    decode_hits_one_by_one,
    encode_hits,
    partition_of,
    stream_name,
)

READ_AT_ONCE = 1_000

# KEYS: the dead stream, then the streams of the partitions. ARGV: the letter's id, the field's
# name, then a payload for each of those streams. 0: somebody else has dealt with it.
_PUT_BACK = """
if redis.call('xdel', KEYS[1], ARGV[1]) == 0 then return 0 end
for i = 2, #KEYS do redis.call('xadd', KEYS[i], '*', ARGV[2], ARGV[i + 1]) end
return 1
"""


@dataclass(frozen=True)
class DeadLetter:
    """One entry of the dead stream, without anything of its hits."""

    id: str
    """Of its entry, such as 1780000000000-0."""
    reason: str
    at: dt.datetime
    """When it was buried, UTC."""
    hits: int
    """Hits in it; those of a damaged entry cannot be counted, and are 0."""
    client_ids: tuple[int, ...]
    """Of the hits that can be read, in order."""
    partitions: tuple[int, ...]
    """Streams that it would go back to; empty: it cannot be read, so it cannot go back."""

    @property
    def can_go_back(self) -> bool:
        """Whether all its hits can be read, which is not to say that they can be stored."""
        return bool(self.partitions)


@dataclass(frozen=True)
class Which:
    """Which letters are meant; None: that makes no difference."""

    ids: Container[str] | None = None
    reason: str | None = None
    clients: Container[int] | None = None
    """Leaves out what holds a hit of another client, and what cannot be read."""

    def means(self, letter: DeadLetter) -> bool:
        """Whether it is one of them."""
        if self.ids is not None and letter.id not in self.ids:
            return False
        if self.reason is not None and letter.reason != self.reason:
            return False
        if self.clients is None:
            return True
        return bool(letter.client_ids) and all(one in self.clients for one in letter.client_ids)


ALL = Which()


@dataclass(frozen=True)
class Outcome:
    """What became of letters; a letter that somebody else dealt with meanwhile counts nowhere."""

    letters: int = 0
    hits: int = 0
    unreadable: int = 0
    """Left where they were."""


def read_letters(
    valkey: "redis.Redis",
    *,
    prefix: str = settings.STREAM_PREFIX,
    partitions: int = settings.PARTITIONS,
    which: Which = ALL,
) -> list[DeadLetter]:
    """Letters, the newest first; [] when there are none. Raises redis.RedisError."""
    return [letter for letter, _ in _read(valkey, prefix, partitions) if which.means(letter)]


def count_letters(valkey: "redis.Redis", *, prefix: str = settings.STREAM_PREFIX) -> int:
    """How many letters there are. Raises redis.RedisError."""
    number: Any = valkey.xlen(dead_name(prefix))  # redis-py types it for its async twin too
    return int(number)


def put_back(
    valkey: "redis.Redis",
    *,
    acting_user: str,
    prefix: str = settings.STREAM_PREFIX,
    partitions: int = settings.PARTITIONS,
    which: Which = ALL,
) -> Outcome:
    """Put letters back on the streams of their visitors; an audit entry for each client.

    Those that cannot be read stay. Raises redis.RedisError; what was put back until then is
    recorded.
    """
    script = valkey.register_script(_PUT_BACK)
    done: list[DeadLetter] = []
    unreadable = 0
    try:
        for letter, hits in _read(valkey, prefix, partitions):
            if not which.means(letter):
                continue
            if not letter.can_go_back:
                unreadable += 1
                continue
            payloads = [
                encode_hits([hit for hit in hits if partition_of(hit.visitor, partitions) == one])
                for one in letter.partitions
            ]
            keys = [dead_name(prefix), *(stream_name(prefix, one) for one in letter.partitions)]
            if script(keys=keys, args=[letter.id, FIELD, *payloads]):
                done.append(letter)
    finally:
        _record("dead_letters.put_back", done, acting_user)
    return Outcome(len(done), sum(letter.hits for letter in done), unreadable)


def discard(
    valkey: "redis.Redis",
    *,
    acting_user: str,
    prefix: str = settings.STREAM_PREFIX,
    partitions: int = settings.PARTITIONS,
    which: Which = ALL,
) -> Outcome:
    """Delete letters for good; an audit entry for each client. Raises redis.RedisError."""
    done: list[DeadLetter] = []
    try:
        for letter, _ in _read(valkey, prefix, partitions):
            if which.means(letter) and valkey.xdel(dead_name(prefix), letter.id):
                done.append(letter)
    finally:
        _record("dead_letters.discard", done, acting_user)
    return Outcome(len(done), sum(letter.hits for letter in done))


def by_reason(letters: Iterable[DeadLetter]) -> list[tuple[str, int, int]]:
    """(reason, letters, hits), the most frequent first."""
    numbers: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for letter in letters:
        numbers[letter.reason] += 1
        hits[letter.reason] += letter.hits
    return [(reason, number, hits[reason]) for reason, number in numbers.most_common()]


def _read(
    valkey: "redis.Redis", prefix: str, partitions: int
) -> Iterable[tuple[DeadLetter, list[Hit]]]:
    """Every letter with its readable hits, the newest first, in pieces."""
    before = "+"
    while True:
        # redis-py's answers have types too wide to read
        entries: Any = valkey.xrevrange(dead_name(prefix), max=before, count=READ_AT_ONCE)
        for entry_id, fields in entries:
            yield _letter(entry_id.decode(), fields, partitions)
        if len(entries) < READ_AT_ONCE:
            return
        before = f"({entries[-1][0].decode()}"


def _letter(
    entry_id: str, fields: dict[bytes, bytes], partitions: int
) -> tuple[DeadLetter, list[Hit]]:
    payload = fields.get(b"payload", b"")
    hits, number, is_whole = _hits_in(payload)
    letter = DeadLetter(
        id=entry_id,
        reason=fields.get(b"reason", b"").decode("utf-8", "replace") or "no reason was given",
        # The entry's own time where the writer's is missing.
        at=dt.datetime.fromtimestamp(
            int(fields.get(b"at", b"0")) or int(entry_id.partition("-")[0]) / 1_000, dt.UTC
        ),
        hits=number,
        client_ids=tuple(sorted({hit.client_id for hit in hits})),
        partitions=tuple(sorted({partition_of(hit.visitor, partitions) for hit in hits}))
        if is_whole
        else (),
    )
    return letter, hits


def _hits_in(payload: bytes) -> tuple[list[Hit], int, bool]:
    """Readable hits, how many there are with the others, and whether there are no others."""
    try:
        hits = decode_hits(payload)
    except msgspec.DecodeError:
        pass
    else:
        return hits, len(hits), bool(hits)
    try:
        hits, bad = decode_hits_one_by_one(payload)
    except msgspec.DecodeError:
        return [], 0, False
    return hits, len(hits) + len(bad), False


def _record(act: str, letters: Sequence[DeadLetter], acting_user: str) -> None:
    """An entry for each client, and one without client for what cannot be read."""
    concerned: dict[int | None, list[DeadLetter]] = {}
    for letter in letters:
        for client_id in letter.client_ids or (None,):
            concerned.setdefault(client_id, []).append(letter)
    for client_id, own in concerned.items():
        record_act(
            act,
            acting_user=acting_user,
            client_id=client_id,
            details={
                "letters": len(own),
                "hits": sum(letter.hits for letter in own),
                "reasons": {reason: number for reason, number, _ in by_reason(own)},
            },
        )
