"""What no page asks for by itself is answered by words about it, not by a crash."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants.models import Client, Role, Site
from tests.agency.delivery_stage import browser_of, fill, person
from tests.conftest import site_of
from tracking.analysis.definitions import save_goal
from tracking.analysis.goals import Rule
from tracking.models import GoalKind
from tracking.query import reading
from tracking.query.model import QueryError
from tracking.query.reading import raw_cursor

URLCONF = "agency.urls_client"
HALF = "\\ud800"


@pytest.fixture(scope="module")
def client(new_client) -> Client:
    found: Client = new_client("strange")
    return found


@pytest.fixture(scope="module")
def site(client) -> Site:
    return site_of(client)


@pytest.fixture(scope="module")
def viewer(client) -> Browser:
    return browser_of(client, person("viewer@strange.example", client, Role.VIEWER))


def words_of(reply) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", reply.content.decode()).split())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "\0"}, "Start left out: no page has a NUL"),
        ({"start": "/", "step": ["/a", "/\0"]}, "Steps left out: no page has a NUL"),
    ],
)
def test_a_nul_is_no_page_of_a_journey(viewer, site, asked, words):
    reply = viewer.get(reverse("journeys", URLCONF, args=[site.pk]), asked)
    assert reply.status_code == 200
    assert words in words_of(reply)


@pytest.mark.parametrize(
    "text",
    [
        "is,segment," + "7" * 5_000,
        "is,segment,²",
        '["is","visit:source",[' + "7" * 5_000 + "]]",
        f'["is","visit:source",["{HALF}"]]',
        f'["is","event:props:{HALF}",["a"]]',
        f'["{HALF}","visit:source",["a"]]',
        '["is","event:props:\\u0000",["a"]]',
    ],
)
@pytest.mark.parametrize("name", ["report", "goals"])
def test_a_strange_filter_is_left_out_and_told(viewer, site, name, text):
    reply = viewer.get(reverse(name, URLCONF, args=[site.pk]), {"f": text})
    assert reply.status_code == 200
    assert "Filter left out:" in words_of(reply)


def test_hundreds_of_conditions_are_too_many_in_an_address_too(viewer, site):
    def many(name: str) -> str:
        return json.dumps(["and", [["is", "visit:source", [f"{name}{n}"]] for n in range(100)]])

    texts = [many(name) for name in "abcdef"]
    reply = viewer.get(reverse("funnels", URLCONF, args=[site.pk]), {"f": texts})
    assert "at most 500 conditions" in words_of(reply)


def test_a_statement_over_raw_rows_ends_with_words(client, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST_MS", 20)
    with pytest.raises(QueryError, match="choose a shorter period"), raw_cursor() as cursor:
        cursor.execute("SELECT count(*) FROM generate_series(1, 100000000)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.fixture(scope="module")
def busy(new_client) -> Client:
    found: Client = new_client("strange-busy", timezone_name="Europe/London")
    site, now = fill(found, timezone.now()), timezone.now()
    goal = Rule("Any page", GoalKind.PAGE, "/*")
    save_goal(found, site, goal, now=now, acting_user="the tests")
    return found


@contextmanager
def locked(client: Client) -> Iterator[None]:
    """Nobody can read visits meanwhile."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{client.schema_name}".visits IN ACCESS EXCLUSIVE MODE')
        yield
        other.rollback()
    finally:
        other.close()


@pytest.mark.parametrize("name", ["goals", "journeys", "retention"])
@pytest.mark.parametrize("texts", [[], ["is,visit:browser,Firefox"]])
def test_what_cannot_be_counted_in_time_is_told(busy, monkeypatch, name, texts):
    browser = browser_of(busy, person(f"{name}{len(texts)}@busy.example", busy, Role.VIEWER))
    monkeypatch.setattr(reading, "LONGEST_MS", 100)
    with locked(busy):
        reply = browser.get(reverse(name, URLCONF, args=[site_of(busy).pk]), {"f": texts})
    assert reply.status_code == 422
    assert "This page could not be counted" in words_of(reply)
    assert "choose a shorter period" in words_of(reply)


def test_days_whose_visits_are_gone_are_told_where_single_visits_are_counted(busy):
    site = site_of(busy)
    browser = browser_of(busy, person("old@busy.example", busy, Role.MANAGER))
    old = f"from=2024-01-01&to={timezone.now():%Y-%m-%d}"
    for name in ("goals", "journeys", "retention", "funnels"):
        address = reverse(name, URLCONF, args=[site.pk])
        assert "Single visits are counted here" in words_of(browser.get(f"{address}?{old}"))
        assert "Single visits are counted" not in words_of(browser.get(f"{address}?period=7d"))
    panel = browser.get(reverse("panel", URLCONF, args=[site.pk, "goals"]) + f"?{old}")
    assert "Counted from single visits, which are kept since" in words_of(panel)

    def file(table: str) -> str:
        reply: Any = browser.get(f"/sites/{site.pk}/export/{table}.csv?{old}")
        return b"".join(reply.streaming_content).decode()

    assert "days before are missing" in file("goals")
    assert "days before are missing" not in file("pages")
