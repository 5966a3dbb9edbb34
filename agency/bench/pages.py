"""Figures of pages: server time of the overview and of the agency's, whole requests.

A request goes through all middleware, view, queries and template in this process, by Django's own
test client, as a person who is logged in; what it leaves out is the network and the browser.
"""

import dataclasses
import datetime as dt
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection, connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from agency.bench import stage
from agency.bench.figures import BenchError, Taken
from agency.bench.storing import days_of_hits
from agency.hosts import HOST_IN_SESSION
from agency.static_files import collect_static_files
from tenants.models import Client, Membership, Role, User
from tenants.schemas import owning
from tracking.partitions import gather_statistics
from tracking.rollups.run import roll_up_client, touch_all
from tracking.states import record_all_days
from tracking.writer.store import site_zones, store_hits

DAYS = 30
WARM = 3
TIMES = 15
"""Requests of a run, after WARM that do not count; a run's value is their median."""
FILTERS = ("is,visit:country,GB", "is,visit:device,desktop", "is,event:page,/products/1")
"""A filter that most visits pass, one that half of them pass, and one that few do."""
AGENCY_CLIENTS = 200
HITS_OF_EACH = 300
COPIES = 9
"""Of each row, beside it: ten times the hits in the same days, on the same pages."""
PROCESSES = 2

_MS = "n * interval '1 ms'"
_VISIT = "# (n::bigint << 20)"
_CHANGED: dict[str, dict[str, str]] = {
    "visits": {
        "id": f"id {_VISIT}",
        "visitor": "visitor # (n::bigint << 40)",
        "started_at": f"started_at + {_MS}",
        "last_at": f"last_at + {_MS}",
    },
    "hits": {"visit_id": f"visit_id {_VISIT}", "at": f"at + {_MS}"},
    "origins": {"visit_id": f"visit_id {_VISIT}", "started_at": f"started_at + {_MS}"},
}
"""What is other in the copy `n` of a row: another visitor, some milliseconds later."""

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Timed:
    """Requests of one page."""

    runs_ms: list[float]
    """Median of each run."""
    queries: int

    @property
    def ms(self) -> float:
        """Median of the runs."""
        return statistics.median(self.runs_ms)


class Pages:
    """A client with 30 days of (by default) a million hits, rolled up, and a manager of it."""

    def __init__(self, *, hits: int, runs: int, tell: Tell) -> None:
        self._tell = tell
        self._runs = runs
        collect_static_files()
        self.client, self._site = stage.bench_client("bench-pages")
        self._host = f"{self.client.slug}.{settings.BASE_DOMAIN}"
        self._manager = _person("manager@pages.example", self.client, Role.MANAGER)
        zones = site_zones(self.client)
        stored = told = 0
        for batch in days_of_hits(self.client, self._site, hits, days=DAYS):
            stored += store_hits(self.client, batch, zones=zones).stored
            if stored >= told + hits // 5:
                told = stored
                tell(f"{DAYS} days of {hits:,} hits: {stored:,} stored")
        self._settle()
        self.hits = stored
        self._at_first: Timed | None = None

    def overview(self) -> Taken:
        """All panels of 30 days, from rollups."""
        timed = self._timed({"period": "30d"})
        self._at_first = timed
        return Taken(
            "overview_ms_1m",
            timed.runs_ms,
            f"{self.hits:,} hits of {DAYS} days, {timed.queries} queries; {_how()}.",
            {"hits": self.hits, "queries": timed.queries},
        )

    def filtered(self) -> Taken:
        """The same with one filter, from raw rows: the slowest of three filters."""
        timed = {text: self._timed({"period": "30d", "f": text}) for text in FILTERS}
        slowest = max(timed, key=lambda text: timed[text].ms)
        told = ", ".join(f"{text} {each.ms:.0f} ms" for text, each in timed.items())
        return Taken(
            "filtered_ms_1m",
            timed[slowest].runs_ms,
            f"The slowest of {told}; {timed[slowest].queries} queries; {_how()}.",
            {text: each.runs_ms for text, each in timed.items()},
        )

    def growth(self) -> Taken:
        """The overview at ten times the hits in the same days, to that before."""
        before = self._at_first or self._timed({"period": "30d"})
        self._copy()
        self._settle()
        after = self._timed({"period": "30d"})
        return Taken(
            "overview_growth_10m",
            [ms / before.ms for ms in after.runs_ms],
            f"{after.ms:.0f} ms at {stage.stored_hits(self.client):,} hits, "
            f"{before.ms:.0f} ms at {self.hits:,}.",
            {"ms_before": before.runs_ms, "ms_after": after.runs_ms},
        )

    def _settle(self) -> None:
        """Roll up, and gather the statistics that the database's own housekeeping would have."""
        self._tell("rollup")
        roll_up_client(self.client, now=dt.datetime.now(dt.UTC))
        gather_statistics(self.client)

    def _timed(self, query: dict[str, str]) -> Timed:
        browser = _browser(self._manager, self._host)
        return _time(browser, f"/?{urlencode(query)}", self._runs)

    def _copy(self) -> None:
        """Every row COPIES times more."""
        with owning(self.client), connection.cursor() as cursor:
            for table, changed in _CHANGED.items():
                self._tell(f"copying {table} {COPIES} times")
                cursor.execute(
                    "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute "
                    "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                    [table],
                )
                names = cursor.fetchone()[0]
                values = ", ".join(changed.get(name, name) for name in names)
                cursor.execute(
                    f"WITH s AS MATERIALIZED (SELECT {values} FROM {table}, "  # noqa: S608 - names of columns only
                    f"generate_series(1, {COPIES}) AS n) "
                    f"INSERT INTO {table} ({', '.join(names)}) SELECT * FROM s"
                )
        touch_all(self.client, self._site, now=dt.datetime.now(dt.UTC))


