"""Reading the shared sums of clients' days. Sums only: visitors are never joined over anything."""

import datetime as dt
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Sum

from tenants.models import Client, ClientDay

SERIES_DAYS = 30
"""Length of the daily series beside each client."""

_SUMS = ("visits", "consented_visits", "visitors", "pageviews", "events", "bytes_sent")


@dataclass(slots=True)
class Usage:
    """Sums of one client over some days; over all its websites."""

    visits: int = 0
    consented_visits: int = 0
    visitors: int = 0
    """Of each day and website, added up: who came on two days counts twice."""
    pageviews: int = 0
    events: int = 0
    bytes_sent: int = 0

    def add(self, other: "Usage") -> None:
        """Add another's sums."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def consent_rate(self) -> float | None:
        """Consented visits per visit, 0 to 1; None without visits."""
        return self.consented_visits / self.visits if self.visits else None


@dataclass(slots=True)
class ClientUsage:
    """A client's last days, and what their change is told by."""

    now: Usage = field(default_factory=Usage)
    """The last days, today among them as far as it has come."""
    whole: Usage = field(default_factory=Usage)
    """As many days that end with yesterday: half a day is not compared with a whole one."""
    before: Usage = field(default_factory=Usage)
    """As many days before those."""
    series: list[int] = field(default_factory=lambda: [0] * SERIES_DAYS)
    """Visits of each of the last SERIES_DAYS days, today last."""


def client_today(client: Client, now: dt.datetime) -> dt.date:
    """The date on the client's clock."""
    return now.astimezone(zoneinfo.ZoneInfo(client.timezone)).date()


def usage_of(clients: Sequence[Client], *, days: int, now: dt.datetime) -> dict[int, ClientUsage]:
    """By client id: its last days, up to today on its own clock, and those compared. One query.

    A client of which nothing is known has zeros.
    """
    found = {client.pk: ClientUsage() for client in clients}
    todays = {client.pk: client_today(client, now) for client in clients}
    if not found:
        return found
    since = min(todays.values()) - dt.timedelta(days=max(2 * days + 1, SERIES_DAYS))
    rows = (
        ClientDay.objects.filter(client_id__in=list(found), day__gt=since)
        .values_list("client_id", "day")
        .annotate(*(Sum(name) for name in _SUMS))
        .order_by()
    )
    for client_id, day, *sums in rows:
        ago = (todays[client_id] - day).days
        usage = found[client_id]
        if 0 <= ago < SERIES_DAYS:
            usage.series[SERIES_DAYS - 1 - ago] = sums[0]
        if 0 <= ago < days:
            usage.now.add(Usage(*sums))
        if 1 <= ago <= days:
            usage.whole.add(Usage(*sums))
        elif days < ago <= 2 * days:
            usage.before.add(Usage(*sums))
    return found


def total_of(usages: Mapping[int, ClientUsage]) -> ClientUsage:
    """Sums over clients; nobody is joined over them."""
    total = ClientUsage()
    for usage in usages.values():
        total.now.add(usage.now)
        total.whole.add(usage.whole)
        total.before.add(usage.before)
        total.series = [a + b for a, b in zip(total.series, usage.series, strict=True)]
    return total


def daily_totals(clients: Sequence[Client], *, days: int, now: dt.datetime) -> list[Usage]:
    """Sums over all the clients of each of the last days, oldest first. One query.

    The last one is today on each client's own clock, as in `usage_of`: at no instant do all
    clients have the same date.
    """
    totals = [Usage() for _ in range(days)]
    todays = {client.pk: client_today(client, now) for client in clients}
    if not todays:
        return totals
    since = min(todays.values()) - dt.timedelta(days=days)
    rows = (
        ClientDay.objects.filter(client_id__in=list(todays), day__gt=since)
        .values_list("client_id", "day")
        .annotate(*(Sum(name) for name in _SUMS))
        .order_by()
    )
    for client_id, day, *sums in rows:
        ago = (todays[client_id] - day).days
        if 0 <= ago < days:
            totals[days - 1 - ago].add(Usage(*sums))
    return totals


def site_usage(client: Client, *, starts_on: dt.date, ends_on: dt.date) -> dict[int, Usage]:
    """Sums of each of the client's websites; those without any are left out. One query."""
    rows = (
        ClientDay.objects.filter(client=client, day__range=(starts_on, ends_on))
        .values_list("site_id")
        .annotate(*(Sum(name) for name in _SUMS))
        .order_by()
    )
    return {site_id: Usage(*sums) for site_id, *sums in rows}
