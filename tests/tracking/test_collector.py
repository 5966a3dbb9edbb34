"""What the collector takes, what it refuses, and how it says why."""

import datetime as dt
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tenants.changes import announce_change
from tenants.models import Client, Site
from tests.conftest import site_of
from tests.tracking.collector_stage import (
    FIREFOX,
    Stage,
    change_privacy,
    eventually,
    fresh_address,
    host_of,
    staged,
)
from tracking.hits import Hit, Kind, uuid7_ms
from tracking.refusals import NO_CLIENT, Reason, refused_counts
from tracking.script.build import build_script

NewClient = Callable[..., Client]
MOST_HITS = 30
"""A minute and visitor."""


@pytest.fixture(scope="module")
def stage(databases, valkey, tmp_path_factory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("collector")
    with staged(
        os.environ["OUTWARD_REDIS_URL"], folder / "spool", OUTWARD_RATE_LIMIT_HITS=str(MOST_HITS)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(stage: Stage, new_client: NewClient) -> Client:
    hosts = ["www.shop.example", "*.shops.example", "shop-demo.localhost:8000"]
    return stage.know(new_client("shop", hosts=hosts))


def _errors(reply) -> tuple[int, str]:
    return reply.status_code, reply.headers.get("x-outward-error", "").partition(":")[0]


def test_an_accepted_page_view_is_on_the_stream_with_all_that_may_be_stored(stage, client):
    started_ms = time.time_ns() // 1_000_000
    reply = stage.post(
        client,
        url="https://www.shop.example/shoes?utm_source=news&utm_medium=email&size=9#top",
        referrer="https://www.google.com/search?q=shoes",
        language="en-gb",
        headers={"x-forwarded-for": "81.2.69.142", "origin": "https://www.shop.example"},
    )
    assert (reply.status_code, reply.content) == (202, b"")
    assert "x-outward-dropped" not in reply.headers
    hit = stage.last_hit(client)
    site = site_of(client)
    assert (hit.client_id, hit.site_id, hit.kind) == (client.pk, site.pk, Kind.PAGEVIEW)
    assert (hit.host, hit.path) == ("", "/shoes")
    assert (hit.utm_source, hit.utm_medium, hit.channel) == ("news", "email", "E-mail")
    assert (hit.browser, hit.os, hit.device) == ("Firefox", "Linux", "desktop")
    assert (hit.country, hit.language, hit.consented) == ("GB", "en-GB", False)
    assert hit.visitor != 0
    assert uuid7_ms(hit.id) == hit.at_us // 1000
    assert started_ms <= hit.at_us // 1000 <= time.time_ns() // 1_000_000


def test_events_engagement_links_and_missing_pages_keep_what_they_say(stage, client):
    sent: list[dict[str, Any]] = [
        {"kind": "event", "name": " Sign  up ", "interactive": False, "props": {"n": 3, "b": True}},
        {"kind": "engagement", "engaged_s": 12.9, "scroll": 250},
        {"kind": "outbound", "name": "https://u:p@partner.example/a?mail=x#y"},
        {"kind": "download", "name": "/files/list.pdf?token=1"},
        {"kind": "not_found", "url": "https://www.shop.example/gone"},
    ]
    address = fresh_address()
    for fields in sent:
        reply = stage.post(client, headers={"x-forwarded-for": address}, **fields)
        assert reply.status_code == 202
    visitor = stage.last_hit(client).visitor
    found = {hit.kind: hit for hit in stage.hits(client) if hit.visitor == visitor}
    event = found[Kind.EVENT]
    assert (event.name, event.interactive) == ("Sign up", False)
    assert event.props == {"n": "3", "b": "true"}
    assert (found[Kind.ENGAGEMENT].engaged_s, found[Kind.ENGAGEMENT].scroll) == (12, 100)
    assert found[Kind.OUTBOUND].name == "https://partner.example/a"
    assert found[Kind.DOWNLOAD].name == "/files/list.pdf"
    assert found[Kind.NOT_FOUND].path == "/gone"


def test_a_ping_carries_neither_the_address_nor_what_its_visit_knows(stage, client):
    fields = {"kind": "engagement", "engaged_s": 5, "referrer": "https://www.google.com/"}
    assert stage.post(client, **fields).status_code == 202
    ping = stage.last_hit(client)
    known = (ping.id, ping.client_id, ping.site_id, ping.at_us, ping.kind, ping.visitor)
    assert ping == Hit(*known, consented=False, host="", path=ping.path, engaged_s=5)
    # With an outward code the origin that it may make needs the address too.
    assert stage.post(client, **fields, outcode="SW1A 1AA").status_code == 202
    told = stage.last_hit(client)
    assert (told.kind, told.outcode, bool(told.ip_sealed)) == (Kind.ENGAGEMENT, "GB SW1A", True)
    assert stage.post(client).status_code == 202
    assert stage.last_hit(client).ip_sealed


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"site": ""}, "site"),
        ({"site": 7}, "site"),
        ({"kind": "purchase"}, "kind"),
        ({"kind": None}, "kind"),
        ({"url": ""}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"kind": "event"}, "name"),
        ({"kind": "outbound", "name": ""}, "name"),
        ({"props": {"k" * 101: "v"}}, "props"),
        ({"props": {str(n): n for n in range(31)}}, "props"),
        ({"props": {"list": [1]}}, "props"),
        ({"engaged_s": -1}, "engaged_s"),
        ({"engaged_s": "long"}, "engaged_s"),
        ({"nonce": "n" * 65}, "nonce"),
    ],
)
def test_a_malformed_field_is_named_with_its_remedy_and_never_repeated(
    stage, client, fields, field
):
    origin = {"origin": "https://www.shop.example"}
    reply = stage.post(client, headers=origin, **fields)
    assert _errors(reply) == (400, field)
    assert "purchase" not in str(reply.headers)
    assert "alert" not in str(reply.headers)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"site": "\xff"}', b"null"])
