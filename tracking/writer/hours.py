"""The hour of a site's local time that holds an instant. Pure.

Hours are cut in the site's time zone, also where it is not a whole number of hours from UTC
(Kolkata, Kathmandu) or moves its clocks by half an hour (Lord Howe): there the hours beside the
change are shorter, and no two overlap.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

QUARTER_S = 900
"""All offsets in force are multiples of a quarter of an hour."""
HOUR_S = 3600

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _offset_s(zone: str, at_s: int) -> int:
    at = _EPOCH + dt.timedelta(seconds=at_s)
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=65536)
def hour_start(zone: str, quarter: int) -> int:
    """Seconds since 1970 at which the local hour begins that holds this quarter of an hour.

    `quarter` is counted from 1970 in UTC.
    """
    at_s = quarter * QUARTER_S
    offset = _offset_s(zone, at_s)
    start = at_s - (at_s + offset) % HOUR_S
    # A change of the clocks inside the hour begins another.
    while at_s > start and _offset_s(zone, at_s - QUARTER_S) == offset:
        at_s -= QUARTER_S
    return max(start, at_s)


def touched_hours(
    quarters: Iterable[tuple[int, int]], zones: Mapping[int, str]
) -> list[tuple[int, int]]:
    """Distinct (site id, start of the hour in seconds) of (site id, quarter), sorted."""
    return sorted({(site, hour_start(zones[site], quarter)) for site, quarter in quarters})
