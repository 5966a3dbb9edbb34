"""Goals, funnels, journeys and the last half hour, as a client's manager uses them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.stack import Stack, running
from tests.test_first_report import Complaints

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(420)]

WAIT_MS = 30_000
SOMEBODY = """
from django.utils import timezone
from tenants.models import Client
from tests.tracking.traffic import hit
from tracking.writer.store import site_zones, store_hits
client = Client.objects.get(slug="harbour")
site, now = client.sites.get().pk, timezone.now()
hits = [hit(client.pk, site, now, n, path="/now") for n in range({first}, {after})]
store_hits(client, hits, zones=site_zones(client))
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with three weeks of history."""
    with running(tmp_path_factory.mktemp("analysis") / "var", demo=True) as stack:
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


@pytest.fixture
def complaints() -> Complaints:
    """What the browser says of the pages."""
    return Complaints()


@pytest.fixture
def page(stack: Stack, chromium: Browser, complaints: Complaints) -> Iterator[Page]:
    """The manager of the demo's theatre, logged in."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    complaints.watch(page)
    page.goto(f"http://harbour.localhost:{stack.port}/")
    page.get_by_label("E-mail address").fill("manager@harbour.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("link", name="Goals")).to_be_visible()
    yield page
    context.close()


def number(text: str) -> int:
    """The first number of a text."""
    found = re.search(r"[\d,]+", text)
    assert found, text
    return int(found[0].replace(",", ""))


def test_a_goal_tells_what_it_would_have_counted_while_it_is_written(
    page: Page, complaints: Complaints
) -> None:
    page.get_by_role("link", name="Goals").click()
    page.get_by_role("link", name="Add a goal").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Fill in the form")
    page.get_by_label("Path of the page").fill("/seas")
    expect(preview).to_contain_text("Nobody reached it")
    page.get_by_label("Path of the page").fill("/season*")
    expect(preview.locator(".preview-value")).to_be_visible()
    expect(preview.get_by_role("rowheader", name="/season", exact=True)).to_be_visible()
    wanted = number(preview.locator(".preview-value").inner_text())
    page.get_by_label("Name", exact=True).fill("Saw the season")
    page.get_by_role("button", name="Add goal").click()
    row = page.get_by_role("row").filter(has_text="Saw the season")
    assert number(row.get_by_role("cell").first.inner_text()) == wanted > 0
    row.get_by_role("link", name="Saw the season", exact=True).click()
    page.get_by_role("link", name="Device", exact=True).click()
    expect(page.get_by_role("columnheader", name="Device")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert complaints == []


def test_the_page_of_goals_is_filtered_where_it_stands(page: Page, complaints: Complaints) -> None:
    page.get_by_role("link", name="Goals").click()
    before = number(page.locator(".lead").inner_text())
    page.get_by_role("button", name="Segments").click()
    page.get_by_role("link", name="Phones from search").click()
    expect(page.locator(".chips")).to_contain_text("Phones from search")
    expect(page.get_by_role("heading", level=1)).to_have_text("Goals")
    assert 0 < number(page.locator(".lead").inner_text()) < before
    page.get_by_role("link", name="Remove filter").click()
    expect(page.locator(".chips")).to_have_count(0)
    assert number(page.locator(".lead").inner_text()) == before
    assert complaints == []


def test_a_funnel_is_built_with_the_keyboard_alone(page: Page, complaints: Complaints) -> None:
    page.get_by_role("link", name="Funnels").click()
    page.get_by_role("link", name="Add a funnel").click()
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("To the seats")
    page.keyboard.press("Tab")
    expect(page.locator("#id_step0-asks")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("/season/*")
    page.locator("#id_step1-match").focus()
    page.keyboard.type("/")
    page.locator("#add-step").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#id_step2-asks")).to_be_focused()
    page.locator("#id_step2-asks").select_option(label="Seats chosen")
    expect(page.locator("#id_step2-match")).to_be_hidden()
    expect(page.locator("#id_step0-match")).to_have_value("/season/*")
    page.get_by_role("button", name="Move step 2 up").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#id_step0-match")).to_have_value("/")
    expect(page.locator("#id_step1-match")).to_have_value("/season/*")
    expect(page.get_by_role("button", name="Move step 1 down")).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_value("To the seats")
    page.get_by_role("button", name="Add funnel").press("Enter")
    page.get_by_role("link", name="To the seats", exact=True).click()
    steps = page.locator(".funnel > li")
    expect(steps).to_have_count(3)
    counts = [number(steps.nth(at).locator(".step-value").inner_text()) for at in range(3)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > 0
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete funnel").click()
    expect(page.get_by_text("is deleted")).to_be_visible()
    assert complaints == []


def test_a_journey_is_followed_and_walked_back(page: Page, complaints: Complaints) -> None:
    page.get_by_role("link", name="Journeys").click()
    columns = page.locator(".journey > li:not(.journey-hint)")
    expect(columns).to_have_count(1)
    first = columns.first.get_by_role("link").first
    visits = number(first.locator(".journey-number").inner_text())
    first.click()
    expect(columns).to_have_count(2)
    assert number(columns.nth(1).locator("h2 span").inner_text()) == visits
    columns.nth(1).get_by_role("link").first.click()
    expect(columns).to_have_count(3)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.go_back()
    expect(columns).to_have_count(2)
    page.get_by_role("combobox", name="From").fill("/season")
    page.get_by_role("button", name="Show").click()
    expect(columns.first).to_contain_text("Start")
    assert complaints == []


def test_the_last_half_hour_refreshes_itself_without_being_built_anew(
    stack: Stack, page: Page, complaints: Complaints
) -> None:
    page.get_by_role("link", name="Realtime").click()
    now = page.locator(".realtime-now > b")
    stack.manage("shell", "-c", SOMEBODY.format(first=0, after=2))
    expect(now).to_have_text("2", timeout=15_000)
    page.evaluate("document.querySelector('.realtime-bars svg').kept = 'yes'")
    stack.manage("shell", "-c", SOMEBODY.format(first=2, after=5))
    expect(now).to_have_text("5", timeout=15_000)
    expect(page.get_by_role("rowheader", name="/now")).to_be_visible()
    assert page.evaluate("document.querySelector('.realtime-bars svg').kept") == "yes"
    assert complaints == []
