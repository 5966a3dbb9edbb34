"""All clients at a glance: right sums, found and sorted, in a number of queries that stays."""

import datetime as dt
import re
import time
from html import unescape
from xml.etree import ElementTree

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.models import AuditEntry, Client, ClientDay, ClientGroup, ClientState
from tenants.schemas import entered
from tenants.usage import daily_totals, site_usage, total_of, usage_of
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tests.walking import browser_of
from tracking.models import Alert, AlertEvent
from tracking.models.delivery import AlertKind
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)


def day(client, ago, now, *, site_id=0, **sums):
    fields = {"visits": 0, "consented_visits": 0, "visitors": 0, "pageviews": 0, "events": 0}
    return ClientDay.objects.create(
        client=client,
        site_id=site_id or site_of(client).pk,
        day=now.date() - dt.timedelta(days=ago),
        bytes_sent=0,
        **{**fields, **sums},
    )


@pytest.fixture
def staff(agency_owner):
    return browser_of(agency_owner, settings.AGENCY_HOST)


@pytest.fixture(scope="module")
def bare_clients(databases):
    """Clients without a schema, as many as a large agency has: their pages never enter one."""
    clients = Client.objects.bulk_create(
        Client(
            slug=f"bare-{number}",
            name=f"Bare {number:03}",
            schema_name=f"c_bare_{number}",
            db_role=f"c_bare_{number}",
            is_active=False,
        )
        for number in range(200)
    )
    now = timezone.now()
    ClientState.objects.bulk_create(
        ClientState(client=one, last_hit_at=now, live_now=2, live_at=now) for one in clients
    )
    today = now.date()
    ClientDay.objects.bulk_create(
        ClientDay(
            client=one,
            site_id=10_000 + one.pk,
            day=today - dt.timedelta(days=ago),
            visits=ago + 1,
            consented_visits=1,
            visitors=1,
            pageviews=3,
            events=0,
            bytes_sent=0,
        )
        for one in clients
        for ago in range(60)
    )
    yield clients
    Client.objects.filter(pk__in=[one.pk for one in clients]).delete()


@pytest.fixture
def two_hundred(bare_clients):
    ids = [one.pk for one in bare_clients]
    Client.objects.filter(pk__in=ids).update(is_active=True)
    yield bare_clients
    Client.objects.filter(pk__in=ids).update(is_active=False)


def test_sums_are_those_of_the_days_of_the_period_and_of_as_many_before(new_client):
    client = new_client()
    for ago, visits in ((0, 5), (6, 7), (7, 11), (13, 13), (14, 17), (29, 19), (30, 23)):
        day(client, ago, NOON, visits=visits, consented_visits=1, pageviews=2 * visits)
    day(client, 3, NOON, site_id=987_654, visits=100)
    usage = usage_of([client], days=7, now=NOON)[client.pk]
    assert usage.now.visits == 5 + 7 + 100
    assert (usage.whole.visits, usage.before.visits) == (7 + 11 + 100, 13 + 17)
    assert usage.now.pageviews == 24
    assert (usage.series[-1], usage.series[-4], usage.series[0]) == (5, 100, 19)
    today = usage_of([client], days=1, now=NOON)[client.pk]
    assert today.now.visits == 5
    assert usage.now.consent_rate == 2 / 112
    by_site = site_usage(client, starts_on=dt.date(2026, 6, 1), ends_on=NOON.date())
    assert by_site[987_654].visits == 100


def test_each_clients_days_are_those_of_its_own_clock(new_client):
    evening = dt.datetime(2026, 6, 15, 20, tzinfo=dt.UTC)  # the 16th has begun in Auckland
    here, there = new_client(), new_client(timezone_name="Pacific/Auckland")
    for client in (here, there):
        day(client, 0, evening, visits=1)
        day(client, -1, evening, visits=10)
    found = usage_of([here, there], days=1, now=evening)
    assert found[here.pk].now.visits == 1
    assert found[there.pk].now.visits == 10
    assert total_of(found).now.visits == 11
    totals = daily_totals([here, there], days=7, now=evening)
    assert [one.visits for one in totals] == [0, 0, 0, 0, 0, 1, 11]
    week = usage_of([here, there], days=7, now=evening)
    assert sum(one.visits for one in totals) == total_of(week).now.visits


