"""What becomes of addresses, postcodes and cookies on their way to the stream."""

import asyncio
import datetime as dt
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.conf import settings

from tenants.crypto import SealError, associated_data, unseal
from tenants.keys import Purpose, find_key, get_key
from tenants.models import Client
from tests.conftest import site_of
from tests.tracking.collector_stage import (
    FIREFOX,
    Stage,
    change_privacy,
    eventually,
    fresh_address,
    staged,
)
from tracking.addresses import cookie_hash, visitor_hash
from tracking.collector.faces import Application
from tracking.collector.service import Collector
from tracking.hits import Hit, origin_row_id

COOKIE = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def stage(databases, valkey, tmp_path_factory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("private")
    with staged(os.environ["OUTWARD_REDIS_URL"], folder / "spool") as running:
        yield running


@pytest.fixture(scope="module")
def client(stage: Stage, new_client: Callable[..., Client]) -> Client:
    return stage.know(new_client("private"))


def _from(stage: Stage, client: Client, address: str, **fields: object) -> Hit:
    reply = stage.post(client, headers={"x-forwarded-for": address}, **fields)
    assert reply.status_code == 202
    assert "x-outward-dropped" not in reply.headers
    return stage.last_hit(client)


def _place(
    hit: Hit,
    *,
    client_id: int = 0,
    table: str = "origins",
    column: str = "ip_sealed",
    row_id: bytes = b"",
) -> bytes:
    return associated_data(
        client_id or hit.client_id, table, column, row_id or origin_row_id(hit.id, hit.at_us)
    )


@pytest.mark.parametrize("address", ["81.2.69.142", "2a02:c7d:1234:5678::9"])
def test_an_address_is_sealed_for_the_visit_of_its_hit_alone(stage, client, address):
    hit = _from(stage, client, address)
    key = find_key(hit.ip_key_id)
    today = dt.datetime.now(dt.UTC).date()
    assert key == get_key(client.pk, Purpose.IP, today)
    opened = unseal(key.secret, hit.ip_sealed, _place(hit))
    assert str(ipaddress.ip_address(opened)) == address
    elsewhere = [
        _place(hit, client_id=client.pk + 1),
        _place(hit, table="hits"),
        _place(hit, column="outcode"),
        _place(hit, row_id=bytes(8)),
        _place(hit, row_id=origin_row_id(hit.id, hit.at_us + 1_000_000)),
    ]
    for place in elsewhere:
        with pytest.raises(SealError):
            unseal(key.secret, hit.ip_sealed, place)
    other = get_key(client.pk, Purpose.VISITOR, today)
    with pytest.raises(SealError):
        unseal(other.secret, hit.ip_sealed, _place(hit))


def test_the_visitor_is_the_days_keyed_hash(stage, client):
    hit = _from(stage, client, "81.2.69.160")
    secret = get_key(client.pk, Purpose.VISITOR, dt.datetime.now(dt.UTC).date()).secret
    packed = ipaddress.ip_address("81.2.69.160").packed
    assert hit.visitor == visitor_hash(secret, site_of(client).pk, packed, FIREFOX)


def test_the_same_address_is_sealed_differently_each_time(stage, client):
    one = _from(stage, client, "81.2.69.161")
    two = _from(stage, client, "81.2.69.161")
    assert one.visitor == two.visitor
    assert one.ip_sealed != two.ip_sealed


def test_a_truncating_client_gets_networks_and_a_refusing_one_nothing(stage, new_client):
    client = stage.know(new_client("truncating"))
    change_privacy(client, ip_mode="truncated")

    def sealed(address: str) -> tuple[bytes, int]:
        hit = _from(stage, client, address)
        return hit.ip_sealed, hit.ip_key_id

    eventually(lambda: sealed("81.2.69.142") == (bytes([81, 2, 69, 0]), 0), 3.0)
    assert sealed("2a02:c7d:1234:5678::9")[0] == ipaddress.ip_address("2a02:c7d:1234::").packed
    change_privacy(client, ip_mode="none")
    eventually(lambda: sealed("81.2.69.142") == (b"", 0), 3.0)


MARKED = ("198.51.100.237", "2001:db8:dead:beef:1:2:3:4")


def test_no_form_of_a_raw_address_is_on_the_stream_or_in_the_log(stage, client):
    for address in MARKED:
        stage.post(client, headers={"x-forwarded-for": address})
        stage.post(client, headers={"x-forwarded-for": address}, url=f"http://[{address}/")
        stage.post(client, headers={"x-forwarded-for": f"{address}x"})
        stage.post(
            client,
            headers={"x-forwarded-for": address},
            kind="event",
            name=f"from {address}",
            props={"ip": address},
            url=f"https://www.private.example/at/{address}?ip={address}",
        )
        stage.post(client, headers={"x-forwarded-for": address, "sec-gpc": "1"})
    stored = stage.raw_streams() + stage.log.read_bytes()
    for address in MARKED:
        parsed = ipaddress.ip_address(address)
        for form in (address, parsed.exploded, str(int(parsed)), parsed.packed.hex()):
            assert form.encode() not in stored, form
        assert parsed.packed not in stored


def test_the_client_address_comes_from_trusted_proxies_only(new_client, databases, tmp_path):
    url = os.environ["OUTWARD_REDIS_URL"]
    own_address = ipaddress.ip_address("127.0.0.1").packed
    with staged(url, tmp_path / "spool", OUTWARD_TRUSTED_PROXIES="10.0.0.0/8") as untrusting:
        client = untrusting.know(new_client("proxied"))
        hit = _from(untrusting, client, "81.2.69.142")
        key = find_key(hit.ip_key_id)
        assert unseal(key.secret, hit.ip_sealed, _place(hit)) == own_address


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("6.6.6.6, 81.2.69.170", "81.2.69.170"),
        ("6.6.6.6, 81.2.69.171, 127.0.0.9", "81.2.69.171"),
        ("81.2.69.172:5000", "81.2.69.172"),
        ("6.6.6.6, nonsense", "127.0.0.1"),
        ("::ffff:81.2.69.173", "81.2.69.173"),
    ],
)
def test_what_the_visitor_writes_into_forwarded_for_means_nothing(
    stage, client, forwarded, expected
):
    hit = _from(stage, client, forwarded)
    opened = unseal(find_key(hit.ip_key_id).secret, hit.ip_sealed, _place(hit))
    assert str(ipaddress.ip_address(opened)) == expected


