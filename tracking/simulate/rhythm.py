"""When visitors come: weights of the hours and weekdays, and the drift of the seasons.

Every figure follows from the date alone, so a day made again is the same day.
"""

import datetime as dt
import math
import random
from typing import Final

from tracking.simulate.websites import Rhythm

_HOURS: Final[dict[Rhythm, tuple[int, ...]]] = {
    # Midnight first, local time; only the proportions count.
    Rhythm.SHOP: (
        *(12, 7, 4, 3, 3, 5, 12, 24, 36, 44, 50, 54),
        *(60, 56, 52, 50, 52, 58, 66, 78, 90, 86, 62, 32),
    ),
    Rhythm.VENUE: (
        *(16, 9, 5, 3, 3, 4, 9, 20, 34, 48, 58, 66),
        *(74, 64, 58, 58, 64, 76, 88, 80, 62, 54, 44, 28),
    ),
    Rhythm.OFFICE: (
        *(5, 3, 2, 2, 3, 5, 12, 28, 58, 88, 98, 92),
        *(70, 66, 86, 90, 84, 70, 44, 28, 22, 18, 14, 9),
    ),
}
_WEEKDAYS: Final[dict[Rhythm, tuple[float, ...]]] = {
    # Monday first; each sums to 7, so that the website's mean stays its mean.
    Rhythm.SHOP: (0.93, 0.88, 0.90, 0.96, 1.00, 1.12, 1.21),
    Rhythm.VENUE: (0.72, 0.82, 0.92, 1.08, 1.34, 1.30, 0.82),
    Rhythm.OFFICE: (1.28, 1.34, 1.32, 1.26, 1.06, 0.38, 0.36),
}
_WEEK_OF_HOURS: Final = 24.0


def weekday_weight(rhythm: Rhythm, day: dt.date) -> float:
    """Share of a day of the week; 1 is the mean day."""
    return _WEEKDAYS[rhythm][day.weekday()]


def hour_weight(rhythm: Rhythm, local: dt.datetime) -> float:
    """Share of a local hour of its weekday; 1 is the mean hour of the week."""
    hours = _HOURS[rhythm]
    return hours[local.hour] * _WEEK_OF_HOURS / sum(hours) * weekday_weight(rhythm, local.date())


def day_weight(rhythm: Rhythm, day: dt.date, rng: random.Random) -> float:
    """Share of a date: weekday, a slow yearly wave with growth, and the luck of the day."""
    year_part = day.timetuple().tm_yday / 365.25
    season = 1 + 0.14 * math.sin(2 * math.pi * (year_part - 0.62))
    growth = 1 + 0.25 * (day.toordinal() % 1461) / 1461
    return weekday_weight(rhythm, day) * season * growth * math.exp(rng.gauss(0, 0.09))


def second_of_day(rhythm: Rhythm, rng: random.Random) -> float:
    """Local time of a visit's beginning, in seconds after midnight (of a day of 24 hours)."""
    hour = rng.choices(range(24), _HOURS[rhythm])[0]
    return hour * 3600 + rng.random() * 3600
