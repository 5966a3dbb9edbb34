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
    def of(cls, preset: Preset, today: dt.date) -> "Period":
        """A named period. "Last n days" ends today; a month under way ends today too."""
        month = today.replace(day=1)
        match preset:
            case Preset.YESTERDAY:
                return cls(today - _DAY, today - _DAY)
            case Preset.THIS_MONTH:
                return cls(month, today)
            case Preset.LAST_MONTH:
                return cls((month - _DAY).replace(day=1), month - _DAY)
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


def site_today(site: Site, now: dt.datetime) -> dt.date:
    """The date on the site's clock."""
    return now.astimezone(zoneinfo.ZoneInfo(site.timezone)).date()
