"""Jobs of this package."""

from celery import shared_task
from django.utils import timezone

from tenants.keys import destroy_due_keys
from tenants.session_store import SessionStore

BEAT_SCHEDULE = {
    "destroy-due-keys": {"task": "tenants.tasks.destroy_keys", "schedule": 600.0},
    "clear-expired-sessions": {
        "task": "tenants.tasks.clear_expired_sessions",
        "schedule": 3600.0,
    },
}
"""Seconds between runs."""


@shared_task
def destroy_keys() -> int:
    """Destroy the keys whose time has come; returns how many."""
    return sum(destroy_due_keys(timezone.now()).values())


@shared_task
def clear_expired_sessions() -> None:
    """Delete the rows of sessions that nobody can use any more."""
    SessionStore.clear_expired()
