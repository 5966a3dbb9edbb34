"""Periods of reports: whole days on the site's clock. Pure."""

import datetime as dt
import enum
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

from tenants.models import Site

_DAY = dt.timedelta(days=1)


class Preset(enum.StrEnum):
    """Periods that have a name."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "7d"
    LAST_28_DAYS = "28d"
    LAST_30_DAYS = "30d"
    LAST_90_DAYS = "90d"
    LAST_365_DAYS = "365d"
    THIS_MONTH = "month"
    LAST_MONTH = "last-month"
    LAST_12_MONTHS = "12mo"
    THIS_YEAR = "year"
    ALL = "all"


CALENDAR = {
    Preset.THIS_MONTH: 1,
    Preset.LAST_MONTH: 1,
    Preset.LAST_12_MONTHS: 12,
    Preset.THIS_YEAR: 12,
}
"""Periods that begin with a month, and how many months before it the one before begins."""

_LAST_DAYS = {
    Preset.TODAY: 1,
    Preset.LAST_7_DAYS: 7,
    Preset.LAST_28_DAYS: 28,
    Preset.LAST_30_DAYS: 30,
    Preset.LAST_90_DAYS: 90,
    Preset.LAST_365_DAYS: 365,
}


@dataclass(frozen=True)
class Period:
    """Days from one to another, both included. Raises ValueError if it ends before it starts."""

    starts_on: dt.date
    ends_on: dt.date

    def __post_init__(self) -> None:
        if self.ends_on < self.starts_on:
            raise ValueError(
                f"The period ends on {self.ends_on}, before it starts on {self.starts_on}: "
                "exchange the two."
            )

    @classmethod
    def of(cls, preset: Preset, today: dt.date, *, first_day: dt.date | None = None) -> "Period":
        """A named period. "Last n days" ends today; a month or year under way ends today too.

        "All" begins on `first_day`. Twelve months are this one and the eleven before it.
        """
        month = today.replace(day=1)
        match preset:
            case Preset.YESTERDAY:
                return cls(today - _DAY, today - _DAY)
            case Preset.THIS_MONTH:
                return cls(month, today)
            case Preset.LAST_MONTH:
                return cls((month - _DAY).replace(day=1), month - _DAY)
            case Preset.LAST_12_MONTHS:
                return cls(months_earlier(month, 11), today)
            case Preset.THIS_YEAR:
                return cls(today.replace(month=1, day=1), today)
            case Preset.ALL:
                return cls(min(first_day or today, today), today)
            case _:
                return cls(today - (_LAST_DAYS[preset] - 1) * _DAY, today)

    @property
    def days(self) -> int:
        """How many days it has, at least 1."""
        return (self.ends_on - self.starts_on).days + 1

    def dates(self) -> Iterator[dt.date]:
        """Its days in order."""
        return (self.starts_on + number * _DAY for number in range(self.days))

    def before(self) -> "Period":
        """The same number of days that end where this begins."""
        return Period(self.starts_on - self.days * _DAY, self.starts_on - _DAY)

    def months_before(self, months: int) -> "Period":
        """The same days of earlier months; a period that ends with a month ends so there too."""
        ends_on = months_earlier(self.ends_on, months)
        if (self.ends_on + _DAY).day == 1:
            ends_on = months_earlier((self.ends_on + _DAY), months) - _DAY
        return Period(months_earlier(self.starts_on, months), ends_on)

    def year_before(self) -> "Period":
        """The same days a year ago; of 29 February the 28th."""
        return Period(months_earlier(self.starts_on, 12), months_earlier(self.ends_on, 12))


def before_of(preset: Preset | None, period: Period) -> Period:
    """What a period is compared with if nothing is said.

    The month before a month, the year before a year (as far as this one has come), else as many
    days as end where it begins.
    """
    return period.months_before(CALENDAR[preset]) if preset in CALENDAR else period.before()


def months_earlier(day: dt.date, months: int) -> dt.date:
    """The same day of an earlier month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - _DAY).day
    return dt.date(year, month + 1, min(day.day, last))


def site_today(site: Site, now: dt.datetime) -> dt.date:
    """The date on the site's clock."""
    return now.astimezone(zoneinfo.ZoneInfo(site.timezone)).date()
