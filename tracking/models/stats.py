"""Rollups: one row per site, dimension, hour, day or week, and value."""

from typing import ClassVar

from django.db import models


class Dimension(models.IntegerChoices):
    """What a report groups by. Numbers are stored: never reuse one."""

    TOTAL = 0, "Total"
    PAGE = 1, "Page"
    ENTRY = 2, "Entry page"
    EXIT = 3, "Exit page"
    SOURCE = 4, "Source"
    CHANNEL = 5, "Channel"
    UTM_SOURCE = 6, "Campaign source"
    UTM_MEDIUM = 7, "Campaign medium"
    UTM_CAMPAIGN = 8, "Campaign"
    UTM_TERM = 9, "Campaign term"
    UTM_CONTENT = 10, "Campaign content"
    COUNTRY = 11, "Country"
    REGION = 12, "Region"
    OUTCODE = 13, "Outward code"
    BROWSER = 14, "Browser"
    OS = 15, "Operating system"
    DEVICE = 16, "Device"
    LANGUAGE = 17, "Language"
    EVENT = 18, "Event"
    OUTBOUND = 19, "Outbound link"
    DOWNLOAD = 20, "Download"
    NOT_FOUND = 21, "Page not found"
    STATUS = 22, "Status code"


class _Stat(models.Model):
    """Sums of an hour, day or week.

    `visits` counts those that began in it (for pages and events: at the first time in the
    visit), so sums over hours and days count nothing twice. `visitors` is a serialised
    DataSketches HLL sketch of visitor ids, which can be united over any hours and days.
    """

    site_id = models.IntegerField()
    dimension = models.SmallIntegerField(choices=Dimension.choices)
    label = models.IntegerField()
    visits = models.IntegerField()
    bounces = models.IntegerField()
    pageviews = models.IntegerField()
    events = models.IntegerField()
    engaged_s = models.BigIntegerField()
    duration_s = models.BigIntegerField()
    bytes_sent = models.BigIntegerField()
    visitors = models.BinaryField()

    class Meta:
        abstract = True


class HourStat(_Stat):
    """An hour, cut in the site's time zone; `hour` is its start."""

    pk = models.CompositePrimaryKey("site_id", "dimension", "hour", "label")
    hour = models.DateTimeField()

    class Meta:
        db_table = "hour_stats"
        indexes: ClassVar = [models.Index(fields=["hour"], name="hour_stats_by_hour")]

    def __str__(self) -> str:
        return f"{self.get_dimension_display()} {self.hour:%Y-%m-%d %H:%M}"


class DayStat(_Stat):
    """A day of the site's time zone, merged from its hours."""

    pk = models.CompositePrimaryKey("site_id", "dimension", "day", "label")
    day = models.DateField()

    class Meta:
        db_table = "day_stats"
        indexes: ClassVar = [models.Index(fields=["day"], name="day_stats_by_day")]

    def __str__(self) -> str:
        return f"{self.get_dimension_display()} {self.day:%Y-%m-%d}"


class WeekStat(_Stat):
    """A week that is over, merged from its days; `week` is its Monday.

    Only ever a faster way to what the days say: a week is missing until it has been merged, and
    again from when one of its days changes until the end of that rollup.
    """

    pk = models.CompositePrimaryKey("site_id", "dimension", "week", "label")
    week = models.DateField()

    class Meta:
        db_table = "week_stats"

    def __str__(self) -> str:
        return f"{self.get_dimension_display()} week of {self.week:%Y-%m-%d}"
