"""The look in the browser: every component on the style page, and what a report page weighs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.browser import bytes_over_the_wire, watch_console
from tests.stack import Stack, running
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]
HEAVIEST_PAGE = 150_000
SLOW_MS = 30_000
"""A machine that is busy with other tests draws slowly."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with two days of history; nothing new comes in."""
    with running(tmp_path_factory.mktemp("look") / "var", demo=True) as stack:
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


def log_in(browser: Browser, stack: Stack, host: str, email: str, **context: object) -> Page:
    """A page of somebody who has logged in."""
    page = browser.new_context(**context).new_page()  # type: ignore[arg-type]  # passed through
    page.goto(f"http://{host}.localhost:{stack.port}/log-in/")
    page.get_by_label("E-mail address").fill(email)
    page.locator("input[type=password]").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"http://{host}.localhost:{stack.port}/")
    return page


def open_style(browser: Browser, stack: Stack, **context: object) -> Page:
    """The style page, its charts drawn."""
    page = log_in(browser, stack, "agency", "owner@outward.example", **context)
    page.goto(f"http://agency.localhost:{stack.port}/style/")
    expect(page.locator("canvas[data-drawn=yes]")).to_have_count(5, timeout=SLOW_MS)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_every_component_keeps_to_wcag_and_to_the_policy(
    stack: Stack, chromium: Browser, scheme: str, width: int
) -> None:
    page = log_in(
        chromium,
        stack,
        "agency",
        "owner@outward.example",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    complaints = watch_console(page)
    page.goto(f"http://agency.localhost:{stack.port}/style/")
    expect(page.locator("canvas[data-drawn=yes]")).to_have_count(5, timeout=SLOW_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page, practice=True) == []
    for popover in ("account-menu", "head-menu", "specimen-typed"):
        page.locator(f"#{popover}").evaluate("element => element.showPopover()")
        assert violations(page, practice=True) == []
        page.locator(f"#{popover}").evaluate("element => element.hidePopover()")
    assert complaints == []


def test_a_term_opens_by_keyboard_and_closes_by_escape(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack)
    button = page.get_by_role("button", name="What is Bounce rate?")
    button.focus()
    page.keyboard.press("Enter")
    meaning = page.get_by_text("Share of visits with one page view").first
    expect(meaning).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    box, place = meaning.bounding_box(), button.bounding_box()
    assert box is not None
    assert place is not None
    assert 0 <= box["y"] - place["y"] <= 40
    page.keyboard.press("Escape")
    expect(meaning).to_be_hidden()
    expect(button).to_be_focused()


def test_a_menu_is_walked_with_arrow_keys(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack)
    page.get_by_role("button", name="Export").click()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="CSV One line a row")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#head-menu").get_by_role("link", name="Delete")).to_be_focused()


