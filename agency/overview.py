"""All clients at a glance: the rows of the agency's first page, searched, sorted, in words.

The number of queries does not grow with the number of clients.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from agency import figures
from agency.relative import ago
from agency.wording import locale_of, period_words
from tenants.models import Client, ClientGroup, ClientState, Domain
from tenants.usage import ClientUsage, usage_of
from tracking.reports.periods import Period

PERIODS = {"today": 1, "7d": 7, "30d": 30}
"""Days of each choice."""
PERIOD_WORDS = {"today": "Today", "7d": "7 days", "30d": "30 days"}
DEFAULT_PERIOD = "30d"
DEFAULT_SORT = "-visits"
LIVE_FOR = dt.timedelta(minutes=5)
"""A count of who is there is worth nothing after that: without hits there is no newer one."""
AGENCY_LOCALE = "en-gb"
TOTAL_LIVE_ID = "live-total"


@dataclass(frozen=True)
class Known:
    """A client and all that its row is made of."""

    client: Client
    host: str
    days: int
    usage: ClientUsage
    last_hit_at: dt.datetime | None
    live_now: int
    open_alerts: int

    @property
    def change(self) -> float | None:
        """Relative change of visits in whole days; None without visits before, and of a day.

        Today is not over, and its hours are not kept here: there is nothing like it to compare.
        """
        before = self.usage.before.visits
        if self.days == 1 or not before:
            return None
        return (self.usage.whole.visits - before) / before


@dataclass(frozen=True)
class LiveCount:
    """Who is there now, in an element that is exchanged by itself."""

    id: str
    """Of the element."""
    count: int

    @property
    def words(self) -> str:
        """1,234."""
        return figures.number(self.count)

    @property
    def is_marked(self) -> bool:
        """Whether it stands out among the others of its column."""
        return self.count > 0 and self.id != TOTAL_LIVE_ID


@dataclass(frozen=True)
class ClientRow:
    """A row, in words."""

    client: Client
    host: str
    visits: str
    change: str
    tone: str
    series: list[int]
    live: LiveCount
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
    hosts = _hosts(ids)
    found = []
    for client in clients:
        state = states.get(client.pk) or ClientState(client=client)
        found.append(
            Known(
                client=client,
                host=hosts.get(client.pk, ""),
                days=days,
                usage=usages[client.pk],
                last_hit_at=state.last_hit_at,
                live_now=live_now(state, now),
                open_alerts=state.open_alerts,
            )
        )
    return found


def live_now(state: ClientState | None, now: dt.datetime) -> int:
    """Who is there; 0 where nothing is known, or what is known is too old."""
    if state is None or state.live_at is None or now - state.live_at >= LIVE_FOR:
        return 0
    return state.live_now


def live_count(client: Client, count: int) -> LiveCount:
    """The client's number, in its row."""
    return LiveCount(id=f"live-{client.pk}", count=count)


def live_counts(
    clients: Sequence[Client], choice: Choice, *, members: frozenset[int] | None, now: dt.datetime
) -> list[LiveCount]:
    """The numbers of the clients that the list shows, and their total. Two queries."""
    ids = [client.pk for client in clients]
    states = ClientState.objects.in_bulk(ids)
    hosts = _hosts(ids)
    found = [
        live_count(client, live_now(states.get(client.pk), now))
        for client in clients
        if _is_wanted(client, hosts.get(client.pk, ""), choice, members)
    ]
    return [*found, LiveCount(id=TOTAL_LIVE_ID, count=sum(one.count for one in found))]


def _hosts(ids: Sequence[int]) -> dict[int, str]:
    found = Domain.objects.filter(tenant_id__in=ids, is_primary=True)
    return dict(found.values_list("tenant_id", "domain"))


def _is_wanted(client: Client, host: str, choice: Choice, members: frozenset[int] | None) -> bool:
    wanted = choice.search.casefold()
    return (members is None or client.pk in members) and (
        not wanted or wanted in client.name.casefold() or wanted in client.slug or wanted in host
    )


def chosen(
    known: Sequence[Known], choice: Choice, *, members: frozenset[int] | None
) -> list[Known]:
    """Those of the group that the search finds (in name, slug and host), in order."""
    found = [one for one in known if _is_wanted(one.client, one.host, choice, members)]
    found.sort(key=SORTS["name"])
    found.sort(key=SORTS[choice.sort.removeprefix("-")], reverse=choice.sort.startswith("-"))
    return found


def members_of(group: ClientGroup | None) -> frozenset[int] | None:
    """Ids of the group's clients, None for no group. Up to one query."""
    return frozenset(group.clients.values_list("pk", flat=True)) if group else None


def change_of(usage: ClientUsage, measure: str, *, days: int) -> figures.Change:
    """The change of a measure over so many whole days; of today none, see `Known.change`."""
    if days == 1:
        return figures.Change(figures.NO_FIGURE)
    return figures.change(getattr(usage.whole, measure), getattr(usage.before, measure))


def compared_words(period: Period) -> str:
    """What changes are told by: `26 Oct – 24 Nov 2026 with 26 Sept – 25 Oct 2026`.

    `period` ends today. Empty for today alone.
    """
    if period.days == 1:
        return ""
    day, locale = dt.timedelta(days=1), locale_of(AGENCY_LOCALE)
    whole = Period(period.starts_on - day, period.ends_on - day)
    return f"{period_words(whole, locale)} with {period_words(whole.before(), locale)}"


def row_of(known: Known, *, now: dt.datetime) -> ClientRow:
    """A client in words."""
    usage = known.usage
    change = change_of(usage, "visits", days=known.days)
    return ClientRow(
        client=known.client,
        host=known.host,
        visits=figures.number(usage.now.visits),
        change=change.words,
        tone=change.tone,
        series=usage.series,
        live=live_count(known.client, known.live_now),
        last_hit=ago(
            known.last_hit_at, now=now, locale=locale_of(AGENCY_LOCALE), never="No hit yet"
        ),
        consent=figures.share(usage.now.consent_rate),
        alerts=known.open_alerts,
    )