def test_a_body_that_is_no_object_is_refused(stage, client, body):
    reply = stage.request("POST", "/collect", host_of(client), content=body)
    assert _errors(reply) == (400, "body")


def test_unknown_fields_are_ignored(stage, client):
    assert stage.post(client, colour="green", v=2).status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json", None])
def test_content_types_of_beacons_are_taken(stage, client, content_type):
    assert stage.post(client, headers={"content-type": content_type}).status_code == 202


def test_another_content_type_is_refused(stage, client):
    reply = stage.post(client, headers={"content-type": "application/x-www-form-urlencoded"})
    assert _errors(reply) == (415, "content-type")


def test_bodies_of_more_than_8192_bytes_are_refused_with_and_without_a_length(stage, client):
    site = site_of(client)
    page = {"site": site.key, "kind": "pageview", "url": "https://www.shop.example/"}
    length = len(json.dumps({**page, "x": ""}))
    fits = json.dumps({**page, "x": "y" * (8192 - length)}).encode()
    assert len(fits) == 8192
    host = host_of(client)
    assert stage.request("POST", "/collect", host, content=fits).status_code == 202
    too_large = fits[:-1] + b" }"
    assert _errors(stage.request("POST", "/collect", host, content=too_large)) == (413, "body")
    chunks = iter([too_large[:5000], too_large[5000:], b" " * 100_000])
    assert _errors(stage.request("POST", "/collect", host, content=chunks)) == (413, "body")


def test_a_site_key_of_another_client_is_refused(stage, client, new_client):
    other = stage.know(new_client("rival", hosts=["www.shop.example"]))
    before = len(stage.hits(other))
    assert _errors(stage.post(client, site=site_of(other).key)) == (403, "site")
    assert _errors(stage.post(client, site="nonesuch")) == (403, "site")
    assert len(stage.hits(other)) == before


def test_a_host_that_is_no_clients_is_refused(stage, client):
    reply = stage.post(client, headers={"host": "nobody.localhost"})
    assert _errors(reply) == (403, "host")


@pytest.mark.parametrize(
    ("headers", "url", "status"),
    [
        ({"origin": "https://www.shop.example"}, "https://www.shop.example/", 202),
        ({"origin": "https://www.shop.example:8443"}, "https://www.shop.example/", 202),
        ({"origin": "https://evil.example"}, "https://www.shop.example/", 403),
        ({"origin": "https://www.shop.example.evil.example"}, "https://www.shop.example/", 403),
        ({"origin": "https://www.shop.example"}, "https://evil.example/", 403),
        ({"origin": "https://a.shops.example"}, "https://a.shops.example/", 202),
        ({"origin": "https://shops.example"}, "https://shops.example/", 403),
        ({"origin": "http://shop-demo.localhost:8000"}, "http://shop-demo.localhost:8000/", 202),
        ({"origin": "http://shop-demo.localhost:9"}, "http://shop-demo.localhost:9/", 403),
        ({"origin": "null"}, "https://www.shop.example/", 202),
        ({"origin": "null", "referer": "https://evil.example/"}, "https://www.shop.example/", 403),
        ({"referer": "https://www.shop.example/x"}, "https://www.shop.example/", 202),
        ({"referer": "https://evil.example/x"}, "https://www.shop.example/", 403),
        ({"origin": "https://[::1"}, "https://www.shop.example/", 403),
        ({}, "https://www.shop.example/", 202),
        ({}, "http://evil.example/", 403),
    ],
)
def test_pages_of_other_hosts_are_refused(stage, client, headers, url, status):
    reply = stage.post(client, url=url, headers=headers)
    assert reply.status_code == status, reply.headers
    assert ("x-outward-error" in reply.headers) == (status == 403)


