"""The main job, as a newcomer tries it: click on a demo website, read the client's report."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.stack import Stack, running
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a few days of history, every process running."""
    with running(tmp_path_factory.mktemp("first") / "var", demo=True) as stack:
        stack.start_web()
        stack.start_writer()
        stack.start_worker()
        stack.wait_until_web_answers()
        yield stack


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
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def open_pages(report: Page) -> Page:
    """All pages of the last days in a tab of their own: the report's panel shows the first only."""
    site = report.get_by_role("link", name="Goals", exact=True).first.get_attribute("href") or ""
    table = report.context.new_page()
    table.goto(
        report.url.partition("?")[0]
        + site.lstrip("/").partition("goals/")[0]
        + "table/pages/?period=7d"
    )
    return table


def visitors_of(table: Page, path: str) -> int:
    """Visitors of a page in the report; 0 when it is not there."""
    row = table.locator("main tbody tr").filter(
        has=table.get_by_role("link", name=path, exact=True)
    )
    if row.count() == 0:
        return 0
    return int(row.first.get_by_role("cell").first.inner_text().replace(",", ""))


def test_a_click_shows_live_within_3_seconds_and_in_the_report_within_90(
    stack: Stack, chromium: Browser
) -> None:
    report = open_report(chromium, stack, "fellside")
    other = open_report(chromium, stack, "harbour")
    assert report.locator("#live b").inner_text() == "0"
    assert other.locator("#live b").inner_text() == "0"
    pages = open_pages(report)
    pages_elsewhere = open_pages(other)
    visitors = visitors_of(pages, "/stores")

    complaints = Complaints()
    visitor = chromium.new_context(user_agent=PERSON).new_page()
    complaints.watch(visitor)
    visitor.goto(f"http://fellside-demo.localhost:{stack.port}/")
    visitor.get_by_role("link", name="Stores").first.click()
    clicked = time.monotonic()
    expect(report.locator("#live b")).to_have_text("1", timeout=3_000)
    assert complaints == []
    assert visitor.context.cookies() == []

    while visitors_of(pages, "/stores") <= visitors:
        assert time.monotonic() - clicked < 90, "not in the report within 90 s"
        pages.wait_for_timeout(2_000)
        pages.reload()
    assert visitors_of(pages, "/stores") == visitors + 1
    other.reload()
    pages_elsewhere.reload()
    assert other.locator("#live b").inner_text() == "0"
    assert pages_elsewhere.locator("main tbody tr").count() > 0
    assert visitors_of(pages_elsewhere, "/stores") == 0


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
    for query in ("?period=7d", "?period=7d&f=is,visit:device,desktop&places=outcodes&by=hour"):
        page.goto(page.url.partition("?")[0] + query)
        wait_until_drawn(page)
        painted = page.evaluate(
            "Array.from(document.querySelectorAll('canvas[data-chart]')).every(c =>"
            " c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v))"
        )
        assert painted
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, practice=True) == []
    assert complaints == []


def wait_until_drawn(page: Page) -> None:
    """Until each chart of the page is."""
    canvases = page.locator("canvas[data-chart]")
    expect(canvases.first).to_be_visible()
    expect(page.locator("canvas[data-drawn=yes]")).to_have_count(canvases.count())


def chips_of(page: Page) -> list[str]:
    """The filters in force, in words."""
    return [
        re.sub(r"^Change:\s*", "", words).strip()
        for words in page.locator(".chip .chip-words").all_inner_texts()
    ]


def row_of(page: Page, panel: str, number: int = 0) -> Locator:
    """The link of a panel's row."""
    return page.locator(f"#panel-{panel} tbody a").nth(number)


def test_rows_filter_filters_combine_and_back_leads_back(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour")
    complaints = Complaints()
    complaints.watch(page)
    page.goto(page.url + "?period=7d")
    wait_until_drawn(page)
    all_visits = page.locator(".figure .value").nth(1).inner_text()
    page.locator("#panel-pages .tabs").get_by_role("link", name="Exit").click()
    expect(page).to_have_url(re.compile("pages=exit-pages"))
    source = row_of(page, "sources").inner_text()
    row_of(page, "sources").click()
    expect(page.locator(".chip")).to_have_count(1)
    assert chips_of(page) == [f"Source is {source}"]
    expect(page.locator("#panel-pages .tabs [aria-current]")).to_have_text("Exit")
    filtered = page.locator(".figure .value").nth(1).inner_text()
    assert filtered != all_visits
    country = row_of(page, "places").inner_text()
    row_of(page, "places").click()
    expect(page.locator(".chip")).to_have_count(2)
    assert chips_of(page) == [f"Source is {source}", f"Country is {country}"]
    wait_until_drawn(page)
    assert page.title().startswith(page.get_by_role("heading", level=1).inner_text())
    goals = page.get_by_role("link", name="Goals", exact=True).first.get_attribute("href")
    assert "f=is%2Cvisit%3Acountry" in (goals or ""), "the navigation keeps the filters"

    page.go_back()
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.locator(".figure .value").nth(1)).to_have_text(filtered)
    page.go_back()
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.locator(".figure .value").nth(1)).to_have_text(all_visits)
    page.go_forward()
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_role("link", name=re.compile("Remove filter")).click()
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.locator(".figure .value").nth(1)).to_have_text(all_visits)
    assert complaints == []


