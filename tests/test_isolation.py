"""Promise 4 at the web edge: every address, tried as everybody who has no business there.

The addresses are read off the URL resolvers, so a new one is tried without being listed.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tenants.models import Client, User
from tests.conftest import PASSWORD, site_of

OPEN = {"log_in", "log_out", "accent"}
"""Addresses that anybody may ask for; they show nothing of a client but its name and colour."""
FILLERS = {"dimension": "page"}


@dataclasses.dataclass(frozen=True)
class Address:
    """One address of a host."""

    name: str
    path: str


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    """All patterns below the resolver."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry)
        else:
            yield entry


def addresses(urlconf: str, site_id: int) -> list[Address]:
    """Every address of the urlconf, with the site's number where one is asked for."""
    found = []
    for pattern in patterns(get_resolver(urlconf)):
        arguments = {
            name: site_id if name == "site_id" else FILLERS[name]
            for name in pattern.pattern.converters
        }
        assert pattern.name, f"{pattern} has no name"
        found.append(Address(pattern.name, reverse(pattern.name, urlconf, kwargs=arguments)))
    return found


def browser_of(user: User | None, host: str) -> Browser:
    """A browser in which the user has logged in on the host, as far as the host lets them."""
    browser = Browser(headers={"host": host})
    if user is not None:
        browser.post("/log-in/", {"username": user.email, "password": PASSWORD})
    return browser


def shows_nothing(reply: Any) -> bool:
    """Whether the reply sends to the log-in page, or knows of nothing."""
    if reply.status_code == 302:
        return str(reply["Location"]).startswith("/log-in/")
    return reply.status_code in {403, 404, 405}


@pytest.mark.parametrize("person", ["anonymous", "stranger", "manager_b"])
def test_outsiders_see_nothing_of_a_client(
    person: str, client_a: Client, request: pytest.FixtureRequest
) -> None:
    user = None if person == "anonymous" else request.getfixturevalue(person)
    browser = browser_of(user, "alpha.localhost")
    tried = 0
    for address in addresses(settings.ROOT_URLCONF, site_of(client_a).pk):
        for method in ("get", "post"):
            reply = getattr(browser, method)(address.path)
            tried += 1
            if address.name in OPEN:
                assert "/sites/" not in reply.content.decode(), address
            else:
                assert shows_nothing(reply), f"{person} {method} {address}: {reply.status_code}"
    assert tried >= 2 * 9


@pytest.mark.parametrize("person", ["anonymous", "stranger", "manager_a"])
def test_outsiders_see_nothing_of_the_agency(
    person: str, client_a: Client, request: pytest.FixtureRequest
) -> None:
    user = None if person == "anonymous" else request.getfixturevalue(person)
    browser = browser_of(user, settings.AGENCY_HOST)
    for address in addresses(settings.PUBLIC_SCHEMA_URLCONF, site_of(client_a).pk):
        if address.name not in OPEN:
            reply = browser.get(address.path)
            assert shows_nothing(reply), f"{person} {address}: {reply.status_code}"


@pytest.mark.parametrize("person", ["manager_a", "agency_owner"])
def test_another_clients_site_is_absent_on_this_host(
    person: str, client_a: Client, client_b: Client, request: pytest.FixtureRequest
) -> None:
    browser = browser_of(request.getfixturevalue(person), "alpha.localhost")
    other = site_of(client_b).pk
    for address in addresses(settings.ROOT_URLCONF, other):
        if str(other) in address.path.split("/"):
            assert browser.get(address.path).status_code == 404, address


@pytest.mark.parametrize("person", ["manager_a", "agency_owner"])
def test_members_see_every_address_of_their_client(
    person: str, client_a: Client, request: pytest.FixtureRequest
) -> None:
    browser = browser_of(request.getfixturevalue(person), "alpha.localhost")
    for address in addresses(settings.ROOT_URLCONF, site_of(client_a).pk):
        if address.name not in OPEN:
            assert browser.get(address.path).status_code == 200, address


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