def row_of(page, name):
    rows = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)
    return next(row for row in rows if f">{name}</a>" in row)


def test_a_hit_shows_on_the_page_after_the_rollup(new_client, staff):
    client = new_client("glance-one", name="Glance One")
    now = timezone.now()
    at = now - dt.timedelta(minutes=1)
    site = site_of(client)
    hits = [hit(client.pk, site.pk, at, visitor, consented=visitor == 1) for visitor in (1, 2)]
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    row = row_of(staff.get("/?period=7d").content.decode(), "Glance One")
    assert "glance-one.localhost" in row
    assert re.search(r"<b>2</b>", row), "live now"
    assert "50%" in row, "consent"
    assert "minute" in row or "just now" in row


def test_a_morning_is_not_compared_with_a_whole_day(new_client, staff):
    client = new_client("mornings", name="Mornings")
    nine = dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
    day(client, 0, nine, visits=3)
    for ago in range(1, 61):
        day(client, ago, nine, visits=100)
    with time_machine.travel(nine, tick=False):
        for period, visits in (("7d", "603"), ("30d", "2,903")):
            page = staff.get(f"/?q=mornings&period={period}").content.decode()
            row = row_of(page, "Mornings")
            assert visits in row
            assert "no change" in row
            assert 'data-tone="bad"' not in page
        week = staff.get("/?q=mornings&period=7d").content.decode()
        assert "Changes compare whole days: 8–14 Jun 2026 with 1–7 Jun 2026" in week
        today = staff.get("/?q=mornings&period=today").content.decode()
        assert "Changes compare" not in today
        assert ">–</td>" in row_of(today, "Mornings")
        page = staff.get("/clients/mornings/").content.decode()
        assert "no change" in page
        assert re.search(r"Changes compare whole days: 16 May\s–\s14 Jun 2026 with", page)


def test_the_rollups_total_is_the_sum_of_its_chart_at_every_hour(new_client, staff):
    far = new_client("far-east", name="Far East", timezone_name="Pacific/Auckland")
    evening = dt.datetime(2026, 7, 1, 20, tzinfo=dt.UTC)  # the 2nd has begun there
    for ago in range(-1, 61):
        day(far, ago, evening, visits=ago + 2, pageviews=2 * ago + 5)
    with time_machine.travel(evening, tick=False):
        for period in ("7d", "30d", "90d"):
            for measure in ("visits", "pageviews"):
                page = staff.get(f"/roll-up/?period={period}&measure={measure}").content.decode()
                data = staff.get(f"/roll-up/{measure}.json?period={period}").json()["datasets"]
                total = re.search(
                    r'class="choose"[^>]* aria-current.*?class="value">([\d,]+)', page, re.DOTALL
                )
                assert total
                assert sum(data[0]["data"]) == int(total[1].replace(",", ""))
                assert len(data[0]["data"]) == len(data[1]["data"])