def test_pages_of_a_second_host_carry_their_host(stage, client):
    stage.post(client, url="https://a.shops.example/x")
    assert stage.last_hit(client).host == "a.shops.example"


def test_moving_between_hosts_of_a_wildcard_is_no_referral(stage, client):
    stage.post(client, referrer="https://b.shops.example/y")
    assert stage.last_hit(client).source == ""


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, r"bot=\S*[Bb]ot\S*"),
        ({"user-agent": "curl/8.0"}, r"bot=curl\S*"),
        ({"user-agent": ""}, r"bot=no_user_agent"),
        ({"sec-purpose": "prefetch;prerender"}, "prefetch"),
        ({"x-moz": "prefetch"}, "prefetch"),
        ({"sec-gpc": "1"}, "gpc"),
        ({"dnt": "1"}, "dnt"),
    ],
)
def test_what_is_dropped_on_purpose_is_answered_202_with_the_reason(stage, client, headers, said):
    before = len(stage.hits(client))
    reply = stage.post(client, headers=headers)
    assert reply.status_code == 202
    assert re.fullmatch(said, reply.headers["x-outward-dropped"])
    assert len(stage.hits(client)) == before


@pytest.mark.parametrize("headers", [{"sec-gpc": "0"}, {"sec-gpc": "true"}, {"dnt": "0"}])
def test_other_values_of_signals_are_no_signals(stage, client, headers):
    assert "x-outward-dropped" not in stage.post(client, headers=headers).headers


def test_refusals_are_counted_by_client_and_reason(stage, new_client):
    client = stage.know(new_client("counted"))
    today = dt.datetime.now(dt.UTC).date()
    nobody = refused_counts(NO_CLIENT, today).get(Reason.HOST, 0)
    for _ in range(3):
        stage.post(client, headers={"sec-gpc": "1"})
    stage.post(client, headers={"user-agent": "curl/8.0"})
    stage.post(client, headers={"origin": "https://evil.example"})
    stage.post(client, headers={"host": "nobody.localhost"})
    wanted = {Reason.GPC: 3, Reason.BOT: 1, Reason.ORIGIN: 1}

    def is_counted() -> bool:
        counts = refused_counts(client.pk, today)
        return {reason: counts.get(reason) for reason in wanted} == wanted

    eventually(is_counted)
    assert refused_counts(NO_CLIENT, today)[Reason.HOST] > nobody
    assert stage.valkey.ttl(f"outward:refused:{today:%Y%m%d}") > 80 * 86_400


def test_a_visitor_who_sends_too_much_is_told_when_to_come_back(stage, client):
    address = fresh_address()
    left_s = 60 - time.time() % 60
    if left_s < 5:
        time.sleep(left_s)  # the limit is by the minute: not across its end
    replies = [
        stage.post(client, headers={"x-forwarded-for": address}).status_code
        for _ in range(MOST_HITS)
    ]
    assert replies == [202] * MOST_HITS
    reply = stage.post(client, headers={"x-forwarded-for": address})
    assert _errors(reply) == (429, "rate")
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert stage.post(client).status_code == 202
    by_cookie = stage.post(client, headers={"x-forwarded-for": address}, cookie="ab" * 16)
    assert by_cookie.status_code == 429


def _sent_twice(
    stage: Stage, client: Client, first: dict[str, Any], second: dict[str, Any]
) -> tuple[Hit, Hit]:
    count = len(stage.hits(client))
    path = f"/again-{count}"
    url = f"https://{site_of(client).main_host}{path}"
    for fields in (first, second):
        assert stage.post(client, url=url, **fields).status_code == 202
        time.sleep(0.02)
    assert len(stage.hits(client)) == count + 2
    one, two = (hit for hit in stage.hits(client) if hit.path == path)
    return one, two


def test_a_retry_has_the_id_and_time_of_the_first_try(stage, client):
    same = {"nonce": "0123456789abcdef", "headers": {"x-forwarded-for": fresh_address()}}
    one, two = _sent_twice(stage, client, same, same)
    assert (one.id, one.at_us, one.visitor) == (two.id, two.at_us, two.visitor)


def test_the_same_nonce_of_another_visitor_is_another_hit(stage, client):
    one, two = _sent_twice(stage, client, {"nonce": "feed" * 4}, {"nonce": "feed" * 4})
    assert one.id != two.id


