"""Hours and days of a site's clock. Instants are UTC microseconds since 1970.

The same hours as tracking.writer.hours cuts for one instant, for arrays of them.
"""

import datetime as dt
import functools
import zoneinfo
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_us(instant: dt.datetime) -> int:
    """Microseconds of an aware datetime, exactly."""
    return (instant - _EPOCH) // dt.timedelta(microseconds=1)


def from_us(at_us: int) -> dt.datetime:
    """The instant as a datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=at_us)


@dataclass(frozen=True)
class Clock:
    """A zone's clock for a time: `offsets[i]` from UTC holds from `starts[i]` on.

    The first of `starts` is an hour before the time; the others are changes of the clock.
    """

    starts: Ints
    offsets: Ints
    starts_us: int
    ends_before_us: int

    def hours_of(self, at_us: Ints) -> Ints:
        """Start of the hour that each instant lies in, for instants of the clock's time."""
        index = np.searchsorted(self.starts, at_us, side="right") - 1
        full = at_us - (at_us + self.offsets[index]) % HOUR
        return np.where(index > 0, np.maximum(full, self.starts[index]), full)

    def hours(self) -> list[int]:
        """Starts of all hours that have an instant in the clock's time, ascending."""
        keys = {self.starts_us, *self.starts[self.starts > self.starts_us].tolist()}
        ends = [*self.starts[1:].tolist(), self.ends_before_us]
        for start, end, offset in zip(
            self.starts.tolist(), ends, self.offsets.tolist(), strict=True
        ):
            begin = max(start, self.starts_us)
            keys.update(range(begin + -(begin + offset) % HOUR, end, HOUR))
        return sorted(set(self.hours_of(np.array(sorted(keys), dtype=np.int64)).tolist()))


@functools.lru_cache(maxsize=1024)
def clock_of(timezone: str, starts_us: int, ends_before_us: int) -> Clock:
    """The zone's clock from one instant to another.

    Offsets are sampled hourly and each change is found to the second by bisection: a zone that
    changes there and back within an hour has not been seen.
    """
    zone = zoneinfo.ZoneInfo(timezone)
    starts = [starts_us - HOUR]
    offsets = [_offset(zone, starts[0])]
    for sample in [*range(starts_us, ends_before_us, HOUR), ends_before_us - 1]:
        if _offset(zone, sample) != offsets[-1]:
            starts.append(_change(zone, max(starts[-1], sample - HOUR), sample))
            offsets.append(_offset(zone, sample))
    return Clock(
        np.array(starts, dtype=np.int64),
        np.array(offsets, dtype=np.int64),
        starts_us,
        ends_before_us,
    )


def _offset(zone: zoneinfo.ZoneInfo, at_us: int) -> int:
    offset = from_us(at_us).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // dt.timedelta(microseconds=1)


def _change(zone: zoneinfo.ZoneInfo, low_us: int, high_us: int) -> int:
    """First whole second in (low, high] with the offset of `high`."""
    wanted = _offset(zone, high_us)
    low, high = low_us // SECOND, -(-high_us // SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * SECOND) == wanted:
            high = middle
        else:
            low = middle
    return high * SECOND


def day_bounds(timezone: str, day: dt.date) -> tuple[int, int]:
    """First instant of the day on the zone's clock, and the first one after it."""
    zone = zoneinfo.ZoneInfo(timezone)
    first, after = (
        to_us(dt.datetime.combine(date, dt.time(), zone).astimezone(dt.UTC))
        for date in (day, day + dt.timedelta(days=1))
    )
    return first, after


def day_clock(timezone: str, day: dt.date) -> Clock:
    """The clock of one day of the zone: 23 to 25 hours."""
    return clock_of(timezone, *day_bounds(timezone, day))


def day_of(timezone: str, at_us: int) -> dt.date:
    """Date on the zone's clock."""
    return from_us(at_us).astimezone(zoneinfo.ZoneInfo(timezone)).date()
