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

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tracking.collector.lane import Lane
from tracking.collector.spool import Spool, SpoolFullError
from tracking.collector.tasks import end_tasks
from tracking.hits import Hit
from tracking.streams import encode_hits, partition_of, stream_name

logger = logging.getLogger(__name__)

MAX_FLIGHTS = 4
"""Batches on their way at once; hits that come meanwhile make the next one."""
TIMEOUT_S = 1.0
"""A slower Valkey counts as away; what it then stores all the same has ids the writer knows."""
WATCH_S = 0.5
MAX_BATCH = 1_000
STOPPING_S = 0.005
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


class Intake:
    """Takes hits of one process. Made, started and stopped in one event loop."""

    def __init__(
        self, *, url: str, prefix: str, partitions: int, max_entries: int, spool: Spool
    ) -> None:
        self._valkey = connect(url)
        self._lane = Lane(url, timeout_s=TIMEOUT_S)
        self._streams = [stream_name(prefix, number) for number in range(partitions)]
        self._max_entries = max_entries
        self._spool = spool
        # One thread: the spool's calls come one after the other, and never in the event loop.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="collector-spool")
        self._waiting: list[Waiting] = []
        self._unsent: list[Waiting] = []
        """What Valkey did not take, older than what waits."""
        self._on_their_way = 0
        self._flush_is_due = False
        self._is_spooling = False
        self._spooling: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
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
        try:
            await self._lane.connect()
        except (RedisError, OSError) as error:
            self._begin_spooling(type(error).__name__)
        self._watching = self._loop.create_task(self._watch_forever(), name="collector-watch")

    async def stop(self) -> None:
        """Store what waits, answer it, and let go. Takes TIMEOUT_S and the disk's time at most."""
        if self._watching is not None:
            await end_tasks([self._watching])
        while self._waiting or self._unsent or self._on_their_way or self._spooling:
            self._flush()
            await asyncio.sleep(STOPPING_S)
        await self._on_disk(self._spool.close)
        self._disk.shutdown()
        await self._lane.close()
        await self._valkey.aclose()

    def put(self, hit: Hit) -> "asyncio.Future[bool]":
        """Hand a hit over; the future tells whether it is durable (False: it is not stored)."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((hit, future))
        if not self._flush_is_due and self._on_their_way < MAX_FLIGHTS:
            # At the end of this turn of the loop: the other requests of the turn come along.
            self._flush_is_due = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        """Send what waits, unless enough is on its way: its landing then flushes."""
        self._flush_is_due = False
        if not self._is_spooling and not self._lane.is_connected:
            self._begin_spooling("no connection")
        if self._is_spooling or self._unsent:
            if self._spooling is None and (self._waiting or self._unsent):
                self._spooling = self._loop.create_task(self._spool_all(), name="collector-spool")
        elif self._waiting and self._on_their_way < MAX_FLIGHTS:
            taken, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._send(taken)

    def _send(self, waiting: list[Waiting]) -> None:
        """Append hits to their streams; what Valkey does not take goes to the spool."""
        groups: dict[int, list[Waiting]] = {}
        count = len(self._streams)
        for each in waiting:
            partition = partition_of(each[0].visitor, count)
            if partition in groups:
                groups[partition].append(each)
            else:
                groups[partition] = [each]
        entries = [
            (self._streams[partition], encode_hits([hit for hit, _ in group]))
            for partition, group in groups.items()
        ]

        def landed(errors: list[str] | None) -> None:
            self._on_their_way -= 1
            if errors is None:
                self._begin_spooling("no answer")
                self._unsent += waiting
            else:
                for group, error in zip(groups.values(), errors, strict=True):
                    if error:
                        self._begin_spooling(error)
                        self._unsent += group
                    else:
                        _settle(group, is_stored=True)
            self._flush()

        self._on_their_way += 1
        self._lane.send(entries, landed)

    async def _spool_all(self) -> None:
        """Spool what Valkey did not take, then what waits, until nothing does."""
        try:
            while self._unsent or (self._waiting and self._is_spooling):
                if not self._unsent:
                    self._unsent, self._waiting = self._waiting, []
                taken, self._unsent = self._unsent[:MAX_BATCH], self._unsent[MAX_BATCH:]
                is_stored = False
                try:
                    is_stored = await self._append([hit for hit, _ in taken])
                finally:
                    _settle(taken, is_stored=is_stored)
        finally:
            self._spooling = None

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
                await self._lane.connect()
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
            for start in range(0, len(hits), MAX_BATCH):
                if not await self._replay_batch(hits[start : start + MAX_BATCH]):
                    return
            await self._on_disk(self._spool.advance)
            replayed += len(hits)
        # What is being spooled at this moment is replayed at the next look.
        self._is_spooling = (
            self._spooling is not None or bool(self._unsent) or not self._spool.is_empty
        )
        if not self._is_spooling:
            logger.info("Valkey has all hits again; %d came from the spool.", replayed)
            self._flush()

    async def _replay_batch(self, hits: Sequence[Hit]) -> bool:
        """Whether Valkey took them all."""
        if not self._lane.is_connected:
            return False
        groups: dict[int, list[Hit]] = {}
        for hit in hits:
            groups.setdefault(partition_of(hit.visitor, len(self._streams)), []).append(hit)
        entries = [
            (self._streams[partition], encode_hits(group)) for partition, group in groups.items()
        ]
        answer: asyncio.Future[bool] = self._loop.create_future()

        def landed(errors: list[str] | None) -> None:
            if not answer.done():  # `stop` cancels a replay
                answer.set_result(errors is not None and not any(errors))

        self._lane.send(entries, landed)
        return await answer

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._disk, work)


def _settle(waiting: Sequence[Waiting], *, is_stored: bool) -> None:
    """Tell those who wait for their answer; some have gone."""
    for _, future in waiting:
        if not future.done():
            future.set_result(is_stored)
