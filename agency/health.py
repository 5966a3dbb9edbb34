"""What of the house is alive: database, keys, stream, writer, worker.

`/healthz` is answered before Django, on every host, also by a bare address: a load balancer
knows no host name. It tells names of parts and reasons, nothing of any client.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import psycopg
import redis
from django.conf import settings

PROBE_S = 2
"""Seconds a probe may take before its part counts as dead."""

OK = "ok"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def writer_key(prefix: str, name: str) -> str:
    """Key that a writer keeps alive (a few seconds) while it works; `*` finds all."""
    return f"{prefix}:alive:writer:{name}"


def worker_key(prefix: str) -> str:
    """Key that a Celery worker keeps alive while it works."""
    return f"{prefix}:alive:worker"


def check_health() -> dict[str, str]:
    """Each part's name with "ok" or the reason; takes at most about PROBE_S a part."""
    return {name: probe() for name, probe in _PROBES.items()}


async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI: 200 with {"status": "ok", ...} when every part is alive, else 503 with what is not."""
    names = list(_PROBES)
    parts = dict(
        zip(
            names,
            await asyncio.gather(*(asyncio.to_thread(_PROBES[name]) for name in names)),
            strict=True,
        )
    )
    alive = all(state == OK for state in parts.values())
    body = msgspec.json.encode({"status": OK if alive else "down", **parts})
    await send(
        {
            "type": "http.response.start",
            "status": 200 if alive else 503,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _probe_database(alias: str) -> str:
    """Open a connection of its own: a pooled one would hide a server that takes no new ones."""
    config = settings.DATABASES[alias]
    try:
        with psycopg.connect(
            host=config["HOST"] or None,
            port=config["PORT"] or None,
            dbname=config["NAME"],
            user=config["USER"] or None,
            password=config["PASSWORD"] or None,
            connect_timeout=PROBE_S,
            options=f"-c statement_timeout={PROBE_S * 1000}",
            autocommit=True,
            **config["OPTIONS"],
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return f"does not answer ({type(error).__name__})"
    return OK


def _probe_stream() -> str:
    """A write, not a ping: a Valkey whose disk is full still answers pings."""
    try:
        _valkey().set(f"{settings.STREAM_PREFIX}:alive:stream", 1, ex=60)
    except redis.RedisError as error:
        return f"takes no writes ({type(error).__name__})"
    return OK


def _probe_writer() -> str:
    pattern = writer_key(settings.STREAM_PREFIX, "*")
    try:
        found = next(_valkey().scan_iter(match=pattern, count=1000), None)
    except redis.RedisError:
        return "unknown: the stream does not answer"
    return OK if found else "no writer has reported in the last seconds"


def _probe_worker() -> str:
    try:
        found = _valkey().exists(worker_key(settings.STREAM_PREFIX))
    except redis.RedisError:
        return "unknown: the stream does not answer"
    return OK if found else "no worker has reported in the last seconds"


@functools.cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PROBE_S, socket_connect_timeout=PROBE_S
    )


_PROBES: dict[str, Callable[[], str]] = {
    "database": functools.partial(_probe_database, "default"),
    "keys": functools.partial(_probe_database, "keys"),
    "stream": _probe_stream,
    "writer": _probe_writer,
    "worker": _probe_worker,
}
