"""The access door: who reaches what, by role and by scope."""

import itertools

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404

from tenants.access import (
    MAY,
    May,
    access_agency,
    access_client,
    access_site,
    accessible_clients,
    accessible_sites,
    allows,
    find_role,
    sections_of,
)
from tenants.clients import new_site_key
from tenants.models import Client, Membership, Role, Section, Site, User
from tests.conftest import PASSWORD, site_of

_numbers = itertools.count(1)


def member(role: Role, client: Client | None, **scope: object) -> User:
    user = User.objects.create_user(f"access-{next(_numbers)}@people.example", PASSWORD)
    Membership.objects.create(user=user, client=client, role=role, **scope)
    return user


TABLE = {
    Role.OWNER: set(May),
    Role.ANALYST: {
        *(May.VIEW, May.EXPORT, May.EDIT_REPORTS, May.EDIT_SETTINGS),
        *(May.IMPORT, May.CREATE_CLIENTS),
    },
    Role.PRIVACY_OFFICER: {May.VIEW, May.EXPORT, May.EDIT_PRIVACY, May.ADMINISTER},
    Role.MANAGER: {May.VIEW, May.EXPORT, May.EDIT_REPORTS, May.MANAGE_PEOPLE},
    Role.VIEWER: {May.VIEW, May.EXPORT},
}
"""As the issue has it; written out a second time on purpose."""


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("may", list(May))
def test_a_role_may_what_the_table_says_and_nothing_else(
    role: Role, may: May, client_a: Client
) -> None:
    user = member(role, client_a if role in {Role.MANAGER, Role.VIEWER} else None)
    assert (may in MAY[role]) is (may in TABLE[role])
    assert allows(user, client_a, may) is (may in TABLE[role])
    if may in TABLE[role]:
        assert access_client(user, client_a, may=may) is role
        assert access_site(user, client_a, may=may) == site_of(client_a)
    else:
        with pytest.raises(PermissionDenied):
            access_client(user, client_a, may=may)
        with pytest.raises(PermissionDenied):
            access_site(user, client_a, may=may)


def test_an_outsider_finds_nothing_whatever_they_ask_for(
    manager_b: User, stranger: User, client_a: Client
) -> None:
    for user in (manager_b, stranger):
        for may in May:
            with pytest.raises(Http404):
                access_client(user, client_a, may=may)
            with pytest.raises(Http404):
                access_agency(user, may=may)
        assert accessible_sites(user, client_a) == []
        assert sections_of(user, client_a) == frozenset()


def test_staff_of_chosen_clients_are_outsiders_elsewhere(
    client_a: Client, client_b: Client
) -> None:
    user = member(Role.ANALYST, None, all_clients=False)
    assert accessible_clients(user) == []
    user.memberships.get().clients.set([client_b])
    assert access_agency(user) is Role.ANALYST
    assert access_client(user, client_b) is Role.ANALYST
    assert accessible_clients(user) == [client_b]
    with pytest.raises(Http404):
        access_client(user, client_a)


def test_a_member_of_chosen_sites_sees_those_and_a_lost_one_does_not_open_the_rest(
    client_b: Client,
) -> None:
    first = site_of(client_b)
    second = Site.objects.create(
        client=client_b, key=new_site_key(), name="Second", hosts=["second.example"]
    )
    user = member(Role.VIEWER, client_b, all_sites=False)
    user.memberships.get().sites.set([second])
    assert accessible_sites(user, client_b) == [second]
    assert access_site(user, client_b) == second
    with pytest.raises(Http404):
        access_site(user, client_b, first.pk)
    second.delete()
    assert accessible_sites(user, client_b) == []
    with pytest.raises(Http404):
        access_site(user, client_b)


def test_a_section_out_of_scope_is_refused(client_a: Client) -> None:
    user = member(
        Role.VIEWER, client_a, all_sections=False, sections=[Section.PAGES, Section.GOALS]
    )
    assert sections_of(user, client_a) == {Section.PAGES, Section.GOALS}
    for section in Section:
        if section in {Section.PAGES, Section.GOALS}:
            assert access_site(user, client_a, section=section) == site_of(client_a)
        else:
            with pytest.raises(PermissionDenied, match=section.label):
                access_site(user, client_a, section=section)


def test_staff_see_every_section(analyst: User, client_a: Client) -> None:
    assert sections_of(analyst, client_a) == frozenset(Section)


def test_a_client_role_is_no_role_at_the_agency(manager_a: User) -> None:
    assert find_role(manager_a, None) is None


def test_nobody_keeps_a_role_when_the_account_is_closed(client_a: Client) -> None:
    user = member(Role.OWNER, None)
    user.is_active = False
    user.save()
    assert find_role(user, None) is None
    assert accessible_clients(user) == []
    with pytest.raises(Http404):
        access_client(user, client_a)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_stands_where_it_belongs(role: Role, client_a: Client, stranger: User) -> None:
    wrong = None if role in {Role.MANAGER, Role.VIEWER} else client_a
    with pytest.raises(IntegrityError, match="membership_role_fits"), transaction.atomic():
        Membership.objects.create(user=stranger, client=wrong, role=role)
