"""Inviting, changing and removing people; who of the agency looked; letters in var/mail."""

import datetime as dt
import io
import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.http import Http404
from django.test import Client as Browser
from django.test import override_settings
from django.utils import timezone

from agency.mail_files import list_mails
from tenants.access import find_role
from tenants.clients import new_site_key
from tenants.models import AuditEntry, Client, Membership, Role, Section, Site, User
from tenants.people import (
    InvitationVoidError,
    PeopleError,
    Reach,
    accept_invitation,
    change_membership,
    get_invitation,
    invitation_token,
    invite,
    reach_of,
    remove_membership,
    renew_invitation,
    withdraw_invitation,
)
from tests.conftest import PASSWORD, site_of
from tests.walking import browser_of

_numbers = itertools.count(1)
MAIL = {"EMAIL_BACKEND": "agency.mail_files.FileBackend"}
"""Django's test set-up keeps mail in memory; these tests read the files."""


def address() -> str:
    return f"person-{next(_numbers)}@people.example"


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client(name="People & Co")


def person(client: Client | None, role: Role, **scope: Any) -> User:
    user = User.objects.create_user(address(), PASSWORD)
    Membership.objects.create(user=user, client=client, role=role, **scope)
    return user


def host_of_client(client: Client) -> str:
    return f"{client.slug}.localhost"


# --- services


def test_an_invitation_makes_an_account_once(client: Client, agency_owner: User) -> None:
    now = timezone.now()
    invitation = invite(
        " New.Person@People.Example ",
        Reach(Role.VIEWER, sections=(Section.PAGES,)),
        client=client,
        acting_user=agency_owner,
        now=now,
    )
    assert invitation.email == "new.person@people.example"
    found = get_invitation(invitation_token(invitation), client=client, now=now)
    user = accept_invitation(found, user=None, name="New Q. Person", password=PASSWORD, now=now)
    assert (user.first_name, user.last_name) == ("New", "Q. Person")
    assert user.check_password(PASSWORD)
    assert reach_of(user.memberships.get()) == Reach(Role.VIEWER, sections=(Section.PAGES,))
    with pytest.raises(InvitationVoidError, match="taken up"):
        get_invitation(invitation_token(invitation), client=client, now=now)
    with pytest.raises(InvitationVoidError, match="no longer open"):
        accept_invitation(found, user=user, name="", password="", now=now)
    acts = AuditEntry.objects.filter(client_id=client.pk).values_list("act", flat=True)
    assert {"invite", "invitation.accept"} <= set(acts)


def test_an_invitation_is_good_for_seven_days_and_on_its_host(
    client: Client, client_b: Client, agency_owner: User
) -> None:
    now = timezone.now()
    invitation = invite(
        address(), Reach(Role.MANAGER), client=client, acting_user=agency_owner, now=now
    )
    token = invitation_token(invitation)
    assert get_invitation(token, client=client, now=now + dt.timedelta(days=6, hours=23)).pk
    with pytest.raises(InvitationVoidError, match="too old"):
        get_invitation(token, client=client, now=now + dt.timedelta(days=7))
    for elsewhere in (client_b, None):
        with pytest.raises(InvitationVoidError, match="does not exist"):
            get_invitation(token, client=elsewhere, now=now)
    with pytest.raises(InvitationVoidError, match="not whole"):
        get_invitation(token[:-1] + ("A" if token[-1] != "A" else "B"), client=client, now=now)


def test_a_second_letter_voids_the_first_and_withdrawing_voids_all(
    client: Client, agency_owner: User
) -> None:
    now = timezone.now()
    first = invite(address(), Reach(Role.VIEWER), client=client, acting_user=agency_owner, now=now)
    old = invitation_token(first)
    second = renew_invitation(first, acting_user=agency_owner, now=now)
    with pytest.raises(InvitationVoidError, match="newer letter"):
        get_invitation(old, client=client, now=now)
    new = invitation_token(second)
    assert get_invitation(new, client=client, now=now) == second
    withdraw_invitation(second, acting_user=agency_owner, now=now)
    with pytest.raises(InvitationVoidError, match="withdrawn"):
        get_invitation(new, client=client, now=now)
    with pytest.raises(PeopleError, match="no longer open"):
        renew_invitation(second, acting_user=agency_owner, now=now)


