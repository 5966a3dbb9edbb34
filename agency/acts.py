"""The audit trail in words, for a client's people to read."""

import dataclasses
import datetime as dt
from typing import Any

from tenants.models import AuditEntry, Client, Role, User

ENTER = "client.enter"
LONGEST = 200

WORDS = {
    "client.create": "Set the client up",
    "client.change": "Changed the client's settings",
    "site.create": "Added a website",
    "site.change": "Changed a website's settings",
    "privacy.change": "Changed the privacy settings",
    "invite": "Invited somebody",
    "invitation.renew": "Sent an invitation again",
    "invitation.withdraw": "Withdrew an invitation",
    "invitation.accept": "Took up an invitation",
    "membership.change": "Changed what a person may see",
    "membership.remove": "Removed a person",
    "import.start": "Imported a log",
    "key.create": "Made an API key",
    "key.revoke": "Revoked an API key",
    "goal.create": "Added a goal",
    "goal.change": "Changed a goal",
    "goal.archive": "Archived a goal",
    "goal.restore": "Restored a goal",
    "goal.delete": "Deleted a goal",
    "funnel.create": "Added a funnel",
    "funnel.change": "Changed a funnel",
    "funnel.delete": "Deleted a funnel",
    "segment.create": "Saved a segment",
    "segment.rename": "Renamed a segment",
    "segment.delete": "Deleted a segment",
    "annotation.create": "Added an annotation",
    "annotation.change": "Changed an annotation",
    "annotation.delete": "Deleted an annotation",
}


@dataclasses.dataclass(frozen=True)
class Act:
    """One line of the trail."""

    at: dt.datetime
    who: str
    """Name, else address."""
    role: str
    """Of a visit; else empty."""
    what: str
    detail: str
    """Whom or what it was about; may be empty."""


def act_words(act: str) -> str:
    """What was done; an act without words of its own reads as *Goal: create*."""
    if act in WORDS:
        return WORDS[act]
    noun, _, verb = act.replace("_", " ").partition(".")
    return f"{noun.capitalize()}: {verb}" if verb else noun.capitalize()


def visits_of_staff(client: Client) -> list[Act]:
    """Who of the agency was on the client's host, the newest first, 200 at most."""
    return _acts(AuditEntry.objects.filter(client_id=client.pk, act=ENTER))


def changes_at(client: Client) -> list[Act]:
    """What people changed at the client, the newest first, 200 at most; no jobs among them."""
    entries = AuditEntry.objects.filter(client_id=client.pk).exclude(act=ENTER)
    return _acts(entries.exclude(actor__startswith="system:"))


def _acts(entries: Any) -> list[Act]:
    found = list(entries.order_by("-at", "-pk")[:LONGEST])
    people = User.objects.filter(email__in={entry.actor for entry in found})
    names = {user.email: str(user) for user in people}
    return [
        Act(
            at=entry.at,
            who=entry.details.get("name") or names.get(entry.actor, entry.actor),
            role=_role_words(entry.details.get("role")) if entry.act == ENTER else "",
            what=act_words(entry.act),
            detail=str(entry.details.get("person", "")),
        )
        for entry in found
    ]


def _role_words(role: Any) -> str:
    return str(Role(role).label) if role in set(Role) else ""
