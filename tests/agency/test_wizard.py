"""A new client: the steps keep what was entered, and end with a client or with nothing."""

import io
from collections.abc import Mapping

import pytest
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from tenants.models import (
    AuditEntry,
    Client,
    ClientDraft,
    ClientLogo,
    Invitation,
    Membership,
    PrivacySettings,
    Role,
    Site,
    User,
)
from tests.walking import browser_of

NAME = {
    "name": "Quarry Books",
    "slug": "",
    "own_domain": "stats.quarry.example",
    "timezone": "Asia/Kolkata",
    "locale": "en-in",
    "currency": "INR",
}
SITES = {
    "site-TOTAL_FORMS": "2",
    "site-INITIAL_FORMS": "0",
    "site-0-name": "Shop",
    "site-0-hosts": "https://shop.quarry.example/\nwww.shop.quarry.example",
    "site-0-timezone": "Asia/Kolkata",
    "site-1-name": "",
    "site-1-hosts": "",
    "site-1-timezone": "Asia/Kolkata",
}
PEOPLE = {
    "person-TOTAL_FORMS": "2",
    "person-INITIAL_FORMS": "0",
    "person-0-email": "Manager@Quarry.example",
    "person-0-role": "manager",
    "person-1-email": "",
    "person-1-role": "viewer",
}


def png() -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", (40, 20), "#884422").save(written, "PNG")
    return SimpleUploadedFile("logo.png", written.getvalue(), "image/png")


@pytest.fixture
def owner(agency_owner):
    ClientDraft.objects.filter(user=agency_owner).delete()
    return browser_of(agency_owner, settings.AGENCY_HOST)


def post(browser, step: str, data: Mapping[str, object]):
    return browser.post(f"/clients/new/{step}/", data)


def fill(browser, **changed: Mapping[str, object]) -> None:
    steps: dict[str, Mapping[str, object]] = {
        "name": NAME,
        "sites": SITES,
        "privacy": {"preset": "closed"},
        "look": {"accent_colour": "#7a1f5c"},
        "people": PEOPLE,
    }
    for step, data in {**steps, **changed}.items():
        reply = post(browser, step, data)
        assert reply.status_code == 302, reply.content.decode()


def test_the_steps_lead_to_a_whole_client_and_to_the_page_that_waits(owner):
    assert owner.get("/clients/new/")["Location"] == "/clients/new/name/"
    outbox = len(mail.outbox)
    fill(owner, look={"accent_colour": "#7a1f5c", "logo": png()})
    review = owner.get("/clients/new/review/").content.decode()
    for words in ("Quarry Books", "quarry-books", "shop.quarry.example", "Closed", "#7a1f5c"):
        assert words in review
    assert not Client.objects.filter(slug="quarry-books").exists()
    made = owner.post("/clients/new/create/")
    client = Client.objects.get(slug="quarry-books")
    site = Site.objects.get(client=client)
    assert made["Location"] == f"/clients/quarry-books/sites/{site.pk}/install/"
    assert (client.timezone, client.locale, client.currency) == ("Asia/Kolkata", "en-in", "INR")
    assert site.hosts == ["shop.quarry.example", "www.shop.quarry.example"]
    assert set(client.domains.values_list("domain", flat=True)) == {
        *("quarry-books.localhost", "stats.quarry.example"),
    }
    privacy = PrivacySettings.objects.get(client=client)
    assert (privacy.ip_mode, privacy.cookie_mode, privacy.k_threshold) == ("none", "never", 10)
    assert ClientLogo.objects.get(client=client).media_type == "image/png"
    invitation = Invitation.objects.get(client=client)
    assert (invitation.email, invitation.role) == ("manager@quarry.example", "manager")
    assert [letter.to for letter in mail.outbox[outbox:]] == [["manager@quarry.example"]]
    assert not ClientDraft.objects.filter(user__email="owner@agency.example").exists()
    page = owner.get(made["Location"]).content.decode()
    assert f"data-site=&quot;{site.key}&quot;" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Waiting for the first hit" in page


