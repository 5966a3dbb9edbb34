"""Shared links in the browser's eyes: made, opened, asked for a password, ended."""

import datetime as dt
import re

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agency.views.links import TRIES
from tenants.models import AuditEntry, Role, Section
from tenants.schemas import entered
from tests.agency.delivery_stage import browser_of, fill, person
from tracking.models import SharedLink


@pytest.fixture(scope="module")
def client(new_client):
    return new_client(timezone_name="UTC")


@pytest.fixture(scope="module")
def site(client):
    return fill(client, timezone.now())


@pytest.fixture(scope="module")
def manager(client):
    return person("links@people.example", client, Role.MANAGER)


@pytest.fixture
def browser(client, site, manager):
    cache.clear()
    return browser_of(client, manager)


def make(browser, site, **fields):
    """Makes a link through the form; returns its address."""
    values = {"kind": "link", "name": "Board", "sections": ["overview", "pages"], "expires": "90"}
    reply = browser.post(f"/sites/{site.pk}/links/new/", values | fields, follow=True)
    page = reply.content.decode()
    assert reply.status_code == 200, page
    found = re.search(r"http://[^/\s\"&]+(/(?:share|embed)/[\w-]{32}/)", page)
    assert found, page
    return found[1]


def newest(client):
    with entered(client):
        return SharedLink.objects.order_by("-pk")[0]


def test_a_link_is_made_shown_once_and_opens_its_sections(client, site, browser, manager):
    address = make(browser, site)
    link = newest(client)
    again = browser.get(f"/sites/{site.pk}/links/").content.decode()
    assert address not in again
    assert "Board" in again
    reader = browser_of(client)
    reply = reader.get(address)
    assert reply["Location"] == f"/shared/{link.pk}/"
    page = reader.get(reply["Location"]).content.decode()
    assert "Visitors" in page
    assert "Log in" not in page
    assert newest(client).uses == 1
    entry = AuditEntry.objects.filter(act="link.create", client_id=client.pk).latest("pk")
    assert entry.actor == manager.email
    assert entry.details["sections"] == ["overview", "pages"]
    assert address.split("/")[2] not in str(entry.details)


def test_who_holds_a_link_sees_nothing_else_of_the_client(client, site, browser):
    reader = browser_of(client)
    reader.get(make(browser, site))
    for path in ("", "links/", "alerts/", "mails/", "export/pages.csv", "goals/"):
        reply = reader.get(f"/sites/{site.pk}/{path}")
        assert reply.status_code in {302, 404}, path
        assert reply.status_code == 404 or reply["Location"].startswith("/log-in/")
    stranger = browser_of(client)
    assert stranger.get(f"/shared/{newest(client).pk}/").status_code == 404


def test_a_link_is_worth_nothing_on_another_host(client, site, browser, client_a):
    address = make(browser, site)
    assert browser_of(client_a).get(address).status_code == 404
    reader = browser_of(client)
    reader.get(address)
    elsewhere = browser_of(client_a)
    elsewhere.cookies = reader.cookies
    assert elsewhere.get(f"/shared/{newest(client).pk}/").status_code == 404


def test_a_password_is_asked_for_and_guessing_ends_soon(client, site, browser):
    address = make(browser, site, password="on the pier at seven")
    link = newest(client)
    reader = browser_of(client)
    assert "has a password" in reader.get(address).content.decode()
    assert reader.get(f"/shared/{link.pk}/").status_code == 404
    wrong = reader.post(address, {"password": "on the pier at eight"})
    assert wrong.status_code == 422
    assert "This is not the password" in wrong.content.decode()
    right = reader.post(address, {"password": "on the pier at seven"})
    assert right["Location"] == f"/shared/{link.pk}/"
    assert reader.get(right["Location"]).status_code == 200
    guesser = browser_of(client)
    for _ in range(TRIES):
        guesser.post(address, {"password": "guess"})
    late = guesser.post(address, {"password": "on the pier at seven"})
    assert late.status_code == 422
    assert "Too many wrong passwords" in late.content.decode()


def test_revoking_shuts_readers_out_at_once(client, site, browser):
    address = make(browser, site)
    link = newest(client)
    reader = browser_of(client)
    reader.get(address)
    assert reader.get(f"/shared/{link.pk}/").status_code == 200
    browser.post(f"/sites/{site.pk}/links/{link.pk}/revoke/")
    assert reader.get(f"/shared/{link.pk}/").status_code == 404
    assert reader.get(address).status_code == 404
    assert "opens nothing" in reader.get(address).content.decode()
    assert AuditEntry.objects.filter(act="link.revoke", client_id=client.pk).exists()


def test_a_new_address_shuts_out_who_has_the_old_one(client, site, browser):
    address = make(browser, site)
    link = newest(client)
    reader = browser_of(client)
    reader.get(address)
    page = browser.post(f"/sites/{site.pk}/links/{link.pk}/renew/", follow=True).content.decode()
    assert reader.get(f"/shared/{link.pk}/").status_code == 404
    assert reader.get(address).status_code == 404
    renewed = re.search(r"/share/[\w-]{32}/", page)
    assert renewed
    assert browser_of(client).get(renewed[0]).status_code == 302


def test_a_link_ends_on_its_day(client, site, browser):
    address = make(browser, site, expires="7")
    link = newest(client)
    reader = browser_of(client)
    reader.get(address)
    with time_machine.travel(timezone.now() + dt.timedelta(days=7, minutes=1), tick=False):
        assert reader.get(f"/shared/{link.pk}/").status_code == 404
        assert reader.get(address).status_code == 404