def test_a_filter_is_put_together_in_a_form_and_changed(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour")
    complaints = Complaints()
    complaints.watch(page)
    page.goto(page.url + "?period=7d")
    page.get_by_role("link", name="Add filter").click()
    expect(page.get_by_label("What", exact=True)).to_be_focused()
    page.get_by_label("What", exact=True).select_option("visit:device")
    page.get_by_label(re.compile("^Phone")).check()
    page.get_by_label("How").select_option("is_not")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator(".chip")).to_have_count(1)
    assert chips_of(page) == ["Device is not Phone"]
    page.locator(".chip a.chip-words").click()
    expect(page.get_by_label(re.compile("^Phone"))).to_be_checked()
    page.get_by_label(re.compile("^Tablet|^Desktop")).first.check()
    page.get_by_label("How").select_option("is")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator(".chip-words")).to_contain_text("Device is Phone or")
    assert complaints == []


def test_comparison_step_and_figure_are_chosen_and_stay(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour")
    page.goto(page.url + "?period=7d")
    page.get_by_role("link", name="Hour", exact=True).click()
    expect(page.get_by_role("heading", name="Visitors by hour")).to_be_visible()
    page.get_by_role("link", name="Bounce rate").click()
    expect(page.get_by_role("heading", name="Bounce rate by hour")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Period")).click()
    page.get_by_role("link", name="Nothing").click()
    expect(page.locator(".figure .change")).to_have_count(0)
    expect(page).to_have_url(re.compile("compare=none"))
    page.get_by_role("button", name=re.compile("^Period")).click()
    page.get_by_role("link", name="Year before").click()
    expect(page.locator(".figure .before").first).to_be_visible()
    wait_until_drawn(page)
    page.get_by_text("Show as table").first.click()
    table = page.get_by_role("region", name=re.compile("Values of")).get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_count(3)
    assert "by=hour" in page.url
    assert "metric=bounce_rate" in page.url


def test_the_report_works_with_the_keyboard_alone(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour")
    page.goto(page.url + "?period=7d")
    row = row_of(page, "places")
    row.focus()
    expect(row.locator("xpath=..").locator(".more")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(1)
    expect(row_of(page, "places")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(0)
    tab = page.locator("#panel-places .tabs").get_by_role("link", name="Outcodes")
    tab.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel-places")).to_contain_text(
        re.compile("Outward code\\s*Visitors|Nobody gave")
    )
    canvas = page.locator("#series-canvas")
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".chart-tip.is-shown")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Period")).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("period=today"))


def test_without_scripts_rows_filter_and_tabs_open(stack: Stack, chromium: Browser) -> None:
    page = open_report(chromium, stack, "harbour", java_script_enabled=False)
    page.goto(page.url + "?period=7d")
    row_of(page, "sources").click()
    assert len(chips_of(page)) == 1
    page.locator("#panel-places .tabs").get_by_role("link", name="Regions").click()
    assert "places=regions" in page.url
    assert len(chips_of(page)) == 1
    page.get_by_role("link", name="Add filter").click()
    page.get_by_label("Other values").fill("/")
    page.get_by_label("How").select_option("contains")
    page.get_by_role("button", name="Filter", exact=True).click()
    assert len(chips_of(page)) == 2


def test_dates_that_make_no_sense_are_refused_with_a_remedy(
    stack: Stack, chromium: Browser
) -> None:
    page = open_report(chromium, stack, "harbour")
    page.goto(page.url + "?from=2026-05-02&to=2026-05-01")
    expect(page.get_by_role("alert").filter(has_text=re.compile("\\w"))).to_contain_text(
        "exchange the two dates"
    )
    page.goto(page.url.partition("?")[0] + "?from=yesterday&to=2026-05-01")
    expect(page.get_by_role("alert").filter(has_text=re.compile("\\w"))).to_contain_text("From:")


@pytest.mark.parametrize("host", ["fellside", "agency"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_log_in_page_keeps_to_wcag_and_says_what_went_wrong(
    stack: Stack, chromium: Browser, host: str, scheme: str
) -> None:
    page = chromium.new_context(color_scheme=scheme).new_page()  # type: ignore[arg-type]  # one of two
    page.goto(f"http://{host}.localhost:{stack.port}/log-in/")
    page.get_by_label("E-mail address").fill("nobody@elsewhere.example")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text=re.compile("\\w"))).to_contain_text(
        "do not go together"
    )
    assert violations(page, practice=True) == []


def test_staff_see_all_clients(stack: Stack, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"http://agency.localhost:{stack.port}/")
    page.get_by_label("E-mail address").fill("owner@outward.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    for name in ("Fellside Outfitters", "Harbour Playhouse", "Tamarind Ledger"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    assert violations(page, practice=True) == []
