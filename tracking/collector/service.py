"""Routing, the life of the process, and the last line of defence for promise 1."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tenants.changes import config_channel
from tracking.collector import replies
from tracking.collector.config import ConfigReader
from tracking.collector.counting import RefusalCounter
from tracking.collector.enrich import Enricher
from tracking.collector.intake import Intake, connect
from tracking.collector.replies import Reply
from tracking.collector.requests import (
    MAX_BODY_BYTES,
    MAX_SITE_KEY,
    Headers,
    RawHit,
    RefusedError,
    malformed,
    read_body,
    read_headers,
    text_of,
    too_large,
)
from tracking.collector.scripts import Scripts
from tracking.collector.spool import Spool
from tracking.geo import GeoReader
from tracking.refusals import NO_CLIENT, Reason
from tracking.useragents import bot_name, read_agent

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FIRST_CONFIG_S = 10.0
"""How long a start waits for the database before it goes on, answering 503 until it is there."""
_ANY_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GC_THRESHOLDS = (20_000, 20, 20)
_CONTENT_TYPES = (b"text/plain", b"application/json")
_USUAL_TYPES = frozenset({b"text/plain;charset=UTF-8", b"application/json"})
_ACCEPTED_START = {
    "type": "http.response.start",
    "status": replies.ACCEPTED.status,
    "headers": replies.ACCEPTED.headers,
}
_ACCEPTED_END = {"type": "http.response.body", "body": replies.ACCEPTED.body}


class Running:
    """What exists between start-up and shutdown."""

    def __init__(self, reader: ConfigReader) -> None:
        self.reader = reader
        self.valkey = connect(settings.REDIS_URL)
        self.refusals = RefusalCounter(self.valkey, settings.STREAM_PREFIX)
        self.geo = GeoReader(Path(settings.GEO_PATH))
        self.enricher = Enricher(
            trusted=settings.TRUSTED_PROXIES,
            geo=self.geo,
            most_hits=settings.RATE_LIMIT_HITS,
        )
        self.scripts = Scripts()
        self.intake = Intake(
            url=settings.REDIS_URL,
            prefix=settings.STREAM_PREFIX,
            partitions=settings.PARTITIONS,
            max_entries=settings.STREAM_MAX_ENTRIES,
            spool=Spool(Path(settings.SPOOL_PATH), settings.SPOOL_BYTES),
        )
        self.tasks: list[asyncio.Task[None]] = []


class Collector:
    """The ASGI application. Before its lifespan has started it answers 503."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3: one request, or the lifespan."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            return
        try:
            reply = await self._answer(scope, receive)
        except RefusedError as refused:
            reply = self._refusal(scope["path"], refused)
        except Exception as error:  # noqa: BLE001 - promise 1: any message could hold an address
            logger.error("A request failed: %s in %s.", type(error).__name__, _place_of(error))
            failed = RefusedError(
                500, Reason.ERROR, error="collector: it failed; send it once more"
            )
            reply = self._refusal(scope["path"], failed)
        if reply is replies.ACCEPTED:
            await send(_ACCEPTED_START)
            await send(_ACCEPTED_END)
            return
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        )
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        running = self._running
        if running is None:
            raise _not_stored(1)
        path = scope["path"]
        if path != "/collect":
            if path == "/pixel.gif":
                return await _pixel(running, scope)
            return _serve(running, scope)
        if scope["method"] != "POST":
            return _other_method(running, scope["method"])
        headers = read_headers(scope["headers"])
        _check_head(headers)
        message = await receive()
        if message.get("more_body"):
            body = await _read_rest(message, receive)
        else:
            body = message["body"]
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
        raw = read_body(body)
        if await _keep(running, scope, headers, raw):
            return replies.ACCEPTED
        raise _not_stored()

    def _refusal(self, path: str, refused: RefusedError) -> Reply:
        if self._running is not None:
            self._running.refusals.add(refused.client_id, refused.reason)
        if path == "/pixel.gif":
            return replies.pixel_refusal(refused)
        return replies.refusal(refused)

    # --- the life of the process

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self) -> None:
        """Read the configuration, take over the spool, begin."""
        reader = ConfigReader()
        reader.start()
        running = Running(reader)
        if running.geo.reason:
            logger.warning("%s.", running.geo.reason)
        await asyncio.to_thread(reader.first_read.wait, FIRST_CONFIG_S)
        await running.intake.start()
        running.tasks = [
            asyncio.create_task(running.refusals.flush_forever(), name="collector-refusals"),
            asyncio.create_task(_listen_forever(running), name="collector-changes"),
        ]
        # Their patterns take half a second to load, which the first visitor must not wait for.
        bot_name(_ANY_AGENT)
        read_agent(_ANY_AGENT)
        # What start-up made lives as long as the process, and requests leave no cycles behind:
        # at the usual thresholds the garbage collector takes a tenth of the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self._running = running

    async def stop(self) -> None:
        """Store and answer what came in, then close everything."""
        running, self._running = self._running, None
        if running is None:
            return
        for task in running.tasks:
            task.cancel()
        await asyncio.gather(*running.tasks, return_exceptions=True)
        await running.intake.stop()
        await running.refusals.flush()
        await running.valkey.aclose()
        running.reader.end()
        await asyncio.to_thread(running.reader.join, 5.0)
        running.geo.close()


