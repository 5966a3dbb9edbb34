"""Sums and sketches of rollups, in the binary form of arrays: two statements for any question."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from django.db import connection

from tenants.models import Site
from tracking.query.buckets import Hours, UpTo, bounds_of, cut, day_name
from tracking.reports.periods import Period
from tracking.rollups.hours import Ints, day_bounds, from_us, to_us
from tracking.rollups.reading import read_arrays
from tracking.rollups.storing import week_of

SUM_COLUMNS = ("visits", "bounces", "pageviews", "events", "engaged_s", "duration_s", "bytes_sent")
_DAY, _SIX_DAYS = dt.timedelta(days=1), dt.timedelta(days=6)
_DAY_ZERO = "DATE '2000-01-01'"
_DAYS = "day_stats s WHERE s.site_id = %s AND s.dimension = ANY(%s) AND s.day BETWEEN %s AND %s"
_HOURS = (
    "hour_stats s WHERE s.site_id = %s AND s.dimension = ANY(%s) AND s.hour >= %s AND s.hour < %s"
)
# Which weeks have been merged is asked by the statement that reads them, or a rollup between two
# statements could take one away, or count its days twice. Arrays, not joins: an index finds them.
_WEEKS = (
    "ARRAY(SELECT week FROM week_stats WHERE site_id = %s AND dimension = 0 AND label = 0 "
    "AND week BETWEEN %s AND %s)"
)
_BESIDE_WEEKS = (
    "ARRAY(SELECT day::date "  # noqa: S608 - our own words
    "FROM generate_series(%s::timestamp, %s::timestamp, '1 day') AS day "
    f"WHERE date_trunc('week', day)::date <> ALL({_WEEKS}))"
)
_COLUMNS = f"dimension, label, {', '.join(SUM_COLUMNS)}, visitors"
_CHOSEN = "WHERE site_id = %s AND dimension = ANY(%s) AND"
_HOURS_OF_DAY = (
    f"SELECT {_COLUMNS}, %s::date AS day FROM hour_stats {_CHOSEN} hour >= %s AND hour < %s"  # noqa: S608 - our own words
)
_DAYS_AND_WEEKS = (
    f"(SELECT {_COLUMNS}, week AS day FROM week_stats {_CHOSEN} week = ANY({_WEEKS}) "  # noqa: S608 - our own words
    f"UNION ALL SELECT {_COLUMNS}, day FROM day_stats {_CHOSEN} day = ANY({_BESIDE_WEEKS})) s "
    "WHERE TRUE"
)


@dataclass(frozen=True)
class Stored:
    """Groups of some dimensions in a period, in no order."""

    dimension: Ints
    label: Ints
    bucket: Ints
    """Number of the bucket of `cut(timezone, period, step)`; 0 without a step."""
    sums: Ints
    """In the order of `SUM_COLUMNS`."""


@dataclass(frozen=True)
class Asked:
    """A site's period, cut in steps or (step "") whole."""

    site: Site
    period: Period
    step: str = ""
    by_name: bool = True
    """Whether the two hours of one name, when clocks go back, are one bucket."""

    @property
    def by_hour(self) -> bool:
        """Whether hours are read instead of days."""
        return self.step == "hour" or isinstance(self.period, Hours)

    def source(self, dimensions: Sequence[int]) -> tuple[str, list[object]]:
        """The rows of the dimensions, for after FROM; weeks count as their Mondays."""
        numbers = list(map(int, dimensions))
        if self.by_hour:
            bounds = map(from_us, bounds_of(self.site.timezone, self.period))
            return _HOURS, [self.site.pk, numbers, *bounds]
        if isinstance(self.period, UpTo):
            return self._up_to(self.period, numbers)
        return self._days(numbers, self.period.starts_on, self.period.ends_on)

    def _up_to(self, period: UpTo, numbers: list[int]) -> tuple[str, list[object]]:
        """Days before the last, and the hours of that one."""
        last = period.ends_on
        starts, _ = day_bounds(self.site.timezone, last)
        params = [last, self.site.pk, numbers, from_us(starts), from_us(period.after_us)]
        if last == period.starts_on:
            return f"({_HOURS_OF_DAY}) s WHERE TRUE", params
        days, of_days = self._days(numbers, period.starts_on, last - _DAY)
        union = f"(SELECT {_COLUMNS}, day FROM {days} UNION ALL {_HOURS_OF_DAY}) s WHERE TRUE"  # noqa: S608 - our own words
        return union, [*of_days, *params]

    def _days(self, numbers: list[int], first: dt.date, last: dt.date) -> tuple[str, list[object]]:
        rows: list[object] = [self.site.pk, numbers]
        weeks: list[Any] = [self.site.pk, week_of(first + _SIX_DAYS), last - _SIX_DAYS]
        if self.step or weeks[1] > weeks[2]:
            return _DAYS, [*rows, first, last]
        return _DAYS_AND_WEEKS, [*rows, *weeks, *rows, first, last, *weeks]

    def place(self, time: Ints) -> Ints:
        """Bucket of each time as it was read: microseconds, or days since 2000."""
        if not self.step:
            return np.zeros_like(time)
        buckets = cut(self.site.timezone, self.period, self.step)
        buckets = buckets.by_name() if self.by_name else buckets
        if self.by_hour:
            return buckets.index_of(time)
        numbers = {name: number for number, name in enumerate(buckets.texts)}
        names = cut(self.site.timezone, self.period, "day").texts
        first = self.period.starts_on.toordinal() - 730_120  # 2000-01-01
        of_day = np.array([numbers[_bucket_name(name, self.step)] for name in names])
        return of_day[time - first]


