"""What the collector did not count, and why: numbers per client, day and reason.

Kept in one Valkey hash per UTC day, field `<client id>:<reason>`, for 90 days. Client id 0 is for
requests that name no client.
"""

import datetime as dt
import enum
from functools import lru_cache

import redis
from django.conf import settings

KEEP_S = 90 * 86_400
NO_CLIENT = 0


class Reason(enum.StrEnum):
    """Why a request was not counted."""

    BOT = "bot"
    GPC = "gpc"
    DNT = "dnt"
    PREFETCH = "prefetch"
    """The browser fetched the page before the visitor wanted it."""
    METHOD = "method"
    CONTENT_TYPE = "content-type"
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    HOST = "host"
    """No client is served under this host name."""
    SITE = "site"
    """No active site of this client has this key."""
    ORIGIN = "origin"
    """The page is on none of the site's hosts."""
    RATE = "rate"
    NOT_STORED = "not-stored"
    """Valkey is away and the spool is full, or today's keys cannot be had."""
    ERROR = "error"
    """A fault of the collector."""


def refused_name(prefix: str, day: dt.date) -> str:
    """Name of the hash of a UTC day."""
    return f"{prefix}:refused:{day:%Y%m%d}"


def refused_field(client_id: int, reason: Reason) -> str:
    """Field of a client and a reason."""
    return f"{client_id}:{reason.value}"


@lru_cache(maxsize=1)
def _valkey() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def refused_counts(client_id: int, day: dt.date) -> dict[Reason, int]:
    """Requests of a UTC day that were not counted, by reason; reasons that never came are left out.

    At most a second behind. One round trip; raises redis.RedisError when Valkey is away.
    """
    reasons = list(Reason)
    counts = _valkey().hmget(
        refused_name(settings.STREAM_PREFIX, day),
        [refused_field(client_id, reason) for reason in reasons],
    )
    return {
        reason: int(count)
        for reason, count in zip(reasons, counts, strict=True)
        if count is not None
    }
