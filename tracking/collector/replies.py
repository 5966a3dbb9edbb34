"""What the collector answers. Every answer can be read by pages of any origin, without credentials.

Fetch standard, CORS protocol: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import base64
from typing import NamedTuple

from tracking.collector.requests import RefusedError

HeaderLines = list[tuple[bytes, bytes]]

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""

_CORS: HeaderLines = [
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_EXPOSED = (
    b"access-control-expose-headers",
    b"x-outward-dropped, x-outward-error, retry-after",
)
_NO_STORE = (b"cache-control", b"no-store")


class Reply(NamedTuple):
    """Status, header lines and body."""

    status: int
    headers: HeaderLines
    body: bytes = b""


def _with_length(status: int, headers: HeaderLines, body: bytes = b"") -> Reply:
    return Reply(status, [*headers, (b"content-length", b"%d" % len(body))], body)


ACCEPTED = _with_length(202, [*_CORS, _NO_STORE])
PREFLIGHT = Reply(
    204,
    [
        *_CORS,
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", b"86400"),
    ],
)
PIXEL_REPLY = _with_length(200, [*_CORS, _NO_STORE, (b"content-type", b"image/gif")], PIXEL)
NOT_FOUND = _with_length(404, [_NO_STORE])
ALIVE = _with_length(200, [_NO_STORE, (b"content-type", b"text/plain")], b"ok\n")


def not_alive(reason: str) -> Reply:
    """503 for a health check."""
    body = f"{reason}\n".encode()
    return _with_length(503, [_NO_STORE, (b"content-type", b"text/plain")], body)


def not_allowed(methods: str) -> Reply:
    """405 with what is allowed (RFC 9110, 15.5.6)."""
    error = f"method: send {methods}".encode()
    headers = [*_CORS, _NO_STORE, (b"allow", methods.encode()), (b"x-outward-error", error)]
    return _with_length(405, [*headers, _EXPOSED])


def refusal(refused: RefusedError) -> Reply:
    """The answer to a request that is not counted: the reason is in a header."""
    return _with_length(refused.status, [*_CORS, _NO_STORE, _EXPOSED, *_reasons(refused)])


def pixel_refusal(refused: RefusedError) -> Reply:
    """The pixel all the same, or a page would show a broken image; 503 if a hit is lost by it."""
    status = refused.status if refused.status >= 500 else 200
    headers = [*PIXEL_REPLY.headers, _EXPOSED, *_reasons(refused)]
    return Reply(status, headers, PIXEL)


def _reasons(refused: RefusedError) -> HeaderLines:
    lines: HeaderLines = []
    if refused.dropped:
        lines.append((b"x-outward-dropped", refused.dropped.encode("ascii", "replace")))
    if refused.error:
        lines.append((b"x-outward-error", refused.error.encode("ascii", "replace")))
    if refused.retry_after_s:
        lines.append((b"retry-after", b"%d" % refused.retry_after_s))
    return lines
