"""What stands in a first hit's way is found: on the page, and in what the collector refused."""

import datetime as dt
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.utils import timezone

from agency.fetching import MAX_BYTES, FetchError, LeadsElsewhereError, fetch
from agency.installing import check_page, find_latest_hit, refusals
from agency.policies import blocking_directive
from tenants.models import Site
from tenants.sites import SiteFields, add_site
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tests.walking import browser_of
from tracking.refusals import Reason, refused_field, refused_name
from tracking.writer.store import site_zones, store_hits


class Website:
    """A website on this machine that says what it is told to."""

    def __init__(self) -> None:
        website = self
        self.body, self.status = b"", 200
        self.headers: dict[str, str] = {}
        self.drip = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                website.seen.append(self.path)
                if self.path == "/slow":
                    website.drip.wait(20)
                    return
                if self.path == "/loop":
                    self.send_response(302)
                    self.send_header("Location", "/loop")
                    self.end_headers()
                    return
                self.send_response(website.status)
                for name, value in website.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(website.body)

            def log_message(self, *args: object) -> None:
                pass

        self.seen: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://shop.localhost:{self.server.server_port}/"

    def close(self) -> None:
        self.drip.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def website():
    made = Website()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(new_client):
    return new_client("checked", name="Checked Ltd", hosts=["shop.localhost"])


@pytest.fixture(scope="module")
def site(client) -> Site:
    return site_of(client)


def tag(site: Site, *, host: str = "checked.localhost", key: str = "", more: str = "") -> bytes:
    key = key or site.key
    return (
        f'<html><head><script defer src="http://{host}/outward.js" data-site="{key}"{more}>'
        "</script></head></html>"
    ).encode()


def titles(client, site, website) -> list[str]:
    return [one.title for one in check_page(client, site, website.url)]


def test_a_page_with_the_right_line_is_found_good(client, site, website):
    website.body = tag(site)
    found = check_page(client, site, website.url)
    assert [one.tone for one in found] == ["good"]
    website.body = tag(site) * 2
    assert titles(client, site, website) == ["The script is on the page 2 times"]


def test_a_page_without_the_line_or_with_a_wrong_one_is_told(client, site, website):
    website.body = b"<html><script src='/other.js'></script></html>"
    assert titles(client, site, website) == ["The script is not on the page"]
    website.body = tag(site, host="somebody.localhost")
    assert titles(client, site, website) == ["The script comes from the wrong host"]
    website.body = tag(site, key="nobodys")
    assert titles(client, site, website) == ["The key is wrong"]
    other = add_site(
        client, SiteFields("Blog", ["blog.localhost"], "Europe/London"), acting_user="tests"
    )
    website.body = tag(site, key=other.key)
    (found,) = check_page(client, site, website.url)
    assert "It has the key of Blog" in found.words


def test_a_policy_that_blocks_the_script_is_named(client, site, website):
    website.body = tag(site)
    website.headers = {"Content-Security-Policy": "default-src 'self'"}
    (found,) = check_page(client, site, website.url)
    assert "default-src" in found.words
    assert "http://checked.localhost" in found.words
    website.headers = {
        "Content-Security-Policy": "script-src http://checked.localhost; connect-src 'self'"
    }
    (found,) = check_page(client, site, website.url)
    assert "to connect-src in" in found.words
    website.headers = {"Content-Security-Policy": "default-src 'self' http://*.localhost"}
    assert check_page(client, site, website.url)[0].tone == "good"


def test_redirects_stay_within_the_websites_hosts(client, site, website):
    website.status, website.headers = 302, {"Location": "http://169.254.169.254/latest/"}
    (found,) = check_page(client, site, website.url)
    assert found.title == "The page is at 169.254.169.254"
    assert website.seen == ["/"]
    with pytest.raises(FetchError, match="more than 5 times"):
        fetch(f"{website.url}loop", site.hosts)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://shop.localhost/", "http://user:pw@shop.localhost/"),
        *("http://127.0.0.1/", "http://evil.example/", "http://[::1]/", "http://shop.localhost:x/"),
        *("gopher://shop.localhost/", "//shop.localhost/", "http://shop.localhost.evil.example/"),
    ],
)
def test_nothing_but_the_websites_own_hosts_is_fetched(url: str, website):
    with pytest.raises(FetchError):
        fetch(url, ["shop.localhost"])
    assert website.seen == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0", "localhost"]
)
def test_in_production_no_private_address_is_reached(monkeypatch, host: str, website):
    """Even if somebody names it as a host of their website."""
    monkeypatch.setattr(settings, "PRODUCTION", True)
    with pytest.raises(FetchError, match="not a public website"):
        fetch(f"http://{host}/", [host])
    port = website.server.server_port
    with pytest.raises(FetchError, match="Port"):
        fetch(f"http://{host}:{port}/", [host])
    assert website.seen == []


