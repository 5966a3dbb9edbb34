"""Line formats of Apache and nginx, as patterns over bytes.

Sources: Apache mod_log_config (common, combined, vhost_combined), nginx ngx_http_log_module.
A pattern is tried strictly first; what does not match, because a value holds a raw quote or a
user name a space, is tried once more laxly.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracking.weblogs.formats.entry import (
    EMPTY,
    MAX_LAX_BYTES,
    Bad,
    BadLineError,
    Entry,
    Skip,
    SkippedLineError,
    size_of,
    split_request,
    status_of,
    unescape,
)
from tracking.weblogs.formats.times import TimeCache

QUOTED = rb'([^"\\]*(?:\\.[^"\\]*)*)'
"""The inside of a quoted value with backslash escapes, in linear time."""
_REQUEST_CACHE = 8192

_TAIL = rb'(?: "' + QUOTED + rb'"(?: "' + QUOTED + rb'(?:"|$))?)?'
_REST = rb' \[([^\]]+)\] "' + QUOTED + rb'" (\d{3}|-) (\d+|-)(?![^ ])' + _TAIL
_LAX_REST = (
    rb' .*?\[(\d{1,2}/[A-Z][a-z]{2}/\d{4}:[^\]]+)\] "(.*)" (\d{3}|-) (\d+|-)'
    rb'(?: "(.*?)"(?: "(.*?)"?)?)?$'
)


class Columns(NamedTuple):
    """Number of each role's group in a pattern; None: the format has no such column."""

    address: int | None = None
    forwarded: int | None = None
    time: int | None = None
    request: int | None = None
    method: int | None = None
    target: int | None = None
    query: int | None = None
    status: int | None = None
    size: int | None = None
    referrer: int | None = None
    agent: int | None = None
    host: int | None = None


class CombinedParser:
    """Apache/nginx common and combined, with or without the virtual host in front.

    Written out instead of generated: this is the format of nearly all logs, and the import's
    speed. More columns after the user agent are allowed and ignored (Traefik, response times);
    a user agent without its closing quote ends with the line.
    """

    def __init__(self, name: str, *, vhost: bool) -> None:
        self.name = name
        front = rb"(\S+) (\S+) \S+ \S+" if vhost else rb"()(\S+) \S+ \S+"
        lax_front = rb"(\S+) (\S+) \S+" if vhost else rb"()(\S+) \S+"
        self._vhost = vhost
        self._strict = re.compile(front + _REST)
        self._lax = re.compile(lax_front + _LAX_REST)
        self._times = TimeCache()
        self._requests: dict[bytes, tuple[bytes, bytes]] = {}

    def matches(self, line: bytes) -> bool:
        """Whether the line fits strictly: for telling formats apart."""
        return self._strict.match(line) is not None

    def parse(self, line: bytes) -> Entry:
        """See Parser."""
        match = self._strict.match(line)
        if match is None:
            match = self._lax.match(line) if len(line) <= MAX_LAX_BYTES else None
            if match is None:
                raise BadLineError(Bad.FORMAT)
        host, address, stamp, request, status, size, referrer, agent = match.groups()
        at_us = self._times.at(stamp)
        method, target = self._requests.get(request) or self._split(request)
        if referrer is None or referrer == b"-":
            referrer = b""
        elif b"\\" in referrer:
            referrer = unescape(referrer)
        if agent == b"-":
            agent = b""
        elif agent is not None and b"\\" in agent:
            agent = unescape(agent)
        if address == b"-":
            raise BadLineError(Bad.ADDRESS)
        return Entry(
            address, at_us, method, target, int(status) if status != b"-" else 0,
            int(size) if size != b"-" and len(size) < 19 else 0, referrer, agent, host,
        )  # fmt: skip

    def _split(self, request: bytes) -> tuple[bytes, bytes]:
        parts = split_request(unescape(request) if b"\\" in request else request)
        if len(self._requests) >= _REQUEST_CACHE:
            self._requests.clear()
        self._requests[request] = parts
        return parts

    def visitor_key(self, line: bytes) -> bytes:
        """See Parser."""
        if self._vhost:
            start = line.find(b" ") + 1
            return line[start : line.find(b" ", start)]
        return line[: line.find(b" ")]


