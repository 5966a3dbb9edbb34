"""Keys over midnight, retries over midnight, and bounded memories: with given clocks."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from tenants.models import Client
from tests.conftest import site_of
from tests.tracking.collector_stage import FIREFOX, host_of
from tracking.collector.config import DAY_S, Config, KeyRing, read_config
from tracking.collector.enrich import Enricher, RandomBytes
from tracking.collector.limits import RETRY_S, RateLimit, Retries, Sent
from tracking.collector.requests import RawHit, RefusedError
from tracking.geo import GeoReader
from tracking.hits import Hit
from tracking.refusals import Reason

MIDNIGHT = dt.datetime.combine(
    dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1), dt.time(), dt.UTC
)
TODAY = int(MIDNIGHT.timestamp()) // DAY_S - 1


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    return new_client("midnight")


@pytest.fixture
def enricher() -> Enricher:
    return Enricher(trusted=[], geo=GeoReader(Path(settings.GEO_PATH)), most_hits=100)


def _hit(enricher: Enricher, config: Config, client: Client, at: dt.datetime) -> Hit:
    site = site_of(client)
    raw = RawHit(site=site.key, kind="pageview", url=f"https://{site.main_host}/", nonce="ab" * 8)
    headers = {"host": host_of(client), "user-agent": FIREFOX}
    return enricher.hit_of(config, headers, "81.2.69.142", raw, int(at.timestamp() * 1_000_000))


def test_tomorrows_keys_are_there_before_midnight_and_not_long_before(client):
    noon = read_config(KeyRing(), MIDNIGHT - dt.timedelta(hours=12))
    late = read_config(KeyRing(), MIDNIGHT - dt.timedelta(minutes=5))
    assert list(noon.hosts[host_of(client)].client.days) == [TODAY]
    assert list(late.hosts[host_of(client)].client.days) == [TODAY, TODAY + 1]


def test_a_hit_whose_days_keys_are_missing_is_told_to_come_back(client, enricher):
    config = read_config(KeyRing(), MIDNIGHT - dt.timedelta(hours=12))
    with pytest.raises(RefusedError) as refused:
        _hit(enricher, config, client, MIDNIGHT + dt.timedelta(seconds=1))
    assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
    assert refused.value.reason is Reason.NOT_STORED


def test_visitors_are_others_on_the_next_day_but_a_retry_over_midnight_is_known(client, enricher):
    ring = KeyRing()
    before = MIDNIGHT - dt.timedelta(seconds=1)
    after = MIDNIGHT + dt.timedelta(seconds=1)
    first = _hit(enricher, read_config(ring, before), client, before)
    again = _hit(enricher, read_config(ring, after), client, after)
    assert (again.id, again.at_us, again.visitor) == (first.id, first.at_us, first.visitor)
    much_later = MIDNIGHT + dt.timedelta(hours=1)
    other = _hit(enricher, read_config(ring, much_later), client, much_later)
    assert other.visitor != first.visitor
    assert other.id != first.id


def test_the_keys_of_the_day_before_yesterday_leave_the_memory(client):
    ring = KeyRing()
    read_config(ring, MIDNIGHT - dt.timedelta(hours=1))
    assert list(read_config(ring, MIDNIGHT).hosts[host_of(client)].client.days) == [
        TODAY + 1,
        TODAY,
    ]
    later = read_config(ring, MIDNIGHT + dt.timedelta(days=1, hours=1))
    assert TODAY not in later.hosts[host_of(client)].client.days


def test_a_clients_secrets_are_not_in_its_printed_form(client):
    config = read_config(KeyRing(), MIDNIGHT - dt.timedelta(hours=12))
    its = config.hosts[host_of(client)].client
    printed = repr(config)
    for secret in (its.cookie_secret, its.days[TODAY].visitor):
        assert repr(secret) not in printed


def test_the_rate_limit_is_by_visitor_and_minute():
    limit = RateLimit(2)
    assert [limit.admit(1, 600) for _ in range(3)] == [True, True, False]
    assert limit.admit(2, 600)
    assert not limit.admit(1, 659)
    assert limit.admit(1, 660)
    assert (RateLimit.retry_after_s(600), RateLimit.retry_after_s(659)) == (60, 1)


def test_the_memory_of_visitors_and_nonces_is_bounded(monkeypatch):
    monkeypatch.setattr("tracking.collector.limits._MOST_VISITORS", 100)
    monkeypatch.setattr("tracking.collector.limits._MOST_NONCES", 100)
    limit = RateLimit(1)
    retries = Retries()
    for number in range(1_000):
        limit.admit(number, 60)
        retries.record(number, "n", Sent(b"", 0, number))
    assert len(limit._counts) <= 100
    assert len(retries._new) + len(retries._old) <= 200
    newest = retries.find(999, "n")
    assert newest is not None
    assert newest.visitor == 999


def test_a_nonce_is_remembered_for_two_minutes_and_then_forgotten():
    retries = Retries()
    sent = Sent(b"id", 0, 1)
    retries.record(1, "n", sent)
    for minutes in (1, 2, 3):
        retries.record(2, f"{minutes}", Sent(b"", minutes * 60_000_000, 2))
        assert retries.find(1, "n") == sent
    retries.record(2, "late", Sent(b"", 3 * RETRY_S * 1_000_000, 2))
    assert retries.find(1, "n") is None
    assert retries.find(1, "other") is None


def test_random_bytes_are_given_once():
    source = RandomBytes()
    taken = [source.take(12) for _ in range(5_000)]
    assert {len(each) for each in taken} == {12}
    assert len(set(taken)) == 5_000
