"""The writer's loop: take a batch, store it client by client, acknowledge it.

An entry is acknowledged and deleted only after its hits are committed, so what dies in between
leaves it pending, and its next delivery finds the stored hits by their ids. PostgreSQL or Valkey
away is waited out. What can never be stored goes to the dead-letter stream with its reason.
"""

import itertools
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import msgspec
import numpy as np
import redis
import structlog
from django.db import DatabaseError, DataError, InterfaceError, OperationalError, connection

from tracking.columns import Columns
from tracking.streams import GROUP, alone, dead_name, stream_name
from tracking.writer.directory import Directory, KnownClient
from tracking.writer.leases import Leases
from tracking.writer.reading import Batch, Reader
from tracking.writer.store import InvalidHitsError, StoreError, store_hits

LINGER_S = 0.25
"""Batches of a stream without backlog are at least so far apart: fewer transactions, and a click
is still stored within half a second."""
IDLE_S = 0.05
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DEAD_LETTERS_MAX = 10_000
UNEXPECTED_TRIES = 3
"""Times that a client's hits are tried when PostgreSQL refuses them for no reason of theirs."""
# What a value of a hit may bring about, here or in PostgreSQL, if it is worse than foreseen.
_VALUE_ERRORS = (
    StoreError,
    DataError,
    ValueError,
    LookupError,
    ArithmeticError,
    struct.error,
)

logger = structlog.get_logger(__name__)

Result = TypeVar("Result")


