"""The audit trail in words, for a client's people to read."""

import dataclasses
import datetime as dt
from typing import Any

from tenants.models import AuditEntry, Client, Role, User

ENTER = "client.enter"
LONGEST = 200

NAMED_BY = ("person", "name", "domain", "group")
"""Details that say in words whom or what an act was about; the first that is there is shown."""

WORDS = {
    "account.close": "Closed an account",
    "account.open": "Opened an account again",
    "account.rename": "Renamed a person",
    "alert.acknowledge": "Took note of an alert",
    "alert.change": "Changed an alert",
    "alert.create": "Added an alert",
    "alert.delete": "Deleted an alert",
    "alert.pause": "Paused an alert",
    "alert.renew_secret": "Gave an alert's webhook another secret",
    "alert.resume": "Resumed an alert",
    "alert.try_webhook": "Tried an alert's webhook",
    "annotation.change": "Changed an annotation",
    "annotation.create": "Added an annotation",
    "annotation.delete": "Deleted an annotation",
    "api_key.create": "Made an API key",
    "api_key.revoke": "Revoked an API key",
    "client.change": "Changed the client's settings",
    "client.close": "Took the client out of service",
    "client.create": "Set the client up",
    "client.delete": "Erased the client",
    ENTER: "Opened the client's reports",
    "client.logo": "Changed the logo",
    "client.reopen": "Put the client back into service",
    "dead_letters.discard": "Discarded hits that could not be stored",
    "dead_letters.put_back": "Put hits back that could not be stored",
    "demo.begin": "Began to make the demo",
    "demo.end": "Made the demo",
    "demo.history": "Made the demo's history",
    "domain.add": "Added a host name",
    "domain.remove": "Removed a host name",
    "funnel.change": "Changed a funnel",
    "funnel.create": "Added a funnel",
    "funnel.delete": "Deleted a funnel",
    "goal.archive": "Archived a goal",
    "goal.change": "Changed a goal",
    "goal.create": "Added a goal",
    "goal.delete": "Deleted a goal",
    "goal.restore": "Restored a goal",
    "group.change": "Changed a group of clients",
    "group.create": "Added a group of clients",
    "group.delete": "Deleted a group of clients",
    "invitation.accept": "Took up an invitation",
    "invitation.renew": "Sent an invitation again",
    "invitation.withdraw": "Withdrew an invitation",
    "invite": "Invited somebody",
    "key.destroy": "Destroyed keys",
    "retention.remove": "Removed single visits past their retention",
    "link.create": "Shared a report by a link",
    "link.delete": "Deleted a shared link",
    "link.renew": "Gave a shared link another address",
    "link.revoke": "Ended a shared link",
    "membership.change": "Changed what a person may see",
    "membership.remove": "Removed a person",
    "password.reset": "Set a forgotten password anew",
    "privacy.change": "Changed the privacy settings",
    "schedule.change": "Changed a scheduled mail",
    "schedule.create": "Added a scheduled mail",
    "schedule.delete": "Deleted a scheduled mail",
    "schedule.pause": "Paused a scheduled mail",
    "schedule.resume": "Resumed a scheduled mail",
    "schedule.send_again": "Sent a scheduled mail again",
    "segment.create": "Saved a segment",
    "segment.delete": "Deleted a segment",
    "segment.rename": "Renamed a segment",
    "site.activate": "Put a website back into use",
    "site.change": "Changed a website's settings",
    "site.create": "Added a website",
    "site.deactivate": "Took a website out of use",
    "site.renew_key": "Gave a website another key",
    "weblog.cancel": "Cancelled the import of a log",
    "weblog.upload": "Uploaded a log to import",
}
"""Every act that the code records; `tests/agency/test_acts.py` finds one that is missing."""


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
    return [_act(entry, names.get(entry.actor, entry.actor)) for entry in found]


def _act(entry: AuditEntry, who: str) -> Act:
    """An entry as a line; `name` among its details is the actor's in the act of entering only."""
    details = entry.details
    if entry.act == ENTER:
        who, role, detail = details.get("name") or who, _role_words(details.get("role")), ""
    else:
        role, detail = "", next((str(details[one]) for one in NAMED_BY if details.get(one)), "")
    return Act(entry.at, who, role, act_words(entry.act), detail)


def _role_words(role: Any) -> str:
    return str(Role(role).label) if role in set(Role) else ""