def test_only_the_outward_part_of_a_postcode_passes(stage, client):
    sent = "SW1A 1AA"
    hit = _from(
        stage,
        client,
        fresh_address(),
        kind="event",
        name=f"Branch {sent}",
        outcode=sent,
        props={"near": sent},
        url="https://www.private.example/find/SW1A-1AA/sw1a%201aa",
    )
    assert hit.outcode == "GB SW1A"
    texts = [hit.name, hit.path, *(hit.props or {}).values()]
    for text in texts:
        assert "1AA" not in text.upper()
    for form in (b"SW1A 1AA", b"SW1A-1AA", b"sw1a%201aa", b"SW1A1AA", b"sw1a 1aa"):
        assert form not in stage.raw_streams()


def test_outcodes_follow_the_clients_settings(stage, new_client):
    client = stage.know(new_client("codes"))
    zip_code = {"outcode": "90210", "address": "8.8.8.8"}

    def kept(outcode: str, address: str) -> str:
        return _from(stage, client, address, outcode=outcode).outcode

    assert kept(**zip_code) == "US 902"
    change_privacy(client, zip_mode="zip5")
    eventually(lambda: kept(**zip_code) == "US 90210", 3.0)
    change_privacy(client, keep_outcode=False)
    eventually(lambda: kept("SW1A", "81.2.69.142") == "", 3.0)


