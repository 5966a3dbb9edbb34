"""Making hits durable: micro-batches to the streams of Valkey, or to the spool while it is away.

A hit is accepted when Valkey has appended it (its reply comes after the write to the append-only
file) or when the spool is synced. Which of both: the spool while Valkey is away, slow, refuses
writes or holds too many unread entries, and until all that was spooled is replayed, so that a
visitor's hits keep their order.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from tracking.collector.spool import Spool, SpoolFullError
from tracking.hits import Hit
from tracking.streams import FIELD, encode_hits, partition_of, stream_name

logger = logging.getLogger(__name__)

WINDOW_S = 0.001
"""How long a micro-batch gathers hits, besides the time in which the one before is written."""
TIMEOUT_S = 1.0
"""A slower Valkey counts as away; what it then stores all the same has ids the writer knows."""
WATCH_S = 0.5
MAX_BATCH = 1_000
ADOPT_EVERY = 10
"""Watches between two looks for spool files of dead processes."""

Waiting = tuple[Hit, "asyncio.Future[bool]"]
T = TypeVar("T")


def connect(url: str) -> "Redis":
    """A client that fails fast: whoever waits has a spool."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class Lane:
    """One connection that only appends entries to streams.

    The library's connection without its pipeline, which costs four times as much a batch.
    """

    def __init__(self, url: str) -> None:
        # Time-outs are set around the whole round trip: one timer instead of one a reply.
        pool = ConnectionPool.from_url(
            url, socket_timeout=None, socket_connect_timeout=None, retry=Retry(NoBackoff(), 0)
        )
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        self._turn = asyncio.Lock()

    async def append(self, entries: Sequence[tuple[str, bytes]]) -> list[ResponseError | None]:
        """Append entries (stream, payload) in one round trip; for each its error, or None.

        Raises RedisError or OSError (TimeoutError too) when it is unknown what was appended.
        """
        connection = self._connection
        commands = connection.pack_commands(
            [("XADD", stream, "*", FIELD, payload) for stream, payload in entries]
        )
        errors: list[ResponseError | None] = []
        async with self._turn:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await connection.send_packed_command(commands, check_health=False)
                    for _ in entries:
                        try:
                            await connection.read_response()
                            errors.append(None)
                        except ResponseError as error:
                            errors.append(error)
            except BaseException:
                # A reply that comes later would be taken for that of another entry.
                await connection.disconnect(nowait=True)
                raise
        return errors

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect(nowait=True)