def test_nobody_gives_away_more_than_they_see(client: Client) -> None:
    now = timezone.now()
    first = site_of(client)
    second = Site.objects.create(
        client=client, key=new_site_key(), name="Second", hosts=["second.example"]
    )
    limited = person(client, Role.MANAGER, all_sites=False, all_sections=False, sections=["pages"])
    limited.memberships.get().sites.set([first])
    pages = (Section.PAGES,)
    for reach in (
        Reach(Role.VIEWER),
        Reach(Role.VIEWER, sites=(first,)),
        Reach(Role.VIEWER, sites=(first, second), sections=pages),
        Reach(Role.VIEWER, sites=(first,), sections=(Section.PAGES, Section.GOALS)),
    ):
        with pytest.raises(PermissionDenied):
            invite(address(), reach, client=client, acting_user=limited, now=now)
    allowed = Reach(Role.VIEWER, sites=(first,), sections=pages)
    assert invite(address(), allowed, client=client, acting_user=limited, now=now).pk
    whole = person(client, Role.VIEWER)
    with pytest.raises(PermissionDenied):
        remove_membership(whole.memberships.get(), acting_user=limited)
    with pytest.raises(PermissionDenied):
        change_membership(limited.memberships.get(), Reach(Role.MANAGER), acting_user=limited)


def test_only_managers_and_owners_manage_people(client: Client, client_b: Client) -> None:
    now = timezone.now()
    refused = (person(client, Role.VIEWER), person(None, Role.ANALYST))
    for user in (*refused, person(None, Role.PRIVACY_OFFICER)):
        with pytest.raises(PermissionDenied):
            invite(address(), Reach(Role.VIEWER), client=client, acting_user=user, now=now)
    outsider = person(client_b, Role.MANAGER)
    with pytest.raises(Http404):
        invite(address(), Reach(Role.VIEWER), client=client, acting_user=outsider, now=now)
    manager = person(client, Role.MANAGER)
    with pytest.raises(PeopleError, match="no role here"):
        invite(address(), Reach(Role.OWNER), client=client, acting_user=manager, now=now)
    with pytest.raises(Http404):
        invite(address(), Reach(Role.OWNER), client=None, acting_user=manager, now=now)


def test_the_last_owner_stays() -> None:
    others = list(Membership.objects.filter(role=Role.OWNER, user__is_active=True))
    last = person(None, Role.OWNER)
    User.objects.filter(memberships__in=others).update(is_active=False)
    try:
        membership = last.memberships.get()
        with pytest.raises(PeopleError, match="last owner"):
            remove_membership(membership, acting_user=last)
        with pytest.raises(PeopleError, match="last owner"):
            change_membership(membership, Reach(Role.ANALYST), acting_user=last)
        assert find_role(last, None) is Role.OWNER
        second = person(None, Role.OWNER)
        remove_membership(membership, acting_user=second)
        assert find_role(last, None) is None
    finally:
        User.objects.filter(memberships__in=others).update(is_active=True)


def test_removing_ends_the_sessions_on_the_clients_host_only(
    client: Client, client_b: Client, agency_owner: User
) -> None:
    user = person(client, Role.VIEWER)
    Membership.objects.create(user=user, client=client_b, role=Role.VIEWER)
    here, there = browser_of(user, host_of_client(client)), browser_of(user, "bravo.localhost")
    assert here.get("/").status_code == there.get("/").status_code == 200
    remove_membership(user.memberships.get(client=client), acting_user=agency_owner)
    assert here.get("/").status_code == 302
    assert there.get("/").status_code == 200


# --- pages


