"""A client with a fortnight of visits, and browsers of its people: the stage of what leaves it."""

import datetime as dt
import random
import zoneinfo

from django.test import Client as Browser

from tenants.models import Client, Membership, Role, Site, User
from tenants.session_store import HOST
from tests.conftest import PASSWORD, site_of
from tests.tracking.traffic import hit, random_hits
from tracking.hits import Hit
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def fill(client: Client, now: dt.datetime, *, days: int = 20, seed: int = 5) -> Site:
    """Random visits of the days up to now, one page that looks like a formula among them."""
    site = site_of(client)
    zone = zoneinfo.ZoneInfo(site.timezone)
    hits: list[Hit] = []
    for day in range(days):
        midnight = dt.datetime.combine(
            (now - dt.timedelta(days=day + 1)).astimezone(zone).date(), dt.time(), zone
        )
        rng = random.Random(seed + day)
        hits += random_hits(
            rng, client.pk, site.pk, midnight.astimezone(dt.UTC), hours=20, visitors=15
        )
    hits.append(
        hit(client.pk, site.pk, now - dt.timedelta(days=1), 77, path="/x", source="=HYPERLINK(1)")
    )
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    return site


def person(email: str, client: Client | None, role: Role, **scope: object) -> User:
    """A member with the tests' password."""
    user = User.objects.create_user(email, PASSWORD)
    Membership.objects.create(user=user, client=client, role=role, **scope)
    return user


def browser_of(client: Client, user: User | None = None) -> Browser:
    """A browser on the client's host, its session the user's."""
    host = f"{client.slug}.localhost"
    browser = Browser(headers={"host": host})
    if user is not None:
        browser.force_login(user, BACKEND)
        session = browser.session
        session[HOST] = host
        session.save()
    return browser
