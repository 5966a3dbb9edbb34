"""The model of visitors, and its traffic against a really running collector."""

import asyncio
import collections
import contextlib
import datetime as dt
import os
import random
import socket
import subprocess
import sys
import time
import zoneinfo
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from agency.demo.clients import DEMO_CLIENTS
from tenants.crypto import associated_data, unseal
from tenants.keys import find_key
from tests.conftest import site_of
from tracking.geo import GeoReader
from tracking.hits import PAGE_KINDS, Kind, origin_row_id, uuid7_ms
from tracking.simulate.addresses import CountryAddresses, synthetic_address
from tracking.simulate.driver import Driver, Target
from tracking.simulate.generic import generic_website
from tracking.simulate.history import hits_of
from tracking.simulate.secrets import history_site
from tracking.simulate.visits import VisitPlanner
from tracking.streams import decode_hits, stream_name

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = dt.date(2026, 10, 14)


def _website(host="www.example.org", **kwargs):
    return generic_website(host=host, timezone="Asia/Kolkata", country="IN", **kwargs)


def test_a_day_planned_twice_is_the_same_day():
    first = VisitPlanner(_website()).plan_day(DAY)
    second = VisitPlanner(_website()).plan_day(DAY)
    assert first == second
    assert len(first) > 50
    assert VisitPlanner(_website(), seed="elsewhere").plan_day(DAY) != first


def test_visits_of_a_day_begin_on_that_day_of_the_websites_clock():
    zone = zoneinfo.ZoneInfo("Asia/Kolkata")
    starts = [visit.starts_at for visit in VisitPlanner(_website()).plan_day(DAY)]
    assert {dt.datetime.fromtimestamp(start, zone).date() for start in starts} == {DAY}
    assert starts == sorted(starts)


def test_an_office_is_busier_on_tuesdays_than_on_sundays():
    planner = VisitPlanner(_website())
    tuesdays = [DAY - dt.timedelta(days=1 + 7 * week) for week in range(6)]
    sundays = [day - dt.timedelta(days=2) for day in tuesdays]
    counts = [sum(len(planner.plan_day(day)) for day in days) for days in (tuesdays, sundays)]
    assert counts[0] > 2 * counts[1]


@pytest.mark.parametrize("demo", DEMO_CLIENTS, ids=lambda demo: demo.slug)
def test_visits_go_only_to_pages_that_the_website_has(demo):
    website = demo.website("localhost")
    known = {page.path: page for page in website.pages}
    planner = VisitPlanner(website)
    kinds: collections.Counter[Kind] = collections.Counter()
    for ago in range(10):
        for visit in planner.plan_day(DAY - dt.timedelta(days=ago)):
            assert visit.steps[0].kind in PAGE_KINDS
            assert [step.after_s for step in visit.steps] == sorted(
                step.after_s for step in visit.steps
            )
            for step in visit.steps:
                kinds[step.kind] += 1
                assert step.path in known
                assert known[step.path].missing or step.kind is not Kind.NOT_FOUND
    assert set(kinds) == set(Kind)
    assert {path for path, page in known.items() if not page.missing} == {
        page.path for page in demo.pages
    }


def test_history_has_only_addresses_that_route_nowhere():
    networks = [
        zone
        for number in range(2_000)
        for zone in [synthetic_address(random.Random(number).getrandbits(64))]
    ]
    assert all(str(address).startswith(("198.18.", "198.19.", "2001:db8:")) for address in networks)
    assert len(set(networks)) > 1_900


def test_addresses_of_a_country_are_in_that_country():
    geo = GeoReader(settings.GEO_PATH)
    addresses = CountryAddresses(geo, ["GB", "US", "IN", "DE"])
    for country in ("GB", "US", "IN", "DE"):
        found = {addresses.address(country, number) for number in range(900)}
        places = [geo.locate(address).country for address in found]
        assert places.count(country) > 0.97 * len(places)
        assert {address.version for address in found} == {4, 6}
    assert addresses.address("GB", 7) == addresses.address("GB", 7)