def _other_method(running: Running, method: str) -> Reply:
    if method == "OPTIONS":
        return replies.PREFLIGHT
    running.refusals.add(NO_CLIENT, Reason.METHOD)
    return replies.not_allowed("POST, OPTIONS")


def _check_head(headers: Headers) -> None:
    """Refuse what is known to be wrong before the body is read."""
    content_type = headers.get(b"content-type")
    if (
        content_type
        and content_type not in _USUAL_TYPES
        and not content_type.lower().startswith(_CONTENT_TYPES)
    ):
        raise RefusedError(
            415,
            Reason.CONTENT_TYPE,
            error="content-type: send text/plain or application/json",
        )
    length = headers.get(b"content-length", b"")
    # int() takes long on a number of thousands of digits.
    if len(length) > 3 and length.isdigit() and (len(length) > 9 or int(length) > MAX_BODY_BYTES):
        raise too_large()


async def _read_rest(message: Message, receive: Receive) -> bytearray:
    """What is left of a body that comes in parts, until it is known to be too large."""
    body = bytearray(message.get("body", b""))
    while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    return body


def _keep(running: Running, scope: Scope, headers: Headers, raw: RawHit) -> "asyncio.Future[bool]":
    """Make the hit and hand it over; the future tells whether it is durable. May refuse."""
    config = running.reader.config
    if not config.read_at:
        raise _not_stored(1)
    client = scope.get("client")
    peer = client[0] if client else ""
    try:
        hit = running.enricher.hit_of(config, headers, peer, raw, time.time_ns() // 1_000)
    except RefusedError as refused:
        if refused.status == 503:
            running.reader.wake()  # today's keys are missing
        raise
    return running.intake.put(hit)


def _not_stored(retry_after_s: int = 10) -> RefusedError:
    return RefusedError(503, Reason.NOT_STORED, retry_after_s=retry_after_s)


async def _pixel(running: Running, scope: Scope) -> Reply:
    """A page view without JavaScript: `site`, and `url` unless the Referer names the page."""
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        return replies.not_allowed("GET")
    headers = read_headers(scope["headers"])
    query = parse_qs(scope["query_string"][:MAX_BODY_BYTES].decode("latin-1"))
    site = query.get("site", [""])[-1]
    url = query.get("url", [""])[-1] or text_of(headers, b"referer")
    if not site or len(site) > MAX_SITE_KEY:
        raise malformed("site")
    if not url:
        raise malformed("url")
    if method == "GET":
        raw = RawHit(site=site, kind="pageview", url=url)
        if not await _keep(running, scope, headers, raw):
            raise _not_stored()
    return replies.PIXEL_REPLY


def _serve(running: Running, scope: Scope) -> Reply:
    config = running.reader.config
    if scope["path"] == "/outward.js":
        return running.scripts.reply(config, scope["method"], read_headers(scope["headers"]))
    if scope["path"] == "/healthz":
        if not config.read_at:
            return replies.not_alive("The collector has no configuration: is the database away?")
        return replies.ALIVE
    return replies.NOT_FOUND


def _place_of(error: BaseException) -> str:
    """Function and line in which an exception was raised; nothing of its message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "?"


async def _listen_forever(running: Running) -> None:
    """Read the configuration anew when a change is told; a missed one shows at the next look."""
    while True:
        with contextlib.suppress(RedisError, OSError):
            # Its own client: reading has no time-out here, and blocks its connection.
            async with Redis.from_url(settings.REDIS_URL) as valkey, valkey.pubsub() as channel:
                await channel.subscribe(config_channel())
                async for message in channel.listen():
                    if message["type"] == "message":
                        running.reader.wake()
        await asyncio.sleep(1.0)
