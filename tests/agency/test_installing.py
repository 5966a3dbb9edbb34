"""What stands in a first hit's way is found: on the page, and in what the collector refused."""

import datetime as dt
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.utils import timezone

from agency.arriving import find_latest_hit, opened_now, refusals
from agency.fetching import MAX_BYTES, FetchError, LeadsElsewhereError, fetch
from agency.installing import check_page, look_by_itself
from agency.policies import blocking_directive
from tenants.models import ClientDay, PrivacySettings, Site
from tenants.sites import SiteFields, add_site, renew_site_key
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tests.walking import browser_of
from tracking.refusals import Reason, refused_field, refused_name
from tracking.rollups.run import roll_up_client
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


def refuse(valkey, client, now, reason, count) -> None:
    """As the collector counts them."""
    name = refused_name(settings.STREAM_PREFIX, now.date())
    valkey.hincrby(name, refused_field(client.pk, reason), count)


def test_what_the_collector_refused_since_then_is_told_with_its_remedy(client, site, valkey):
    now = timezone.now()
    refuse(valkey, client, now, Reason.ORIGIN, 5)
    opened = opened_now(client, site, now=now)
    assert refusals(client, opened, now=now) == []
    refuse(valkey, client, now, Reason.ORIGIN, 3)
    refuse(valkey, client, now, Reason.GPC, 1)
    found = refusals(client, opened, now=now)
    assert [one.tone for one in found] == ["bad", "info"]
    assert found[0].title.startswith("3 hits from pages on a host")
    assert "does not keep which host" in found[0].words
    assert found[1].title.startswith("1 hit from browsers that ask not to be tracked (GPC)")


def test_refusals_go_on_being_counted_over_midnight(client, site, valkey):
    late = dt.datetime(2026, 3, 2, 23, 50, tzinfo=dt.UTC)
    early = late + dt.timedelta(minutes=20)
    refuse(valkey, client, late, Reason.SITE, 4)
    opened = opened_now(client, site, now=late)
    refuse(valkey, client, late, Reason.SITE, 1)
    refuse(valkey, client, early, Reason.SITE, 2)
    (found,) = refusals(client, opened, now=early)
    assert found.title.startswith("3 hits with a key")


@pytest.fixture
def browser(analyst):
    return browser_of(analyst, settings.AGENCY_HOST)


@pytest.fixture
def fresh(new_client):
    """A client of the test's own, a year old, whose website nothing has reached."""
    client = new_client(hosts=["shop.localhost"])
    Site.objects.filter(client=client).update(
        key_changed_at=timezone.now() - dt.timedelta(days=365)
    )
    return client


def path_of(client) -> str:
    return f"/clients/{client.slug}/sites/{site_of(client).pk}/install/"


def waiting(browser, client) -> str:
    """The part of the page that asks for itself."""
    page: str = browser.get(f"{path_of(client)}waiting/").content.decode()
    assert ('hx-trigger="every 2s"' in page) == ("Hits are coming in" not in page)
    return page


def store(client, at, **fields) -> None:
    """A hit, added up."""
    site = site_of(client)
    store_hits(client, [hit(client.pk, site.pk, at, 1, **fields)], zones=site_zones(client))
    roll_up_client(client, now=timezone.now())


def test_the_page_waits_until_a_hit_is_there(fresh, browser, website):
    assert "Waiting for the first hit" in waiting(browser, fresh)
    website.body = tag(site_of(fresh), host=f"{fresh.slug}.localhost")
    checked = browser.post(
        f"{path_of(fresh)}check/", {"url": website.url}, headers={"HX-Request": "true"}
    )
    assert "with the right key" in checked.content.decode()
    now = timezone.now()
    assert find_latest_hit(fresh, site_of(fresh), now=now) is None
    store(fresh, now)
    assert "Hits are coming in" in waiting(browser, fresh)


