"""Seeding the demo: clients, people, and a history put in through the writer's own path.

May be killed at any point: what is there is found again, days that are done are skipped, and the
hits of a day half done have the same ids, so none is stored twice.
"""

import dataclasses
import datetime as dt
import itertools
import time
import zoneinfo
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import transaction

from agency.demo.clients import DEMO_CLIENTS
from agency.demo.definitions import seed_definitions
from agency.demo.delivery import SLUG as WITH_DELIVERY
from agency.demo.delivery import seed_delivery
from agency.demo.logins import make_people
from agency.demo.pages import DemoClient
from tenants.audit import record_act
from tenants.clients import create_client
from tenants.models import AuditEntry, Client, PrivacySettings
from tenants.routers import KEYS_DATABASE
from tracking.hits import Hit
from tracking.partitions import ensure_months, gather_statistics, month_of
from tracking.rollups.run import roll_up_client
from tracking.simulate.history import HistorySite, hits_of
from tracking.simulate.secrets import history_site
from tracking.simulate.visits import VisitPlanner
from tracking.writer.store import site_zones, store_hits

ACTOR = "system:demo"
DAYS_AT_ONCE = 15
"""Days of history stored in one transaction."""

Tell = Callable[[str], None]


class DemoError(Exception):
    """The demo cannot be seeded here; the message says why."""

    code = "demo"


@dataclasses.dataclass
class DemoResult:
    """What seeding has done."""

    clients: int = 0
    people: int = 0
    hits: int = 0
    """Newly stored: 0 when all of them were there."""
    visits: int = 0
    rows: int = 0
    """Rows of the rollup."""
    seconds: float = 0.0


def is_wanted() -> bool:
    """Whether the database is new, or a seeding of it was interrupted."""
    acts = set(AuditEntry.objects.filter(actor=ACTOR).values_list("act", flat=True))
    return not Client.objects.exists() if "demo.begin" not in acts else "demo.end" not in acts


def seed_demo(
    *, days: int = 90, progress: Tell | None = None, now: dt.datetime | None = None
) -> DemoResult:
    """Make what is missing of the demo, with a history of `days` up to `now`.

    Raises DemoError in production, where made-up clients have no business.
    """
    if settings.PRODUCTION:
        raise DemoError("The demo is not for production: start without OUTWARD_PRODUCTION=1.")
    began = time.monotonic()
    now = now or dt.datetime.now(dt.UTC)
    tell = progress or (lambda _line: None)
    result = DemoResult()
    record_act("demo.begin", acting_user=ACTOR, details={"days": days})
    clients: dict[str, Client] = {}
    for demo in DEMO_CLIENTS:
        tell(f"{demo.name}: a client of its own")
        clients[demo.slug], is_new = _find_or_create(demo)
        result.clients += is_new
    result.people = make_people(clients)
    for client in clients.values():
        seed_definitions(client, now=now, acting_user=ACTOR)
    for demo in DEMO_CLIENTS:
        _store_history(demo, clients[demo.slug], days, now, tell, result)
    for demo in DEMO_CLIENTS:
        tell(f"{demo.name}: adding up its days")
        result.rows += roll_up_client(clients[demo.slug], now=now).rows
        gather_statistics(clients[demo.slug])
    seed_delivery(clients[WITH_DELIVERY], now=now)
    record_act("demo.end", acting_user=ACTOR, details={"hits": result.hits})
    result.seconds = time.monotonic() - began
    return result


def _find_or_create(demo: DemoClient) -> tuple[Client, bool]:
    found = Client.objects.filter(slug=demo.slug).first()
    if found is not None:
        return found, False
    client = create_client(
        demo.slug,
        name=demo.name,
        hosts=[demo.site_host(settings.BASE_DOMAIN)],
        acting_user=ACTOR,
        timezone_name=demo.timezone,
        locale=demo.locale,
        currency=demo.currency,
        accent_colour=demo.accent_colour,
    )
    PrivacySettings.objects.filter(client=client).update(zip_mode=demo.zip_mode)
    return client, True


def _store_history(
    demo: DemoClient,
    client: Client,
    days: int,
    now: dt.datetime,
    tell: Tell,
    result: DemoResult,
) -> None:
    today = now.astimezone(zoneinfo.ZoneInfo(demo.timezone)).date()
    wanted = [today - dt.timedelta(days=ago) for ago in range(days - 1, -1, -1)]
    done = _done_days(client)
    # A visit may end on the day after, and a local day begin on the UTC day before.
    edges = [wanted[0] - dt.timedelta(days=1), *wanted, today + dt.timedelta(days=1)]
    ensure_months(client, {month_of(day) for day in edges})
    site = client.sites.order_by("pk")[0]
    # As old as its history: those who look at the script's page are not told to wait for a hit.
    begins = dt.datetime.combine(wanted[0], dt.time.min, zoneinfo.ZoneInfo(demo.timezone))
    client.sites.filter(pk=site.pk, key_changed_at__gt=begins).update(key_changed_at=begins)
    zones = site_zones(client)
    planner = VisitPlanner(demo.website(settings.BASE_DOMAIN), seed=demo.slug)
    history = history_site(client, site)
    missing = [day for day in wanted if day not in done]
    for batch in _batches(missing):
        tell(f"{demo.name}: {batch[0]:%-d %B} to {batch[-1]:%-d %B %Y}")
        with transaction.atomic(using=KEYS_DATABASE):  # all new keys in one commit
            hits = [hit for day in batch for hit in _hits_of_day(planner, history, day, now)]
        # Asked for at once, since a run that was killed here has stored them already.
        stored = store_hits(client, hits, zones=zones, maybe_stored=True)
        result.hits += stored.stored
        result.visits += stored.new_visits
        closed = [day.isoformat() for day in batch if day < today]
        record_act(
            "demo.history",
            acting_user=ACTOR,
            client_id=client.pk,
            details={"days": closed, "stored": stored.stored},
        )


def _batches(days: list[dt.date]) -> Iterator[list[dt.date]]:
    remaining = iter(days)
    while batch := list(itertools.islice(remaining, DAYS_AT_ONCE)):
        yield batch


def _hits_of_day(
    planner: VisitPlanner, history: HistorySite, day: dt.date, now: dt.datetime
) -> Iterator[Hit]:
    """Hits of the visits that begin on a local day, but for those in the future."""
    ends_before_us = int(now.timestamp() * 1_000_000)
    for visit in planner.plan_day(day):
        for hit in hits_of(visit, history):
            if hit.at_us < ends_before_us:
                yield hit


def _done_days(client: Client) -> set[dt.date]:
    entries = AuditEntry.objects.filter(act="demo.history", client_id=client.pk)
    return {
        dt.date.fromisoformat(day)
        for details in entries.values_list("details", flat=True)
        for day in details["days"]
    }
