"""The main job, as a newcomer tries it: click on a demo website, read the client's report."""

import re
import time
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agency.demo.logins import DEMO_PASSWORD
from tests.browser import launch
from tests.stack import Stack, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a few days of history, every process running."""
    with running(tmp_path_factory.mktemp("first") / "var") as stack:
        stack.manage("seed_demo", "--if-new", "--days", "3")
        stack.start_web()
        stack.start_writer()
        stack.start_worker()
        stack.wait_until_web_answers()
        yield stack


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's browser."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
"""A headless browser names itself as one, and is dropped as a bot: this is what a person's says."""


class Complaints(list[str]):
    """What the browser said of a page: script errors, refused sources."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on(
            "console",
            lambda message: self.append(message.text) if message.type == "error" else None,
        )


def open_report(browser: Browser, stack: Stack, slug: str, **context: object) -> Page:
    """The report of a demo client, its manager logged in."""
    page = browser.new_context(**context).new_page()  # type: ignore[arg-type]  # passed through
    page.goto(f"http://{slug}.localhost:{stack.port}/")
    page.get_by_label("E-mail address").fill(f"manager@{slug}.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def views_of(page: Page, path: str) -> int:
    """Views of a page in the report of today; 0 when it is not there."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=path, exact=True))
    if row.count() == 0:
        return 0
    return int(row.first.get_by_role("cell").last.inner_text().replace(",", ""))


def test_a_click_shows_live_within_3_seconds_and_in_the_report_within_90(
    stack: Stack, chromium: Browser
) -> None:
    report = open_report(chromium, stack, "fellside")
    other = open_report(chromium, stack, "harbour")
    for page in (report, other):
        page.goto(page.url + "?period=today")
    before = int(report.locator("#live b").inner_text())
    before_elsewhere = other.locator("#live b").inner_text()
    views = views_of(report, "/stores")

    complaints = Complaints()
    visitor = chromium.new_context(user_agent=PERSON).new_page()
    complaints.watch(visitor)
    visitor.goto(f"http://fellside-demo.localhost:{stack.port}/")
    visitor.get_by_role("link", name="Stores").first.click()
    clicked = time.monotonic()
    expect(report.locator("#live b")).to_have_text(str(before + 1), timeout=3_000)
    assert complaints == []
    assert visitor.context.cookies() == []

    while views_of(report, "/stores") <= views:
        assert time.monotonic() - clicked < 90, "not in the report within 90 s"
        report.wait_for_timeout(2_000)
        report.reload()
    assert views_of(report, "/stores") == views + 1
    other.reload()
    assert other.locator("#live b").inner_text() == before_elsewhere
    assert views_of(other, "/stores") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_report_draws_its_charts_and_keeps_to_wcag(
    stack: Stack, chromium: Browser, scheme: str, width: int
) -> None:
    page = open_report(
        chromium, stack, "tamarind", color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    complaints = Complaints()
    complaints.watch(page)
    page.goto(page.url + "?period=7d")
    canvases = page.locator("canvas[data-chart]")
    expect(page.locator("canvas[data-drawn=yes]")).to_have_count(canvases.count())
    assert canvases.count() >= 6
    painted = page.evaluate(
        "Array.from(document.querySelectorAll('canvas[data-chart]')).every(c =>"
        " c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v))"
    )
    assert painted
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert complaints == []


def test_tabs_work_with_the_keyboard(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour")
    page.goto(page.url + "?period=7d")
    tab = page.get_by_role("tab", name="Country")
    tab.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Outcode")).to_be_focused()
    expect(page.get_by_role("tab", name="Outcode")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#places-body")).to_contain_text(
        re.compile("Outward code\\s*Visitors|Nobody gave")
    )


def test_dates_that_make_no_sense_are_refused_with_a_remedy(
    stack: Stack, chromium: Browser
) -> None:
    page = open_report(chromium, stack, "harbour")
    page.goto(page.url + "?from=2026-05-02&to=2026-05-01")
    expect(page.get_by_role("alert")).to_contain_text("exchange the two dates")
    page.goto(page.url.partition("?")[0] + "?from=yesterday&to=2026-05-01")
    expect(page.get_by_role("alert")).to_contain_text("From:")


@pytest.mark.parametrize("host", ["fellside", "agency"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_log_in_page_keeps_to_wcag_and_says_what_went_wrong(
    stack: Stack, chromium: Browser, host: str, scheme: str
) -> None:
    page = chromium.new_context(color_scheme=scheme).new_page()  # type: ignore[arg-type]  # one of two
    page.goto(f"http://{host}.localhost:{stack.port}/log-in/")
    page.get_by_label("E-mail address").fill("nobody@elsewhere.example")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_staff_see_all_clients(stack: Stack, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"http://agency.localhost:{stack.port}/")
    page.get_by_label("E-mail address").fill("owner@outward.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    for name in ("Fellside Outfitters", "Harbour Playhouse", "Tamarind Ledger"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
