"""W3C extended log files: IIS, CloudFront, and others.

Source: https://www.w3.org/TR/WD-logfile.html. `#Fields` may change in the middle of a file; dates
and times are UTC. IIS writes "+" for a space in the user agent, CloudFront "%20" or "%2520".
"""

import re
from urllib.parse import unquote_to_bytes

from tracking.weblogs.formats.entry import (
    EMPTY,
    Bad,
    BadLineError,
    Entry,
    Skip,
    SkippedLineError,
    size_of,
    status_of,
)
from tracking.weblogs.formats.text import client_address
from tracking.weblogs.formats.times import TimeCache

_ROLES: dict[bytes, tuple[bytes, ...]] = {
    b"date": (b"date", b"date-local"),
    b"time": (b"time", b"time-local"),
    b"address": (b"c-ip",),
    b"forwarded": (b"x-forwarded-for", b"cs(x-forwarded-for)", b"s-xff"),
    b"method": (b"cs-method",),
    b"target": (b"cs-uri-stem", b"cs-uri"),
    b"query": (b"cs-uri-query",),
    b"status": (b"sc-status",),
    b"size": (b"sc-bytes", b"bytes"),
    b"referrer": (b"cs(referer)", b"cs(referrer)"),
    b"agent": (b"cs(user-agent)",),
    b"host": (b"x-host-header", b"cs(host)", b"cs-host"),
}
"""Role to field names, the better first, in lower case."""
_QUOTED = re.compile(rb'"((?:[^"]|"")*)"|(\S+)')
_DATE = re.compile(rb"#(?:Start-)?Date:\s*(\d{4}-\d\d-\d\d)", re.IGNORECASE)
_FIELDS = re.compile(rb"#Fields:\s*(.*)", re.IGNORECASE)


class W3CParser:
    """See Parser. Holds the last #Fields and #Date."""

    name = "w3c"

    def __init__(self) -> None:
        self._columns: dict[bytes, int] = {}
        self._count = 0
        self._has_agent = False
        self._date = b""
        self._times = TimeCache()

    def _directive(self, line: bytes) -> None:
        date = _DATE.match(line)
        if date:
            self._date = date[1]
        fields = _FIELDS.match(line)
        if fields is None:
            return
        names = [name.lower() for name in fields[1].split()]
        self._count = len(names)
        self._columns = {}
        for role, choices in _ROLES.items():
            found = next((name for name in choices if name in names), None)
            if found is not None:
                self._columns[role] = names.index(found)
        self._has_agent = b"agent" in self._columns

    def _values(self, line: bytes) -> list[bytes]:
        if not self._columns:
            raise BadLineError(Bad.FIELDS)
        if b"\t" in line:
            values = line.split(b"\t")
        elif b'"' in line:
            values = [
                quoted.replace(b'""', b'"') or plain for quoted, plain in _QUOTED.findall(line)
            ]
        else:
            values = line.split()
        if len(values) != self._count:
            raise BadLineError(Bad.FORMAT)
        return values

    def _value(self, values: list[bytes], role: bytes) -> bytes:
        column = self._columns.get(role)
        if column is None or values[column] == b"-":
            return b""
        return values[column]

    def _address(self, values: list[bytes]) -> bytes:
        return client_address(self._value(values, b"address"), self._value(values, b"forwarded"))

    def parse(self, line: bytes) -> Entry:
        """See Parser."""
        if line.startswith(b"#"):
            self._directive(line)
            raise SkippedLineError(Skip.DIRECTIVE)
        values = self._values(line)
        address = self._address(values)
        if not address:
            raise BadLineError(Bad.ADDRESS)
        date = self._value(values, b"date") or self._date
        clock = self._value(values, b"time")
        target, query = self._value(values, b"target"), self._value(values, b"query")
        method = self._value(values, b"method") or b"GET"
        if not target or not method.isalpha():
            raise BadLineError(Bad.REQUEST)
        if query and b"?" not in target:
            target += b"?" + query
        return Entry(
            address=address,
            at_us=self._times[date + b" " + clock if clock else date],
            method=method,
            target=target,
            status=status_of(self._value(values, b"status")),
            size=size_of(self._value(values, b"size")),
            referrer=self._value(values, b"referrer"),
            agent=_agent(self._value(values, b"agent")) if self._has_agent else None,
            host=self._value(values, b"host"),
        )

    def visitor_key(self, line: bytes) -> bytes:
        """See Parser. Every worker passes every directive through here."""
        if line.startswith(b"#"):
            self._directive(line)
            return line
        try:
            return self._address(self._values(line)) or line
        except BadLineError:
            return line


def _agent(value: bytes) -> bytes:
    if value in EMPTY:
        return b""
    if b" " not in value and b"+" in value:
        value = value.replace(b"+", b" ")
    if b"%" in value:
        value = unquote_to_bytes(value)
        if b"%2" in value:
            value = unquote_to_bytes(value)
    return value
