"""Promise 4 at the web edge: every address, tried as everybody who has no business there.

The addresses are read off the URL resolvers, so a new one is tried without being listed. What it
takes as arguments stands in `things_of_a` and `things_of_the_agency`; an argument that is not known
there fails the walk, and one that leads nowhere fails `test_the_owner_finds_every_address`.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client as Browser
from django.urls import get_resolver, reverse
from django.utils import timezone

from agency.mail_files import FileBackend
from tenants.api_keys import create_api_key
from tenants.models import (
    AuditEntry,
    Client,
    ClientGroup,
    Invitation,
    LogUpload,
    Membership,
    Role,
    User,
)
from tenants.people import Reach, invitation_token, invite
from tests.conftest import site_of
from tests.walk_things import report_things
from tests.walking import (
    FOR_PROGRAMS,
    OWN,
    PUBLIC,
    Address,
    Walk,
    addresses,
    browser_of,
    patterns,
    shows_nothing,
)
from tracking.uploads import begin_upload
from tracking.weblogs.options import Options

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def invitation(client_a: Client, manager_a: User) -> Invitation:
    """An open invitation of client A."""
    return invite(
        f"walk-{next(_numbers)}@people.example",
        Reach(Role.VIEWER),
        client=client_a,
        acting_user=manager_a,
        now=timezone.now(),
    )


@pytest.fixture(scope="module")
def staff_invitation(agency_owner: User) -> Invitation:
    """An open invitation of the agency."""
    return invite(
        f"walk-{next(_numbers)}@people.example",
        Reach(Role.ANALYST),
        client=None,
        acting_user=agency_owner,
        now=timezone.now(),
    )


@pytest.fixture(scope="module")
def mail_name() -> str:
    """A letter in var/mail."""
    letter = mail.EmailMultiAlternatives("Walk", "A text.", "a@b.example", ["c@d.example"])
    letter.attach_alternative("<p>A text.</p>", "text/html")
    FileBackend().send_messages([letter])
    folder = Path(settings.EMAIL_FILE_PATH)
    return max(folder.glob("*-walk-*.eml"), key=lambda path: path.stat().st_mtime_ns).name


@pytest.fixture(scope="module")
def of_both() -> dict[str, Any]:
    """Arguments that mean the same on every host."""
    return {
        "uidb36": "1",
        "key": "nothing-0123",
        "pk": 1,
        "provider_id": "nobody",
        "dimension": "page",
        "kind": "line",
    }


@pytest.fixture(scope="module")
def things_of_a(
    client_a: Client, viewer_a: User, invitation: Invitation, of_both: dict[str, Any]
) -> dict[str, Any]:
    """Arguments on client A's host."""
    return (
        of_both
        | report_things(client_a, site_of(client_a), viewer_a)
        | {
            "site_id": site_of(client_a).pk,
            "client_id": client_a.pk,
            "membership_id": Membership.objects.get(user=viewer_a).pk,
            "invitation_id": invitation.pk,
            "token": invitation_token(invitation),
            "key_id": create_api_key(client_a, name="Walk", acting_user="tests")[0].pk,
        }
    )


@pytest.fixture(scope="module")
def things_of_the_agency(
    client_a: Client,
    analyst: User,
    staff_invitation: Invitation,
    mail_name: str,
    of_both: dict[str, Any],
) -> dict[str, Any]:
    """Arguments on the agency's host."""
    return of_both | {
        "site_id": site_of(client_a).pk,
        "client_id": client_a.pk,
        "membership_id": Membership.objects.get(user=analyst).pk,
        "invitation_id": staff_invitation.pk,
        "token": invitation_token(staff_invitation),
        "name": mail_name,
        "slug": client_a.slug,
        "step": "name",
        "measure": "visits",
        "group_id": ClientGroup.objects.get_or_create(name="Walk")[0].pk,
        "domain_id": client_a.domains.get(is_primary=True).pk,
        "upload_id": _upload(client_a).pk,
        "app_label": "tenants",
        # Of any row of the admin; where there is none with this number it leads to the list.
        "object_id": client_a.pk,
    }


def _upload(client: Client) -> LogUpload:
    return begin_upload(
        client,
        site_of(client),
        name="walk.log",
        size=1,
        options=Options(),
        acting_user="tests",
        now=timezone.now(),
    )


@pytest.fixture(scope="module")
def walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    """Counts over the module; the sum is printed at its end and kept in var/."""
    made = Walk()
    yield made
    people = ", ".join(f"{name} {count}" for name, count in sorted(made.tried.items()))
    line = (
        f"Isolation: {len(made.addresses)} addresses x {len(made.tried)} persons, "
        f"{sum(made.tried.values())} requests ({people})"
    )
    Path(settings.VAR, "isolation.txt").write_text(line + "\n")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n{line}")


OUTSIDERS_OF_A = ("anonymous", "stranger", "manager_b", "analyst_of_b")
OUTSIDERS_OF_THE_AGENCY = ("anonymous", "stranger", "manager_a", "viewer_a")


