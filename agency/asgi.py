"""One port for all, in the embedded default: the collector's paths, and Django for the rest.

Django runs as WSGI in a pool of threads that keep their database connections; as ASGI it would
open a new connection for each request. In production the collector may run and scale by itself
(`tracking.collector.app:application`), with the same paths.
"""

from typing import Any

from a2wsgi import WSGIMiddleware

from agency.environment import env_int
from agency.health import healthz
from agency.wsgi import application as _django
from tracking.collector.app import application as _collector

COLLECTOR_PATHS = frozenset({"/collect", "/pixel.gif", "/outward.js"})
WEB_THREADS = env_int("OUTWARD_WEB_THREADS", 8, minimum=1, maximum=256)

_pages = WSGIMiddleware(_django, workers=WEB_THREADS)  # type: ignore[arg-type]  # Django's WSGIHandler is a WSGI app; the stubs of both disagree on StartResponse


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Switch on the path; start and stop are the collector's."""
    if scope.get("path") == "/healthz":
        await healthz(scope, receive, send)
    elif scope["type"] == "lifespan" or scope.get("path") in COLLECTOR_PATHS:
        await _collector(scope, receive, send)
    else:
        # granian's own `receive` gives an awaitable that is no coroutine, which a thread of
        # a2wsgi's cannot schedule; the same with `send`.
        async def receive_here() -> Any:
            return await receive()

        async def send_here(message: Any) -> None:
            await send(message)

        await _pages(scope, receive_here, send_here)
