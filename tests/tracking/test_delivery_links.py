"""Shared links: who holds the token reads, until it ends."""

import datetime as dt

import pytest

from tenants.schemas import entered
from tests.conftest import site_of
from tracking.delivery.links import (
    create_link,
    delete_link,
    find_link,
    find_link_by_id,
    is_password_right,
    links_of,
    password_mark,
    record_use,
    renew_link,
    revoke_link,
)
from tracking.models import SharedLink

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def client(new_client):
    return new_client()


@pytest.fixture(scope="module")
def site(client):
    return site_of(client)


def make(site, **fields):
    fields.setdefault("name", "For the board")
    return create_link(site, sections=["overview", "pages"], created_by=1, now=NOW, **fields)


def test_a_token_finds_its_link_and_is_stored_nowhere(client, site):
    with entered(client):
        link, token = make(site)
        assert find_link(token, NOW) == link
        stored = SharedLink.objects.filter(pk=link.pk).values().get()
    assert token not in repr(stored)
    assert stored["prefix"] == token[:6]
    assert stored["sections"] == ["overview", "pages"]


@pytest.mark.parametrize("wrong", ["", "x", "a" * 32, "../" * 10 + "ab", "ä" * 32, "a" * 31 + "\n"])
def test_another_token_finds_nothing(client, wrong):
    with entered(client):
        assert find_link(wrong, NOW) is None


def test_a_token_is_worth_nothing_at_another_client(client, site, new_client):
    with entered(client):
        _link, token = make(site)
    with entered(new_client()):
        assert find_link(token, NOW) is None


def test_a_link_ends_when_it_expires(client, site):
    with entered(client):
        link, token = make(site, expires_at=NOW + dt.timedelta(days=1))
        assert find_link(token, NOW + dt.timedelta(hours=23)) == link
        assert find_link(token, NOW + dt.timedelta(days=1)) is None
        assert find_link_by_id(link.pk, NOW + dt.timedelta(days=1)) is None


def test_a_link_ends_when_it_is_revoked_and_only_once(client, site):
    with entered(client):
        link, token = make(site)
        assert revoke_link(link, NOW)
        assert not revoke_link(link, NOW)
        assert find_link(token, NOW) is None
        assert find_link_by_id(link.pk, NOW) is None
        assert link in links_of(site)
        delete_link(link)
        assert link not in links_of(site)


def test_a_new_token_ends_the_old_one(client, site):
    with entered(client):
        link, token = make(site)
        mark = password_mark(link)
        renewed = renew_link(link)
        assert find_link(token, NOW) is None
        assert find_link(renewed, NOW) == link
        assert password_mark(link) != mark


def test_a_password_is_kept_as_a_hash_and_asked_for(client, site):
    with entered(client):
        link, _token = make(site, password="only for the board")
        open_link, _token = make(site)
    assert "only for the board" not in link.password
    assert is_password_right(link, "only for the board")
    assert not is_password_right(link, "only for the bored")
    assert not is_password_right(link, "")
    assert is_password_right(open_link, "")


def test_uses_are_counted(client, site):
    with entered(client):
        link, _token = make(site)
        record_use(link, NOW)
        record_use(link, NOW + dt.timedelta(hours=1))
        link.refresh_from_db()
    assert (link.uses, link.last_used_at) == (2, NOW + dt.timedelta(hours=1))
