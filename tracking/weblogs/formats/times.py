"""Times of log lines, to UTC microseconds since 1970."""

import datetime as dt
import re

from tracking.weblogs.formats.entry import Bad, BadLineError

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(b" "), start=1
    )
}
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
EARLIEST_US = 631_152_000_000_000
"""1990-01-01: before it there was no web; such a time is a broken clock's."""
_SECOND_US = 1_000_000
_CACHE_SIZE = 4096

_COMMON = re.compile(
    rb"(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    rb"(?: ?([+-]\d\d):?(\d\d))?$"
)
_ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    rb" ?(?:Z|UTC|([+-]\d\d):?(\d\d))?$"
)
_SLASHED = re.compile(rb"(\d{4})/(\d\d)/(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?()()$")
_UNIX = re.compile(rb"(\d{9,10})(?:\.(\d{1,9}))?$")
_UNIX_MS = re.compile(rb"(\d{12,13})(?:\.\d*)?$")


def _fraction_us(digits: bytes | None) -> int:
    return int(digits.ljust(6, b"0")[:6]) if digits else 0


def _assemble(
    date: tuple[int, int, int], clock: tuple[bytes, bytes, bytes], fraction: bytes | None,
    offset: tuple[bytes | None, bytes | None],
) -> int:  # fmt: skip
    hours, minutes, seconds = map(int, clock)
    if hours > 23 or minutes > 59 or seconds > 60:
        raise BadLineError(Bad.TIME)
    try:
        days = dt.date(*date).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise BadLineError(Bad.TIME) from error
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if offset[0] and offset[1]:
        # The sign stands at the hours and is the minutes' too: -0330 is three and a half behind.
        east = int(offset[0]) * 3600 + (-1 if offset[0][0] == 45 else 1) * int(offset[1]) * 60
        total -= east
    return checked(total * _SECOND_US + _fraction_us(fraction))


def checked(at_us: int) -> int:
    """The time itself; raises when it lies before the web. The future is the caller's check."""
    if at_us < EARLIEST_US:
        raise BadLineError(Bad.TIME)
    return at_us


def parse_common(value: bytes) -> int:
    """17/May/2015:10:05:03 +0000; without an offset it is taken as UTC."""
    match = _COMMON.match(value)
    month = _MONTHS.get(match[2]) if match else None
    if match is None or month is None:
        raise BadLineError(Bad.TIME)
    day, _, year, hour, minute, second, fraction, off_h, off_m = match.groups()
    date = (int(year), month, int(day))
    return _assemble(date, (hour, minute, second), fraction, (off_h, off_m))


def parse_iso(value: bytes) -> int:
    """RFC 3339 and its neighbours (space for T, comma for the point, no offset: UTC)."""
    match = _ISO.match(value) or _SLASHED.match(value)
    if match is None:
        raise BadLineError(Bad.TIME)
    year, month, day, hour, minute, second, fraction, off_h, off_m = match.groups()
    date = (int(year), int(month), int(day))
    return _assemble(date, (hour, minute, second), fraction, (off_h, off_m))


def parse_unix(value: bytes) -> int:
    """Seconds since 1970 with up to nine decimals, as text (nginx $msec), or milliseconds."""
    millis = _UNIX_MS.match(value)
    if millis:
        return checked(int(millis[1]) * 1000)
    match = _UNIX.match(value)
    if match is None:
        raise BadLineError(Bad.TIME)
    return checked(int(match[1]) * _SECOND_US + _fraction_us(match[2]))


def parse_any(value: bytes) -> int:
    """Whichever of the three it is."""
    if value[:10].isdigit():
        return parse_unix(value)
    return parse_iso(value) if value[:4].isdigit() else parse_common(value)


class TimeCache(dict[bytes, int]):
    """Text to time, remembered; bounded. `at` for the common form, [] for any."""

    def at(self, value: bytes) -> int:
        """17/May/2015:10:05:03 +0000: a minute is parsed once. Raises BadLineError."""
        seconds = value[18:20]
        if len(value) != 26 or value[17] != 58 or not seconds.isdigit() or seconds > b"60":
            return self[value]
        return self[value[:18] + b"00" + value[20:]] + int(seconds) * _SECOND_US

    def __missing__(self, value: bytes) -> int:
        """Parse and keep; raises BadLineError."""
        at_us = parse_any(value)
        if len(self) >= _CACHE_SIZE:
            self.clear()
        self[value] = at_us
        return at_us
