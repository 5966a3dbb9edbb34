"""What every format is parsed into, and how a line is refused."""

import enum
import re
from typing import NamedTuple, Protocol

MAX_LINE_BYTES = 1 << 20
"""A longer line is bad: it bounds the memory of a file without line ends."""
MAX_LAX_BYTES = 1 << 14
"""Lines above it are tried with linear patterns only."""


class Entry(NamedTuple):
    """One request as logged: text not yet decoded, "-" already turned to empty.

    A plain tuple, because a million are made. `agent` is None where the format has no such
    column, so that nobody is called a bot for the want of it.
    """

    address: bytes
    """Client address or resolved host name, perhaps with a port."""
    at_us: int
    """UTC microseconds since 1970."""
    method: bytes
    target: bytes
    """Path with query, or an absolute URL."""
    status: int
    """0: not logged."""
    size: int
    """Bytes sent, 0: none or not logged."""
    referrer: bytes
    agent: bytes | None
    host: bytes
    """Host name, perhaps with a port; empty: not logged."""


class Bad(enum.StrEnum):
    """Why a line could not be understood. Values are shown to users."""

    FORMAT = "not in the expected format"
    TIME = "no valid time"
    FUTURE = "time in the future"
    ADDRESS = "no client address"
    REQUEST = "request is not METHOD URL"
    STATUS = "no valid status code"
    JSON = "not valid JSON"
    FIELDS = "no usable #Fields line before it"
    TOO_LONG = "longer than 1 MiB"


class BadLineError(Exception):
    """A line that is not what it should be. Carries the reason, never the line."""

    code = "weblog-bad-line"

    def __init__(self, reason: Bad) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Skip(enum.StrEnum):
    """Why a good line is not stored. Values are shown to users."""

    EMPTY = "empty line"
    DIRECTIVE = "format directive"
    NOT_A_REQUEST = "not a request"
    METHOD = "method"
    OTHER_HOST = "other host"
    BOT = "bot"
    STATIC = "static file"
    REDIRECT = "redirect"
    ERROR = "error status"
    PARTIAL = "partial content"
    KNOWN = "already stored"


class SkippedLineError(Exception):
    """A line that is fine and holds no request to count."""

    code = "weblog-skipped-line"

    def __init__(self, reason: Skip) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Parser(Protocol):
    """A format. May hold state (W3C's #Fields), so lines come in the file's order."""

    name: str

    def parse(self, line: bytes) -> Entry:
        """The line's request; raises BadLineError or SkippedLineError."""

    def visitor_key(self, line: bytes) -> bytes:
        """Bytes equal for all lines of an address: decides which worker takes the line.

        Cheap, never raises; any line has a key. A line whose address cannot be seen is its own.
        """


_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROL = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"b": b"\b", b"f": b"\f"}


def unescape(value: bytes) -> bytes:
    r"""Undo what Apache and nginx write for bytes a log must not hold: \xHH, \" and \\."""

    def plain(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes((int(match[1], 16),))
        return _CONTROL.get(match[2], match[2])

    return _ESCAPE.sub(plain, value)


def split_request(request: bytes) -> tuple[bytes, bytes]:
    """Method and target of a request line; raises when it is none.

    HTTP/0.9 requests have no protocol; a target with raw spaces (against RFC 9112, but logged)
    keeps them.
    """
    method, _, rest = request.partition(b" ")
    if not rest:
        raise SkippedLineError(Skip.NOT_A_REQUEST) if request in EMPTY else bad(Bad.REQUEST)
    target, _, protocol = rest.rpartition(b" ")
    if not protocol.startswith(b"HTTP/"):
        target = rest
    if not method.isalpha() or not target:
        raise BadLineError(Bad.REQUEST)
    return method, target.strip()


def bad(reason: Bad) -> BadLineError:
    """The error, for use in an expression."""
    return BadLineError(reason)


EMPTY = frozenset((b"", b"-"))


def status_of(value: bytes) -> int:
    """Three digits as a number; "-" and "" are 0; raises for anything else."""
    if len(value) == 3 and value.isdigit():
        return int(value)
    if value in EMPTY or value == b"0" or value == b"000":
        return 0
    raise BadLineError(Bad.STATUS)


def size_of(value: bytes) -> int:
    """Bytes; what is not a number is 0. Bounded to what the column takes."""
    return min(int(value), (1 << 62)) if value.isdigit() and len(value) < 20 else 0