def person_of(name: str, request: pytest.FixtureRequest) -> User | None:
    return None if name == "anonymous" else request.getfixturevalue(name)


@pytest.mark.parametrize("person", OUTSIDERS_OF_A)
def test_outsiders_see_nothing_of_a_client(
    person: str, things_of_a: dict[str, Any], walk: Walk, request: pytest.FixtureRequest
) -> None:
    found = addresses(settings.ROOT_URLCONF, things_of_a)
    walk.outsider(person, person_of(person, request), "alpha.localhost", found)
    assert len(found) >= 40


@pytest.mark.parametrize("person", OUTSIDERS_OF_THE_AGENCY)
def test_outsiders_see_nothing_of_the_agency(
    person: str,
    things_of_the_agency: dict[str, Any],
    walk: Walk,
    request: pytest.FixtureRequest,
) -> None:
    found = addresses(settings.PUBLIC_SCHEMA_URLCONF, things_of_the_agency)
    walk.outsider(person, person_of(person, request), settings.AGENCY_HOST, found)
    assert len(found) >= 40


def test_staff_of_chosen_clients_find_no_page_of_another(
    analyst_of_b: User, things_of_the_agency: dict[str, Any], walk: Walk
) -> None:
    browser = browser_of(analyst_of_b, settings.AGENCY_HOST)
    tried = 0
    for name, _, wanted in patterns(get_resolver(settings.PUBLIC_SCHEMA_URLCONF)):
        if wanted & {"client_id", "site_id", "slug"}:
            path = reverse(
                name,
                settings.PUBLIC_SCHEMA_URLCONF,
                kwargs={one: things_of_the_agency[one] for one in wanted},
            )
            for method in ("get", "post"):
                reply = getattr(browser, method)(path)
                walk.count("analyst_of_b", settings.AGENCY_HOST, Address(name, path))
                assert reply.status_code in {404, 405}, f"{method} {path}: {reply.status_code}"
                tried += 1
    assert tried >= 40


def test_staff_of_chosen_clients_read_no_name_of_another(
    analyst_of_b: User, client_b: Client, things_of_the_agency: dict[str, Any], walk: Walk
) -> None:
    read = 0
    for address in addresses(settings.PUBLIC_SCHEMA_URLCONF, things_of_the_agency):
        reply = browser_of(analyst_of_b, settings.AGENCY_HOST).get(address.path)
        if reply.status_code == 200 and not reply.streaming:
            page = reply.content.decode(errors="replace")
            named = [word for word in ("Alpha &amp; Sons", "Alpha & Sons") if word in page]
            assert not named, address
            read += 1
    assert read >= 15


VIEWERS_MAY_POST: dict[str, str] = {}
"""Addresses on a client's host that a viewer may post to, and why."""


def test_a_viewer_changes_nothing(viewer_a: User, things_of_a: dict[str, Any], walk: Walk) -> None:
    before = list(Membership.objects.order_by("pk").values_list("pk", "role"))
    for address in addresses(settings.ROOT_URLCONF, things_of_a):
        if address.name in OWN or address.name in PUBLIC or address.name in VIEWERS_MAY_POST:
            continue
        reply = browser_of(viewer_a, "alpha.localhost").post(address.path)
        walk.count("viewer_a", "alpha.localhost", address)
        assert reply.status_code in {401, 403, 404, 405}, f"{address}: {reply.status_code}"
    assert list(Membership.objects.order_by("pk").values_list("pk", "role")) == before
    assert not AuditEntry.objects.filter(actor=viewer_a.email).exists()


OPEN_TO_EVERY_MEMBER = {
    "people": "who else reads this client's reports",
    "access_log": "who of the agency was here",
    "privacy": "what is collected, in plain words",
    "live": "the number of visitors now, in the head of every page",
    "api_docs": "how programs read the numbers, and none of them",
    "api_schema": "the same for programs",
}
"""Addresses of a client's host that belong to no section of the report."""


OPEN_TO_A_VIEWER = OPEN_TO_EVERY_MEMBER | {
    **dict.fromkeys(("home", "report", "panel", "table", "filter"), "the overview"),
    **dict.fromkeys(("series", "countries"), "charts of the overview"),
    **dict.fromkeys(("goals", "goal", "funnels", "funnel", "journeys"), "sections of the report"),
    **dict.fromkeys(("retention", "realtime"), "sections of the report"),
    **dict.fromkeys(("export_csv", "export_xlsx", "export_pdf"), "who reads may take along"),
    **dict.fromkeys(("export_all_xlsx", "export_all_zip"), "who reads may take along"),
    **dict.fromkeys(("alerts", "alert"), "what is watched, without the webhook"),
    "segments": "names of filters that a reader may choose",
    "annotations": "what stands at the charts",
}
"""Addresses of a client's host that a viewer of everything may read, and why."""