def test_two_hits_without_a_nonce_are_two(stage, client):
    same = {"headers": {"x-forwarded-for": fresh_address()}}
    one, two = _sent_twice(stage, client, same, same)
    assert one.id != two.id
    assert one.visitor == two.visitor


def test_preflights_and_answers_are_open_to_every_page_without_credentials(stage, client):
    host = host_of(client)
    preflight = stage.request("OPTIONS", "/collect", host, headers={"origin": "https://x.example"})
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    for reply in (preflight, stage.post(client), stage.post(client, kind="?")):
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "access-control-allow-credentials" not in reply.headers
        assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_other_methods_are_told_what_to_send(stage, client, method):
    reply = stage.request(method, "/collect", host_of(client))
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST, OPTIONS")


def test_the_pixel_counts_the_page_of_the_referer_or_of_its_parameter(stage, client):
    key = site_of(client).key
    host = host_of(client)
    page = {"referer": "https://www.shop.example/no-script"}
    reply = stage.request("GET", f"/pixel.gif?site={key}", host, headers=page)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/gif")
    assert reply.content.startswith(b"GIF89a")
    assert reply.headers["cache-control"] == "no-store"
    assert stage.last_hit(client).path == "/no-script"
    url = "https%3A%2F%2Fwww.shop.example%2Fmail%3Futm_source%3Dletter"
    assert stage.request("GET", f"/pixel.gif?site={key}&url={url}", host).status_code == 200
    hit = stage.last_hit(client)
    assert (hit.path, hit.utm_source) == ("/mail", "letter")


def test_the_pixel_is_an_image_whatever_is_wrong_and_says_so_in_a_header(stage, client):
    host = host_of(client)
    before = len(stage.hits(client))
    wrong = stage.request("GET", "/pixel.gif?site=nonesuch&url=https://www.shop.example/", host)
    bot = stage.request(
        "GET",
        f"/pixel.gif?site={site_of(client).key}&url=https://www.shop.example/",
        host,
        headers={"user-agent": "curl/8.0"},
    )
    empty = stage.request("GET", "/pixel.gif", host)
    for reply in (wrong, bot, empty):
        assert (reply.status_code, reply.content[:6]) == (200, b"GIF89a")
    assert wrong.headers["x-outward-error"].startswith("site:")
    assert bot.headers["x-outward-dropped"].startswith("bot=")
    assert empty.headers["x-outward-error"].startswith("site:")
    assert len(stage.hits(client)) == before


def test_the_script_is_served_compressed_cached_and_by_the_clients_settings(stage, new_client):
    build_script()
    client = stage.know(new_client("scripted"))
    host = host_of(client)
    plain = stage.request("GET", "/outward.js", host, headers={"accept-encoding": "identity"})
    zipped = stage.request("GET", "/outward.js", host, headers={"accept-encoding": "gzip"})
    assert (plain.status_code, zipped.headers["content-encoding"]) == (200, "gzip")
    assert plain.text == zipped.text
    assert plain.headers["content-type"].startswith("text/javascript")
    etag = plain.headers["etag"]
    same = stage.request("GET", "/outward.js", host, headers={"if-none-match": etag})
    assert (same.status_code, same.content) == (304, b"")
    head = stage.request("HEAD", "/outward.js", host)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    change_privacy(client, honour_gpc=False)
    eventually(lambda: stage.request("GET", "/outward.js", host).headers["etag"] != etag)
    assert stage.request("GET", "/outward.js", "nobody.localhost").status_code == 403


def test_a_change_of_settings_or_sites_is_noticed_within_a_second_or_two(stage, new_client):
    client = stage.know(new_client("changing"))
    signal = {"headers": {"sec-gpc": "1"}}
    assert stage.post(client, **signal).headers["x-outward-dropped"] == "gpc"
    change_privacy(client, honour_gpc=False)
    eventually(lambda: "x-outward-dropped" not in stage.post(client, **signal).headers, 2.0)
    Site.objects.filter(client=client).update(is_active=False)
    announce_change()
    eventually(lambda: stage.post(client).status_code == 403, 2.0)


def test_a_change_that_was_not_told_is_noticed_within_seconds(stage, new_client):
    client = stage.know(new_client("untold"))
    Client.objects.filter(pk=client.pk).update(is_active=False)
    eventually(lambda: _errors(stage.post(client)) == (403, "host"), 8.0)


def test_no_request_needs_a_browser_known_to_the_collector(stage, client):
    stage.post(client, headers={"user-agent": FIREFOX.replace("Firefox", "Unheardof")})
    assert stage.last_hit(client).device == "desktop"
