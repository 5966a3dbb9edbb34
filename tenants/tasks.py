"""Jobs of this package."""

from celery import shared_task
from django.utils import timezone

from tenants.keys import destroy_due_keys

BEAT_SCHEDULE = {
    "destroy-due-keys": {"task": "tenants.tasks.destroy_keys", "schedule": 600.0},
}
"""Seconds between runs."""


@shared_task
def destroy_keys() -> int:
    """Destroy the keys whose time has come; returns how many."""
    return sum(destroy_due_keys(timezone.now()).values())