class Writer:
    """One writer process; `run` returns after `stop`."""

    def __init__(self, url: str, prefix: str, partitions: int, only: frozenset[int] | None = None):
        self._valkey = redis.Redis.from_url(
            url, socket_timeout=10, socket_connect_timeout=5, protocol=2
        )
        self._prefix = prefix
        # Connections are taken from the pool, so the lease's thread never waits for a read.
        self.leases = Leases(self._valkey, prefix, partitions, only)
        self._reader = Reader(self._valkey, prefix)
        self._directory = Directory()
        self._stopping = threading.Event()
        self.stored = 0
        self.duplicates = 0
        self.dead = 0

    def stop(self) -> None:
        """Finish the batch in work, give the leases back and return from `run`."""
        self._stopping.set()

    def run(self) -> None:
        """Write until `stop` is called."""
        logger.info("writer starts", writer=self.leases.writer)
        self.leases.start()
        ahead: Future[Batch] | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="reader") as pool:
            while not self._stopping.is_set() or ahead is not None:
                began = time.monotonic()
                batch = self._next_batch(ahead)
                ahead = None
                if batch.has_more and not self._stopping.is_set() and not self.leases.is_due:
                    # A backlog: read and decode the next batch while PostgreSQL stores this one.
                    ahead = pool.submit(self._reader.take, self.leases.held)
                if batch.entries:
                    self._settle(batch)
                if not batch.has_more:
                    linger = LINGER_S if batch.entries else IDLE_S
                    self._stopping.wait(max(0.0, began + linger - time.monotonic()))
        self.leases.stop()
        connection.close()
        self._valkey.close()
        logger.info(
            "writer stopped", stored=self.stored, duplicates=self.duplicates, dead=self.dead
        )

    def drain(self) -> None:
        """Write what the streams hold now and return: for benchmarks and tests."""
        self.leases.share_out()
        empty = 0
        while empty < 2:
            batch = self._next_batch(None)
            empty = 0 if batch.entries or batch.has_more else empty + 1
            if batch.entries:
                self._settle(batch)
        self.leases.stop()

    def _next_batch(self, ahead: "Future[Batch] | None") -> Batch:
        """The batch read ahead, or a new one; an empty one when stopped while Valkey is away."""
        if ahead is not None:
            try:
                return ahead.result()
            except redis.RedisError:
                self._reader.start_over()
        return self._with_valkey(self._take) or Batch()

    def _take(self) -> Batch:
        if self.leases.is_due:
            self.leases.share_out()
        return self._reader.take(self.leases.held)

    def _with_valkey(self, act: Callable[[], Result]) -> Result | None:
        """What `act` returns, tried until Valkey is there; None when stopped before."""
        for pause_s in _pauses():
            try:
                return act()
            except redis.RedisError as error:
                logger.warning("valkey is away", error=type(error).__name__)
                self._reader.start_over()
                if self._stopping.wait(pause_s):
                    return None
        raise AssertionError("pauses never end")

    def _settle(self, batch: Batch) -> None:
        """Store the batch and acknowledge it; stopped before, it stays pending."""
        dead = list(batch.dead)
        for client_id, own in _by_client(batch.hits):
            if not self._store_patiently(client_id, own, batch.maybe_stored, dead):
                return
        self._with_valkey(lambda: self._acknowledge(batch, dead))

    def _store_patiently(
        self, client_id: int, hits: Columns, maybe_stored: bool, dead: list[tuple[str, bytes]]
    ) -> bool:
        """Store a client's hits, waiting while PostgreSQL is away; False when stopped before."""
        unexpected = 0
        for pause_s in _pauses():
            try:
                self._store_client(client_id, hits, maybe_stored, dead)
            except (OperationalError, InterfaceError) as error:
                logger.warning("postgres is away", error=type(error).__name__)
            except DatabaseError as error:
                # A schema that is being dropped or migrated, say: it must not hold up the others.
                unexpected += 1
                # Its type only: a message of PostgreSQL quotes values.
                logger.error(
                    "a client's hits were refused", client=client_id, error=type(error).__name__
                )
                if unexpected >= UNEXPECTED_TRIES:
                    reason = f"refused by the database: {type(error).__name__}"
                    dead.extend((reason, alone(hit)) for hit in hits.encoded())
                    return True
            else:
                return True
            maybe_stored = True
            connection.close()
            if self._stopping.wait(pause_s):
                return False
        raise AssertionError("pauses never end")

    def _store_client(
        self, client_id: int, hits: Columns, maybe_stored: bool, dead: list[tuple[str, bytes]]
    ) -> None:
        known = self._directory.find(client_id, set(hits.site_id.tolist()))
        if known is None:
            dead.extend(("client is unknown", alone(hit)) for hit in hits.encoded())
            return
        refused: list[tuple[str, bytes]] = []
        self._store_parts(known, hits, maybe_stored, refused)
        dead.extend(refused)

    def _store_parts(
        self,
        known: KnownClient,
        hits: Columns,
        maybe_stored: bool,
        refused: list[tuple[str, bytes]],
    ) -> None:
        """Store what can be stored: invalid hits are named, others are found by halving."""
        try:
            result = store_hits(
                known.client,
                hits,
                zones=known.zones,
                maybe_stored=maybe_stored,
            )
        except InvalidHitsError as error:
            self._store_others(known, hits, error.invalid, maybe_stored, refused)
        except msgspec.DecodeError:
            self._store_others(known, hits, hits.damaged(), maybe_stored, refused)
        except _VALUE_ERRORS as error:
            if len(hits) == 1:
                refused.append(
                    (f"refused by the database: {type(error).__name__}", alone(hits.encoded()[0]))
                )
                return
            half = len(hits) // 2
            self._store_parts(known, hits.take(slice(half)), maybe_stored, refused)
            self._store_parts(known, hits.take(slice(half, None)), maybe_stored, refused)
        else:
            self.stored += result.stored
            self.duplicates += result.duplicates

    def _store_others(
        self,
        known: KnownClient,
        hits: Columns,
        bad: list[tuple[int, str]],
        maybe_stored: bool,
        refused: list[tuple[str, bytes]],
    ) -> None:
        """Refuse the bad ones, at least one, by place and reason, and store the others."""
        encoded = hits.encoded()
        refused.extend((reason, alone(encoded[place])) for place, reason in bad)
        rest = hits.take(np.delete(np.arange(len(hits)), [place for place, _ in bad]))
        if len(rest):
            self._store_parts(known, rest, maybe_stored, refused)

    def _acknowledge(self, batch: Batch, dead: list[tuple[str, bytes]]) -> bool:
        """Bury what could not be stored, then take the entries off the streams."""
        pipe = self._valkey.pipeline(transaction=True)
        now = int(time.time())
        for reason, payload in dead:
            pipe.xadd(
                dead_name(self._prefix),
                {"reason": reason, "payload": payload, "at": now},
                maxlen=DEAD_LETTERS_MAX,
            )
        for partition, entry_ids in batch.entries.items():
            name = stream_name(self._prefix, partition)
            pipe.xack(name, GROUP, *entry_ids)
            pipe.xdel(name, *entry_ids)
        pipe.execute()
        self.dead += len(dead)
        for reason, number in Counter(reason for reason, _ in dead).items():
            logger.warning("dead letters", reason=reason, number=number)
        return True


def _by_client(hits: Columns | None) -> Iterator[tuple[int, Columns]]:
    if hits is None or not len(hits):
        return
    first = int(hits.client_id[0])
    if (hits.client_id == first).all():
        yield first, hits
        return
    for client_id in np.unique(hits.client_id).tolist():
        yield client_id, hits.take(hits.client_id == client_id)


def _pauses() -> Iterator[float]:
    """Seconds to wait between tries, without end."""
    return itertools.chain(BACKOFF_S, itertools.repeat(BACKOFF_S[-1]))