@override_settings(**MAIL)
def test_a_manager_invites_by_letter_and_the_invited_person_sees_what_was_chosen(
    client: Client,
) -> None:
    manager = person(client, Role.MANAGER)
    host = host_of_client(client)
    email = address()
    form = {
        "email": email,
        "role": "viewer",
        "which_sites": "all",
        "which_sections": "chosen",
        "sections": ["pages", "sources"],
    }
    reply = browser_of(manager, host).post("/people/invite/", form, follow=True)
    assert "on its way" in reply.content.decode()
    letter = next(one for one in list_mails() if one.to == email)
    assert client.name in letter.subject
    (link,) = set(re.findall(r"http://\S+/invitation/\S+?/(?=\s)", letter.text))
    assert link in letter.html
    path = link.partition(host)[2].lstrip(":0123456789")
    guest = Browser(headers={"host": host})
    page = guest.get(path)
    assert "Pages, Sources" in page.content.decode()
    short = guest.post(path, {"name": "Ada Byron", "password": "short"})
    assert short.status_code == 422
    reply = guest.post(path, {"name": "Ada Byron", "password": PASSWORD})
    assert reply.status_code == 302
    user = User.objects.get(email=email)
    assert str(user) == "Ada Byron"
    assert EmailAddress.objects.get(user=user).verified
    assert guest.get("/account/").status_code == 200
    assert Browser(headers={"host": host}).get(path).status_code == 410


@override_settings(**MAIL)
def test_an_account_that_exists_takes_an_invitation_up_with_its_own_password(
    client: Client, client_b: Client, agency_owner: User
) -> None:
    user = person(client_b, Role.VIEWER)
    invitation = invite(
        user.email,
        Reach(Role.VIEWER),
        client=client,
        acting_user=agency_owner,
        now=timezone.now(),
    )
    path = f"/invitation/{invitation_token(invitation)}/"
    guest = Browser(headers={"host": host_of_client(client)})
    assert "account with this address already" in guest.get(path).content.decode()
    assert guest.post(path, {"password": "another phrase altogether"}).status_code == 422
    assert find_role(user, client) is None
    assert guest.post(path, {"password": PASSWORD}).status_code == 302
    assert find_role(user, client) is Role.VIEWER
    assert guest.get("/").status_code == 200


def test_an_invitation_is_taken_up_after_the_second_factor_not_before(
    client: Client, client_b: Client, agency_owner: User
) -> None:
    user = person(client_b, Role.VIEWER)
    secret = str(generate_totp_secret())
    TOTP.activate(user, secret)
    now = timezone.now()
    invitation = invite(
        user.email, Reach(Role.VIEWER), client=client, acting_user=agency_owner, now=now
    )
    path = f"/invitation/{invitation_token(invitation)}/"
    thief = Browser(headers={"host": host_of_client(client)})
    assert thief.post(path, {"password": PASSWORD})["Location"] == "/log-in/second-step/"
    assert find_role(user, client) is None
    assert not EmailAddress.objects.filter(user=user).exists()
    assert thief.get("/").status_code == 302
    owner = Browser(headers={"host": host_of_client(client)})
    owner.post(path, {"password": PASSWORD})
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    assert owner.post("/log-in/second-step/", {"code": code})["Location"] == "/"
    assert find_role(user, client) is Role.VIEWER
    assert owner.get("/").status_code == 200
    assert EmailAddress.objects.get(user=user).verified


def test_an_invitation_withdrawn_between_the_two_steps_lets_nobody_in(
    client: Client, client_b: Client, agency_owner: User
) -> None:
    user = person(client_b, Role.VIEWER)
    secret = str(generate_totp_secret())
    TOTP.activate(user, secret)
    now = timezone.now()
    invitation = invite(
        user.email, Reach(Role.VIEWER), client=client, acting_user=agency_owner, now=now
    )
    guest = Browser(headers={"host": host_of_client(client)})
    guest.post(f"/invitation/{invitation_token(invitation)}/", {"password": PASSWORD})
    withdraw_invitation(invitation, acting_user=agency_owner, now=now)
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    assert guest.post("/log-in/second-step/", {"code": code})["Location"] == "/log-in/"
    assert find_role(user, client) is None
    assert guest.get("/people/").status_code == 302


