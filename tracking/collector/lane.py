"""One connection that only appends entries to streams, several batches on their way at once.

The library connects (TLS, log-in, database); then its transport is read by a protocol of our own.
Its reader wants a coroutine a reply, which costs more than all else that a batch needs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import hiredis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostError

from tracking.streams import FIELD

Landed = Callable[[list[str] | None], None]
"""Told for each entry "" or the code of its error (`OOM`), in order; None when it is unknown what
was appended."""


class _Flight:
    """A batch on its way."""

    __slots__ = ("count", "errors", "landed", "sent_at")

    def __init__(self, count: int, landed: Landed, sent_at: float) -> None:
        self.count = count
        self.landed = landed
        self.sent_at = sent_at
        self.errors: list[str] = []


class Lane(asyncio.Protocol):
    """A connection to Valkey that appends. Not connected until `connect`, nor after a fault."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        self._transport: asyncio.WriteTransport | None = None
        self._replies = hiredis.Reader()
        self._flights: deque[_Flight] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def is_connected(self) -> bool:
        """Whether `send` may be called."""
        return self._transport is not None

    async def connect(self) -> None:
        """Connect, unless it is. Raises RedisError or OSError (TimeoutError too)."""
        if self._transport is not None:
            return
        await self._connection.disconnect(nowait=True)
        async with asyncio.timeout(2 * self._timeout_s):
            await self._connection.connect()  # type: ignore[no-untyped-call]  # as above
        writer = self._connection._writer  # noqa: SLF001 - it has no public way to its transport
        if writer is None:
            raise LostError("The connection was lost at once.")
        transport = writer.transport
        transport.set_protocol(self)
        self._replies = hiredis.Reader()
        self._transport = transport

    def send(self, entries: Sequence[tuple[str, bytes]], landed: Landed) -> None:
        """Append entries (stream, payload); `landed` is told what became of them."""
        assert self._transport is not None  # noqa: S101 - the caller has asked is_connected
        flight = _Flight(len(entries), landed, self._loop.time())
        self._flights.append(flight)
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._watch)
        self._transport.write(
            b"".join(
                [
                    hiredis.pack_command(("XADD", stream, "*", FIELD, payload))  # type: ignore[arg-type]  # its stub knows tuples of one only
                    for stream, payload in entries
                ]
            )
        )

    def give_up(self) -> None:
        """Drop the connection; what is on its way lands with an unknown result, in order."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        flights, self._flights = self._flights, deque()
        for flight in flights:
            flight.landed(None)

    async def close(self) -> None:
        """Close the connection."""
        self.give_up()
        await self._connection.disconnect(nowait=True)

    def _watch(self) -> None:
        """A reply that comes too late would be taken for that of another batch."""
        self._timer = None
        if not self._flights:
            return
        left_s = self._flights[0].sent_at + self._timeout_s - self._loop.time()
        if left_s <= 0:
            self.give_up()
        else:
            self._timer = self._loop.call_later(left_s, self._watch)

    # --- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Replies, in the order of the entries."""
        if self._transport is None:
            return
        self._replies.feed(data)
        flights = self._flights
        try:
            while (reply := self._replies.gets()) is not False:
                flight = flights[0]
                flight.errors.append(
                    str(reply).partition(" ")[0] if isinstance(reply, hiredis.ReplyError) else ""
                )
                if len(flight.errors) == flight.count:
                    flights.popleft()
                    flight.landed(flight.errors)
        except (hiredis.ProtocolError, IndexError):  # a reply to nothing that was sent
            self.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is gone, or `give_up` let it go."""
        self.give_up()
