"""Webhooks: signed, to public addresses only, without redirects (docs/webhooks.md).

The signature is HMAC-SHA256 over `<timestamp>.<body>`, in the form that Stripe made known:
`Outward-Signature: t=1780000000,v1=<hex>`. The secret is derived from the client's key and the
alert's salt (HKDF, RFC 5869), so that none is stored.

Against server-side request forgery: tracking.outgoing.
"""

import contextlib
import datetime as dt
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenants.keys import Purpose, get_key
from tracking.outgoing import PinnedConnection, is_public, within

TIMEOUT_S = 10.0
"""For a whole delivery, from the name to the status."""
MAX_ANSWER = 4_096
"""Bytes read of an answer; none of them is kept."""
SIGNATURE_HEADER = "Outward-Signature"
DELIVERY_HEADER = "Outward-Delivery"


class WebhookError(Exception):
    """A webhook's address is refused, or its server cannot be reached."""

    code = "webhook"


@dataclass(frozen=True)
class Target:
    """An address that may be called: its parts, and the IP address that was judged."""

    is_https: bool
    host: str
    port: int
    path: str
    ip: str


def secret_of(client_id: int, salt: str) -> str:
    """The secret with which the receiver checks signatures, 64 hex digits.

    Called outside a client's schema. Two queries in the keys database.
    """
    key = get_key(client_id, Purpose.WEBHOOK, None)
    derived = HKDF(
        algorithm=hashes.SHA256(), length=32, salt=bytes.fromhex(salt), info=b"outward webhook"
    ).derive(key.secret)
    return derived.hex()


def signature(secret: str, body: bytes, at: dt.datetime) -> str:
    """Value of the signature's header."""
    timestamp = int(at.timestamp())
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"


def check_address(url: str, *, allow_local: bool) -> None:
    """Raise WebhookError for an address that is never called; asks no name server.

    `allow_local` (the demo, development): http and the machine itself are allowed.
    """
    _parts(url, allow_local=allow_local)


def _parts(url: str, *, allow_local: bool) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WebhookError(
            "This is not an address: write it as https://example.com/hook."
        ) from None
    if parts.scheme not in ({"https", "http"} if allow_local else {"https"}):
        raise WebhookError("The address must begin with https://.")
    if not parts.hostname or parts.username or parts.password or not url.isascii():
        raise WebhookError("Write the address as https://example.com/hook, without a user name.")
    if any(character <= " " or character == "\x7f" for character in url):
        raise WebhookError("The address has a space or a line break in it: take it out.")
    if not allow_local and parts.hostname == "localhost":
        raise WebhookError("This address is the server's own machine: name a public one.")
    if _is_number(parts.hostname):
        _refuse_private(parts.hostname, allow_local=allow_local)
    is_https = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return is_https, parts.hostname, port or (443 if is_https else 80), path


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_private(ip: str, *, allow_local: bool) -> None:
    if not allow_local and not is_public(ip):
        raise WebhookError("This address is not on the public internet: name a public one.")


def resolve(url: str, *, allow_local: bool) -> Target:
    """Resolve the host once; raises WebhookError unless every address of it may be called."""
    is_https, host, port, path = _parts(url, allow_local=allow_local)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookError("The host of this address is not known.") from None
    ips = [str(entry[4][0]) for entry in found]
    for ip in ips:
        _refuse_private(ip, allow_local=allow_local)
    return Target(is_https, host, port, path, ips[0])


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    allow_local: bool,
    timeout_s: float = TIMEOUT_S,
) -> int:
    """Send the body as JSON; returns the answer's status, which a redirect is as well.

    Raises WebhookError when there is none within `timeout_s`, all in all. What follows the
    status is of no interest: it is read for politeness, as far as the time allows.
    """
    deadline = time.monotonic() + timeout_s
    target = resolve(url, allow_local=allow_local)
    left = deadline - time.monotonic()
    if left <= 0:
        raise WebhookError(f"No answer within {timeout_s:g} seconds.")
    connection = PinnedConnection(
        target.host, target.port, target.ip, is_tls=target.is_https, timeout=left
    )
    described = {"Content-Type": "application/json", "User-Agent": "Outward-Webhook", **headers}
    try:
        with within(connection, deadline):
            connection.request("POST", target.path, body, described)
            answer = connection.getresponse()
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer.read(MAX_ANSWER)
            return answer.status
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            raise WebhookError(f"No answer within {timeout_s:g} seconds.") from None
        if isinstance(error, ssl.SSLError):
            raise WebhookError("The server's certificate cannot be trusted.") from None
        raise WebhookError("The server could not be reached, or its answer was cut off.") from None


def headers_of(secret: str, body: bytes, delivery: str, at: dt.datetime) -> dict[str, Any]:
    """Headers of a signed delivery; `delivery` stays the same over its attempts."""
    return {SIGNATURE_HEADER: signature(secret, body, at), DELIVERY_HEADER: delivery}
