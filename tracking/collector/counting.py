"""Counting what was refused: in memory, brought to Valkey every second."""

import asyncio
import datetime as dt
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tracking.refusals import KEEP_S, Reason, refused_field, refused_name

logger = logging.getLogger(__name__)

EVERY_S = 1.0

Counts = dict[tuple[dt.date, int, Reason], int]


class RefusalCounter:
    """Counts of one process; as many entries as clients times reasons, whatever is sent."""

    def __init__(self, valkey: "Redis", prefix: str) -> None:
        self._valkey = valkey
        self._prefix = prefix
        self._counts: Counts = {}

    def add(self, client_id: int, reason: Reason) -> None:
        """Count one refusal, today (UTC)."""
        name = (dt.datetime.now(dt.UTC).date(), client_id, reason)
        self._counts[name] = self._counts.get(name, 0) + 1

    async def flush_forever(self) -> None:
        """Bring the counts to Valkey every EVERY_S; while it is away they wait."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Bring the counts to Valkey. A reply that is lost may count a second twice."""
        if not self._counts:
            return
        taken, self._counts = self._counts, {}
        pipe = self._valkey.pipeline(transaction=True)
        for (day, client_id, reason), count in taken.items():
            pipe.hincrby(refused_name(self._prefix, day), refused_field(client_id, reason), count)
        for day in {day for day, _, _ in taken}:
            pipe.expire(refused_name(self._prefix, day), KEEP_S)
        try:
            await pipe.execute()
        except (RedisError, OSError):
            for name, count in taken.items():
                self._counts[name] = self._counts.get(name, 0) + count
