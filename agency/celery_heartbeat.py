"""A Celery worker's sign of life for `/healthz`: a key in Valkey that dies with the worker.

Celery's own ping takes a second and a round through the broker; a key is read in a millisecond.
Importing this module connects the signals.
"""

import contextlib
import os
import threading
from typing import Any

import redis
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from agency.health import worker_key

EVERY_S = 3
LIFE_S = 10
"""Three signs may be missed before the worker counts as dead."""

_stop = threading.Event()


@worker_ready.connect
def begin(**_signal: Any) -> None:
    """Keep the key alive from a thread until the worker shuts down."""
    _stop.clear()
    threading.Thread(target=_beat, name="worker-heartbeat", daemon=True).start()


@worker_shutting_down.connect
def end(**_signal: Any) -> None:
    """Stop; the key goes at once, so that a stopping worker counts as dead."""
    _stop.set()


def _beat() -> None:
    key = worker_key(settings.STREAM_PREFIX)
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=EVERY_S) as client:
        while True:
            # No stream: /healthz says so itself, and the next beat tries again.
            with contextlib.suppress(redis.RedisError):
                client.set(key, os.getpid(), ex=LIFE_S)
            if _stop.wait(EVERY_S):
                break
        with contextlib.suppress(redis.RedisError):
            client.delete(key)
