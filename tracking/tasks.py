"""Jobs of tracking. A task takes ids and calls one function."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from tenants.models import Client
from tracking.partitions import ensure_months, months_ahead
from tracking.rollups.run import has_touched_hours, roll_up_client

ROLLUP_EVERY_S = 60
DAYS_AT_ONCE = 200
"""Site-days of one job: a backlog of years is worked off in several, the newest days first."""

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "tracking-roll-up": {
        "task": "tracking.roll_up_all",
        "schedule": timedelta(seconds=ROLLUP_EVERY_S),
        # What could not start within its minute is asked for again by the next.
        "options": {"expires": ROLLUP_EVERY_S},
    },
    "tracking-make-partitions": {
        "task": "tracking.make_partitions",
        "schedule": timedelta(days=1),
        "options": {"expires": 86_400},
    },
}


@shared_task(name="tracking.roll_up_all")
def roll_up_all() -> int:
    """Ask for a rollup of every client with touched hours; returns how many. A query a client."""
    touched = [client.pk for client in Client.objects.all() if has_touched_hours(client)]
    for client_id in touched:
        roll_up.apply_async(args=(client_id,), expires=ROLLUP_EVERY_S)
    return len(touched)


@shared_task(name="tracking.roll_up")
def roll_up(client_id: int) -> int:
    """Roll up one client; returns the hours replaced. Nothing to do for a client that is gone."""
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        return 0
    return roll_up_client(client, now=timezone.now(), limit_days=DAYS_AT_ONCE).hours


@shared_task(name="tracking.make_partitions")
def make_partitions() -> int:
    """Make the months ahead of every client; returns how many were missing."""
    months = months_ahead(timezone.now().date())
    return sum(len(ensure_months(client, months)) for client in Client.objects.all())
