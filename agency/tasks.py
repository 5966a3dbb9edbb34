"""Jobs of the agency: scheduled mails and alerts. A task takes ids and calls one function.

Each client has a job of its own, so that one whose rows or servers are broken keeps no other
waiting. The limits are Celery's and hold where it works with processes; where it works with
threads, `sendings.for_a_round` and the timeouts of mails and webhooks bound a job.
"""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from agency.alert_sending import watch_client
from agency.report_sending import send_due_reports
from tenants.models import Client

REPORTS_EVERY_S = 300
ALERTS_EVERY_S = 60
SOFT_LIMIT_S, HARD_LIMIT_S = 240, 300
"""Far below `sendings.STALE_AFTER`: what a job that was cut off held is settled afterwards."""

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "agency-send-reports": {
        "task": "agency.send_reports",
        "schedule": timedelta(seconds=REPORTS_EVERY_S),
        "options": {"expires": REPORTS_EVERY_S},
    },
    "agency-watch-alerts": {
        "task": "agency.watch_alerts",
        "schedule": timedelta(seconds=ALERTS_EVERY_S),
        "options": {"expires": ALERTS_EVERY_S},
    },
}


@shared_task(name="agency.send_reports")
def send_reports() -> int:
    """Ask for every client's scheduled mails to be sent; returns how many clients there are."""
    return _ask_for_each(send_reports_of, REPORTS_EVERY_S)


@shared_task(name="agency.send_reports_of", soft_time_limit=SOFT_LIMIT_S, time_limit=HARD_LIMIT_S)
def send_reports_of(client_id: int) -> int:
    """Send a client's scheduled mails that are due; returns how many were sent."""
    client = _find_client(client_id)
    return send_due_reports(client, now=timezone.now()).sent if client else 0


@shared_task(name="agency.watch_alerts")
def watch_alerts() -> int:
    """Ask for every client's alerts to be judged; returns how many clients there are."""
    return _ask_for_each(watch_alerts_of, ALERTS_EVERY_S)


@shared_task(name="agency.watch_alerts_of", soft_time_limit=SOFT_LIMIT_S, time_limit=HARD_LIMIT_S)
def watch_alerts_of(client_id: int) -> int:
    """Judge a client's alerts and tell of them; returns how many began."""
    client = _find_client(client_id)
    return watch_client(client, now=timezone.now()).began if client else 0


def _ask_for_each(task: Any, expires_s: int) -> int:
    """What has not begun when the next round asks again is dropped."""
    ids = list(Client.objects.filter(is_active=True).order_by("pk").values_list("pk", flat=True))
    for client_id in ids:
        task.apply_async(args=(client_id,), expires=expires_s)
    return len(ids)


def _find_client(client_id: int) -> Client | None:
    """None: it is gone, or was closed since it was asked for."""
    found: Client | None = (
        Client.objects.filter(pk=client_id, is_active=True).select_related("privacy").first()
    )
    return found