def test_people_pages_change_and_remove(client: Client) -> None:
    manager, viewer = person(client, Role.MANAGER), person(client, Role.VIEWER)
    browser = browser_of(manager, host_of_client(client))
    membership = viewer.memberships.get()
    page = browser.get("/people/").content.decode()
    assert viewer.email in page
    assert "All websites" in page
    path = f"/people/{membership.pk}/"
    nothing = {"role": "viewer", "which_sites": "all", "which_sections": "chosen"}
    refused = browser.post(path, nothing)
    assert refused.status_code == 422
    assert "Choose one section at least" in refused.content.decode()
    browser.post(path, nothing | {"sections": ["goals"]})
    membership.refresh_from_db()
    assert reach_of(membership) == Reach(Role.VIEWER, sections=(Section.GOALS,))
    browser.post(f"{path}remove/")
    assert find_role(viewer, client) is None
    acts = list(
        AuditEntry.objects.filter(client_id=client.pk, actor=manager.email)
        .order_by("pk")
        .values_list("act", flat=True)
    )
    assert acts == ["membership.change", "membership.remove"]


def test_a_viewer_reads_the_list_without_menus(client: Client) -> None:
    viewer = person(client, Role.VIEWER)
    page = browser_of(viewer, host_of_client(client)).get("/people/").content.decode()
    assert viewer.email in page
    assert "/people/invite/" not in page
    assert "/remove/" not in page


# --- staff on a client's host


def visits_at(client: Client) -> int:
    return AuditEntry.objects.filter(client_id=client.pk, act="client.enter").count()


def test_the_client_sees_who_of_the_agency_looked(client: Client) -> None:
    analyst = person(None, Role.ANALYST)
    User.objects.filter(pk=analyst.pk).update(first_name="Noor", last_name="Aziz")
    browser = browser_of(User.objects.get(pk=analyst.pk), host_of_client(client))
    for path in ("/", "/people/", "/"):
        assert browser.get(path).status_code == 200
    entries = AuditEntry.objects.filter(client_id=client.pk, act="client.enter")
    assert [(one.actor, one.details["role"]) for one in entries] == [(analyst.email, "analyst")]
    assert browser_of(analyst, host_of_client(client)).get("/").status_code == 200
    assert entries.all().count() == 2
    viewer = person(client, Role.VIEWER)
    page = browser_of(viewer, host_of_client(client)).get("/access/").content.decode()
    assert page.count("Noor Aziz") == 2
    assert "Set the client up" in page
    assert entries.all().count() == 2, "a client's own people are not staff"


def test_a_visit_of_staff_is_another_one_after_half_an_hour_and_on_the_next_day(
    client: Client, time_machine: Any
) -> None:
    morning = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.UTC)
    time_machine.move_to(morning, tick=False)
    browser = browser_of(person(None, Role.ANALYST), host_of_client(client))
    at_minute = {0: 1, 20: 1, 45: 1, 75: 2, 90: 2, 121: 3}
    for minute, visits in at_minute.items():
        time_machine.move_to(morning + dt.timedelta(minutes=minute), tick=False)
        assert browser.get("/people/").status_code == 200
        assert visits_at(client) == visits, minute
    night = dt.datetime(2026, 11, 25, 23, 50, tzinfo=dt.UTC)
    for minute, visits in {0: 4, 9: 4, 10: 5, 20: 5}.items():
        time_machine.move_to(night + dt.timedelta(minutes=minute), tick=False)
        assert browser.get("/people/").status_code == 200
        assert visits_at(client) == visits, minute


def test_who_becomes_staff_within_a_session_is_written_down(
    client: Client, time_machine: Any
) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    user = person(client, Role.VIEWER)
    browser = browser_of(user, host_of_client(client))
    assert browser.get("/people/").status_code == 200
    Membership.objects.create(user=user, client=None, role=Role.ANALYST)
    time_machine.move_to(now + dt.timedelta(minutes=1), tick=False)
    assert browser.get("/people/").status_code == 200
    assert visits_at(client) == 1


def test_coming_by_the_agencys_page_is_always_a_visit(client: Client) -> None:
    analyst = person(None, Role.ANALYST)
    browser = Browser(headers={"host": host_of_client(client)})
    for visits in (1, 2, 3):
        path = "/enter/" + hand_over(analyst, client)["Location"].partition("/enter/")[2]
        assert browser.get(path)["Location"] == "/people/"
        assert browser.get("/people/").status_code == 200
        assert visits_at(client) == visits