def test_a_cookie_recognises_under_consent_and_is_stored_as_a_keyed_hash(stage, client):
    one = _from(stage, client, fresh_address(), cookie=COOKIE)
    two = _from(stage, client, fresh_address(), cookie=COOKIE)
    secret = get_key(client.pk, Purpose.COOKIE, None).secret
    expected = cookie_hash(secret, site_of(client).pk, COOKIE)
    assert (one.visitor, two.visitor) == (expected, expected)
    assert one.consented
    assert two.consented
    assert COOKIE.encode() not in stage.raw_streams()
    assert bytes.fromhex(COOKIE) not in stage.raw_streams()


@pytest.mark.parametrize("cookie", ["short", COOKIE.upper(), COOKIE + "0", "g" * 32])
def test_a_cookie_of_another_form_is_not_ours(stage, client, cookie):
    hit = _from(stage, client, fresh_address(), cookie=cookie)
    assert not hit.consented


def test_a_client_without_cookies_recognises_nobody(stage, new_client):
    client = stage.know(new_client("cookieless"))
    change_privacy(client, cookie_mode="never")

    def is_unrecognised() -> bool:
        one = _from(stage, client, fresh_address(), cookie=COOKIE)
        two = _from(stage, client, fresh_address(), cookie=COOKIE)
        return not one.consented and not two.consented and one.visitor != two.visitor

    eventually(is_unrecognised, 3.0)


def test_under_an_exemption_an_objection_keeps_the_cookie_unread(stage, new_client):
    client = stage.know(new_client("exempt"))
    change_privacy(client, cookie_mode="exempt", honour_gpc=False, honour_dnt=False)

    def consented(**headers: str) -> bool | None:
        headers["x-forwarded-for"] = fresh_address()
        reply = stage.post(client, headers=headers, cookie=COOKIE)
        return None if "x-outward-dropped" in reply.headers else stage.last_hit(client).consented

    eventually(lambda: consented(dnt="1") is False, 3.0)
    assert consented() is True
    assert consented(**{"sec-gpc": "1"}) is False


def test_headers_of_any_bytes_are_no_fault(stage, client):
    odd = {"x-forwarded-for": b"81.2.69.199, \xff", "accept-language": b"\xe9"}
    page = {
        "site": site_of(client).key,
        "kind": "pageview",
        "url": "https://www.private.example/odd",
    }
    kept = stage.request("POST", "/collect", "private.localhost", headers=odd, json=page)
    assert (kept.status_code, "x-outward-dropped" in kept.headers) == (202, False)
    assert stage.last_hit(client).path == "/odd"
    # The server leaves such a line out, and a browser without a name is a bot.
    nameless = {"user-agent": b"Mozilla/5.0 \xff\xfe Firefox/128.0"}
    dropped = stage.request("POST", "/collect", "private.localhost", headers=nameless, json=page)
    assert (dropped.status_code, dropped.headers["x-outward-dropped"][:4]) == (202, "bot=")
    assert b"81.2.69.199" not in stage.log.read_bytes()


def test_a_fault_tells_the_log_a_type_and_a_place_and_nothing_of_the_request(
    client, caplog, tmp_path, monkeypatch
):
    monkeypatch.setattr(settings, "SPOOL_PATH", tmp_path / "spool")
    body = {"site": site_of(client).key, "kind": "pageview", "url": "https://www.private.example/"}

    async def post_with_a_broken_reader() -> httpx.Response:
        collector = Collector()
        await collector.start()
        try:
            assert collector._running is not None
            collector._running.geo.close()  # reading it raises from now on
            transport = httpx.ASGITransport(Application(collector), client=("81.2.69.198", 1))
            async with httpx.AsyncClient(transport=transport) as http:
                return await http.post(
                    "http://private.localhost/collect",
                    json=body,
                    headers={"user-agent": FIREFOX},
                )
        finally:
            await collector.stop()

    with caplog.at_level(logging.INFO, "tracking"):
        reply = asyncio.run(post_with_a_broken_reader())
    assert (reply.status_code, reply.content) == (500, b"")
    assert reply.headers["x-outward-error"].startswith("collector:")
    faults = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.exc_info for record in faults] == [None]
    assert re.fullmatch(r"A request failed: ValueError in \w+:\d+\.", faults[0].getMessage())
    assert "81.2.69.198" not in caplog.text
