"""Time cut into hours, days, weeks and months of a site's clock. Pure."""

import dataclasses
import datetime as dt
import functools
import zoneinfo
from dataclasses import dataclass

import numpy as np

from tracking.reports.periods import Period
from tracking.rollups.hours import Ints, clock_of, day_bounds, from_us, to_us

HOURS_UP_TO_DAYS = 2
_HALF_HOUR, _HOURS = 30, 24
DAYS_UP_TO_DAYS = 92


@dataclass(frozen=True)
class Hours(Period):
    """A period of whole hours, of the days that it lies in; microseconds."""

    first_us: int = 0
    after_us: int = 0


@dataclass(frozen=True)
class UpTo(Period):
    """Days, the last of which counts up to an instant only: the end of an hour; microseconds."""

    after_us: int = 0
    hour: int | None = None
    """The hour on the site's clock that it ends with, 1 to 23, where somebody chose one."""


@dataclass(frozen=True)
class Buckets:
    """Consecutive pieces of a period. `starts` are their first instants, microseconds."""

    starts: Ints
    texts: tuple[str, ...]
    """2026-05-01, or 2026-05-01 14:00:00 for an hour. A repeated hour has its text twice."""
    ends_before_us: int
    codes: Ints | None = None
    """Number under which each bucket counts, if not its own."""

    @property
    def starts_us(self) -> int:
        """First instant of the period."""
        return int(self.starts[0])

    def index_of(self, at_us: Ints) -> Ints:
        """Number of the bucket of each instant; -1 outside the period."""
        index = np.searchsorted(self.starts, at_us, side="right") - 1
        if self.codes is not None:
            index = np.where(index >= 0, self.codes[index], -1)
        return np.where(at_us < self.ends_before_us, index, -1)

    def by_name(self) -> "Buckets":
        """The same, buckets of one name counted as the first of them."""
        first = {text: number for number, text in reversed(list(enumerate(self.texts)))}
        if len(first) == len(self.texts):
            return self
        codes = np.array([first[text] for text in self.texts], dtype=np.int64)
        return dataclasses.replace(self, codes=codes)

    def starts_at(self, timezone: str) -> list[dt.datetime]:
        """First instants on the zone's clock."""
        zone = zoneinfo.ZoneInfo(timezone)
        return [from_us(start).astimezone(zone) for start in self.starts.tolist()]


def step_of(dimension: str, period: Period) -> str:
    """hour, day, week or month; plain `time` takes what suits the period."""
    if dimension != "time":
        return dimension.removeprefix("time:")
    if period.days <= HOURS_UP_TO_DAYS:
        return "hour"
    return "day" if period.days <= DAYS_UP_TO_DAYS else "month"


@functools.lru_cache(maxsize=64)
def whole(timezone: str, period: Period) -> Buckets:
    """The period as one bucket."""
    first, after = bounds_of(timezone, period)
    return Buckets(np.array([first], dtype=np.int64), ("",), after)


@functools.lru_cache(maxsize=64)
def cut(timezone: str, period: Period, step: str) -> Buckets:
    """The period in hours, days, weeks (from Monday) or months.

    A week or month that the period begins within is named by its own first day.
    """
    first, after = bounds_of(timezone, period)
    if step == "hour":
        zone = zoneinfo.ZoneInfo(timezone)
        keys = clock_of(timezone, first, after).hours()
        texts = [f"{from_us(key).astimezone(zone):%Y-%m-%d %H:%M:%S}" for key in keys]
        return Buckets(np.array(keys, dtype=np.int64), tuple(texts), after)
    starts: list[int] = []
    names: list[str] = []
    for day in period.dates():
        name = day_name(day, step)
        if not names or names[-1] != name:
            names.append(name)
            starts.append(max(first, day_bounds(timezone, day)[0]))
    return Buckets(np.array(starts, dtype=np.int64), tuple(names), after)


def day_name(day: dt.date, step: str) -> str:
    """The day, or the first day of its week or month."""
    if step == "week":
        day -= dt.timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    return day.isoformat()


def bounds_of(timezone: str, period: Period) -> tuple[int, int]:
    """First instant of the period on the zone's clock, and the first after it."""
    if isinstance(period, Hours):
        return period.first_us, period.after_us
    first = day_bounds(timezone, period.starts_on)[0]
    if isinstance(period, UpTo):
        return first, period.after_us
    return first, day_bounds(timezone, period.ends_on)[1]


def whole_days(period: Period) -> Period:
    """The same days, all of them to their ends."""
    return Period(period.starts_on, period.ends_on) if isinstance(period, UpTo) else period


def up_to_now(compared: Period, timezone: str, now: dt.datetime) -> Period:
    """What a period that ends today is compared with: as much of its last day as today has had.

    To the nearest full hour, but one at least: sums are kept by the hour. Once today is as good
    as over, the whole day.
    """
    zone = zoneinfo.ZoneInfo(timezone)
    local = now.astimezone(zone)
    hour = max(1, local.hour + (local.minute >= _HALF_HOUR))
    if hour == _HOURS:
        return compared
    ends = dt.datetime.combine(compared.ends_on, dt.time(hour), zone)
    return UpTo(compared.starts_on, compared.ends_on, to_us(ends), hour)