def test_history_holds_ids_of_its_time_outward_codes_only_and_sealed_addresses(new_client):
    client = new_client()
    history = history_site(client, site_of(client))
    planner = VisitPlanner(_website(site_of(client).main_host))
    today = dt.datetime.now(dt.UTC).date()
    hits = [hit for visit in planner.plan_day(today) for hit in hits_of(visit, history)]
    again = [hit for visit in planner.plan_day(today) for hit in hits_of(visit, history)]
    assert [hit.id for hit in hits] == [hit.id for hit in again]
    assert len({hit.id for hit in hits}) == len(hits)
    assert all(uuid7_ms(hit.id) == hit.at_us // 1000 for hit in hits)
    assert {hit.outcode.partition(" ")[0] for hit in hits} <= {"", "GB", "US"}
    whole = [hit for hit in hits if hit.kind != Kind.ENGAGEMENT]
    assert all(len(hit.ip_sealed) in (12 + 4 + 16, 12 + 16 + 16) for hit in whole)
    pings = [hit for hit in hits if hit.kind == Kind.ENGAGEMENT]
    assert pings
    assert {(hit.ip_sealed, hit.ip_key_id, hit.browser, hit.country) for hit in pings} == {
        (b"", 0, "", "")
    }
    assert all(hit.ip_key_id for hit in whole)
    secret = find_key(whole[0].ip_key_id).secret
    row_id = origin_row_id(whole[0].id, whole[0].at_us)
    place = associated_data(client.pk, "origins", "ip_sealed", row_id)
    assert len(unseal(secret, whole[0].ip_sealed, place)) in (4, 16)
    assert {hit.channel for hit in hits} >= {"Direct", "Organic search", "AI assistants", "E-mail"}


def test_history_older_than_the_ip_retention_has_no_addresses(new_client):
    client = new_client()
    history = history_site(client, site_of(client))
    planner = VisitPlanner(_website(site_of(client).main_host))
    old = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=40)
    hits = [hit for visit in planner.plan_day(old) for hit in hits_of(visit, history)]
    assert hits
    assert all(not hit.ip_sealed and not hit.ip_key_id for hit in hits)


@pytest.fixture(scope="module")
def shop(new_client):
    """A client that exists before the collector reads its configuration."""
    return new_client()


@pytest.fixture
def collector(shop):
    """A collector of its own on a free port, which trusts this machine as a proxy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prefix = f"simulate-{port}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws"),
            *("--workers", "1", "--host", "127.0.0.1", "--port", str(port)),
            *("--log-level", "warning", "tracking.collector.app:application"),
        ],
        cwd=ROOT,
        env=os.environ
        | {"OUTWARD_TRUSTED_PROXIES": "127.0.0.0/8", "OUTWARD_STREAM_PREFIX": prefix},
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", prefix
    finally:
        process.terminate()
        process.wait(20)


def _stored(valkey, prefix):
    """Hits in the streams of a prefix."""
    hits = []
    for partition in range(settings.PARTITIONS):
        for _, fields in valkey.xrange(stream_name(prefix, partition)):
            hits += decode_hits(fields[b"b"])
    return hits


def test_every_simulated_message_is_accounted_for_by_the_running_collector(shop, collector, valkey):
    url, prefix = collector
    client = shop
    site = site_of(client)
    website = _website(site.main_host)
    addresses = CountryAddresses(GeoReader(settings.GEO_PATH), website.countries)
    driver = Driver(
        VisitPlanner(website),
        Target(url, f"{client.slug}.localhost", site.key, site.main_host),
        address_of=lambda person: addresses.address(person.country, person.number),
        seed=1,
    )
    account = asyncio.run(driver.run(120, seconds=4))
    assert account.adds_up
    assert account.failed == 0
    assert not account.refused, account.line()
    assert 300 < account.sent < 700
    assert set(account.dropped) <= {"bot", "gpc"}
    hits = _stored(valkey, prefix)
    assert len(hits) == account.accepted
    assert len({hit.id for hit in hits}) == account.accepted
    assert len({hit.country for hit in hits} - {""}) >= 4
    assert len({hit.visitor for hit in hits}) > 50
    assert f"accepted {account.accepted:,}" in account.line()


def test_a_wrong_site_key_is_counted_as_refused(shop, collector, valkey):
    url, prefix = collector
    client = shop
    driver = Driver(
        VisitPlanner(_website(site_of(client).main_host)),
        Target(url, f"{client.slug}.localhost", "nosuchkeynosuch2", site_of(client).main_host),
        address_of=lambda person: ip_address("192.0.2.7"),
        seed=2,
    )
    account = asyncio.run(driver.run(40, seconds=1.5))
    assert account.adds_up
    assert account.accepted == 0
    assert set(account.refused) == {"403", "pixel"}
    assert _stored(valkey, prefix) == []


def test_nobody_there_is_counted_as_failed(shop):
    client = shop
    driver = Driver(
        VisitPlanner(_website(site_of(client).main_host)),
        Target("http://127.0.0.1:9", "x.localhost", "k", site_of(client).main_host),
        address_of=lambda person: ip_address("192.0.2.7"),
        seed=3,
    )
    account = asyncio.run(driver.run(40, seconds=1))
    assert account.sent == account.failed > 0
