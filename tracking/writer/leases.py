"""Who reads which partition: leases in Valkey, shared out evenly among the writers alive.

A lease keeps two writers from reading one partition at a time, so that a visitor's hits are
stored in order. It is no lock: a writer that was stopped for longer than `LEASE_MS` may overlap
with its successor, and the hits are still stored once (tracking.writer.store).
"""

import math
import os
import secrets
import socket
import threading
import time

import redis
import structlog

from tracking.streams import lease_name

LEASE_MS = 6_000
"""How long a killed writer keeps its partitions from the others."""
RENEW_S = 1.5
ALIVE_S = 10
"""A writer that gave no sign for so long is not counted."""

logger = structlog.get_logger(__name__)

# A lease that ran out while this writer or Valkey stood still is taken again if it is free.
_RENEW = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""


def alive_name(prefix: str, writer: str) -> str:
    """Key that exists while the writer lives; the health check looks for its prefix."""
    return f"{prefix}:alive:writer:{writer}"


class Leases:
    """The partitions this writer holds, kept alive by a thread of its own."""

    def __init__(
        self, valkey: "redis.Redis", prefix: str, partitions: int, only: frozenset[int] | None
    ) -> None:
        self.writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._valkey = valkey
        self._prefix = prefix
        self._wanted = [p for p in range(partitions) if only is None or p in only]
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._shared_at = 0.0
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to give signs of life."""
        self._thread.start()

    def stop(self) -> None:
        """Give everything back. With Valkey away the leases run out by themselves."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        try:
            for partition in self.held:
                self._release(partition)
            pipe = self._valkey.pipeline(transaction=False)
            pipe.zrem(f"{self._prefix}:writers", self.writer)
            pipe.delete(alive_name(self._prefix, self.writer))
            pipe.execute()
        except redis.RedisError:
            logger.warning("leases run out by themselves", writer=self.writer)

    @property
    def held(self) -> list[int]:
        """Partitions to read, in order."""
        with self._lock:
            return sorted(self._held)

    @property
    def is_due(self) -> bool:
        """Whether it is time to share out anew."""
        return time.monotonic() - self._shared_at > RENEW_S

    def share_out(self) -> None:
        """Take free partitions up to a fair share, give back what is above it.

        Called between batches, when nothing of a partition is in work. Raises RedisError.
        """
        self._shared_at = time.monotonic()
        share = math.ceil(len(self._wanted) / max(1, self._give_sign()))
        held = self.held
        for partition in held[share:]:
            self._release(partition)
        for partition in self._wanted:
            if len(self.held) >= share:
                break
            if partition not in held and self._valkey.set(
                lease_name(self._prefix, partition), self.writer, nx=True, px=LEASE_MS
            ):
                with self._lock:
                    self._held.add(partition)
                logger.info("partition taken", partition=partition, writer=self.writer)

    def _release(self, partition: int) -> None:
        with self._lock:
            self._held.discard(partition)
        self._valkey.eval(_RELEASE, 1, lease_name(self._prefix, partition), self.writer)
        logger.info("partition given back", partition=partition, writer=self.writer)

    def _give_sign(self) -> int:
        """Say that this writer lives; returns how many do."""
        name, now = f"{self._prefix}:writers", time.time()
        pipe = self._valkey.pipeline(transaction=False)
        pipe.set(alive_name(self._prefix, self.writer), int(now), ex=ALIVE_S)
        pipe.zadd(name, {self.writer: now})
        pipe.zremrangebyscore(name, "-inf", now - ALIVE_S)
        pipe.zcard(name)
        return int(pipe.execute()[-1])

    def _keep(self) -> None:
        while not self._stopped.wait(RENEW_S):
            try:
                self._give_sign()
                for partition in self.held:
                    self._renew(partition)
            except redis.RedisError as error:
                logger.warning("valkey is away", error=type(error).__name__)

    def _renew(self, partition: int) -> None:
        name = lease_name(self._prefix, partition)
        if not self._valkey.eval(_RENEW, 1, name, self.writer, str(LEASE_MS)):
            with self._lock:
                self._held.discard(partition)
            logger.warning("partition lost", partition=partition, writer=self.writer)
