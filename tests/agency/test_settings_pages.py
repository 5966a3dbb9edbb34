"""Settings of a client: who may change them, what is refused, and that it acts at once."""

import datetime as dt
import io

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tenants.domains import check_domain
from tenants.logos import MAX_BYTES, LogoError, check_logo
from tenants.models import (
    ApiKey,
    AuditEntry,
    Client,
    ClientLogo,
    Domain,
    Membership,
    Role,
    Site,
    User,
)
from tenants.sites import set_site_active
from tests.conftest import PASSWORD, site_of
from tests.walking import browser_of
from tracking.collector.config import KeyRing, read_config

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def png(width: int = 60, height: int = 20) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "#335577").save(written, "PNG")
    return written.getvalue()


@pytest.fixture(scope="module")
def client(new_client):
    return new_client("settled", name="Settled Ltd")


@pytest.fixture
def staff(analyst):
    return browser_of(analyst, settings.AGENCY_HOST)


def acts(client: Client) -> list[str]:
    return list(
        AuditEntry.objects.filter(client_id=client.pk).order_by("pk").values_list("act", flat=True)
    )


def test_the_privacy_officer_may_look_at_clients_but_not_change_settings(client, privacy_officer):
    browser = browser_of(privacy_officer, settings.AGENCY_HOST)
    assert browser.get("/clients/settled/").status_code == 200
    for path in ("", "look/", "domains/", "sites/", "sites/add/"):
        assert browser.get(f"/clients/settled/settings/{path}").status_code == 403


def test_general_settings_are_stored_with_an_audit_entry(client, staff):
    entered = {
        "name": "Settled & Sons", "timezone": "Europe/Dublin", "locale": "en-ie",
        "currency": "EUR",
    }  # fmt: skip
    assert staff.post("/clients/settled/settings/", entered).status_code == 302
    client.refresh_from_db()
    assert (client.name, client.timezone, client.currency) == (
        *("Settled & Sons", "Europe/Dublin", "EUR"),
    )
    entry = AuditEntry.objects.filter(client_id=client.pk, act="client.change").latest("pk")
    assert entry.details["from"]["timezone"] == "Europe/London"
    reply = staff.post("/clients/settled/settings/", {**entered, "timezone": "Europe/Atlantis"})
    assert reply.status_code == 422
    before = acts(client)
    staff.post("/clients/settled/settings/", entered)
    assert acts(client) == before


def test_a_logo_is_served_on_both_hosts_so_that_it_runs_nothing(client, staff):
    upload = SimpleUploadedFile("logo.svg", SVG, "image/svg+xml")
    reply = staff.post(
        "/clients/settled/settings/look/", {"accent_colour": "#123456", "logo": upload}
    )
    assert reply.status_code == 302
    client.refresh_from_db()
    assert client.accent_colour == "#123456"
    assert client.logo_digest
    open_to_all = browser_of(None, "settled.localhost").get("/logo")
    for served in (staff.get("/clients/settled/logo/"), open_to_all):
        assert served.content == SVG
        assert served["Content-Type"] == "image/svg+xml"
        assert served["Content-Security-Policy"].startswith("default-src 'none'")
        assert "sandbox" in served["Content-Security-Policy"]
        assert served["X-Content-Type-Options"] == "nosniff"
    assert staff.post("/clients/settled/settings/look/remove-logo/").status_code == 302
    assert not ClientLogo.objects.filter(client=client).exists()
    assert browser_of(None, "settled.localhost").get("/logo").status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SVG.replace(b"<path", b"<script>alert(1)</script><path"), "<script>"),
        (SVG.replace(b"<path", b'<path onclick="alert(1)"'), "without interaction"),
        (SVG.replace(b"<path", b'<image href="https://evil.example/x.png"/><path'), "<image>"),
        (SVG.replace(b"<path", b'<use href="https://evil.example/x.svg#a"/><path'), "elsewhere"),
        (SVG.replace(b"<path", b"<style>@import 'https://e.example'</style><path"), "elsewhere"),
        (SVG.replace(b"<path", b'<path fill="url(https://e.example/#a)"'), "elsewhere"),
        (SVG.replace(b"<path", b"<foreignObject/><path"), "<foreignObject>"),
        (
            SVG.replace(b"<path", b'<h:script xmlns:h="http://www.w3.org/1999/xhtml"/><path'),
            "<script>",
        ),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG, "plain SVG"),
        (b'<?xml-stylesheet href="https://e.example/a.css"?>' + SVG, "plain SVG"),
        (SVG[:-6], "damaged"),
        (b"\x89PNG\r\n\x1a\nnothing", "damaged"),
        (b"GIF89a", "neither a PNG nor an SVG"),
        (SVG + b" " * MAX_BYTES, "100 kB"),
        (png(2_500, 10), "2000"),
    ],
)
def test_a_file_that_cannot_be_a_logo_is_refused_with_a_remedy(content: bytes, said: str):
    with pytest.raises(LogoError) as refused:
        check_logo(content)
    assert said in str(refused.value)


