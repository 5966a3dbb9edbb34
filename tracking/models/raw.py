"""Raw rows: labels, visits, hits, origins.

`visits`, `hits` and `origins` are partitioned by month (tracking.partitions), which Django does
not model: their tables are made by SQL in the migrations. Columns are ordered by width, so that
rows have no holes. Every text a report groups by is an id of `labels`.
"""

from typing import ClassVar

from django.db import models

NOT_SET = 0
"""Label of the empty text."""
OTHER = 1
"""Label under which a rollup folds what is not among its most frequent values."""


class Label(models.Model):
    """A text that reports group by, stored once per client."""

    value = models.TextField()
    """At most 2,000 bytes, the most that a B-tree entry takes."""

    class Meta:
        db_table = "labels"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["value"], name="labels_value_once"),
        ]

    def __str__(self) -> str:
        return self.value


class Visit(models.Model):
    """Hits of one visitor with gaps of at most 30 minutes."""

    pk = models.CompositePrimaryKey("visitor", "started_at", "site_id")
    id = models.BigIntegerField()
    """Seconds of the start and random bits of the first hit's id (tracking.sessions)."""
    started_at = models.DateTimeField()
    last_at = models.DateTimeField()
    visitor = models.BigIntegerField()
    site_id = models.IntegerField()
    pageviews = models.IntegerField()
    events = models.IntegerField()
    engaged_s = models.IntegerField()
    entry = models.IntegerField()
    exit = models.IntegerField()
    source = models.IntegerField()
    channel = models.IntegerField()
    country = models.IntegerField()
    language = models.IntegerField()
    browser = models.IntegerField()
    os = models.IntegerField()
    device = models.IntegerField()
    consented = models.BooleanField()
    bounced = models.BooleanField()
    """One page view and no interactive event."""
    region = models.IntegerField(null=True)
    utm_source = models.IntegerField(null=True)
    utm_medium = models.IntegerField(null=True)
    utm_campaign = models.IntegerField(null=True)
    utm_term = models.IntegerField(null=True)
    utm_content = models.IntegerField(null=True)
    import_id = models.IntegerField(null=True)
    pings = models.BinaryField(null=True)
    """Engaged time that has no rows of `hits`, 14 bytes a ping (tracking.pings)."""

    class Meta:
        managed = False
        db_table = "visits"

    def __str__(self) -> str:
        return f"visit {self.id}"


class Hit(models.Model):
    """One page view or event. Rows of engagement are rare here: most are pings of their visit."""

    pk = models.CompositePrimaryKey("at", "tag")
    at = models.DateTimeField()
    visit_id = models.BigIntegerField()
    tag = models.BigIntegerField()
    """The random half of the hit's id (tracking.hits.tag_of); the other half is its time."""
    site_id = models.IntegerField()
    path = models.IntegerField()
    kind = models.SmallIntegerField()
    """tracking.hits.Kind."""
    scroll = models.SmallIntegerField(null=True)
    engaged_s = models.IntegerField(null=True)
    name = models.IntegerField(null=True)
    host = models.IntegerField(null=True)
    """Null: the site's main host."""
    status = models.SmallIntegerField(null=True)
    import_id = models.IntegerField(null=True)
    bytes_sent = models.BigIntegerField(null=True)
    props = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = "hits"

    def __str__(self) -> str:
        return f"hit {self.tag} at {self.at}"


class HitDay(models.Model):
    """A copy of a site's hits of a day that is over, column by column (tracking.rollups.copies).

    Only ever a faster way to what `hits` says: it is missing until it has been made, goes with
    the transaction that counts the day anew, and goes before the rows that it was made of do.
    """

    pk = models.CompositePrimaryKey("site_id", "day")
    site_id = models.IntegerField()
    day = models.DateField()
    """On the site's clock."""
    starts_at = models.DateTimeField()
    ends_before = models.DateTimeField()
    visits = models.BinaryField()
    seconds = models.BinaryField()
    what = models.BinaryField()
    paths = models.BinaryField()
    names = models.BinaryField()
    scrolls = models.BinaryField()
    statuses = models.BinaryField()

    class Meta:
        db_table = "hit_days"

    def __str__(self) -> str:
        return f"hits of {self.day:%Y-%m-%d}"


class Origin(models.Model):
    """Semi-personal data of a visit: encrypted IP address, outward code."""

    pk = models.CompositePrimaryKey("started_at", "visit_id")
    started_at = models.DateTimeField()
    visit_id = models.BigIntegerField()
    hit_id = models.UUIDField(null=True)
    """Row id in the ciphertext's associated data, where it was sealed before migration 0009.

    Since then it is `visit_id`, big-endian (tracking.hits.origin_row_id).
    """
    ip_key_id = models.IntegerField(null=True)
    outcode = models.IntegerField(null=True)
    ip_sealed = models.BinaryField(null=True)

    class Meta:
        managed = False
        db_table = "origins"

    def __str__(self) -> str:
        return f"origin of visit {self.visit_id}"


class TouchedHour(models.Model):
    """An hour (cut in the site's time zone) whose raw rows changed: append-only, many per hour.

    The rollup reads rows, recomputes their hours and deletes just the rows it read: a row
    committed meanwhile stays for the next run, and writers never wait for it.
    """

    site_id = models.IntegerField()
    hour = models.DateTimeField()

    class Meta:
        db_table = "touched_hours"

    def __str__(self) -> str:
        return f"site {self.site_id}, {self.hour:%Y-%m-%d %H:%M}"
