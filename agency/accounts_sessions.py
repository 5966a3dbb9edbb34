"""What a session remembers of its browser, so that its owner can tell it from another."""

import datetime as dt
import time

from django.http import HttpRequest

from tenants import session_store
from tracking.useragents import read_agent

SEEN_EVERY_S = 300
"""A session is written at most this often for being looked at."""


def device_words(request: HttpRequest) -> str:
    """*Firefox on Windows*: kinds without versions, from the user agent, which is not kept."""
    agent = read_agent(request.META.get("HTTP_USER_AGENT", ""))
    browser = agent.browser or "Unknown browser"
    return f"{browser} on {agent.os}" if agent.os else browser


def begin_session(request: HttpRequest, *, begun_at: float | None = None) -> None:
    """Note device and time; called at log-in.

    `begun_at` is of the session that this one comes from, on the agency's host: a hand-over makes
    nobody's log-in younger.
    """
    now = time.time()
    request.session[session_store.DEVICE] = device_words(request)[:80]
    request.session[session_store.BEGUN_AT] = begun_at or now
    request.session[session_store.SEEN_AT] = now


def begun_at(request: HttpRequest) -> float:
    """When its owner logged in, in seconds; a session that does not know begins now."""
    return float(request.session.setdefault(session_store.BEGUN_AT, time.time()))


def session_age(request: HttpRequest) -> dt.timedelta:
    """How long ago its owner logged in."""
    return dt.timedelta(seconds=time.time() - begun_at(request))


def note_seen(request: HttpRequest) -> None:
    """Note that the session is in use, to five minutes."""
    now = time.time()
    if now - request.session.get(session_store.SEEN_AT, 0) > SEEN_EVERY_S:
        request.session[session_store.SEEN_AT] = now
