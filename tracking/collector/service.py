"""Routing, the life of the collector, and the last line of defence for promise 1."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
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
    too_large,
)
from tracking.collector.scripts import Scripts
from tracking.collector.spool import Spool
from tracking.collector.tasks import end_tasks
from tracking.geo import GeoReader
from tracking.refusals import NO_CLIENT, Reason
from tracking.useragents import bot_name, read_agent

logger = logging.getLogger(__name__)

Read = Callable[[], Awaitable[bytes | bytearray]]
"""Reads a body; of one that is too large at least a byte more than is allowed."""

FIRST_CONFIG_S = 10.0
"""How long a start waits for the database before it goes on, answering 503 until it is there."""
_ANY_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GC_THRESHOLDS = (20_000, 20, 20)
_CONTENT_TYPES = ("text/plain", "application/json")
_USUAL_TYPES = frozenset({"text/plain;charset=UTF-8", "application/json"})


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
    """Answers requests, whatever server brings them. Before `start` it answers 503."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def answer(
        self, method: str, path: str, query: str, peer: str, headers: Headers, read: Read
    ) -> Reply:
        """The reply to one request. Never raises: a message could hold an address (promise 1).

        `peer` is the address of who is connected, "" on a unix socket; `read` gives the body.
        """
        try:
            running = self._running
            if running is None:
                raise _not_stored(1)
            if path != "/collect":
                if path == "/pixel.gif":
                    return await _pixel(running, method, query, peer, headers)
                return _serve(running, method, path, headers)
            if method != "POST":
                return _other_method(running, method)
            _check_head(headers)
            body = await read()
            if len(body) > MAX_BODY_BYTES:
                raise too_large()
            if await _keep(running, peer, headers, read_body(body)):
                return replies.ACCEPTED
            raise _not_stored()
        except RefusedError as refused:
            return self._refusal(path, refused)
        except Exception as error:  # noqa: BLE001 - promise 1: any message could hold an address
            logger.error("A request failed: %s in %s.", type(error).__name__, _place_of(error))
            failed = RefusedError(
                500, Reason.ERROR, error="collector: it failed; send it once more"
            )
            return self._refusal(path, failed)

    def _refusal(self, path: str, refused: RefusedError) -> Reply:
        if self._running is not None:
            self._running.refusals.add(refused.client_id, refused.reason)
        if path == "/pixel.gif":
            return replies.pixel_refusal(refused)
        return replies.refusal(refused)

    # --- the life of the process

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
        await end_tasks(running.tasks)
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
    content_type = headers.get("content-type")
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
    length = headers.get("content-length", "")
    # int() takes long on a number of thousands of digits.
    if len(length) > 3 and length.isdigit() and (len(length) > 9 or int(length) > MAX_BODY_BYTES):
        raise too_large()


def _keep(running: Running, peer: str, headers: Headers, raw: RawHit) -> "asyncio.Future[bool]":
    """Make the hit and hand it over; the future tells whether it is durable. May refuse."""
    config = running.reader.config
    if not config.read_at:
        raise _not_stored(1)
    try:
        hit = running.enricher.hit_of(config, headers, peer, raw, time.time_ns() // 1_000)
    except RefusedError as refused:
        if refused.status == 503:
            running.reader.wake()  # today's keys are missing
        raise
    return running.intake.put(hit)


def _not_stored(retry_after_s: int = 10) -> RefusedError:
    return RefusedError(503, Reason.NOT_STORED, retry_after_s=retry_after_s)


async def _pixel(
    running: Running, method: str, query_string: str, peer: str, headers: Headers
) -> Reply:
    """A page view without JavaScript: `site`, and `url` unless the Referer names the page."""
    if method not in ("GET", "HEAD"):
        return replies.not_allowed("GET")
    query = parse_qs(query_string[:MAX_BODY_BYTES])
    site = query.get("site", [""])[-1]
    url = query.get("url", [""])[-1] or headers.get("referer", "")
    if not site or len(site) > MAX_SITE_KEY:
        raise malformed("site")
    if not url:
        raise malformed("url")
    if method == "GET":
        raw = RawHit(site=site, kind="pageview", url=url)
        if not await _keep(running, peer, headers, raw):
            raise _not_stored()
    return replies.PIXEL_REPLY


def _serve(running: Running, method: str, path: str, headers: Headers) -> Reply:
    config = running.reader.config
    if path == "/outward.js":
        return running.scripts.reply(config, method, headers)
    if path == "/healthz":
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