def test_the_page_searches_sorts_and_filters_by_the_address(new_client, staff):
    small, large = (
        new_client("sort-s", name="Sorted Small"),
        new_client("sort-l", name="Sorted Large"),
    )
    now = timezone.now()
    day(small, 1, now, visits=3)
    day(small, 32, now, visits=1)
    day(large, 1, now, visits=9_000)
    ClientState.objects.create(client=small, open_alerts=4, last_hit_at=now)

    def order(query: str) -> list[str]:
        page = staff.get(f"/?q=sorted&{query}").content.decode()
        return re.findall(r">(Sorted \w+)</a>", page)

    assert order("sort=-visits") == ["Sorted Large", "Sorted Small"]
    assert order("sort=visits") == ["Sorted Small", "Sorted Large"]
    assert order("sort=name") == ["Sorted Large", "Sorted Small"]
    assert order("sort=-change") == ["Sorted Small", "Sorted Large"]
    assert order("sort=-alerts") == ["Sorted Small", "Sorted Large"]
    assert order("sort=-last") == ["Sorted Small", "Sorted Large"]
    assert order("sort=nonsense&period=ages&group=x") == ["Sorted Large", "Sorted Small"]
    group = ClientGroup.objects.create(name="Little ones")
    group.clients.add(small)
    assert order(f"group={group.pk}") == ["Sorted Small"]
    assert "No client fits" in staff.get("/?q=nobody-is-called-so").content.decode()
    partial = staff.get("/?q=sorted", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in partial
    assert "Sorted Large" in partial


def test_staff_of_chosen_clients_see_and_add_up_those_alone(
    new_client, analyst_of_b, client_b, staff
):
    other = new_client("hidden-one", name="Hidden One")
    now = timezone.now()
    day(other, 1, now, visits=777_777)
    page = browser_of(analyst_of_b, settings.AGENCY_HOST).get("/").content.decode()
    assert "Bravo Ltd" in page
    assert "Hidden One" not in page
    assert "777,777" not in page
    assert "777,777" in staff.get("/?q=hidden-one").content.decode()
    rollup = browser_of(analyst_of_b, settings.AGENCY_HOST).get("/roll-up/").content.decode()
    assert "Hidden One" not in rollup


def queries(browser, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", ["/", "/?period=7d&sort=-live", "/roll-up/", "/live/"])
def test_the_number_of_queries_does_not_grow_with_the_clients(path, staff, client_a, bare_clients):
    staff.get(path)  # caches of sessions and templates are warm then
    few = queries(staff, path)
    ids = [one.pk for one in bare_clients]
    Client.objects.filter(pk__in=ids).update(is_active=True)
    try:
        many = queries(staff, path)
    finally:
        Client.objects.filter(pk__in=ids).update(is_active=False)
    assert many == few
    assert many <= 14


def test_two_hundred_clients_are_shown_at_once(staff, two_hundred):
    staff.get("/")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        page = staff.get("/").content.decode()
        times.append(time.perf_counter() - began)
    assert page.count('<th scope="row">') >= 200
    # The bench holds it to 0.3 s on a machine of its own; here others run beside it.
    assert min(times) < 1.5


def test_the_rollup_adds_up_days_and_never_visitors(new_client, staff):
    client = new_client("together", name="Together")
    now = timezone.now()
    before = staff.get("/roll-up/visits.json?period=7d").json()["datasets"][0]["data"]
    day(client, 2, now, visits=40, visitors=39)
    reply = staff.get("/roll-up/visits.json?period=7d").json()
    data = reply["datasets"][0]["data"]
    assert len(data) == len(reply["labels"]) == 7
    assert data[4] - before[4] == 40
    page = staff.get("/roll-up/?period=7d").content.decode()
    assert "no number of visitors over all clients" in page
    assert staff.get("/roll-up/visitors.json").status_code == 404


def test_a_clients_page_shows_its_websites_state_and_people(client_a, manager_a, staff, client_b):
    page = staff.get(f"/clients/{client_a.slug}/").content.decode()
    assert "www.alpha.example" in page
    assert manager_a.email in page
    assert "None yet" in page
    assert f"/clients/{client_a.pk}/enter/" in page
    assert staff.get("/clients/nobody-such/").status_code == 404


def test_groups_are_made_changed_and_deleted_on_the_record(client_a, client_b, staff, analyst_of_b):
    made = staff.post("/groups/", {"name": "Shops", "order": "1", "clients": [client_a.pk]})
    assert made.status_code == 302
    group = ClientGroup.objects.get(name="Shops")
    twice = staff.post("/groups/", {"name": "Shops", "order": "1"})
    assert twice.status_code == 422
    # Who sees client B alone changes nothing about client A's place in the group.
    partly = browser_of(analyst_of_b, settings.AGENCY_HOST)
    partly.post(f"/groups/{group.pk}/", {"name": "Shops", "order": "2", "clients": [client_b.pk]})
    assert set(group.clients.values_list("pk", flat=True)) == {client_a.pk, client_b.pk}
    assert staff.post(f"/groups/{group.pk}/delete/").status_code == 302
    assert not ClientGroup.objects.filter(pk=group.pk).exists()
    assert Client.objects.filter(pk=client_a.pk).exists()


def test_groups_are_found_beside_the_clients_and_chosen_in_a_clients_settings(
    new_client, staff, privacy_officer
):
    client = new_client("grouped", name="Grouped Ltd")
    path = "/clients/grouped/settings/"
    assert 'href="/groups/"' in staff.get("/").content.decode()
    reader = browser_of(privacy_officer, settings.AGENCY_HOST)
    assert 'href="/groups/"' not in reader.get("/").content.decode()
    first = ClientGroup.objects.create(name="Mondays")
    second = ClientGroup.objects.create(name="Charities")
    client.groups.set([first])
    assert "Mondays" in staff.get("/clients/grouped/").content.decode()
    assert "Charities" in staff.get(path).content.decode()
    kept = {
        "name": "Grouped Ltd", "timezone": "Europe/London", "locale": "en-gb", "currency": "GBP",
    }  # fmt: skip
    assert staff.post(path, {**kept, "groups": [second.pk]}).status_code == 302
    assert list(client.groups.all()) == [second]
    entry = AuditEntry.objects.filter(client_id=client.pk, act="client.change").latest("pk")
    assert entry.details == {"from": {"groups": ["Mondays"]}, "to": {"groups": ["Charities"]}}
    assert staff.post(path, {**kept, "groups": ["0"]}).status_code == 422
    first.delete()
    second.delete()


def test_the_number_of_alerts_leads_to_the_alerts(new_client, staff):
    client = new_client("alarmed", name="Alarmed")
    site, now = site_of(client), timezone.now()
    with entered(client):
        common = {"site_id": site.pk, "kind": AlertKind.NO_HITS, "created_at": now}
        held = Alert.objects.create(name="Nothing comes in", **common)
        quiet = Alert.objects.create(name="All is well", **common)
        for alert, ended_at in ((held, None), (quiet, now)):
            AlertEvent.objects.create(alert=alert, began_at=now, ended_at=ended_at)
    ClientState.objects.create(client=client, open_alerts=1)
    row = row_of(staff.get("/?q=alarmed").content.decode(), "Alarmed")
    assert 'href="/clients/alarmed/#alerts"' in row
    page = staff.get("/clients/alarmed/").content.decode()
    assert 'id="alerts"' in page
    assert "All is well" not in page
    link = re.search(r'href="([^"]+)">Nothing comes in</a>', page)
    assert link
    there = staff.get(link[1])
    assert there["Location"].startswith("http://alarmed.localhost")
    assert link[1].endswith(f"?next=/sites/{site.pk}/alerts/{held.pk}/")


def test_who_is_there_now_is_asked_for_again(new_client, staff, analyst_of_b):
    client = new_client("lively", name="Lively")
    now = timezone.now()
    ClientState.objects.create(client=client, live_now=3, live_at=now)
    page = staff.get("/?q=lively&sort=name").content.decode()
    url = re.search(r'hx-get="(/live/[^"]*)" hx-trigger="every 10s"', page)
    assert url
    ClientState.objects.filter(client=client).update(live_now=1_204)
    asked = unescape(url[1])
    with CaptureQueriesContext(connection) as captured:
        counts = staff.get(asked).content.decode()
    assert len(captured) <= 8
    assert f'<span id="live-{client.pk}" hx-swap-oob="innerHTML"><b>1,204</b></span>' in counts
    assert f'id="live-{client.pk}"' in page
    assert 'id="live-total"' in page
    assert '<span id="live-total" hx-swap-oob="innerHTML">1,204</span>' in counts
    ClientState.objects.filter(client=client).update(live_at=now - dt.timedelta(minutes=6))
    assert "1,204" not in staff.get(asked).content.decode()
    scoped = browser_of(analyst_of_b, settings.AGENCY_HOST).get(asked).content.decode()
    assert f'id="live-{client.pk}"' not in scoped


def test_the_heads_of_columns_explain_their_words(client_a, staff):
    page = staff.get("/").content.decode()
    for words in ("Visits", "Change", "Now", "Last hit", "Consent", "Alerts"):
        assert re.search(rf'>{words}</a> <button[^>]* aria-label="What is {words}\?"', page), words
    assert "Who came on two days" in page


def test_a_clients_host_has_its_own_mark_in_the_browsers_tab(new_client):
    client = new_client("marked", name="<Ångström> & Co", accent_colour="#ffdd55")
    browser = Browser(headers={"host": "marked.localhost"})
    assert 'href="/mark.svg?ffdd55"' in browser.get("/log-in/").content.decode()
    mark = browser.get("/mark.svg")
    assert mark["Content-Type"] == "image/svg+xml"
    root = ElementTree.fromstring(mark.content)
    assert "".join(root.itertext()) == "Å"
    assert client.accent_colour not in mark.content.decode(), "darkened until it can be seen"
