"""Sessions of people who are logged in: seen, ended, and holding no address."""

import itertools
from collections.abc import Callable

import pytest
from django.test import Client as Browser

from tenants.models import Client, LogInSession, Membership, Role, User
from tests.conftest import PASSWORD
from tests.walking import browser_of

_numbers = itertools.count(1)


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client(name="Sessions Ltd")


def person(client: Client | None, role: Role) -> User:
    user = User.objects.create_user(f"session-{next(_numbers)}@people.example", PASSWORD)
    Membership.objects.create(user=user, client=client, role=role)
    return user


def host_of_client(client: Client) -> str:
    return f"{client.slug}.localhost"


def test_sessions_are_listed_without_addresses_and_can_be_ended(client: Client) -> None:
    user = person(client, Role.VIEWER)
    host = host_of_client(client)
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    browsers = [
        Browser(headers={"host": host, "user-agent": firefox}, REMOTE_ADDR="203.0.113.77")
        for _ in range(3)
    ]
    for browser in browsers:
        reply = browser.post("/log-in/", {"login": user.email, "password": PASSWORD})
        assert reply.status_code == 302
    rows = LogInSession.objects.filter(user=user)
    assert {(row.host, row.device) for row in rows} == {(host, "Firefox on Windows")}
    decoded = [row.get_decoded() for row in rows]
    assert not any(word in str(decoded) for word in ("203.0.113", "Gecko", "NT 10"))
    page = browsers[0].get("/account/sessions/").content.decode()
    assert page.count("Firefox on Windows") >= 3
    other = LogInSession.objects.get(session_key=browsers[1].session.session_key)
    browsers[0].post("/account/sessions/end/", {"session": other.public_id})
    assert browsers[1].get("/").status_code == 302
    assert browsers[2].get("/").status_code == 200
    browsers[0].post("/account/sessions/end-others/")
    assert browsers[2].get("/").status_code == 302
    assert browsers[0].get("/").status_code == 200


def test_nobody_ends_the_session_of_another(client: Client) -> None:
    mine, theirs = person(client, Role.VIEWER), person(client, Role.VIEWER)
    other = browser_of(theirs, host_of_client(client))
    other.get("/")
    row = LogInSession.objects.get(session_key=other.session.session_key)
    me = browser_of(mine, host_of_client(client))
    me.post("/account/sessions/end/", {"session": row.public_id})
    assert other.get("/").status_code == 200


def test_a_new_password_ends_the_other_sessions(client: Client) -> None:
    user = person(client, Role.VIEWER)
    host = host_of_client(client)
    here, there = (Browser(headers={"host": host}) for _ in range(2))
    for browser in (here, there):
        browser.post("/log-in/", {"login": user.email, "password": PASSWORD})
    new = "quite another phrase"
    reply = here.post(
        "/account/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )
    assert reply.status_code == 302
    assert LogInSession.objects.filter(user=user).count() == 1
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
