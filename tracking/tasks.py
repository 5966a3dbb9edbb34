"""Jobs of tracking. A task takes ids and calls one function."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from celery.worker import state as worker_state
from django.db import DatabaseError
from django.utils import timezone

from tenants.models import Client
from tracking import retention, uploads
from tracking.partitions import ensure_months, gather_statistics, months_ahead
from tracking.rollups.run import has_touched_hours, roll_up_client
from tracking.states import RECENT_DAYS, record_all_days

ROLLUP_EVERY_S = 60
SWEEP_EVERY_S = 60
RETENTION_TRIES, RETENTION_PAUSE_S = 12, 600
DAYS_AT_ONCE = 200
"""Site-days of one job: a backlog of years is worked off in several, the newest days first."""

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "tracking-roll-up": {
        "task": "tracking.roll_up_all",
        "schedule": timedelta(seconds=ROLLUP_EVERY_S),
        # What could not start within its minute is asked for again by the next.
        "options": {"expires": ROLLUP_EVERY_S},
    },
    "tracking-sweep-uploads": {
        "task": "tracking.sweep_uploads",
        "schedule": timedelta(seconds=SWEEP_EVERY_S),
        "options": {"expires": SWEEP_EVERY_S},
    },
    "tracking-copy-days": {
        "task": "tracking.copy_days",
        "schedule": timedelta(days=1),
        "options": {"expires": 86_400},
    },
    "tracking-look-after-tables": {
        "task": "tracking.look_after_tables",
        "schedule": timedelta(days=1),
        "options": {"expires": 86_400},
    },
    "tracking-apply-retention": {
        "task": "tracking.apply_retention",
        "schedule": timedelta(days=1),
        "options": {"expires": 86_400},
    },
}


@shared_task(name="tracking.roll_up_all")
def roll_up_all() -> int:
    """Ask for a rollup of every client with touched hours; returns how many. A query a client."""

    def ask(client: Client) -> int:
        if not has_touched_hours(client):
            return 0
        roll_up.apply_async(args=(client.pk,), expires=ROLLUP_EVERY_S)
        return 1

    return _of_every_client(ask)


@shared_task(name="tracking.roll_up")
def roll_up(client_id: int) -> int:
    """Roll up one client; returns the hours replaced. Nothing to do for a client that is gone."""
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        return 0
    return roll_up_client(client, now=timezone.now(), limit_days=DAYS_AT_ONCE).hours


@shared_task(name="tracking.look_after_tables")
def look_after_tables() -> int:
    """Make the months ahead of every client, and let the database look how its tables are filled.

    Returns how many months were missing.
    """
    months = months_ahead(timezone.now().date())

    def make(client: Client) -> int:
        made = len(ensure_months(client, months))
        gather_statistics(client)
        return made

    return _of_every_client(make)


@shared_task(name="tracking.apply_retention")
def apply_retention() -> int:
    """Ask for every client's raw rows past their retention to go; returns how many clients."""
    ids = list(Client.objects.order_by("pk").values_list("pk", flat=True))
    for client_id in ids:
        apply_retention_of.apply_async(args=(client_id,), expires=86_400)
    return len(ids)


@shared_task(name="tracking.apply_retention_of")
def apply_retention_of(client_id: int, tries: int = RETENTION_TRIES) -> int:
    """Remove a client's raw rows past their retention; returns how many.

    What had to wait for a rollup or a writer is tried again soon.
    """
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        return 0
    removal = retention.apply_retention(client, now=timezone.now())
    if not removal.is_complete and tries > 1:
        apply_retention_of.apply_async(args=(client_id, tries - 1), countdown=RETENTION_PAUSE_S)
    return removal.total


@shared_task(name="tracking.copy_days")
def copy_days() -> int:
    """Copy every client's last days to the shared schema once more; returns how many days."""
    now = timezone.now()
    return _of_every_client(lambda client: record_all_days(client, now=now, last_days=RECENT_DAYS))


@shared_task(name="tracking.import_upload")
def import_upload(upload_id: str) -> str:
    """Import an uploaded weblog; returns its state, empty when another worker has it."""
    upload = uploads.import_upload(
        uuid.UUID(upload_id), now=timezone.now(), is_stopping=_is_stopping
    )
    return upload.state if upload else ""


@shared_task(name="tracking.sweep_uploads")
def sweep_uploads() -> int:
    """Delete what uploads left behind, and ask again for imports that wait; returns how many."""
    waiting = uploads.sweep(timezone.now())
    for upload_id in waiting:
        import_upload.apply_async(args=(str(upload_id),), expires=SWEEP_EVERY_S)
    return len(waiting)


def _of_every_client(work: Callable[[Client], int]) -> int:
    """The sum of `work` over all clients; one client's damaged schema holds up no other.

    Raises the first DatabaseError when all the others are served, so that the job shows as failed.
    """
    total, failed = 0, None
    for client in Client.objects.order_by("pk"):
        try:
            total += work(client)
        except DatabaseError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return total


def _is_stopping() -> bool:
    """Whether this worker was asked to end: celery sets an exit status, which may be 0."""
    flags: tuple[object, ...] = (worker_state.should_stop, worker_state.should_terminate)
    return any(flag is not None and flag is not False for flag in flags)


@worker_ready.connect
def _sweep_at_start(**kwargs: object) -> None:
    """No sealed file outlives the start of a worker without being wanted."""
    sweep_uploads.apply_async(expires=SWEEP_EVERY_S)