def hand_over(user: User, client: Client, **headers: str) -> Any:
    return browser_of(user, settings.AGENCY_HOST).get(
        f"/clients/{client.pk}/enter/?next=/people/", headers=headers
    )


def test_staff_go_to_a_clients_host_by_a_link_that_is_good_once_and_there(
    client: Client, client_b: Client
) -> None:
    analyst = person(None, Role.ANALYST)
    reply = hand_over(analyst, client)
    assert reply.status_code == 302
    there = reply["Location"]
    assert there.startswith(f"http://{host_of_client(client)}")
    path = "/enter/" + there.partition("/enter/")[2]
    elsewhere = Browser(headers={"host": "bravo.localhost"})
    assert elsewhere.get(path)["Location"] == "/log-in/"
    assert elsewhere.get("/").status_code == 302
    browser = Browser(headers={"host": host_of_client(client)})
    assert browser.get(path)["Location"] == "/people/"
    assert browser.get("/people/").status_code == 200
    assert AuditEntry.objects.filter(client_id=client.pk, act="client.enter").count() == 1
    again = Browser(headers={"host": host_of_client(client)})
    assert again.get(path)["Location"] == "/log-in/"
    assert again.get("/people/").status_code == 302


def test_a_hand_over_link_is_old_after_a_minute(client: Client, time_machine: Any) -> None:
    analyst = person(None, Role.ANALYST)
    now = timezone.now()
    path = "/enter/" + hand_over(analyst, client)["Location"].partition("/enter/")[2]
    time_machine.move_to(now + dt.timedelta(seconds=62), tick=False)
    browser = Browser(headers={"host": host_of_client(client)})
    assert browser.get(path)["Location"] == "/log-in/"


def test_a_hand_over_is_refused_to_others_and_asked_for_by_other_websites(
    client: Client, client_b: Client, analyst_of_b: User
) -> None:
    assert hand_over(analyst_of_b, client).status_code == 404
    assert hand_over(person(client, Role.MANAGER), client).status_code == 404
    analyst = person(None, Role.ANALYST)
    asked = hand_over(analyst, client, **{"Sec-Fetch-Site": "cross-site"})
    assert asked.status_code == 200
    assert "The client can see that you were there" in asked.content.decode()
    path = "/enter/" + hand_over(analyst, client)["Location"].partition("/enter/")[2]
    analyst.memberships.all().delete()
    assert Browser(headers={"host": host_of_client(client)}).get(path)["Location"] == "/log-in/"


def test_a_hand_over_leads_to_no_other_host(client: Client) -> None:
    analyst = person(None, Role.ANALYST)
    for evil in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        browser = browser_of(analyst, settings.AGENCY_HOST)
        there = browser.get(f"/clients/{client.pk}/enter/", {"next": evil})["Location"]
        path = "/enter/" + there.partition("/enter/")[2]
        reply = Browser(headers={"host": host_of_client(client)}).get(path)
        assert reply["Location"] == "/"


# --- the first owner


def test_the_first_owner_is_invited_by_a_command_and_only_the_first() -> None:
    with pytest.raises(CommandError, match="has an owner"):
        person(None, Role.OWNER)
        call_command("invite_owner", address())
    owners = User.objects.filter(memberships__role=Role.OWNER, is_active=True)
    ids = list(owners.values_list("pk", flat=True))
    User.objects.filter(pk__in=ids).update(is_active=False)
    try:
        with pytest.raises(CommandError, match="no e-mail address"):
            call_command("invite_owner", "nobody")
        email, out = address(), io.StringIO()
        call_command("invite_owner", email)
        call_command("invite_owner", email, stdout=out)
        found = re.search(r"http://agency\.localhost:\d+(/invitation/\S+/)", out.getvalue())
        assert found
        guest = Browser(headers={"host": settings.AGENCY_HOST})
        reply = guest.post(found[1], {"name": "First Owner", "password": PASSWORD})
        assert reply.status_code == 302
        assert find_role(User.objects.get(email=email), None) is Role.OWNER
        assert guest.get("/people/invite/").status_code == 200
    finally:
        User.objects.filter(pk__in=ids).update(is_active=True)
