"""The most frequent values of a dimension in a period."""

from dataclasses import dataclass

from django.db import connection

from tenants.models import Site
from tracking.models import Dimension
from tracking.models.raw import OTHER
from tracking.reports.periods import Period
from tracking.reports.thresholds import Group, fold_small
from tracking.sketches import count_visitors

NO_BOUNCES = frozenset({Dimension.EVENT, Dimension.OUTBOUND, Dimension.DOWNLOAD, Dimension.STATUS})
"""Dimensions of the hit that say nothing about how a visit went on."""
PROTECTED = frozenset({Dimension.OUTCODE})
"""Dimensions whose small groups are folded into *other*."""

_SUMS = ("visits", "bounces", "pageviews", "events", "engaged_s", "duration_s", "bytes_sent")
_SUMMED = ", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)
_WHERE = "site_id = %s AND dimension = %s AND day BETWEEN %s AND %s"
_GROUPS = f"""
WITH ranked AS (
    SELECT label, {_SUMMED} FROM day_stats WHERE {_WHERE} AND label <> %s
    GROUP BY label HAVING {{counted}} > 0
    ORDER BY visits DESC, sum(pageviews) + sum(events) DESC, label LIMIT %s
), chosen AS (
    SELECT * FROM ranked
    UNION ALL
    SELECT label, {_SUMMED} FROM day_stats WHERE {_WHERE} AND label = %s GROUP BY label
), seen AS (
    SELECT label, array_agg(visitors) AS sketches FROM day_stats
    WHERE {_WHERE} AND label IN (SELECT label FROM chosen) GROUP BY label
)
SELECT label, coalesce(labels.value, ''), sketches, {", ".join(_SUMS)},
    (SELECT sum(visits)::bigint FROM day_stats WHERE {_WHERE})
FROM chosen JOIN seen USING (label) LEFT JOIN labels ON labels.id = label
ORDER BY visits DESC, pageviews + events DESC, label
"""  # noqa: S608 - names of columns only


@dataclass(frozen=True)
class TopRow:
    """A value and its sums in the period."""

    value: str
    """Empty where the value is not set (source: direct), and for *other*."""
    visitors: int
    visits: int
    bounces: int
    pageviews: int
    events: int
    engaged_s: int
    duration_s: int
    bytes_sent: int
    share: float | None
    """Share of all visits of the period, 0 to 1. None when the period has no visits."""
    bounce_rate: float | None
    """Bounces per visit, 0 to 1; of a page: visits that ended on it at once, per visit that saw
    it. None without visits, and where it says nothing."""
    is_other: bool = False
    """The values that are not kept one by one, all together. Always the last row."""
    is_hidden: bool = False
    """So few visitors that even *other* would tell: all numbers are 0 and mean nothing. Show
    "fewer than" the threshold."""


def get_top(
    site: Site, period: Period, dimension: Dimension, *, k_threshold: int, limit: int = 10
) -> list[TopRow]:
    """At most `limit` values, most visits first, then *other* if there is any. One query.

    Equal values are ordered by hits, then by age. Outcodes of fewer than `k_threshold` visitors
    (`PrivacySettings.k_threshold`, read before entering the client) over the whole period are in
    *other*, whatever the limit: see tracking.reports.thresholds.
    """
    protected = dimension in PROTECTED
    groups, all_visits = _read(site, period, dimension, None if protected else limit)
    named = [group for group in groups if group.label != OTHER]
    other = next((group for group in groups if group.label == OTHER), None)
    hidden = False
    if protected:
        named, other, hidden = fold_small(named, other, k_threshold)
    rows = [_row(dimension, group, all_visits) for group in named[:limit]]
    if hidden:
        rows.append(TopRow("", 0, 0, 0, 0, 0, 0, 0, 0, None, None, is_other=True, is_hidden=True))
    elif other is not None:
        rows.append(_row(dimension, other, all_visits, is_other=True))
    return rows


def _read(
    site: Site, period: Period, dimension: Dimension, limit: int | None
) -> tuple[list[Group], int]:
    where = (site.pk, dimension, period.starts_on, period.ends_on)
    total = (site.pk, Dimension.TOTAL, period.starts_on, period.ends_on)
    # A page can have engaged time or events of a view that was counted the day before.
    counted = "sum(pageviews)" if dimension == Dimension.PAGE else "sum(pageviews + events)"
    query = _GROUPS.format(counted=counted)
    with connection.cursor() as cursor:
        cursor.execute(query, [*where, OTHER, limit, *where, OTHER, *where, *total])
        rows = cursor.fetchall()
    groups = []
    for label, value, sketches, *sums, _ in rows:
        text = str(label) if dimension == Dimension.STATUS and label != OTHER else value
        groups.append(Group(label, text, tuple(sums), tuple(map(bytes, sketches))))
    return groups, rows[0][-1] or 0 if rows else 0


def _row(dimension: Dimension, group: Group, all_visits: int, *, is_other: bool = False) -> TopRow:
    visits, bounces, pageviews, events, engaged_s, duration_s, bytes_sent = group.sums
    return TopRow(
        value="" if is_other else group.value,
        visitors=count_visitors(group.sketches),
        visits=visits,
        bounces=bounces,
        pageviews=pageviews,
        events=events,
        engaged_s=engaged_s,
        duration_s=duration_s,
        bytes_sent=bytes_sent,
        share=visits / all_visits if all_visits else None,
        bounce_rate=bounces / visits if visits and dimension not in NO_BOUNCES else None,
        is_other=is_other,
    )