def test_hits_of_the_key_before_say_nothing_of_the_line_on_the_pages(fresh, browser):
    store(fresh, timezone.now() - dt.timedelta(minutes=5))
    assert "Hits are coming in" in waiting(browser, fresh)
    renew_site_key(site_of(fresh), acting_user="tests")
    assert "Waiting for the first hit" in waiting(browser, fresh)
    assert "Waiting for the first hit" in browser.get(path_of(fresh)).content.decode()
    store(fresh, timezone.now())
    assert "Hits are coming in" in waiting(browser, fresh)


def test_lines_of_an_old_log_are_no_hits_of_the_script(fresh, browser):
    store(fresh, timezone.now() - dt.timedelta(minutes=5), import_id=7)
    store(fresh, timezone.now() - dt.timedelta(days=40), import_id=7)
    assert "Waiting for the first hit" in waiting(browser, fresh)


def test_a_website_that_fell_silent_is_told_as_such_and_waited_for(fresh, browser):
    store(fresh, timezone.now() - dt.timedelta(days=12))
    page = waiting(browser, fresh)
    assert "No hit for 12 days" in page
    assert "Waiting for the first hit" not in page
    store(fresh, timezone.now())
    assert "Hits are coming in" in waiting(browser, fresh)


def test_a_small_website_may_have_no_visitor_for_a_day(fresh, browser):
    store(fresh, timezone.now() - dt.timedelta(days=2))
    assert "Hits are coming in" in waiting(browser, fresh)


def test_silence_is_told_also_when_the_last_hits_are_past_their_retention(fresh, browser):
    PrivacySettings.objects.filter(client=fresh).update(hits_retention_days=90)
    ClientDay.objects.create(
        client=fresh,
        site_id=site_of(fresh).pk,
        day=timezone.now().date() - dt.timedelta(days=200),
        **dict.fromkeys(("visits", "consented_visits", "visitors", "pageviews"), 1),
        events=0,
        bytes_sent=0,
    )
    assert re.search("No hit for (199|200) days", waiting(browser, fresh))


def test_what_is_refused_is_counted_from_when_the_page_was_opened(fresh, browser, valkey):
    now = timezone.now()
    refuse(valkey, fresh, now, Reason.ORIGIN, 9)
    assert "Refused since" not in browser.get(path_of(fresh)).content.decode()
    refuse(valkey, fresh, now, Reason.ORIGIN, 2)
    assert "2 hits from pages on a host" in waiting(browser, fresh)
    assert "2 hits from pages on a host" in browser.get(path_of(fresh)).content.decode()
    renew_site_key(site_of(fresh), acting_user="tests")
    assert "Refused since" not in waiting(browser, fresh)


def test_the_page_is_looked_at_by_itself_once_in_a_while(fresh, browser, website):
    address = website.url.removeprefix("http://").rstrip("/")
    Site.objects.filter(client=fresh).update(hosts=[address])
    assert f'hx-get="{path_of(fresh)}look/" hx-trigger="load delay:30s"' in (
        browser.get(path_of(fresh)).content.decode()
    )
    for _ in range(2):
        looked = browser.get(f"{path_of(fresh)}look/").content.decode()
        assert "The script is not on the page" in looked
    assert website.seen == ["/"]
    store(fresh, timezone.now())
    assert "not on the page" not in browser.get(f"{path_of(fresh)}look/").content.decode()
    assert "load delay:30s" not in browser.get(path_of(fresh)).content.decode()


def test_a_website_on_a_network_of_its_own_is_not_looked_at_by_itself(fresh, monkeypatch, website):
    monkeypatch.setattr(settings, "PRODUCTION", True)
    Site.objects.filter(client=fresh).update(hosts=["localhost"])
    assert look_by_itself(fresh, site_of(fresh), "http://localhost/") == []
    (asked,) = check_page(fresh, site_of(fresh), "http://localhost/")
    assert "not a public website" in asked.words
