"""Merging weeks that are over from their days, so that long periods are read from few rows."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from tenants.models import Client
from tracking.models import Dimension
from tracking.rollups.hours import day_of, to_us
from tracking.rollups.storing import merge_week, week_of

_MISSING = """
SELECT DISTINCT d.site_id, date_trunc('week', d.day)::date FROM day_stats d
WHERE d.dimension = %s AND d.label = 0 AND NOT EXISTS (
    SELECT 1 FROM week_stats w WHERE w.site_id = d.site_id AND w.dimension = d.dimension
    AND w.label = 0 AND w.week = date_trunc('week', d.day)::date)
"""
_WAITING = """
SELECT EXISTS (SELECT 1 FROM touched_hours WHERE site_id = %s AND hour >= %s AND hour < %s)
"""
_ROOM = dt.timedelta(days=2)
"""No clock is further from UTC."""


def lock_rollup(cursor: Any, client: Client) -> bool:
    """Take the client's rollup lock until the transaction ends; False if another has it."""
    cursor.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
        [f"{client.schema_name}:rollup"],
    )
    return bool(cursor.fetchone()[0])


def merge_weeks(client: Client, timezones: Mapping[int, str], *, now: dt.datetime) -> int:
    """Merge the weeks that have days, are over and have not been merged; returns how many.

    A week of which hours are still touched is left for the rollup that does them. Called inside
    `entered(client)`; each week is a transaction under the rollup's lock, and where another
    rollup holds it the rest is left to that one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [int(Dimension.TOTAL)])
        missing = cursor.fetchall()
    merged = 0
    for site_id, week in sorted(missing):
        today = day_of(timezones.get(site_id, client.timezone), to_us(now))
        if week >= week_of(today):
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            if not lock_rollup(cursor, client):
                break
            starts_at = dt.datetime.combine(week, dt.time(), dt.UTC)
            bounds = starts_at - _ROOM, starts_at + dt.timedelta(days=7) + _ROOM
            cursor.execute(_WAITING, [site_id, *bounds])
            if cursor.fetchone()[0]:
                continue
            merge_week(cursor, site_id, week)
            merged += 1
    return merged
