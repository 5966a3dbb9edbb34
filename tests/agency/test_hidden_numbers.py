"""What is hidden below k is hidden on every surface: never a 0, never an exact small number."""

import csv
import datetime as dt
import io
import re

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from agency.report_chart import Ink, line_chart
from agency.report_digest import make_sheet
from agency.report_tables import Asked
from agency.wording import locale_of
from tenants.models import Client, Role, Section, Site
from tests.agency.delivery_stage import browser_of, person
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tracking.analysis.definitions import save_goal
from tracking.analysis.goals import Rule
from tracking.models import GoalKind
from tracking.query.model import Condition
from tracking.reports.periods import Period, site_today
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

URLCONF = "agency.urls_client"
FEW, MANY = "f=is,visit:outcode,GB LA1", "f=is,visit:outcode,GB EC1"
WEEK = "period=7d"


@pytest.fixture(scope="module")
def client(new_client) -> Client:
    """One visitor of GB LA1 three days ago, nine of GB EC1: one of them four days ago."""
    client: Client = new_client("hidden", timezone_name="Europe/London")
    site, now = site_of(client), timezone.now()
    found = [("GB LA1", 3, 100)]
    found += [("GB EC1", 1, number) for number in range(8)]
    found += [("GB EC1", 4, 200)]
    # Without others, everybody less GB EC1 would be the one of GB LA1.
    found += [("GB M1", days, 300 + number) for days in (1, 4) for number in range(8)]
    hits = [
        hit(
            client.pk,
            site.pk,
            now - dt.timedelta(days=days),
            visitor,
            outcode=outcode,
            country="GB",
            source="google",
            consented=True,
            path="/thanks",
        )
        for outcode, days, visitor in found
    ]
    store_hits(client, sorted(hits, key=lambda one: one.at_us), zones=site_zones(client))
    roll_up_client(client, now=now)
    save_goal(
        client, site, Rule("Thanks", GoalKind.PAGE, "/thanks"), now=now, acting_user="the tests"
    )
    return client


@pytest.fixture(scope="module")
def site(client) -> Site:
    return site_of(client)


@pytest.fixture(scope="module")
def manager(client) -> Browser:
    return browser_of(client, person("manager@hidden.example", client, Role.MANAGER))


def page_of(browser: Browser, address: str) -> str:
    reply = browser.get(address)
    assert reply.status_code == 200, reply.content.decode()[:600]
    return reply.content.decode()


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def figures_of(html: str) -> list[str]:
    """Value, change and value before of each total."""
    row = html.split('<dl class="figures">')[1].split("</dl>")[0]
    return [words_of(each.split("</dd>")[0]) for each in row.split("<dd>")[1:]]


def days_ago(site: Site, days: int) -> str:
    return (site_today(site, timezone.now()) - dt.timedelta(days=days)).isoformat()


def test_hidden_totals_are_fewer_than_k_and_have_no_change(manager):
    html = page_of(manager, f"/?{WEEK}&{FEW}")
    assert figures_of(html) == ["fewer than 5 – from 0", "– – from 0", "– – from 0", *["– –"] * 4]


def test_a_hidden_period_before_is_not_none(manager, site):
    first, last = days_ago(site, 2), days_ago(site, 0)
    html = page_of(manager, f"/?from={first}&to={last}&{MANY}")
    assert figures_of(html)[:2] == ["8 – from fewer than 5", "8 –"]


def test_hidden_days_are_gaps_in_the_chart(manager, site):
    address = reverse("series", URLCONF, args=[site.pk])
    data = manager.get(f"{address}?{WEEK}&{FEW}&compare=none").json()["datasets"][0]["data"]
    assert data == [0, 0, 0, None, 0, 0, 0]


def test_hidden_days_are_empty_cells_in_a_file(manager, site):
    address = f"/sites/{site.pk}/export/days.csv?{WEEK}&head=no&{FEW}"
    lines = b"".join(manager.get(address).streaming_content).decode()
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(lines)) if len(row) > 1}
    assert rows[days_ago(site, 3)] == [""] * 7
    assert rows[days_ago(site, 2)][:3] == ["0", "0", "0"]


def test_hidden_figures_and_days_of_a_sheet_have_no_numbers(client, site):
    today = site_today(site, timezone.now())
    period = Period(today - dt.timedelta(days=6), today)
    few = Condition("is", "visit:outcode", ("GB LA1",))
    asked = Asked(
        client, site, period, None, locale_of(client.locale), 5, timezone.now(), filters=few
    )
    sheet = make_sheet(asked, [Section.OVERVIEW], keys=())
    assert sheet.figures[0].value == "fewer than 5"
    assert {figure.value for figure in sheet.figures[1:]} == {"–"}
    assert [day.visitors for day in sheet.days] == [0, 0, 0, None, 0, 0, 0]


def test_a_gap_breaks_the_line_on_paper():
    svg = line_chart(
        list("abcde"), [1, None, 2, 3, None], [], ink=Ink("#000", "#eee"), words="Visitors"
    )
    lines = re.findall(r'class="now" points="([^"]+)"', svg)
    assert [line.count(",") for line in lines] == [2, 2]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("goals", "Fewer than 5 visitors,"),
        ("retention", "Fewer than 5 visitors who agreed to a cookie"),
    ],
)
def test_the_lead_of_a_page_tells_no_small_number(manager, site, name, words):
    html = page_of(manager, reverse(name, URLCONF, args=[site.pk]) + f"?{WEEK}&{FEW}")
    assert words in words_of(html)
    assert "1 visitors" not in words_of(html)
    many = page_of(manager, reverse(name, URLCONF, args=[site.pk]) + f"?{WEEK}&{MANY}")
    assert "9 visitors" in words_of(many)


def test_a_hidden_goal_keeps_its_name(manager, site):
    html = page_of(manager, f"/?{WEEK}&{FEW}")
    panel = words_of(html.split('id="panel-goals"')[1].split("</section>")[0])
    assert "Thanks fewer than 5" in panel
    address = f"/sites/{site.pk}/export/goals.csv?{WEEK}&head=no&{FEW}"
    assert "Thanks,," in b"".join(manager.get(address).streaming_content).decode()
