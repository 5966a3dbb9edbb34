"""What a session remembers of its browser, so that its owner can tell it from another."""

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


def begin_session(request: HttpRequest) -> None:
    """Note device and time; called at log-in."""
    now = time.time()
    request.session[session_store.DEVICE] = device_words(request)[:80]
    request.session[session_store.BEGUN_AT] = now
    request.session[session_store.SEEN_AT] = now


def note_seen(request: HttpRequest) -> None:
    """Note that the session is in use, to five minutes."""
    now = time.time()
    if now - request.session.get(session_store.SEEN_AT, 0) > SEEN_EVERY_S:
        request.session[session_store.SEEN_AT] = now
