"""What has come of a website since its key was made, and what was refused since somebody looks."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agency import figures
from agency.installing import Finding
from tenants.models import Client, ClientDay, PrivacySettings, Site
from tenants.schemas import entered
from tracking.refusals import Reason, refused_counts
from tracking.rollups.hours import day_bounds, from_us

RECENT = dt.timedelta(days=1)
SILENT_AFTER = dt.timedelta(days=3)
"""A small website may have no visitor for a day or two."""
DAYS_BACK = 31
"""Days with sums that are looked into for a hit that no log has brought."""
OPEN_FOR = dt.timedelta(hours=1)
"""Loading the page again within that time goes on counting what is refused."""

_LATEST = (
    "SELECT max(at) FROM hits "
    "WHERE site_id = %s AND at >= %s AND at < %s AND import_id IS NULL"
)  # fmt: skip


def find_latest_hit(client: Client, site: Site, *, now: dt.datetime) -> dt.datetime | None:
    """The latest hit of the last day that came by itself, with the key in force; one query.

    None: none within it. Lines of imported logs say nothing of the script.
    """
    since = max(now - RECENT, site.key_changed_at)
    with entered(client), connection.cursor() as cursor:
        return _latest(cursor, site, since, now + dt.timedelta(minutes=1))


def find_former_hit(client: Client, site: Site, *, now: dt.datetime) -> dt.datetime | None:
    """The latest hit with the key in force, however long ago. None: there is none.

    A query for each of the last DAYS_BACK days that have sums, until one has a hit. A day whose
    hits are gone by now stands for itself: with the noon of it.
    """
    zone = site.timezone
    made_on = site.key_changed_at.date()
    days = ClientDay.objects.filter(client_id=client.pk, site_id=site.pk, day__gte=made_on)
    latest = list(days.order_by("-day").values_list("day", flat=True)[:DAYS_BACK])
    kept_days = PrivacySettings.objects.values_list("hits_retention_days", flat=True)
    kept_since = now - dt.timedelta(days=kept_days.get(client=client))
    with entered(client), connection.cursor() as cursor:
        for day in latest:
            starts, ends = (from_us(us) for us in day_bounds(zone, day))
            if starts < kept_since:
                return starts + dt.timedelta(hours=12)
            found = _latest(cursor, site, max(starts, site.key_changed_at), ends)
            if found is not None:
                return found
    return None


def _latest(
    cursor: Any, site: Site, since: dt.datetime, ends_before: dt.datetime
) -> dt.datetime | None:
    cursor.execute(_LATEST, [site.pk, since, ends_before])
    at: dt.datetime | None = cursor.fetchone()[0]
    return at


# --- what was there when the page was opened


@dataclass(frozen=True)
class Opened:
    """How it stood when somebody opened the page of a website."""

    at: dt.datetime
    key: str
    former_hit_at: dt.datetime | None
    refused: Mapping[Reason, int]
    """Counts of that UTC day so far."""

    def is_still(self, site: Site, now: dt.datetime) -> bool:
        """Whether it holds yet: the key is the same, and it is not too long ago."""
        return self.key == site.key and self.is_fresh(now)

    def is_fresh(self, now: dt.datetime) -> bool:
        """Whether it is not too long ago."""
        return now - self.at < OPEN_FOR

    def as_json(self) -> dict[str, Any]:
        """For the session."""
        return {
            "at": self.at.isoformat(),
            "key": self.key,
            "former": self.former_hit_at.isoformat() if self.former_hit_at else "",
            "refused": dict(self.refused),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Opened":
        """Out of the session."""
        former = kept["former"]
        return cls(
            at=dt.datetime.fromisoformat(kept["at"]),
            key=kept["key"],
            former_hit_at=dt.datetime.fromisoformat(former) if former else None,
            refused={Reason(name): count for name, count in kept["refused"].items()},
        )


def opened_now(client: Client, site: Site, *, now: dt.datetime) -> Opened:
    """What there is at this moment. Raises redis.RedisError without Valkey."""
    return Opened(
        at=now,
        key=site.key,
        former_hit_at=find_former_hit(client, site, now=now),
        refused=refused_counts(client.pk, now.date()),
    )


# --- what the collector says

_REFUSED: Sequence[tuple[Reason, str, str, str]] = (
    (
        Reason.ORIGIN,
        "bad",
        "from pages on a host that is none of this client's",
        (
            "The collector does not keep which host that was. Compare the address in the browser "
            "with the hosts in the settings: is the www or another subdomain missing?"
        ),
    ),
    (
        Reason.SITE,
        "bad",
        "with a key that no website of this client has",
        "Copy the line above again; the key may have been renewed.",
    ),
    (
        Reason.NOT_STORED,
        "bad",
        "could not be stored",
        "The fault is ours: look at the state of stream and keys in the admin site.",
    ),
    (
        Reason.GPC,
        "info",
        "from browsers that ask not to be tracked (GPC)",
        "They were dropped, as the privacy settings say. Try a browser without it.",
    ),
    (
        Reason.DNT,
        "info",
        "from browsers that ask not to be tracked (Do Not Track)",
        "They were dropped, as the privacy settings say. Try a browser without it.",
    ),
    (
        Reason.BOT,
        "info",
        "from bots",
        "Programs are not counted, a browser that is driven by a test among them.",
    ),
    (
        Reason.RATE,
        "warning",
        "over the limit of hits a minute",
        "One visitor sent more than a person does. Is the script called in a loop?",
    ),
)


def refusals(client: Client, opened: Opened, *, now: dt.datetime) -> list[Finding]:
    """What was refused since the page was opened, the graver first.

    Of all the client's websites: a wrong key or host belongs to none. Raises redis.RedisError
    without Valkey.
    """
    counts = _counts_since(client, opened, now)
    found = []
    for reason, tone, words, remedy in _REFUSED:
        count = counts[reason]
        if count > 0:
            noun = "hit" if count == 1 else "hits"
            found.append(Finding(tone, f"{figures.number(count)} {noun} {words}", remedy))
    return found


def _counts_since(client: Client, opened: Opened, now: dt.datetime) -> dict[Reason, int]:
    """Also over midnight (UTC), when the counters begin anew."""
    since = {reason: -opened.refused.get(reason, 0) for reason in Reason}
    day = opened.at.date()
    while day <= now.date():
        for reason, count in refused_counts(client.pk, day).items():
            since[reason] += count
        day += dt.timedelta(days=1)
    return since
