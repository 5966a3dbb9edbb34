"""The demo: seeded once whatever happens, and websites that carry the script."""

import datetime as dt
import re
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.test import override_settings

from agency.arriving import find_former_hit
from agency.demo import seeding
from agency.demo.clients import DEMO_CLIENTS
from agency.demo.logins import demo_logins
from agency.demo.seeding import is_wanted, seed_demo
from tenants.models import AuditEntry, Client, Membership, Role, User
from tenants.schemas import entered

DAYS = 5


def _counts(slug):
    client = Client.objects.get(slug=slug)
    with entered(client), connection.cursor() as cursor:
        found = {}
        for table in ("hits", "visits", "origins", "hour_stats", "day_stats"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found


class Killed(BaseException):
    """What a signal would do, in the middle."""


@pytest.fixture(scope="module")
def demo(databases):
    """The demo, seeded on the second try: the first one is killed between two transactions."""
    now = dt.datetime.now(dt.UTC)
    told = []

    def kill(line):
        told.append(line)
        if line.startswith("Harbour Playhouse: ") and re.search(r"\d{4}$", line):
            raise Killed

    with pytest.raises(Killed):
        seed_demo(days=DAYS, progress=kill, now=now)
    assert is_unfinished()
    result = seed_demo(days=DAYS, now=now)
    assert not is_unfinished()
    return now, result


def is_unfinished():
    acts = set(AuditEntry.objects.filter(actor=seeding.ACTOR).values_list("act", flat=True))
    return "demo.begin" in acts and "demo.end" not in acts


def test_a_killed_seeding_is_finished_by_the_next_one(demo):
    _, result = demo
    assert result.clients == 0  # the first try had made them
    for each in DEMO_CLIENTS:
        counts = _counts(each.slug)
        assert counts["hits"] > 300
        assert counts["visits"] > 80
        assert counts["day_stats"] > 100
    assert not is_wanted()


def test_seeding_twice_gives_the_same_counts(demo):
    now, _ = demo
    before = {each.slug: _counts(each.slug) for each in DEMO_CLIENTS}
    again = seed_demo(days=DAYS, now=now)
    assert {each.slug: _counts(each.slug) for each in DEMO_CLIENTS} == before
    assert (again.clients, again.people, again.hits, again.visits) == (0, 0, 0, 0)


def test_hits_lost_count_of_are_not_stored_twice(demo):
    now, _ = demo
    before = {each.slug: _counts(each.slug) for each in DEMO_CLIENTS}
    AuditEntry.objects.filter(act="demo.history").delete()
    assert seed_demo(days=DAYS, now=now).hits == 0
    assert {each.slug: _counts(each.slug) for each in DEMO_CLIENTS} == before


def test_the_history_lies_within_its_days_and_before_now(demo):
    now, _ = demo
    for each in DEMO_CLIENTS:
        client = Client.objects.get(slug=each.slug)
        with entered(client), connection.cursor() as cursor:
            cursor.execute("SELECT min(at), max(at) FROM hits")
            first, last = cursor.fetchone()
            cursor.execute("SELECT count(*) FROM hits_default")
            assert cursor.fetchone()[0] == 0
        assert now - dt.timedelta(days=DAYS + 1) < first
        assert last < now


def test_nobody_is_told_to_wait_for_the_first_hit_of_a_website_with_a_history(demo):
    now, _ = demo
    for each in DEMO_CLIENTS:
        client = Client.objects.get(slug=each.slug)
        former = find_former_hit(client, client.sites.get(), now=now)
        assert former is not None
        assert now - dt.timedelta(days=1) < former < now


def test_the_demo_has_people_of_every_role(demo):
    logins = demo_logins()
    assert len(logins) == 3 + 2 * len(DEMO_CLIENTS)
    roles = Counter(
        Membership.objects.filter(user__email__in=[login.email for login in logins]).values_list(
            "role", flat=True
        )
    )
    one_each = {Role.OWNER: 1, Role.ANALYST: 1, Role.PRIVACY_OFFICER: 1}
    at_clients = {Role.MANAGER: len(DEMO_CLIENTS), Role.VIEWER: len(DEMO_CLIENTS)}
    assert roles == one_each | at_clients
    for login in logins[:3]:
        assert User.objects.get(email=login.email).check_password(login.password)


def test_if_new_leaves_a_database_with_clients_alone(demo, capsys):
    before = AuditEntry.objects.count()
    call_command("seed_demo", "--if-new")
    assert AuditEntry.objects.count() == before


def test_a_history_ends_before_now(demo):
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(CommandError, match="--until: a time that is over"):
        call_command("seed_demo", "--until", f"{now + dt.timedelta(hours=1):%Y-%m-%dT%H:%M}")
    seeded_at, _ = demo
    before = _counts("harbour")
    call_command("seed_demo", "--days", str(DAYS), "--until", seeded_at.isoformat())
    assert _counts("harbour") == before


@override_settings(PRODUCTION=True)
def test_production_refuses_the_demo(databases):
    with pytest.raises(CommandError, match="not for production"):
        call_command("seed_demo")


@pytest.mark.parametrize("each", DEMO_CLIENTS, ids=lambda each: each.slug)
def test_every_demo_page_carries_the_clients_script_and_sets_no_cookie(demo, each):
    key = Client.objects.get(slug=each.slug).sites.get().key
    browser = Browser(headers={"host": f"{each.slug}-demo.localhost:8000"})
    script = f'<script defer src="http://{each.slug}.localhost:8000/outward.js" data-site="{key}">'
    for page in each.pages:
        reply = browser.get(page.path, SERVER_PORT="8000")
        html = reply.content.decode()
        assert reply.status_code == 200
        assert script in html
        assert not reply.cookies
        assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", html)
        policy = reply.headers["Content-Security-Policy"]
        assert f"connect-src http://{each.slug}.localhost:8000" in policy
        assert "unsafe" not in policy
        assert "data-outward-404" not in html
        for link in re.findall(r'href="(/[^"]*)"', html):
            if not link.startswith("/static/"):
                assert browser.get(link).status_code == 200, link


@pytest.mark.parametrize("each", DEMO_CLIENTS, ids=lambda each: each.slug)
def test_a_lost_page_says_so_to_the_script(demo, each):
    browser = Browser(headers={"host": f"{each.slug}-demo.localhost:8000"})
    for path in each.lost_paths:
        reply = browser.get(path)
        assert reply.status_code == 404
        assert b"data-outward-404" in reply.content


def test_a_posted_form_is_thanked_for_and_kept_nowhere(demo):
    browser = Browser(headers={"host": "fellside-demo.localhost:8000"}, enforce_csrf_checks=True)
    reply = browser.post("/contact", {"name": "A", "postcode": "LA9 4AB", "message": "Rain?"})
    assert reply.status_code == 200
    assert b"LA9 4AB" not in reply.content.replace(b'placeholder="LA9 4AB"', b"")
    assert b"Thank you" in reply.content


def test_an_unknown_demo_host_is_not_found(databases):
    assert Browser(headers={"host": "nobody-demo.localhost"}).get("/").status_code == 404