def test_a_viewer_reads_the_report_and_nothing_beyond(
    viewer_a: User, things_of_a: dict[str, Any], walk: Walk
) -> None:
    read = set()
    for address in addresses(settings.ROOT_URLCONF, things_of_a):
        if address.name in OWN or address.name in PUBLIC:
            continue
        reply = browser_of(viewer_a, "alpha.localhost").get(address.path)
        reply.close()  # a download is a file
        walk.count("viewer_a", "alpha.localhost", address)
        where = f"{address}: {reply.status_code}"
        if address.name in OPEN_TO_A_VIEWER:
            assert reply.status_code == 200, where
            read.add(address.name)
        else:
            refusals = {401} if address.name in FOR_PROGRAMS else {403, 404, 405}
            assert reply.status_code in refusals, where
    assert read == set(OPEN_TO_A_VIEWER), "an address is listed that is no more"


def test_who_sees_one_section_sees_no_other(
    realtime_viewer_a: User, things_of_a: dict[str, Any], walk: Walk
) -> None:
    browser = browser_of(realtime_viewer_a, "alpha.localhost")
    refused = 0
    for address in addresses(settings.ROOT_URLCONF, things_of_a):
        if address.name in PUBLIC or address.name in OWN or address.name in OPEN_TO_EVERY_MEMBER:
            continue
        if "realtime" in address.name:
            continue
        reply = browser.get(address.path)
        walk.count("realtime_viewer_a", "alpha.localhost", address)
        # The start page may lead on to a section that is open.
        leads_on = reply.status_code == 302 and "realtime" in str(reply.get("Location"))
        refusals = {401, 403, 404, 405}
        assert leads_on or reply.status_code in refusals, f"{address}: {reply.status_code}"
        refused += reply.status_code == 403
    assert refused >= 3


NOT_FOR_A_LOOK = {
    "mfa_view_recovery_codes": "there are none yet",
    "mfa_download_recovery_codes": "there are none yet",
    "mfa_deactivate_totp": "there is no app yet",
    "mfa_edit_webauthn": "there is no passkey yet",
    "mfa_remove_webauthn": "there is no passkey yet",
    "api_query": "401 without a key, whoever is logged in",
    "api_sites": "401 without a key, whoever is logged in",
    "openid_connect_login": "no provider is configured",
    "openid_connect_callback": "no provider is configured",
    "socialaccount_login_error": "401, as it says",
    "client_logo": "the client has none",
    "logo": "the client has none",
    "new_client_logo": "the draft has none",
}
"""Addresses that even the owner finds nothing at, and why."""


@pytest.mark.parametrize("host", ["alpha.localhost", settings.AGENCY_HOST])
def test_the_owner_finds_every_address(
    host: str,
    agency_owner: User,
    things_of_a: dict[str, Any],
    things_of_the_agency: dict[str, Any],
) -> None:
    """So that the walk tries addresses that lead somewhere."""
    if host == settings.AGENCY_HOST:
        found = addresses(settings.PUBLIC_SCHEMA_URLCONF, things_of_the_agency)
    else:
        found = addresses(settings.ROOT_URLCONF, things_of_a)
    for address in found:
        if address.name in NOT_FOR_A_LOOK:
            continue
        browser = browser_of(agency_owner, host)
        if address.name.startswith("shared_"):
            browser.get(reverse("share", settings.ROOT_URLCONF, [things_of_a["link_token"]]))
        reply = browser.get(address.path)
        reply.close()  # a download is a file
        assert reply.status_code in {200, 302, 405}, f"{address}: {reply.status_code}"


@pytest.mark.parametrize("person", ["manager_a", "agency_owner"])
def test_another_clients_site_is_absent_on_this_host(
    person: str, client_b: Client, things_of_a: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    browser = browser_of(request.getfixturevalue(person), "alpha.localhost")
    other = things_of_a | {"site_id": site_of(client_b).pk}
    tried = 0
    for name, _, wanted in patterns(get_resolver(settings.ROOT_URLCONF)):
        if "site_id" in wanted:
            path = reverse(name, settings.ROOT_URLCONF, kwargs={one: other[one] for one in wanted})
            assert browser.get(path).status_code in {404, 405}, path
            tried += 1
    assert tried >= 5


def test_a_session_of_one_host_is_worth_nothing_on_another(
    agency_owner: User, client_a: Client, client_b: Client
) -> None:
    on_a = browser_of(agency_owner, "alpha.localhost")
    assert on_a.get("/").status_code == 200
    for host in ("bravo.localhost", settings.AGENCY_HOST):
        elsewhere = Browser(headers={"host": host})
        elsewhere.cookies = on_a.cookies
        assert shows_nothing(elsewhere.get("/"))
    assert browser_of(agency_owner, "alpha.localhost").get("/").status_code == 200


def test_an_unknown_host_is_told_nothing_but_where_the_agency_is(client_a: Client) -> None:
    for host in ("nobody.localhost", "127.0.0.1", "alpha.localhost.evil.example"):
        reply = Browser(headers={"host": host}).get("/")
        assert reply.status_code == 404
        assert "Alpha" not in reply.content.decode()
