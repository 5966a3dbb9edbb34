"""The collector as servers see it: RSGI by itself, ASGI beside Django.

RSGI is granian's own interface: a request costs it half of what it costs over ASGI (a scope and
header lines made as Python objects, a message to read, two to answer). One difference: granian
leaves out a header line that holds bytes beyond ASCII.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from tracking.collector import replies
from tracking.collector.replies import HeaderLines, Reply
from tracking.collector.requests import MAX_BODY_BYTES, read_headers
from tracking.collector.service import Collector

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RsgiHeaders(Protocol):
    """Header lines of a request."""

    def items(self) -> list[tuple[str, str]]:
        """Names in small letters, and values."""


class RsgiScope(Protocol):
    """A request: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md."""

    method: str
    path: str
    query_string: str
    client: str
    authority: str | None
    headers: RsgiHeaders


class RsgiProtocol(Protocol):
    """What a request is read and answered with."""

    async def __call__(self) -> bytes:
        """The whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in parts."""

    def response_empty(self, status: int, headers: HeaderLines) -> None:
        """Answer without a body."""

    def response_bytes(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Answer."""


class Application:
    """What granian serves, with `--interface rsgi` or `asgi`."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    # --- RSGI

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start, before the first request."""
        loop.run_until_complete(self._collector.start())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop, after the last one."""
        loop.run_until_complete(self._collector.stop())

    async def __rsgi__(self, scope: RsgiScope, protocol: RsgiProtocol) -> None:
        """One request."""
        # Every attribute of a scope is made anew by the server when it is asked for.
        method, path = scope.method, scope.path
        query = "" if path == "/collect" else scope.query_string
        headers = read_headers(scope.headers.items())
        if "content-length" in headers:
            # The server reads no more than it announces, and that is checked before it is read.
            read: Callable[[], Awaitable[bytes | bytearray]] = protocol
        else:

            def read() -> Awaitable[bytes | bytearray]:
                return _read_parts(protocol)

        if "host" not in headers and scope.authority:  # HTTP/2
            headers = {**headers, "host": scope.authority}
        reply = await self._collector.answer(
            method, path, query, _address_of(scope.client), headers, read
        )
        if reply.body and method != "HEAD":
            protocol.response_bytes(reply.status, reply.headers, reply.body)
        else:
            protocol.response_empty(reply.status, reply.headers)

    # --- ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3: one request, or the lifespan."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            return

        async def read() -> bytes | bytearray:
            return await _read_messages(receive)

        client = scope.get("client")
        reply = await self._collector.answer(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            client[0] if client else "",
            read_headers([(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]),
            read,
        )
        start, end = _messages_of(reply, with_body=scope["method"] != "HEAD")
        await send(start)
        await send(end)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._collector.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._collector.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _address_of(client: str) -> str:
    """Address of `127.0.0.1:4711` or `[::1]:4711`; any other text is no address."""
    return client.rpartition(":")[0].strip("[]")


async def _read_parts(protocol: RsgiProtocol) -> bytearray:
    """A body of unknown length, until it is known to be too large."""
    body = bytearray()
    async for part in protocol:
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    return body


async def _read_messages(receive: Receive) -> bytes | bytearray:
    """The body, until it is known to be too large; what there is of it when the sender left."""
    message = await receive()
    if not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole
    body = bytearray(message.get("body", b""))
    while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    return body


def _messages_of(reply: Reply, *, with_body: bool) -> tuple[Message, Message]:
    if reply is replies.ACCEPTED:
        return _ACCEPTED
    lines = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
    return (
        {"type": "http.response.start", "status": reply.status, "headers": lines},
        {"type": "http.response.body", "body": reply.body if with_body else b""},
    )


_ACCEPTED: tuple[Message, Message] = (
    {
        "type": "http.response.start",
        "status": replies.ACCEPTED.status,
        "headers": [(name.encode(), value.encode()) for name, value in replies.ACCEPTED.headers],
    },
    {"type": "http.response.body", "body": replies.ACCEPTED.body},
)
