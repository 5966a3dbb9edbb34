"""Sessions of people who are logged in: seen, ended, and holding no address."""

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
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


@pytest.mark.parametrize("role", [Role.ANALYST, Role.VIEWER])
def test_staff_log_in_again_after_fourteen_days_however_often_they_were_here(
    role: Role, client: Client, time_machine: Any
) -> None:
    is_staff = role is Role.ANALYST
    user = person(None if is_staff else client, role)
    begun = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
    time_machine.move_to(begun, tick=False)
    browser = Browser(
        headers={"host": settings.AGENCY_HOST if is_staff else host_of_client(client)}
    )
    browser.post("/log-in/", {"login": user.email, "password": PASSWORD})
    for day in range(14):
        time_machine.move_to(begun + dt.timedelta(days=day, hours=23), tick=False)
        assert browser.get("/people/").status_code == 200, day
    time_machine.move_to(begun + dt.timedelta(days=14), tick=False)
    assert browser.get("/people/").status_code == (302 if is_staff else 200)
    assert LogInSession.objects.filter(user=user).exists() is not is_staff


def test_a_hand_over_makes_no_log_in_younger(client: Client, time_machine: Any) -> None:
    analyst = person(None, Role.ANALYST)
    begun = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
    time_machine.move_to(begun, tick=False)
    at_the_agency = Browser(headers={"host": settings.AGENCY_HOST})
    at_the_agency.post("/log-in/", {"login": analyst.email, "password": PASSWORD})
    time_machine.move_to(begun + dt.timedelta(days=13), tick=False)
    there = at_the_agency.get(f"/clients/{client.pk}/enter/?next=/people/")["Location"]
    here = Browser(headers={"host": host_of_client(client)})
    here.get("/enter/" + there.partition("/enter/")[2])
    assert here.get("/people/").status_code == 200
    time_machine.move_to(begun + dt.timedelta(days=14), tick=False)
    assert here.get("/people/").status_code == 302