def test_what_was_entered_stays_through_errors_and_going_back(owner):
    wrong = post(owner, "name", {**NAME, "slug": "Not A Slug", "own_domain": "no host"})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "small letters, digits and hyphens" in page
    assert "is not a host name" in page
    again = owner.get("/clients/new/name/").content.decode()
    assert 'value="Quarry Books"' in again
    assert 'value="Not A Slug"' in again
    assert post(owner, "sites", {**SITES, "site-0-hosts": "-shop-.example"}).status_code == 422
    kept = owner.get("/clients/new/sites/").content.decode()
    assert "-shop-.example" in kept
    assert "is not a host name" in kept
    assert owner.post("/clients/new/create/")["Location"] == "/clients/new/name/"
    review = owner.get("/clients/new/review/").content.decode()
    assert "Make the client" not in review
    assert review.count("Something is missing or not right yet") == 5


def test_a_logo_stays_when_the_colour_beside_it_is_wrong(owner):
    reply = post(owner, "look", {"accent_colour": "purple", "logo": png()})
    assert reply.status_code == 422
    assert owner.get("/clients/new/logo/")["Content-Type"] == "image/png"
    post(owner, "look", {"accent_colour": "#123456", "remove_logo": "on"})
    assert owner.get("/clients/new/logo/").status_code == 404


def test_websites_are_added_one_after_the_other(owner):
    post(owner, "name", NAME)
    more = owner.post("/clients/new/sites/?more=1", SITES)
    assert more["Location"].startswith("/clients/new/sites/?more=1")
    page = owner.get(more["Location"]).content.decode()
    assert "Website 3" in page
    nothing = {**SITES, "site-0-name": "", "site-0-hosts": ""}
    assert post(owner, "sites", nothing).status_code == 422


def test_a_name_that_is_taken_meanwhile_leads_back_to_its_step(owner, new_client):
    fill(owner, name={**NAME, "slug": "quick-one", "own_domain": ""})
    new_client("quick-one")
    reply = owner.post("/clients/new/create/")
    assert reply["Location"] == "/clients/new/name/"
    assert "taken" in owner.get("/clients/new/name/").content.decode()
    assert Client.objects.filter(slug="quick-one").count() == 1


@pytest.mark.parametrize("slug", ["new", "agency", "public"])
def test_a_reserved_word_is_no_short_name(owner, slug):
    reply = post(owner, "name", {**NAME, "slug": slug})
    assert reply.status_code == 422
    assert "taken" in reply.content.decode()


def test_a_colour_is_shown_as_it_will_be_used(owner):
    pale = owner.get("/clients/new/preview/?accent_colour=%23ffdd55").content.decode()
    assert "darkened to" in pale
    assert (
        "darkened"
        not in owner.get("/clients/new/preview/?accent_colour=%23123456").content.decode()
    )
    assert owner.get("/clients/new/preview/?accent_colour=nonsense").status_code == 200


def test_an_analyst_makes_a_client_but_invites_nobody(analyst):
    browser = browser_of(analyst, settings.AGENCY_HOST)
    ClientDraft.objects.filter(user=analyst).delete()
    assert "An owner invites" in browser.get("/clients/new/people/").content.decode()
    none = {"person-TOTAL_FORMS": "0", "person-INITIAL_FORMS": "0"}
    fill(browser, name={**NAME, "slug": "by-analyst", "own_domain": ""}, people=none)
    assert browser.post("/clients/new/create/").status_code == 302
    client = Client.objects.get(slug="by-analyst")
    assert not Invitation.objects.filter(client=client).exists()


def test_staff_of_chosen_clients_see_the_client_they_make(client_b):
    scoped = User.objects.create_user("scoped@agency.example", "a long phrase for the tests")
    staff = Membership.objects.create(user=scoped, role=Role.ANALYST, all_clients=False)
    staff.clients.set([client_b])
    browser = browser_of(scoped, settings.AGENCY_HOST)
    none = {"person-TOTAL_FORMS": "0", "person-INITIAL_FORMS": "0"}
    fill(browser, name={**NAME, "slug": "by-scoped", "own_domain": ""}, people=none)
    made = browser.post("/clients/new/create/")
    assert browser.get(made["Location"]).status_code == 200
    assert browser.get("/clients/by-scoped/").status_code == 200
    client = Client.objects.get(slug="by-scoped")
    assert set(staff.clients.all()) == {client_b, client}
    assert AuditEntry.objects.filter(
        act="membership.change", details__client_added=client.pk
    ).exists()


def test_who_may_not_make_clients_is_refused(privacy_officer):
    browser = browser_of(privacy_officer, settings.AGENCY_HOST)
    for path in ("", "name/", "review/", "logo/", "preview/"):
        assert browser.get(f"/clients/new/{path}").status_code == 403
    assert browser.post("/clients/new/create/").status_code == 403
