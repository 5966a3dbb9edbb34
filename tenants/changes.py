"""Telling running collectors that clients, sites, settings or keys have changed."""

import logging
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)


def config_channel() -> str:
    """Pub/sub channel on which a change is told; the message has no content."""
    return f"{settings.STREAM_PREFIX}:config"


@lru_cache(maxsize=1)
def _valkey() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def announce_change() -> None:
    """Tell collectors to read their configuration anew, once the transaction has committed.

    They read it every few seconds besides, so a Valkey that is away costs seconds, not data.
    """
    if settings.REDIS_URL:
        transaction.on_commit(_publish)


def _publish() -> None:
    try:
        _valkey().publish(config_channel(), b"")
    except redis.RedisError:
        logger.warning("Valkey is away: collectors will learn of the change by themselves.")
