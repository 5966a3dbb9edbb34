"""The audit trail: one function that appends."""

from typing import Any

from django.utils import timezone

from tenants.models import AuditEntry


def record_act(
    act: str,
    *,
    acting_user: str,
    client_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append an entry, in the caller's transaction. Works outside a client's schema only."""
    return AuditEntry.objects.create(
        at=timezone.now(), actor=acting_user, act=act, client_id=client_id, details=details or {}
    )
