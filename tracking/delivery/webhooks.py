"""Webhooks: signed, to public addresses only, without redirects (docs/webhooks.md).

The signature is HMAC-SHA256 over `<timestamp>.<body>`, in the form that Stripe made known:
`Outward-Signature: t=1780000000,v1=<hex>`. The secret is derived from the client's key and the
alert's salt (HKDF, RFC 5869), so that none is stored.

Against server-side request forgery the name is resolved here, every address of it must be a
public one, and the connection goes to the address that was judged, not to the name again.
"""

import datetime as dt
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenants.keys import Purpose, get_key

TIMEOUT_S = 10
MAX_ANSWER = 4_096
"""Bytes read of an answer; none of them is kept."""
SIGNATURE_HEADER = "Outward-Signature"
DELIVERY_HEADER = "Outward-Delivery"
_TUNNELS = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
"""IPv6 networks whose addresses hold an IPv4 one, which could be private."""


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
    try:
        ip = ipaddress.ip_address(parts.hostname)
    except ValueError:
        pass
    else:
        _refuse_private(ip, allow_local=allow_local)
    is_https = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return is_https, parts.hostname, port or (443 if is_https else 80), path


def _refuse_private(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, *, allow_local: bool
) -> None:
    if allow_local:
        return
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    in_tunnel = ip.version == 6 and any(ip in network for network in _TUNNELS)
    if not ip.is_global or ip.is_multicast or ip.is_reserved or in_tunnel:
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
        _refuse_private(ipaddress.ip_address(ip.partition("%")[0]), allow_local=allow_local)
    return Target(is_https, host, port, path, ips[0])


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to the address that was judged, and checks the certificate against the name."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S)
        self._target = target

    def connect(self) -> None:
        """Open the socket, and TLS over it."""
        plain = socket.create_connection((self._target.ip, self._target.port), TIMEOUT_S)
        self.sock = plain
        if self._target.is_https:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self._target.host)


def post(url: str, body: bytes, headers: dict[str, str], *, allow_local: bool) -> int:
    """Send the body as JSON; returns the answer's status, which a redirect is as well.

    Raises WebhookError when there is no answer.
    """
    target = resolve(url, allow_local=allow_local)
    connection = _PinnedConnection(target)
    try:
        connection.request(
            "POST",
            target.path,
            body,
            {"Content-Type": "application/json", "User-Agent": "Outward-Webhook", **headers},
        )
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        return answer.status
    except TimeoutError:
        raise WebhookError(f"No answer within {TIMEOUT_S} seconds.") from None
    except ssl.SSLError:
        raise WebhookError("The server's certificate cannot be trusted.") from None
    except (OSError, http.client.HTTPException):
        raise WebhookError("The server could not be reached, or its answer was cut off.") from None
    finally:
        connection.close()


def headers_of(secret: str, body: bytes, delivery: str, at: dt.datetime) -> dict[str, Any]:
    """Headers of a signed delivery; `delivery` stays the same over its attempts."""
    return {SIGNATURE_HEADER: signature(secret, body, at), DELIVERY_HEADER: delivery}