def _bucket_name(name: str, step: str) -> str:
    return day_name(dt.date.fromisoformat(name), step)


def read_sums(asked: Asked, dimensions: Sequence[int]) -> Stored:
    """Sums of each value, and bucket, of the dimensions. One query."""
    rows, params = asked.source(dimensions)
    time = "s.hour" if asked.by_hour else f"s.day - {_DAY_ZERO}"
    kind = "timestamptz" if asked.by_hour else "int4"
    sums = {name: f"r.{name}" for name in SUM_COLUMNS}
    if asked.step:
        chosen = f"s.dimension, s.label, {time} AS time, {', '.join(SUM_COLUMNS)} FROM {rows}"
    else:
        summed = ", ".join(f"sum({name})::bigint AS {name}" for name in SUM_COLUMNS)
        kind = "int4"
        chosen = f"s.dimension, s.label, 0 AS time, {summed} FROM {rows} GROUP BY 1, 2"
    columns = {"dimension": "r.dimension", "label": "r.label", "time": "r.time", **sums}
    kinds = {"dimension": "int2", "label": "int4", "time": kind, **dict.fromkeys(sums, "int8")}
    with connection.cursor() as cursor:  # which enters the schema: the raw cursor below does not
        query = f"SELECT {{columns}} FROM (SELECT {chosen}) r"  # noqa: S608 - names of columns only
        found = read_arrays(cursor, query, params, columns, kinds)
    return Stored(
        found["dimension"],
        found["label"],
        asked.place(found["time"]),
        np.array([found[name] for name in SUM_COLUMNS]),
    )


Key = tuple[int, int, int]
"""Dimension, label, bucket."""


def read_sketches(
    asked: Asked, dimensions: Sequence[int], only: Collection[tuple[int, int]] | None = None
) -> dict[Key, list[bytes]]:
    """Sketches of the visitors of each value and bucket, to be united. One query.

    `only` names the values wanted as dimension and label; all of them if it is None.
    """
    rows, params = asked.source(dimensions)
    time = "s.hour" if asked.by_hour else f"s.day - {_DAY_ZERO}"
    query = f"SELECT s.dimension, s.label, {time}, s.visitors FROM {rows}"  # noqa: S608 - names of columns only
    if only is not None:
        # By the labels alone the index finds the rows; without, all rows of a day would be read.
        query += (
            " AND s.label = ANY(%s)"
            " AND (s.dimension, s.label) IN (SELECT * FROM unnest(%s::int2[], %s::int4[]))"
        )
        labels = [each[1] for each in only]
        params += [sorted(set(labels)), [each[0] for each in only], labels]
    # Django's cursor enters the schema, which the raw one does not. In binary: as text each sketch
    # would be twice as long, and read digit by digit.
    with connection.cursor() as cursor, psycopg.Cursor(cursor.connection) as raw:
        raw.execute(query.encode(), params, binary=True, prepare=False)
        found = raw.fetchall()
    times = [to_us(row[2]) if asked.by_hour else row[2] for row in found]
    places = asked.place(np.array(times, dtype=np.int64)).tolist() if found else []
    sketches: dict[Key, list[bytes]] = defaultdict(list)
    for (dimension, label, _, sketch), place in zip(found, places, strict=True):
        sketches[dimension, label, place].append(bytes(sketch))
    return sketches