def test_a_png_keeps_its_pixels_alone():
    written = io.BytesIO()
    image = Image.new("RGBA", (30, 10), (10, 20, 30, 128))
    notes = PngInfo()
    notes.add_text("Author", "somebody@private.example")
    image.save(written, "PNG", pnginfo=notes)
    logo = check_logo(written.getvalue())
    assert b"private.example" not in logo.content
    with Image.open(io.BytesIO(logo.content)) as again:
        assert again.getpixel((3, 3)) == (10, 20, 30, 128)


def test_own_addresses_are_added_served_checked_and_removed(client, staff):
    path = "/clients/settled/settings/domains/"
    assert staff.post(path, {"domain": "https://Stats.Settled.example/x"}).status_code == 302
    domain = Domain.objects.get(domain="stats.settled.example")
    assert "stats.settled.example" in read_config(KeyRing(), timezone.now()).hosts
    assert browser_of(None, "stats.settled.example").get("/log-in/").status_code == 200
    for taken in ("stats.settled.example", "other.localhost", settings.AGENCY_HOST, "no host"):
        assert staff.post(path, {"domain": taken}).status_code == 422
    assert "not known yet" in check_domain(client, "nowhere.settled.invalid").words
    main = Domain.objects.get(tenant=client, is_primary=True)
    staff.post(f"{path}{main.pk}/remove/")
    assert Domain.objects.filter(pk=main.pk).exists()
    staff.post(f"{path}{domain.pk}/remove/")
    assert not Domain.objects.filter(pk=domain.pk).exists()
    assert "stats.settled.example" not in read_config(KeyRing(), timezone.now()).hosts


def test_a_website_is_added_changed_rekeyed_and_taken_out_of_use(client, staff):
    path = "/clients/settled/settings/sites/"
    entered = {
        "name": "Shop", "hosts": "https://shop.settled.example/\nWWW.shop.settled.example",
        "timezone": "Europe/Paris",
    }  # fmt: skip
    added = staff.post(f"{path}add/", entered)
    site = Site.objects.get(client=client, name="Shop")
    assert added["Location"] == f"/clients/settled/sites/{site.pk}/install/"
    assert site.hosts == ["shop.settled.example", "www.shop.settled.example"]

    wrong = staff.post(f"{path}{site.pk}/", {**entered, "hosts": "not a/host, -"})
    assert wrong.status_code == 422
    assert "is not a host name" in wrong.content.decode()
    staff.post(f"{path}{site.pk}/", {**entered, "hosts": "*.settled.example"})
    former = site.key
    staff.post(f"{path}{site.pk}/key/")
    site.refresh_from_db()
    assert site.hosts == ["*.settled.example"]
    found = read_config(KeyRing(), timezone.now()).hosts["settled.localhost"].sites
    assert site.key in found
    assert former not in found
    staff.post(f"{path}{site.pk}/use/")
    assert site.key not in read_config(KeyRing(), timezone.now()).hosts["settled.localhost"].sites
    last = site_of(client)
    with pytest.raises(ValidationError, match="only website"):
        set_site_active(last, is_active=False, acting_user="tests")
    staff.post(f"{path}{last.pk}/use/")
    assert Site.objects.get(pk=last.pk).is_active
    staff.post(f"{path}{site.pk}/use/")
    assert Site.objects.get(pk=site.pk).is_active
    assert [act for act in acts(client) if act.startswith("site.")] == [
        *("site.create", "site.change", "site.renew_key", "site.deactivate", "site.activate"),
    ]


def test_another_clients_website_cannot_be_changed_here(client, client_a, staff):
    other = site_of(client_a)
    for path in ("", "key/", "use/"):
        reply = staff.post(f"/clients/settled/settings/sites/{other.pk}/{path}")
        assert reply.status_code == 404
    domain = Domain.objects.get(tenant=client_a, is_primary=True)
    assert staff.post(f"/clients/settled/settings/domains/{domain.pk}/check/").status_code == 404


# --- API keys, on the client's host


def test_a_managers_key_is_shown_once_and_ends_when_revoked(client_a, manager_a, viewer_a):
    browser = browser_of(manager_a, "alpha.localhost")
    page = browser.post("/api-keys/", {"name": "Dashboard"}).content.decode()
    key = ApiKey.objects.get(client=client_a, name="Dashboard")
    assert page.count(f"{key.prefix}") >= 2
    assert "shown once" in page
    again = browser.get("/api-keys/").content.decode()
    assert again.count(key.prefix) == 1
    past = (timezone.now() - dt.timedelta(days=1)).date().isoformat()
    assert browser.post("/api-keys/", {"name": "Late", "expires_on": past}).status_code == 422
    assert browser_of(viewer_a, "alpha.localhost").get("/api-keys/").status_code == 403
    assert browser.post(f"/api-keys/{key.pk}/revoke/").status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_manager_of_some_sections_makes_no_key(client_a, new_person):
    partly = new_person("partly@alpha.example", client_a, all_sections=False, sections=["overview"])
    assert browser_of(partly, "alpha.localhost").get("/api-keys/").status_code == 403


@pytest.fixture
def new_person():
    def make(email, client, **scope):
        user = User.objects.create_user(email, PASSWORD)
        Membership.objects.create(user=user, client=client, role=Role.MANAGER, **scope)
        return user

    return make
