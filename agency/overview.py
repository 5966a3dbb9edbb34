"""All clients at a glance: the rows of the agency's first page, searched, sorted, in words.

The number of queries does not grow with the number of clients.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from agency import figures
from agency.relative import ago
from agency.wording import locale_of
from tenants.models import Client, ClientGroup, ClientState, Domain
from tenants.usage import ClientUsage, usage_of

PERIODS = {"today": 1, "7d": 7, "30d": 30}
"""Days of each choice."""
PERIOD_WORDS = {"today": "Today", "7d": "7 days", "30d": "30 days"}
DEFAULT_PERIOD = "30d"
DEFAULT_SORT = "-visits"
LIVE_FOR = dt.timedelta(minutes=5)
"""A count of who is there is worth nothing after that: without hits there is no newer one."""
AGENCY_LOCALE = "en-gb"


@dataclass(frozen=True)
class Known:
    """A client and all that its row is made of."""

    client: Client
    host: str
    usage: ClientUsage
    last_hit_at: dt.datetime | None
    live_now: int
    open_alerts: int

    @property
    def change(self) -> float | None:
        """Relative change of visits; None without visits before."""
        before = self.usage.before.visits
        return (self.usage.now.visits - before) / before if before else None


@dataclass(frozen=True)
class ClientRow:
    """A row, in words."""

    client: Client
    host: str
    visits: str
    visits_before: str
    change: str
    tone: str
    series: list[int]
    live: str
    is_live: bool
    last_hit: str
    consent: str
    alerts: int


@dataclass(frozen=True)
class Choice:
    """What the address asks for; words that mean nothing are taken as the default."""

    period: str = DEFAULT_PERIOD
    sort: str = DEFAULT_SORT
    search: str = ""
    group_id: int = 0

    @classmethod
    def of(cls, query: QueryDict) -> "Choice":
        """Read the address."""
        period, sort = query.get("period", ""), query.get("sort", "")
        group = query.get("group", "")
        return cls(
            period=period if period in PERIODS else DEFAULT_PERIOD,
            sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
            search=query.get("q", "").strip()[:80],
            group_id=int(group) if group.isascii() and group.isdecimal() else 0,
        )

    @property
    def days(self) -> int:
        """Days of the period."""
        return PERIODS[self.period]

    def address(self, **other: str | int) -> str:
        """The query string with something changed; what is the default is left out."""
        query = QueryDict(mutable=True)
        query.update(dict(self._pairs(**other)))
        return f"?{query.urlencode()}"

    def kept(self) -> list[tuple[str, str]]:
        """All but the search, for a form that sends a new one."""
        return self._pairs(q="")

    def _pairs(self, **other: str | int) -> list[tuple[str, str]]:
        wanted = {
            "period": self.period,
            "sort": self.sort,
            "q": self.search,
            "group": self.group_id or "",
        } | other
        defaults = {"period": DEFAULT_PERIOD, "sort": DEFAULT_SORT}
        return [
            (name, str(value))
            for name, value in wanted.items()
            if value and defaults.get(name) != value
        ]


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
SORTS: dict[str, Callable[[Known], tuple[float | str, ...]]] = {
    "name": lambda one: (one.client.name.casefold(),),
    "visits": lambda one: (one.usage.now.visits,),
    # Without a base there is nothing to compare with: last, whichever way.
    "change": lambda one: (float("-inf") if one.change is None else one.change,),
    "live": lambda one: (one.live_now,),
    "last": lambda one: ((one.last_hit_at or _NEVER).timestamp(),),
    "consent": lambda one: (
        -1.0 if one.usage.now.consent_rate is None else one.usage.now.consent_rate,
    ),
    "alerts": lambda one: (one.open_alerts,),
}
"""Keys by which the list can be sorted; `-` before one turns the order round."""


def known_clients(clients: Sequence[Client], *, days: int, now: dt.datetime) -> list[Known]:
    """What is known of the clients, in their order. Three queries."""
    ids = [client.pk for client in clients]
    usages = usage_of(clients, days=days, now=now)
    states = ClientState.objects.in_bulk(ids)
    hosts = dict(
        Domain.objects.filter(tenant_id__in=ids, is_primary=True).values_list("tenant_id", "domain")
    )
    found = []
    for client in clients:
        state = states.get(client.pk) or ClientState(client=client)
        is_fresh = state.live_at is not None and now - state.live_at < LIVE_FOR
        found.append(
            Known(
                client=client,
                host=hosts.get(client.pk, ""),
                usage=usages[client.pk],
                last_hit_at=state.last_hit_at,
                live_now=state.live_now if is_fresh else 0,
                open_alerts=state.open_alerts,
            )
        )
    return found


def chosen(
    known: Sequence[Known], choice: Choice, *, members: frozenset[int] | None
) -> list[Known]:
    """Those of the group that the search finds (in name, slug and host), in order."""
    wanted = choice.search.casefold()
    found = [
        one
        for one in known
        if (members is None or one.client.pk in members)
        and (
            not wanted
            or wanted in one.client.name.casefold()
            or wanted in one.client.slug
            or wanted in one.host
        )
    ]
    found.sort(key=SORTS["name"])
    found.sort(key=SORTS[choice.sort.removeprefix("-")], reverse=choice.sort.startswith("-"))
    return found


def members_of(group: ClientGroup | None) -> frozenset[int] | None:
    """Ids of the group's clients, None for no group. Up to one query."""
    return frozenset(group.clients.values_list("pk", flat=True)) if group else None


def row_of(known: Known, *, now: dt.datetime) -> ClientRow:
    """A client in words."""
    usage = known.usage
    change = figures.change(usage.now.visits, usage.before.visits)
    return ClientRow(
        client=known.client,
        host=known.host,
        visits=figures.number(usage.now.visits),
        visits_before=figures.number(usage.before.visits),
        change=change.words,
        tone=change.tone,
        series=usage.series,
        live=figures.number(known.live_now),
        is_live=known.live_now > 0,
        last_hit=ago(
            known.last_hit_at, now=now, locale=locale_of(AGENCY_LOCALE), never="No hit yet"
        ),
        consent=figures.share(usage.now.consent_rate),
        alerts=known.open_alerts,
    )
