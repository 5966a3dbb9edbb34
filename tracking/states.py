"""Copies of a client's sums in the shared schema, for the pages that show many clients at once.

Read as the client's role inside its schema, written as the agency's role after leaving it: no
statement sees both. What is written replaces what was there, so a rerun is harmless.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tenants.models import Client, ClientDay, ClientState, PrivacySettings
from tenants.schemas import entered
from tracking.models import Dimension
from tracking.reports.live import count_live_visits
from tracking.rollups.hours import day_bounds, from_us
from tracking.sketches import count_visitors

SiteDay = tuple[int, dt.date]
"""Website and day on its clock."""

RECENT_DAYS = 35
"""Days that are copied anew each night, should a rollup have died before its copy."""

_DAYS = (
    "SELECT site_id, day, visits, pageviews, events, bytes_sent, visitors FROM day_stats "
    "WHERE dimension = %s AND label = 0 AND day = ANY(%s) AND site_id = ANY(%s)"
)
_CONSENTED = (
    "SELECT count(*) FROM visits "
    "WHERE site_id = %s AND started_at >= %s AND started_at < %s AND consented"
)
_LAST = "SELECT max(at) FROM hits WHERE site_id = ANY(%s) AND at >= %s AND at <= %s"


@dataclass(frozen=True)
class _Found:
    """What was read in the client's schema."""

    days: dict[SiteDay, dict[str, int]]
    consented: dict[SiteDay, int]
    """Without the days whose visits may be gone."""
    last_hit_at: dt.datetime | None
    live_now: int


def record_days(
    client: Client,
    site_days: Sequence[SiteDay],
    *,
    timezones: dict[int, str],
    now: dt.datetime,
) -> int:
    """Copy these days, and how the client stands now; returns how many days have sums.

    `timezones` by website. Days without a rollup lose their copy. A day past the retention of its
    visits keeps the number of consented ones that was copied while they were there. A query a
    day, and seven more. Call it outside a client's schema.
    """
    if not site_days:
        return 0
    raw_since = PrivacySettings.objects.get(client=client).raw_since(now)
    with entered(client), connection.cursor() as cursor:
        found = _read(cursor, site_days, timezones, raw_since, now)
    with transaction.atomic():
        _write_days(client, site_days, found)
        _write_state(client, found, now)
    return len(found.days)


def record_all_days(client: Client, *, now: dt.datetime, last_days: int | None = None) -> int:
    """Copy all days that have a rollup, or those of the last days; returns how many.

    Copies of days that have no rollup any more go.
    """
    timezones = dict(client.sites.values_list("id", "timezone"))
    since = now.date() - dt.timedelta(days=last_days) if last_days else dt.date.min
    with entered(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT site_id, day FROM day_stats WHERE dimension = %s AND label = 0 AND day >= %s",
            [Dimension.TOTAL, since],
        )
        site_days = {(site_id, day) for site_id, day in cursor.fetchall() if site_id in timezones}
    copied = ClientDay.objects.filter(client=client, day__gte=since, site_id__in=list(timezones))
    site_days.update(copied.values_list("site_id", "day"))
    return record_days(client, sorted(site_days), timezones=timezones, now=now)


def _read(
    cursor: Any,
    site_days: Sequence[SiteDay],
    timezones: dict[int, str],
    raw_since: dt.datetime,
    now: dt.datetime,
) -> _Found:
    sites = sorted({site_id for site_id, _ in site_days})
    wanted = set(site_days)
    cursor.execute(_DAYS, [Dimension.TOTAL, sorted({day for _, day in site_days}), sites])
    days = {
        (site_id, day): {
            "visits": visits,
            "pageviews": pageviews,
            "events": events,
            "bytes_sent": bytes_sent,
            "visitors": count_visitors([bytes(sketch)]),
        }
        for site_id, day, visits, pageviews, events, bytes_sent, sketch in cursor.fetchall()
        if (site_id, day) in wanted
    }
    consented: dict[SiteDay, int] = {}
    oldest = now
    for site_id, day in days:
        starts, ends = (from_us(us) for us in day_bounds(timezones.get(site_id, "UTC"), day))
        oldest = min(oldest, starts)
        if starts >= raw_since:
            cursor.execute(_CONSENTED, [site_id, starts, ends])
            consented[site_id, day] = int(cursor.fetchone()[0])
    cursor.execute(_LAST, [sites, max(oldest, raw_since), now])
    last = cursor.fetchone()[0]
    return _Found(days, consented, last, count_live_visits(sorted(timezones), now=now))


def _write_days(client: Client, site_days: Iterable[SiteDay], found: _Found) -> None:
    days = sorted({day for _, day in site_days})
    held = {
        (row.site_id, row.day): row for row in ClientDay.objects.filter(client=client, day__in=days)
    }
    rows = [
        ClientDay(
            client=client,
            site_id=site_id,
            day=day,
            consented_visits=found.consented.get(
                (site_id, day),
                held[site_id, day].consented_visits if (site_id, day) in held else 0,
            ),
            **sums,
        )
        for (site_id, day), sums in sorted(found.days.items())
    ]
    fields = ["visits", "consented_visits", "visitors", "pageviews", "events", "bytes_sent"]
    ClientDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["client", "site_id", "day"],
        update_fields=fields,
        batch_size=1_000,
    )
    gone = [held[key].pk for key in set(site_days) - set(found.days) if key in held]
    if gone:
        ClientDay.objects.filter(pk__in=gone).delete()


def _write_state(client: Client, found: _Found, now: dt.datetime) -> None:
    state, _ = ClientState.objects.get_or_create(client=client)
    last = max(filter(None, (state.last_hit_at, found.last_hit_at)), default=None)
    # Named columns only: the number of open alerts is another job's.
    ClientState.objects.filter(client=client).update(
        last_hit_at=last, live_now=found.live_now, live_at=now, updated_at=now
    )