class PatternParser:
    """A format given as strict and lax patterns with numbered columns."""

    def __init__(
        self, name: str, strict: re.Pattern[bytes], lax: re.Pattern[bytes], columns: Columns
    ) -> None:
        self.name = name
        self._strict = strict
        self._lax = lax
        self._columns = columns
        self._times = TimeCache()

    def matches(self, line: bytes) -> bool:
        """Whether the line fits strictly: for telling formats apart."""
        return self._strict.match(line) is not None

    def _groups(self, line: bytes) -> tuple[bytes | None, ...]:
        match = self._strict.match(line)
        if match is None and len(line) <= MAX_LAX_BYTES:
            match = self._lax.match(line)
        if match is None:
            raise BadLineError(Bad.FORMAT)
        return match.groups()

    def parse(self, line: bytes) -> Entry:
        """See Parser."""
        groups = self._groups(line)
        columns = self._columns

        def value(column: int | None) -> bytes:
            found = groups[column] if column is not None else None
            if found is None or found == b"-":
                return b""
            return unescape(found) if b"\\" in found else found

        address = client_address(value(columns.address), value(columns.forwarded))
        if not address:
            raise BadLineError(Bad.ADDRESS)
        method, target = self._request(value, columns)
        return Entry(
            address=address,
            at_us=self._times[value(columns.time)],
            method=method,
            target=target,
            status=status_of(value(columns.status)),
            size=size_of(value(columns.size)),
            referrer=value(columns.referrer),
            agent=value(columns.agent) if columns.agent is not None else None,
            host=value(columns.host),
        )

    @staticmethod
    def _request(value: Callable[[int | None], bytes], columns: Columns) -> tuple[bytes, bytes]:
        if columns.request is not None:
            return split_request(value(columns.request))
        target, query = value(columns.target), value(columns.query)
        if not target:
            raise SkippedLineError(Skip.NOT_A_REQUEST)
        if query:
            target += b"?" + query
        return value(columns.method) or b"GET", target

    def visitor_key(self, line: bytes) -> bytes:
        """See Parser."""
        try:
            groups = self._groups(line)
        except BadLineError:
            return line
        columns = self._columns
        address = groups[columns.address] if columns.address is not None else None
        forwarded = groups[columns.forwarded] if columns.forwarded is not None else None
        return client_address(address or b"", forwarded or b"") or line


class ChainParser:
    """Several formats that a server writes into one file: the first that fits a line reads it."""

    def __init__(self, name: str, parsers: Sequence[PatternParser]) -> None:
        self.name = name
        self._parsers = parsers

    def matches(self, line: bytes) -> bool:
        """Whether the line fits one of them strictly."""
        return any(parser.matches(line) for parser in self._parsers)

    def _parser(self, line: bytes) -> PatternParser:
        return next((each for each in self._parsers if each.matches(line)), self._parsers[0])

    def parse(self, line: bytes) -> Entry:
        """See Parser."""
        return self._parser(line).parse(line)

    def visitor_key(self, line: bytes) -> bytes:
        """See Parser."""
        return self._parser(line).visitor_key(line)


_PRIVATE = re.compile(
    rb"(?:::ffff:)?(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|::1$|f[cd][0-9a-f]{2}:"
)


def client_address(remote: bytes, forwarded: bytes) -> bytes:
    """The client's address of a line that has both the peer's and X-Forwarded-For.

    The peer's, unless it is a private one, which is a proxy of one's own: then the nearest
    forwarded address that is not private (the others were written by the visitor).
    """
    if forwarded in EMPTY or (remote not in EMPTY and not _PRIVATE.match(remote)):
        return b"" if remote == b"-" else remote
    hops = [hop.strip() for hop in forwarded.split(b",")]
    public = [hop for hop in hops if hop not in EMPTY and not _PRIVATE.match(hop)]
    if public:
        return public[-1]
    return hops[0] if remote in EMPTY else remote
