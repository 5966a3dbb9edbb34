"""Replacing hour rows, merging days from them and weeks from days, in the client's schema."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from tracking.models import Dimension
from tracking.models.raw import OTHER
from tracking.rollups.counting import HourRow, Sums
from tracking.rollups.hours import HOUR, from_us, to_us
from tracking.sketches import merge_sketches

_Key = tuple[int, int]
"""Dimension and label."""
_Value = tuple[Sums, bytes]
DAY_VALUES = 5_000
"""Most values that a day keeps of a dimension."""

_COUNTERS = ", ".join(Sums._fields)
_SUMMED = ", ".join(f"sum({name})::bigint" for name in Sums._fields)
_COPY = (
    f"COPY {{table}} (site_id, dimension, {{time}}, label, {_COUNTERS}, visitors) "
    "FROM STDIN (FORMAT BINARY)"
)
_COUNTER_TYPES = ["int4", "int4", "int4", "int4", "int8", "int8", "int8", "bytea"]


def replace_hours(cursor: Any, site_id: int, hours: Iterable[int], rows: list[HourRow]) -> None:
    """Put the rows in place of all that the hours had."""
    cursor.execute(
        "DELETE FROM hour_stats WHERE site_id = %s AND hour = ANY(%s)",
        [site_id, [from_us(hour) for hour in hours]],
    )
    with cursor.copy(_COPY.format(table="hour_stats", time="hour")) as copy:
        copy.set_types(["int4", "int2", "timestamptz", "int4", *_COUNTER_TYPES])
        for row in rows:
            hour = from_us(row.hour)
            copy.write_row((site_id, row.dimension, hour, row.label, *row.sums, row.visitors))


def merge_day(cursor: Any, site_id: int, day: dt.date, hours: list[int]) -> int:
    """Merge a day from its hours; returns how many rows it has now.

    `hours` are the keys of the day on the site's clock. Rows of the day under any other key are
    of a clock that the site no longer has; they are removed, or they would be counted beside
    those of the new clock.
    """
    stale = _stored_hours(cursor, site_id, hours) - set(hours)
    if stale:
        replace_hours(cursor, site_id, stale, [])
    found = _merged(cursor, "hour_stats", "hour", site_id, [from_us(hour) for hour in hours])
    merged = _capped(found, DAY_VALUES)
    forget_weeks(cursor, site_id, week_of(day), day)
    forget_copy(cursor, site_id, day)
    cursor.execute("DELETE FROM day_stats WHERE site_id = %s AND day = %s", [site_id, day])
    _store(cursor, "day_stats", "day", site_id, day, merged)
    return len(merged)


def week_of(day: dt.date) -> dt.date:
    """The Monday of its week."""
    return day - dt.timedelta(days=day.weekday())


def forget_copy(cursor: Any, site_id: int, day: dt.date) -> None:
    """Remove the copy of a day's hits, since they change: the rows are read again."""
    cursor.execute("DELETE FROM hit_days WHERE site_id = %s AND day = %s", [site_id, day])


def forget_weeks(cursor: Any, site_id: int, first: dt.date, last: dt.date) -> None:
    """Remove the weeks of these Mondays, since days of theirs change: the days are read again."""
    cursor.execute(
        "DELETE FROM week_stats WHERE site_id = %s AND week BETWEEN %s AND %s",
        [site_id, first, last],
    )


def merge_week(cursor: Any, site_id: int, week: dt.date) -> int:
    """Merge a week from its days, in place of what it had; returns how many rows it has now.

    Another rollup may have merged it since it was found missing. Nothing is folded: what is read
    of the week is what its days say.
    """
    days = [week + dt.timedelta(days=number) for number in range(7)]
    merged = _merged(cursor, "day_stats", "day", site_id, days)
    forget_weeks(cursor, site_id, week, week)
    _store(cursor, "week_stats", "week", site_id, week, merged)
    return len(merged)


def _store(
    cursor: Any,
    table: str,
    time: str,
    site_id: int,
    date: dt.date,
    merged: dict[_Key, _Value],
) -> None:
    with cursor.copy(_COPY.format(table=table, time=time)) as copy:
        copy.set_types(["int4", "int2", "date", "int4", *_COUNTER_TYPES])
        # In the order of the key: a day of a dimension is then read from few pages, one by one.
        for (dimension, label), (sums, sketch) in sorted(merged.items()):
            copy.write_row((site_id, dimension, date, label, *sums, sketch))


def hits_stored(cursor: Any, site_id: int, hours: list[int]) -> dict[int, int]:
    """Page views and events that the rollup holds of each hour; an hour without a row is absent."""
    cursor.execute(
        "SELECT hour, pageviews + events FROM hour_stats "
        "WHERE site_id = %s AND dimension = %s AND hour = ANY(%s)",
        [site_id, Dimension.TOTAL, [from_us(hour) for hour in hours]],
    )
    return {to_us(hour): hits for hour, hits in cursor.fetchall()}


def _stored_hours(cursor: Any, site_id: int, hours: list[int]) -> set[int]:
    """All stored hours from the first of the given ones to the end of the last."""
    cursor.execute(
        "SELECT hour FROM hour_stats "
        "WHERE site_id = %s AND dimension = %s AND hour >= %s AND hour < %s",
        [site_id, Dimension.TOTAL, from_us(hours[0]), from_us(hours[-1] + HOUR)],
    )
    return {to_us(hour) for (hour,) in cursor.fetchall()}


def _merged(
    cursor: Any, table: str, time: str, site_id: int, times: Sequence[dt.date]
) -> dict[_Key, _Value]:
    """Sums and united sketches of the hours or days by dimension and label."""
    cursor.execute(
        f"SELECT dimension, label, array_agg(visitors), {_SUMMED} FROM {table} "  # noqa: S608 - names of columns only
        f"WHERE site_id = %s AND {time} = ANY(%s) GROUP BY dimension, label",
        [site_id, list(times)],
    )
    # Sketches are united in an order of their own, so that the same hours give the same bytes.
    return {
        (dimension, label): (Sums(*sums), merge_sketches(sorted(map(bytes, sketches))))
        for dimension, label, sketches, *sums in cursor.fetchall()
    }


def _united(parts: list[_Value]) -> _Value:
    if len(parts) == 1:
        return parts[0]
    sums = Sums(*map(sum, zip(*(sums for sums, _ in parts), strict=True)))
    return sums, merge_sketches([sketch for _, sketch in parts])


def _capped(merged: dict[_Key, _Value], values: int) -> dict[_Key, _Value]:
    """The same with all but the most frequent values of each dimension under *other*."""
    by_dimension: dict[int, list[int]] = {}
    for dimension, label in merged:
        by_dimension.setdefault(dimension, []).append(label)
    for dimension, labels in by_dimension.items():
        if len(labels) <= values:
            continue

        def frequency(label: int, dimension: int = dimension) -> tuple[int, int, int]:
            sums = merged[dimension, label][0]
            return -sums.visits, -(sums.pageviews + sums.events), label

        folded = [*sorted(set(labels) - {OTHER}, key=frequency)[values:], OTHER]
        parts = [merged.pop((dimension, label)) for label in folded if (dimension, label) in merged]
        merged[dimension, OTHER] = _united(parts)
    return merged
