"""Visits of the agency's staff on a client's host, written down for the client to read."""

import datetime as dt
import time
from typing import Any

from django.http import HttpRequest

from agency.acts import ENTER
from agency.hosts import client_or_none
from tenants.access import find_role
from tenants.audit import record_act
from tenants.models import Client, Role, User
from tenants.models.people import AGENCY_ROLES

VISIT_IN_SESSION = "outward_visit"
BREAK_S = 30 * 60
"""Without a request for so long, the next one begins another visit."""
LOOKED_EVERY_S = 60
"""How often a session's role is looked up and its last request noted."""


def note_visit(request: HttpRequest) -> None:
    """Write down that somebody of the agency is here, unless it is the visit noted last.

    Another visit begins after a break, and on each day (UTC, as the client's page shows it). One
    query a minute; who is refused (out of scope) has seen nothing and is not written down.
    """
    client, user, now = client_or_none(request), request.user, time.time()
    if client is None or not isinstance(user, User):
        return
    noted = request.session.get(VISIT_IN_SESSION)
    known: dict[str, Any] = noted if isinstance(noted, dict) else {}
    pause_s = now - known.get("seen_at", 0)
    day = dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()
    if known.get("client") == client.pk and known["day"] == day and pause_s < LOOKED_EVERY_S:
        return
    role = find_role(user, client)
    is_staff = role in AGENCY_ROLES
    same = known.get("client") == client.pk and known["is_staff"] and known["day"] == day
    if role is not None and is_staff and not (same and pause_s < BREAK_S):
        _record(client, user, role)
    request.session[VISIT_IN_SESSION] = {
        "client": client.pk,
        "seen_at": now,
        "day": day,
        "is_staff": is_staff,
    }


def begin_visit(request: HttpRequest) -> None:
    """Write a visit down whatever was noted before: somebody came by the agency's page."""
    request.session.pop(VISIT_IN_SESSION, None)
    note_visit(request)


def _record(client: Client, user: User, role: Role) -> None:
    record_act(
        ENTER,
        acting_user=user.email,
        client_id=client.pk,
        details={"role": role.value, "name": str(user)},
    )
