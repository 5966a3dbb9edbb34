"""What the collector answers. Every answer can be read by pages of any origin, without credentials.

Fetch standard, CORS protocol: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import base64
from typing import NamedTuple

from tracking.collector.requests import RefusedError

HeaderLines = list[tuple[str, str]]

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent GIF of one pixel."""

_CORS: HeaderLines = [
    ("access-control-allow-origin", "*"),
    ("cross-origin-resource-policy", "cross-origin"),
]
_EXPOSED = (
    "access-control-expose-headers",
    "x-outward-dropped, x-outward-error, retry-after",
)
_NO_STORE = ("cache-control", "no-store")


class Reply(NamedTuple):
    """Status, header lines and body."""

    status: int
    headers: HeaderLines
    body: bytes = b""


def _with_length(status: int, headers: HeaderLines, body: bytes = b"") -> Reply:
    return Reply(status, [*headers, ("content-length", str(len(body)))], body)


# Few lines: each of them is parsed anew by the server. A reply to POST is stored by no cache that
# it does not ask to (RFC 9111, 3), and the server knows the length of an empty body.
ACCEPTED = Reply(202, _CORS)
PREFLIGHT = Reply(
    204,
    [
        *_CORS,
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "content-type"),
        ("access-control-max-age", "86400"),
    ],
)
PIXEL_REPLY = _with_length(200, [*_CORS, _NO_STORE, ("content-type", "image/gif")], PIXEL)
NOT_FOUND = _with_length(404, [_NO_STORE])
ALIVE = _with_length(200, [_NO_STORE, ("content-type", "text/plain")], b"ok\n")


def not_alive(reason: str) -> Reply:
    """503 for a health check."""
    body = f"{reason}\n".encode()
    return _with_length(503, [_NO_STORE, ("content-type", "text/plain")], body)


def not_allowed(methods: str) -> Reply:
    """405 with what is allowed (RFC 9110, 15.5.6)."""
    error = f"method: send {methods}"
    headers = [*_CORS, _NO_STORE, ("allow", methods), ("x-outward-error", error)]
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
        lines.append(("x-outward-dropped", refused.dropped.encode("ascii", "replace").decode()))
    if refused.error:
        lines.append(("x-outward-error", refused.error.encode("ascii", "replace").decode()))
    if refused.retry_after_s:
        lines.append(("retry-after", str(refused.retry_after_s)))
    return lines