class Intake:
    """Takes hits of one process. Made, started and stopped in one event loop."""

    def __init__(
        self, *, url: str, prefix: str, partitions: int, max_entries: int, spool: Spool
    ) -> None:
        self._valkey = connect(url)
        self._lane = Lane(url)
        self._streams = [stream_name(prefix, number) for number in range(partitions)]
        self._max_entries = max_entries
        self._spool = spool
        # One thread: the spool's calls come one after the other, and never in the event loop.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="collector-spool")
        self._waiting: list[Waiting] = []
        self._has_hits = asyncio.Event()
        self._storing = asyncio.Lock()
        self._is_spooling = False
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    @property
    def is_spooling(self) -> bool:
        """Whether new hits go to the spool."""
        return self._is_spooling

    async def start(self) -> None:
        """Take over what was spooled, and begin. Raises OSError when the spool cannot be used."""
        adopted = await self._on_disk(self._spool.adopt)
        if adopted:
            self._begin_spooling("hits were left in the spool")
        self._tasks = [
            self._loop.create_task(self._flush_forever(), name="collector-flush"),
            self._loop.create_task(self._watch_forever(), name="collector-watch"),
        ]

    async def stop(self) -> None:
        """Store what waits, answer it, and let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._waiting:
            await self._store(self._take())
        async with self._storing:  # the batch that the cancelled flush had taken
            await self._on_disk(self._spool.close)
        self._disk.shutdown()
        await self._lane.close()
        await self._valkey.aclose()

    def put(self, hit: Hit) -> "asyncio.Future[bool]":
        """Hand a hit over; the future tells whether it is durable (False: it is not stored)."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((hit, future))
        if len(self._waiting) == 1:
            self._has_hits.set()
        return future

    async def _flush_forever(self) -> None:
        while True:
            await self._has_hits.wait()
            await asyncio.sleep(WINDOW_S)
            # Shielded: `stop` must not cancel what is taken and half way to Valkey.
            await asyncio.shield(self._store(self._take()))

    def _take(self) -> list[Waiting]:
        taken, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if not self._waiting:
            self._has_hits.clear()
        return taken

    async def _store(self, waiting: Sequence[Waiting]) -> None:
        if not waiting:
            return
        hits = [hit for hit, _ in waiting]
        is_stored = False
        try:
            async with self._storing:
                if not self._is_spooling:
                    hits = await self._send(hits)
                is_stored = not hits or await self._append(hits)
        finally:
            for _, future in waiting:
                if not future.done():
                    future.set_result(is_stored)

    async def _send(self, hits: Sequence[Hit]) -> list[Hit]:
        """Write hits to their streams in one round trip; those that Valkey did not take."""
        groups: dict[int, list[Hit]] = {}
        count = len(self._streams)
        for hit in hits:
            groups.setdefault(partition_of(hit.visitor, count), []).append(hit)
        entries = [
            (self._streams[partition], encode_hits(group)) for partition, group in groups.items()
        ]
        try:
            errors = await self._lane.append(entries)
        except (RedisError, OSError) as error:
            self._begin_spooling(type(error).__name__)
            return list(hits)
        refused: list[Hit] = []
        for group, refusal in zip(groups.values(), errors, strict=True):
            if refusal is not None:
                self._begin_spooling(type(refusal).__name__)
                refused += group
        return refused

    async def _append(self, hits: Sequence[Hit]) -> bool:
        try:
            await self._on_disk(lambda: self._spool.append(hits))
        except SpoolFullError:
            return False
        except OSError as error:
            logger.error("The spool cannot be written: %s.", error.strerror)
            return False
        return True

    def _begin_spooling(self, reason: str) -> None:
        if not self._is_spooling:
            logger.warning("Hits go to the spool: %s.", reason)
        self._is_spooling = True

    # --- back from the spool

    async def _watch_forever(self) -> None:
        for turn in itertools.count(1):
            await asyncio.sleep(WATCH_S)
            adopted = 0 if turn % ADOPT_EVERY else await self._on_disk(self._spool.adopt)
            if adopted:
                self._begin_spooling("a process that is gone left hits in the spool")
            try:
                has_room = await self._has_room()
            except (RedisError, OSError) as error:
                self._begin_spooling(type(error).__name__)
                continue
            if not has_room:
                self._begin_spooling("the streams hold too many unread entries")
            elif self._is_spooling:
                await self._replay()

    async def _has_room(self) -> bool:
        """Whether the writers keep up. One round trip."""
        pipe = self._valkey.pipeline(transaction=False)
        for name in self._streams:
            pipe.xlen(name)
        lengths: list[int] = await pipe.execute()
        return max(lengths) < self._max_entries

    async def _replay(self) -> None:
        """Send what is spooled, oldest first; when nothing is left, new hits go direct again."""
        replayed = 0
        while not self._spool.is_empty:
            hits = await self._on_disk(self._spool.read)
            if await self._send_all(hits):
                return
            await self._on_disk(self._spool.advance)
            replayed += len(hits)
        async with self._storing:
            self._is_spooling = not self._spool.is_empty
        if not self._is_spooling:
            logger.info("Valkey has all hits again; %d came from the spool.", replayed)

    async def _send_all(self, hits: Sequence[Hit]) -> bool:
        """Whether Valkey refused some of them."""
        for start in range(0, len(hits), MAX_BATCH):
            if await self._send(hits[start : start + MAX_BATCH]):
                return True
        return False

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._disk, work)