class AgencyPages:
    """Many clients with a little traffic each, and an owner of the agency."""

    def __init__(self, *, clients: int, runs: int, tell: Tell) -> None:
        self._runs = runs
        self._clients = clients
        collect_static_files()
        self._owner = _person("owner@pages.example", None, Role.OWNER)
        tell(f"{clients} clients with {HITS_OF_EACH} hits each")
        connections.close_all()
        # Forked, with no connection open: a spawned process would import models before Django.
        with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
            pool.map(_make_client, range(clients), chunksize=1)
            # Told to end and waited for: terminated, one may wait for a lock that another held.
            pool.close()
            pool.join()

    def overview(self) -> Taken:
        """All clients at a glance."""
        timed = _time(_browser(self._owner, settings.AGENCY_HOST), "/", self._runs)
        return Taken(
            "agency_ms_200",
            timed.runs_ms,
            f"{self._clients} clients, {timed.queries} queries; {_how()}.",
            {"queries": timed.queries},
        )


def _make_client(number: int) -> None:
    client, site = stage.bench_client(f"bench-page-{number}")
    for batch in days_of_hits(client, site, HITS_OF_EACH, days=DAYS):
        store_hits(client, batch, zones=site_zones(client))
    now = dt.datetime.now(dt.UTC)
    roll_up_client(client, now=now)
    record_all_days(client, now=now)


def _person(email: str, client: Client | None, role: Role) -> User:
    user = User.objects.create_user(email)
    Membership.objects.create(user=user, client=client, role=role)
    return user


def _browser(user: User, host: str) -> Browser:
    """Logged in on a host."""
    browser = Browser(headers={"host": host})
    browser.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    session = browser.session
    session[HOST_IN_SESSION] = host
    session.save()
    return browser


def _time(browser: Browser, path: str, runs: int) -> Timed:
    """Raises BenchError unless every answer is a whole page."""
    for _ in range(WARM):
        _get(browser, path)
    # As the process that serves the pages does (agency.wsgi).
    gc.collect()
    gc.freeze()
    medians = [statistics.median(_get(browser, path) for _ in range(TIMES)) for _ in range(runs)]
    with CaptureQueriesContext(connection) as seen:
        _get(browser, path)
    return Timed(medians, len(seen))


def _get(browser: Browser, path: str) -> float:
    """Milliseconds of one request."""
    began = time.perf_counter()
    reply = browser.get(path)
    ms = (time.perf_counter() - began) * 1000
    if reply.status_code != 200 or b"</html>" not in reply.content:
        raise BenchError(f"The page answered {reply.status_code} where 200 was expected.")
    return ms


def _how() -> str:
    return f"median of {TIMES} requests a run, whole requests without the network"
