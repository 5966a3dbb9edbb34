"""Fetching a page of a client's website from the server, and nothing else.

Whoever may press the button must not reach our own network through it (server-side request
forgery): only the website's own hosts, http and https, in production public addresses alone on
their usual ports. The address that was checked is the one that is connected to, so that a name
cannot lead elsewhere a moment later. Time and size are bounded, redirects are followed by hand.
"""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from django.conf import settings

from tracking.collector.hosts import SiteHosts
from tracking.outgoing import PinnedConnection, is_public, within

TIMEOUT_S = 5.0
MAX_BYTES = 1_000_000
MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_AGENT = "Outward installation check"


class FetchError(Exception):
    """The page could not be had; the message says why and what to do."""

    code = "fetch"


class LeadsElsewhereError(FetchError):
    """A redirect, or the address itself, names a host that is none of the website's."""

    code = "fetch-elsewhere"

    def __init__(self, host: str) -> None:
        super().__init__(f"It leads to {host}, which is none of the website's hosts.")
        self.host = host


class NotPublicError(FetchError):
    """The host is on a network that is not reached from here."""

    code = "fetch-not-public"


@dataclass(frozen=True)
class Fetched:
    """A page, cut at MAX_BYTES."""

    url: str
    """Where the redirects ended."""
    status: int
    policies: list[str]
    """Content-Security-Policy headers in force."""
    text: str


def fetch(url: str, hosts: Sequence[str]) -> Fetched:
    """The page at `url`, within TIMEOUT_S all in all; raises FetchError.

    `hosts` as in `Site.hosts`: every address on the way must be of one of them.
    """
    allowed = SiteHosts(hosts)
    deadline = time.monotonic() + TIMEOUT_S
    for _ in range(MAX_REDIRECTS + 1):
        parts = _checked(url, allowed, hosts)
        with _answer(parts, deadline) as response:
            location = response.getheader("Location")
            if response.status in {301, 302, 303, 307, 308} and location:
                url = urljoin(url, location)
                continue
            return Fetched(
                url,
                response.status,
                response.headers.get_all("Content-Security-Policy") or [],
                _read(response).decode("utf-8", "replace"),
            )
    raise FetchError(f"It redirects more than {MAX_REDIRECTS} times.")


def _checked(url: str, allowed: SiteHosts, hosts: Sequence[str]) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchError(
            "This is not an address of a page: write https://www.example.com/."
        ) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise FetchError("This is not an address of a page: write https://www.example.com/.")
    if not allowed.allow_url(url):
        raise LeadsElsewhereError(parts.hostname)
    is_named = f"{parts.hostname}:{port}" in {host.lower() for host in hosts}
    if settings.PRODUCTION and port not in {None, 80, 443} and not is_named:
        raise FetchError(f"Port {port} is not one of a website: leave it out.")
    return parts


@contextlib.contextmanager
def _answer(parts: SplitResult, deadline: float) -> Iterator[http.client.HTTPResponse]:
    """The response, its headers read; the connection is cut when the time is over."""
    host = str(parts.hostname)
    address = _address_of(host)
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchError(f"It takes longer than {TIMEOUT_S:.0f} seconds to answer.")
    port = parts.port or _PORTS[parts.scheme]
    is_tls = parts.scheme == "https"
    connection = PinnedConnection(host, port, address, is_tls=is_tls, timeout=left)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": _AGENT, "Accept": "text/html", "Accept-Encoding": "identity"}
    try:
        with within(connection, deadline):
            connection.request("GET", path, headers=headers)
            yield connection.getresponse()
    except ssl.SSLCertVerificationError:
        raise FetchError("Its certificate is not valid: browsers refuse the page too.") from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        if time.monotonic() >= deadline:
            raise FetchError(f"It takes longer than {TIMEOUT_S:.0f} seconds to answer.") from None
        raise FetchError(f"It does not answer ({type(error).__name__}): is it online?") from None


def _address_of(host: str) -> str:
    """An address of the host that may be connected to."""
    if not settings.PRODUCTION and (host == "localhost" or host.endswith(".localhost")):
        return "127.0.0.1"  # RFC 6761, 6.3; not every resolver knows it
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FetchError(
            f"The name {host} is not known: is it spelt right, and its domain set up?"
        ) from None
    addresses = [str(entry[4][0]) for entry in found]
    if settings.PRODUCTION and not all(is_public(address) for address in addresses):
        raise NotPublicError(f"{host} is not a public website: it cannot be looked at from here.")
    return addresses[0]


def _read(response: http.client.HTTPResponse) -> bytes:
    data = b""
    while len(data) < MAX_BYTES and (more := response.read1(MAX_BYTES - len(data))):
        data += more
    return data
