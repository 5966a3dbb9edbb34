"""Jobs of the agency: scheduled mails and alerts. A task takes ids and calls one function."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from agency.alert_sending import watch_client
from agency.report_sending import send_due_reports
from tenants.models import Client

REPORTS_EVERY_S = 300
ALERTS_EVERY_S = 60

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
    """Send every client's scheduled mails that are due; returns how many were sent."""
    now = timezone.now()
    return sum(send_due_reports(client, now=now).sent for client in _active_clients())


@shared_task(name="agency.watch_alerts")
def watch_alerts() -> int:
    """Judge every client's alerts and tell of them; returns how many began."""
    now = timezone.now()
    return sum(watch_client(client, now=now).began for client in _active_clients())


def _active_clients() -> list[Client]:
    return list(Client.objects.filter(is_active=True).select_related("privacy").order_by("pk"))
