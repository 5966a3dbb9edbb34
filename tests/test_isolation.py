"""Promise 4 at the web edge: every address, tried as everybody who has no business there.

The addresses are read off the URL resolvers, so a new one is tried without being listed. What it
takes as arguments stands in `arguments`; an argument that is not known there fails the walk, and an
argument that leads nowhere fails `test_the_owner_finds_every_address`.
"""

import collections
import dataclasses
import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse
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
from tenants.session_store import HOST
from tests.conftest import site_of
from tests.walk_things import report_things
from tracking.uploads import begin_upload
from tracking.weblogs.options import Options

PUBLIC = {
    "log_in": "where people log in",
    "account_login": "the same, by allauth's name",
    "log_out": "ends the session of whoever asks",
    "account_logout": "the same, by allauth's name",
    "accent": "the log-in page has the client's colour",
    "logo": "the log-in page has the client's logo",
    "accept_invitation": "its link is the key, and names the invited address only",
    "enter": "its token is the key: one host, one minute, one use",
    "account_inactive": "says that an account is closed, not whose",
    "account_reset_password": "for who cannot log in",
    "account_reset_password_done": "the same words for every address",
    "account_reset_password_from_key": "its link is the key",
    "account_reset_password_from_key_done": "the same words for everybody",
    "share": "its link is the key, with a password where the client set one",
    "embed": "its link is the key, and it shows what the client embeds on its own pages",
    "mail_confirm": "its link is the key, and names nothing but the report's name",
    "mail_unsubscribe": "its link is the key, and stops a mail",
    "mfa_login_webauthn": "a challenge, the same for everybody",
    "mfa_authenticate": "sends to the log-in who has not begun one",
    "openid_connect_login": "404 unless a provider is configured",
    "openid_connect_callback": "404 unless a provider is configured",
    "socialaccount_login_cancelled": "the same words for everybody",
    "socialaccount_login_error": "the same words for everybody",
}
"""Addresses that anybody may ask for, and why; nothing of a client's report is on them."""
OWN = {
    pattern.name for pattern in importlib.import_module("agency.urls_accounts").urlpatterns
} - set(PUBLIC)
"""Pages of one's own account: whoever is logged in sees their own, and nothing of a client."""
SECRETS = ("/sites/", "viewer@alpha.example", "analyst@agency.example")
"""Words that no page for outsiders may hold."""


@dataclasses.dataclass(frozen=True)
class Address:
    """One address of a host."""

    name: str
    path: str


def patterns(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern, set[str]]]:
    """All patterns below the resolver: full name, pattern, names of all its arguments."""
    for entry in resolver.url_patterns:
        names = argument_names(entry)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            for name, pattern, more in patterns(entry, inner):
                yield name, pattern, names | more
        else:
            assert entry.name, f"{entry} has no name"
            yield space + entry.name, entry, names


def argument_names(entry: URLPattern | URLResolver) -> set[str]:
    """Arguments of a path() or a re_path()."""
    regex = getattr(entry.pattern, "regex", None)
    return set(entry.pattern.converters) | set(regex.groupindex if regex else ())


def addresses(urlconf: str, known: dict[str, Any]) -> list[Address]:
    """Every address of the urlconf, each argument filled in; fails on one that is not known."""
    found = {}
    for name, _, wanted in patterns(get_resolver(urlconf)):
        missing = wanted - set(known)
        assert not missing, f"{name}: say in `things_of` what {sorted(missing)} stand for"
        path = reverse(name, urlconf, kwargs={one: known[one] for one in wanted})
        found[path] = Address(name, path)
    return list(found.values())


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


def browser_of(user: User | None, host: str) -> Browser:
    """A browser with a session of the user on the host, whether they may be there or not.

    Stronger than logging in: it is what somebody has whose role was taken away meanwhile.
    """
    browser = Browser(headers={"host": host}, raise_request_exception=True)
    if user is not None:
        browser.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        session = browser.session
        session[HOST] = host
        session.save()
    return browser


def shows_nothing(reply: Any) -> bool:
    """Whether the reply sends to the log-in page, or knows of nothing, or refuses."""
    if reply.status_code == 302:
        return str(reply["Location"]).startswith("/log-in/")
    return reply.status_code in {401, 403, 404, 405}


class Walk:
    """Tries addresses and counts."""

    def __init__(self) -> None:
        self.tried: collections.Counter[str] = collections.Counter()
        self.addresses: set[tuple[str, str]] = set()

    def outsider(self, person: str, user: User | None, host: str, found: list[Address]) -> None:
        """Every address by GET and POST: nothing of the client is seen, nothing changed."""
        browser = browser_of(user, host)
        for address in found:
            for method in ("get", "post"):
                if user and SESSION_KEY not in browser.session:
                    browser = browser_of(user, host)  # some addresses end the session, by design
                reply = getattr(browser, method)(address.path)
                self.count(person, host, address)
                where = f"{person} {method.upper()} {host}{address.path}: {reply.status_code}"
                if address.name in PUBLIC or (user and address.name in OWN):
                    assert reply.status_code < 500, where
                    page = reply.content.decode(errors="replace")
                    secrets = [word for word in SECRETS if word in page]
                    assert not secrets or (user and user.email in secrets), f"{where} {secrets}"
                else:
                    assert shows_nothing(reply), where

    def count(self, person: str, host: str, address: Address) -> None:
        self.tried[person] += 1
        self.addresses.add((host, address.path))


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
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line("\n" + line)


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
                assert reply.status_code in {403, 404, 405}, f"{method} {path}: {reply.status_code}"
                tried += 1
    assert tried >= 2


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