def test_a_page_that_does_not_answer_is_given_up_in_time(site, website):
    began = timezone.now()
    with pytest.raises(FetchError, match="longer than 5 seconds"):
        fetch(f"{website.url}slow", site.hosts)
    assert timezone.now() - began < dt.timedelta(seconds=8)


def test_a_page_is_read_up_to_a_limit(site, website):
    website.body = b"x" * (MAX_BYTES + 50_000)
    assert len(fetch(website.url, site.hosts).text) == MAX_BYTES


def test_another_address_is_named_with_its_remedy(site, client):
    with pytest.raises(LeadsElsewhereError) as refused:
        fetch("https://www.shop.localhost/", site.hosts)
    assert refused.value.host == "www.shop.localhost"
    (found,) = check_page(client, site, "https://www.shop.localhost/")
    assert "Add it in the settings" in found.words


@pytest.mark.parametrize(
    ("policy", "blocked"),
    [
        ("", ""),
        ("default-src *", ""),
        ("default-src https:", ""),
        ("script-src 'none'", "script-src"),
        ("script-src 'self'; script-src-elem https://t.example", ""),
        ("script-src-elem 'self'; script-src https://t.example", "script-src-elem"),
        ("script-src https://*.example", ""),
        ("script-src https://*.t.example", "script-src"),
        ("script-src t.example", ""),
        ("script-src t.example:8443", "script-src"),
        ("script-src t.example:*", ""),
        ("script-src http://t.example", ""),
        ("script-src https://t.example/js/", "script-src"),
        ("script-src https://t.example/outward.js", ""),
        ("script-src 'strict-dynamic' https://t.example", "script-src"),
        ("script-src 'strict-dynamic' 'nonce-abc'", ""),
        ("img-src 'none'", ""),
        ("default-src *, script-src 'self'", "script-src"),
    ],
)
def test_policies_are_read_as_browsers_read_them(policy: str, blocked: str):
    found = blocking_directive(
        [policy], "script", "https://t.example/outward.js",
        page_url="https://www.shop.example/", nonce="abc",
    )  # fmt: skip
    assert found == blocked


def test_what_the_collector_refused_is_told_with_its_remedy(client, valkey):
    now = timezone.now()
    name = refused_name(settings.STREAM_PREFIX, now.date())
    valkey.hset(name, refused_field(client.pk, Reason.ORIGIN), 3)
    valkey.hset(name, refused_field(client.pk, Reason.GPC), 1)
    found = refusals(client, now=now)
    assert [one.tone for one in found] == ["bad", "info"]
    assert found[0].title.startswith("3 hits from pages on a host")
    assert "does not keep which host" in found[0].words
    assert found[1].title.startswith("1 hit from browsers that ask not to be tracked (GPC)")


def test_the_page_waits_until_a_hit_is_there(client, site, analyst, website):
    browser = browser_of(analyst, settings.AGENCY_HOST)
    path = f"/clients/checked/sites/{site.pk}/install/"
    assert "Waiting for the first hit" in browser.get(f"{path}waiting/").content.decode()
    website.body = tag(site)
    checked = browser.post(f"{path}check/", {"url": website.url}, headers={"HX-Request": "true"})
    assert "with the right key" in checked.content.decode()
    now = timezone.now()
    assert find_latest_hit(client, site, now=now) is None
    store_hits(client, [hit(client.pk, site.pk, now, 1)], zones=site_zones(client))
    after = browser.get(f"{path}waiting/").content.decode()
    assert "Hits are coming in" in after
    assert "hx-trigger" not in after
