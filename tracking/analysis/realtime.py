"""The last half hour of a site, from raw rows."""

import datetime as dt
from dataclasses import dataclass

from django.db import connection

from tenants.models import Site
from tracking.reports.live import LIVE_FOR, rows_since
from tracking.visits import LONGEST_US

MINUTES = 30
_LONGEST = dt.timedelta(microseconds=LONGEST_US)


@dataclass(frozen=True)
class Now:
    """A value and the visits that had it in the last half hour."""

    value: str
    visits: int
    share: float
    """Of all visits of the half hour, 0 to 1."""


@dataclass(frozen=True)
class Realtime:
    """What happened in the last half hour."""

    live_visitors: int
    """Visits with a hit in the last five minutes."""
    visits: int
    """Visits with a hit in the last half hour."""
    pageviews: int
    minutes: tuple[int, ...]
    """Page views of each of the 30 minutes, the oldest first."""
    pages: tuple[Now, ...]
    sources: tuple[Now, ...]
    """The empty value is direct or unknown."""
    countries: tuple[Now, ...]


_QUERY = """
WITH h AS MATERIALIZED (
    SELECT visit_id, path, kind, at FROM {table} r WHERE visit_id <> 0
), v AS MATERIALIZED (
    SELECT source, country FROM visits
    WHERE site_id = %s AND started_at > %s AND started_at <= %s
    AND id IN (SELECT visit_id FROM h)
)
SELECT 0, NULL::text, count(DISTINCT visit_id) FROM h WHERE at > %s
UNION ALL SELECT 1, NULL, count(DISTINCT visit_id) FROM h
UNION ALL SELECT 2, floor(extract(epoch FROM %s - at) / 60)::text, count(*)
    FROM h WHERE kind IN (1, 6) GROUP BY 2
UNION ALL (SELECT 3, labels.value, visits FROM
    (SELECT path, count(DISTINCT visit_id) AS visits FROM h WHERE kind IN (1, 6) GROUP BY 1
    ORDER BY visits DESC, path LIMIT %s) t JOIN labels ON labels.id = t.path)
UNION ALL (SELECT 4, labels.value, visits FROM
    (SELECT source, count(*) AS visits FROM v GROUP BY 1 ORDER BY visits DESC, source LIMIT %s) t
    JOIN labels ON labels.id = t.source)
UNION ALL (SELECT 5, labels.value, visits FROM
    (SELECT country, count(*) AS visits FROM v GROUP BY 1 ORDER BY visits DESC, country LIMIT %s) t
    JOIN labels ON labels.id = t.country)
"""


def get_realtime(site: Site, *, now: dt.datetime, limit: int = 8) -> Realtime:
    """The half hour before `now`. One query, of the rows of that time only."""
    since = now - dt.timedelta(minutes=MINUTES)
    table, params = rows_since([site.pk], since, now)
    params += [
        site.pk,
        since - _LONGEST,
        now + dt.timedelta(minutes=30),
    ]
    params += [now - LIVE_FOR, now, limit, limit, limit]
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(table=table), params)
        rows = cursor.fetchall()
    live, visits = (next(count for part, _, count in rows if part == which) for which in (0, 1))
    minutes = [0] * MINUTES
    for part, minute, count in rows:
        if part == 2:
            minutes[MINUTES - 1 - min(int(minute), MINUTES - 1)] += count
    pages, sources, countries = (
        tuple(
            Now(value, count, count / visits)
            for value, count in sorted(
                ((value, count) for part, value, count in rows if part == which),
                key=lambda one: (-one[1], one[0]),
            )
        )
        for which in (3, 4, 5)
    )
    return Realtime(live, visits, sum(minutes), tuple(minutes), pages, sources, countries)