def test_an_ended_link_is_deleted_from_the_list(client, site, browser):
    make(browser, site, name="To be deleted")
    link = newest(client)
    browser.post(f"/sites/{site.pk}/links/{link.pk}/revoke/")
    browser.post(f"/sites/{site.pk}/links/{link.pk}/delete/")
    with entered(client):
        assert not SharedLink.objects.filter(pk=link.pk).exists()


def test_nobody_shares_sections_that_are_closed_to_them(client, site):
    narrow = person(
        "narrow@people.example",
        client,
        Role.MANAGER,
        all_sections=False,
        sections=[Section.PAGES.value],
    )
    browser = browser_of(client, narrow)
    values = {"kind": "link", "name": "Too much", "sections": ["overview"], "expires": "7"}
    reply = browser.post(f"/sites/{site.pk}/links/new/", values)
    assert reply.status_code == 422
    assert "Select a valid choice" in reply.content.decode()


def test_nobody_renews_revokes_or_deletes_a_link_that_shows_more_than_they_see(
    client, site, browser
):
    address = make(browser, site, sections=["overview", "pages"])
    link = newest(client)
    sections = [Section.PAGES.value]
    pages = person(
        "pages@people.example", client, Role.MANAGER, all_sections=False, sections=sections
    )
    other = browser_of(client, pages)
    for act in ("renew", "revoke", "delete"):
        path = f"/sites/{site.pk}/links/{link.pk}/{act}/"
        assert other.post(path).status_code == 403, act
        assert other.get(path).status_code == 405, act
        assert path not in other.get(f"/sites/{site.pk}/links/").content.decode()
    assert newest(client).token_hash == link.token_hash
    assert browser_of(client).get(address).status_code == 302
    make(other, site, sections=["pages"])
    own = newest(client)
    assert other.post(f"/sites/{site.pk}/links/{own.pk}/renew/").status_code == 302
    assert browser.post(f"/sites/{site.pk}/links/{own.pk}/revoke/").status_code == 302


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"sections": []}, "Choose at least one section"),
        ({"password": "short"}, "at least 8 characters"),
        ({"kind": "embed", "password": "long enough"}, "has no password"),
        ({"kind": "embed", "frame_hosts": "javascript:alert(1)"}, "is no website"),
        ({"kind": "embed", "frame_hosts": "x.example; script-src *"}, "is no website"),
    ],
)
def test_the_form_says_what_is_wrong(site, browser, fields, words):
    values = {"kind": "link", "name": "Board", "sections": ["overview"], "expires": "90"}
    reply = browser.post(f"/sites/{site.pk}/links/new/", values | fields)
    assert reply.status_code == 422
    assert words in reply.content.decode()


def test_viewers_make_no_links(client, site):
    viewer = browser_of(client, person("links.viewer@people.example", client, Role.VIEWER))
    assert viewer.get(f"/sites/{site.pk}/links/").status_code == 403
    assert viewer.post(f"/sites/{site.pk}/links/new/").status_code == 403


# --- the embedded view


def test_an_embedded_view_needs_no_cookie_and_names_who_may_frame_it(client, site, browser):
    address = make(
        browser, site, kind="embed", frame_hosts="https://www.example.com/page\n*.example.org"
    )
    reader = browser_of(client)
    reply = reader.get(address)
    page = reply.content.decode()
    assert reply.status_code == 200
    assert reply.cookies == {}
    assert "X-Frame-Options" not in reply
    policy = reply["Content-Security-Policy"]
    assert "frame-ancestors https://www.example.com *.example.org" in policy
    assert "<svg" in page
    assert "<script" not in page
    assert "<form" not in page
    assert newest(client).uses == 1


def test_an_embedded_view_is_drawn_and_counted_once_a_minute(client, site, browser):
    address = make(browser, site, kind="embed")
    reader = browser_of(client)
    first = reader.get(address)
    with CaptureQueriesContext(connection) as asked:
        again = browser_of(client).get(address)
    assert again.content == first.content
    assert again["Content-Security-Policy"] == first["Content-Security-Policy"]
    texts = [query["sql"] for query in asked.captured_queries]
    assert not any("UPDATE" in text or "hour_stats" in text for text in texts), texts
    assert sum("shared_links" in text for text in texts) == 1
    assert newest(client).uses == 1
    cache.clear()  # a minute later
    assert reader.get(address).status_code == 200
    assert newest(client).uses == 2
    browser.post(f"/sites/{site.pk}/links/{newest(client).pk}/revoke/")
    assert reader.get(address).status_code == 404


def test_an_embedded_view_without_names_may_be_framed_anywhere(client, site, browser):
    reply = browser_of(client).get(make(browser, site, kind="embed"))
    assert "frame-ancestors *" in reply["Content-Security-Policy"]


def test_an_embedded_view_shows_chosen_sections_only(client, site, browser):
    page = browser_of(client).get(make(browser, site, kind="embed", sections=["pages"]))
    text = page.content.decode()
    assert ">Page<" in text
    assert "Bounce rate" not in text
    assert "<svg" not in text


def test_a_link_and_an_embedded_view_are_not_exchangeable(client, site, browser):
    link, embedded = make(browser, site), make(browser, site, kind="embed")
    reader = browser_of(client)
    assert reader.get(link.replace("/share/", "/embed/")).status_code == 404
    assert reader.get(embedded.replace("/embed/", "/share/")).status_code == 404


def test_a_revoked_embedded_view_says_so_in_its_frame(client, site, browser):
    address = make(browser, site, kind="embed")
    browser.post(f"/sites/{site.pk}/links/{newest(client).pk}/revoke/")
    reply = browser_of(client).get(address)
    assert reply.status_code == 404
    assert "not shown here any more" in reply.content.decode()