def test_what_deletes_asks_first_and_can_be_left(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack)
    page.get_by_role("button", name="Delete client").click()
    dialog = page.get_by_role("dialog", name="Delete Fellside Outfitters?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()


def test_a_chart_can_be_read_by_keyboard_and_as_a_table(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack)
    figure = page.locator("figure", has=page.get_by_role("heading", name="Visitors by day"))
    figure.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    tip = figure.locator(".chart-tip.is-shown")
    expect(tip).to_contain_text("Monday 2 November 2026")
    expect(tip).to_contain_text("2–31 Oct 2026")
    figure.get_by_text("Show as table").click()
    row = figure.get_by_role("row", name="Monday 9 November 2026")
    shown = [cell.inner_text() for cell in row.get_by_role("cell").all()]
    page.locator("canvas").first.scroll_into_view_if_needed()
    served = page.evaluate(
        "fetch('/style/chart/series/').then(r => r.json())"
        ".then(d => d.datasets.map(s => String(s.data[8])))"
    )
    assert shown == served
    expect(figure.get_by_text("9 Nov: New shop opened")).to_be_visible()


def test_a_chart_that_fails_says_so_and_comes_back(stack: Stack, chromium: Browser) -> None:
    page = log_in(chromium, stack, "agency", "owner@outward.example")
    page.route("**/style/chart/series/", lambda route: route.abort())
    page.goto(f"http://agency.localhost:{stack.port}/style/")
    figure = page.locator("figure", has=page.get_by_role("heading", name="Visitors by day"))
    expect(figure.get_by_text("The chart could not be loaded.")).to_be_visible(timeout=SLOW_MS)
    page.unroute("**/style/chart/series/")
    figure.get_by_role("button", name="Try again").click()
    expect(figure.locator("canvas[data-drawn=yes]")).to_be_visible(timeout=SLOW_MS)
    expect(figure.get_by_text("The chart could not be loaded.")).to_be_hidden()


def test_a_request_that_fails_is_told_and_tried_again(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack)
    page.route("**/style/nowhere/", lambda route: route.abort())
    page.get_by_role("button", name="A request that fails").click()
    notice = page.locator("#page-notices .notice")
    expect(notice).to_contain_text("The connection failed", timeout=SLOW_MS)
    page.unroute("**/style/nowhere/")

    def answer(route: Route) -> None:
        route.fulfill(body="Here it is", content_type="text/html")

    page.route("**/style/nowhere/", answer)
    notice.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Here it is")).to_be_visible()
    expect(notice).to_have_count(0)


def test_light_or_dark_is_kept_by_the_server(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack, color_scheme="light")
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 20)"


def test_on_a_phone_the_navigation_is_behind_one_button(stack: Stack, chromium: Browser) -> None:
    page = open_style(chromium, stack, viewport={"width": 390, "height": 844})
    link = page.get_by_role("navigation", name="Agency").get_by_role("link", name="Clients")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).first.click()
    expect(link).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()


def test_components_open_without_scripts(stack: Stack, chromium: Browser) -> None:
    page = log_in(chromium, stack, "agency", "owner@outward.example", java_script_enabled=False)
    page.goto(f"http://agency.localhost:{stack.port}/style/")
    page.get_by_role("button", name="Period:").click()
    expect(page.get_by_role("button", name="Show")).to_be_visible()


def test_a_report_page_weighs_less_than_150_kb_with_everything_it_loads(
    stack: Stack, chromium: Browser
) -> None:
    page = log_in(chromium, stack, "tamarind", "manager@tamarind.example")
    address = page.url
    fresh = chromium.new_context(storage_state=page.context.storage_state()).new_page()
    sizes = bytes_over_the_wire(fresh)
    fresh.goto(address, wait_until="networkidle")
    for at in range(0, 4_000, 600):
        fresh.mouse.wheel(0, at)
    fresh.wait_for_load_state("networkidle")
    heaviest = sorted(sizes.items(), key=lambda one: -one[1])
    assert sum(sizes.values()) < HEAVIEST_PAGE, heaviest
    assert any("/static/front/main" in url for url in sizes)


def test_a_session_that_has_ended_leads_to_the_log_in_and_back(
    stack: Stack, chromium: Browser
) -> None:
    page = log_in(chromium, stack, "tamarind", "manager@tamarind.example")
    expect(page.locator(".live[hx-get]")).to_be_visible()
    address = page.url
    page.context.clear_cookies()
    # The live counter asks again within two seconds, and is sent to the log-in.
    expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=SLOW_MS)
    page.get_by_label("E-mail address").fill("manager@tamarind.example")
    page.locator("input[type=password]").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(address)
    expect(page.locator(".live")).to_be_visible()


def test_pieces_of_scripts_are_compressed_and_kept_for_ever(stack: Stack) -> None:
    pieces = [path.name for path in (stack.var / "build" / "front").glob("*-*.js")]
    assert len(pieces) >= 3
    with stack.http("agency.localhost") as visitor:
        for name in pieces:
            sent = visitor.get(f"/static/front/{name}", headers={"Accept-Encoding": "br"})
            assert sent.status_code == 200, name
            assert "immutable" in sent.headers["Cache-Control"], name
            assert sent.headers["Content-Encoding"] == "br", name
