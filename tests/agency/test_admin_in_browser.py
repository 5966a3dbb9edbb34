"""The admin in the real browser: accessible, by keyboard, under the policy, asking nobody else."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.browser import watch_console
from tests.stack import Stack, running
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
PAGES = (
    "/admin/",
    "/admin/streams/",
    "/admin/jobs/",
    "/admin/dead-letters/",
    "/admin/tenants/client/",
    "/admin/tenants/auditentry/",
    "/admin/tenants/privacysettings/1/change/",
    "/admin/tenants/clientgroup/add/",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a day of history; pages only, and one letter that cannot be read."""
    with running(tmp_path_factory.mktemp("admin") / "var", demo=True) as stack:
        stack.python(
            "from agency.operations import valkey\n"
            "from tracking.streams import dead_name\n"
            "valkey().xadd(dead_name('outward'), {'reason': 'a test', 'payload': b'x', 'at': 1})\n"
        )
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


def opened(stack: Stack, browser: Browser, scheme: str, width: int) -> Page:
    """The admin, reached through the house's own log-in page."""
    page = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]  # one of its two words
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    ).new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://agency.localhost:{stack.port}/admin/")
    assert "/log-in/" in page.url
    page.get_by_label("E-mail address").fill("owner@outward.example")
    page.locator("input[type=password]").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"http://agency.localhost:{stack.port}/admin/")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_keep_to_wcag_and_to_the_policy_and_ask_nobody_else(
    stack: Stack, chromium: Browser, scheme: str, width: int
) -> None:
    page = opened(stack, chromium, scheme, width)
    complaints = watch_console(page)
    strangers: list[str] = []
    page.on(
        "request",
        lambda request: strangers.append(request.url) if ".localhost:" not in request.url else None,
    )
    for path in PAGES:
        page.goto(f"http://agency.localhost:{stack.port}{path}")
        page.wait_for_function("window.Alpine !== undefined && document.fonts.status === 'loaded'")
        assert page.locator("html.dark").count() == (scheme == "dark"), path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert violations(page) == [], path
    assert complaints == []
    assert [url for url in strangers if not url.startswith("data:")] == []
    page.context.close()


def test_the_theme_of_the_house_holds_in_the_admin(stack: Stack, chromium: Browser) -> None:
    page = opened(stack, chromium, "light", 1440)
    base = f"http://agency.localhost:{stack.port}"
    page.context.add_cookies([{"name": "outward_theme", "value": "dark", "url": base}])
    page.goto(f"{base}/admin/")
    expect(page.locator("html.dark")).to_have_count(1)
    page.context.close()


def test_filters_and_account_are_reached_by_keyboard(stack: Stack, chromium: Browser) -> None:
    page = opened(stack, chromium, "light", 1440)
    page.goto(f"http://agency.localhost:{stack.port}/admin/tenants/auditentry/")
    page.get_by_role("button", name="Filters").press("Enter")
    page.get_by_role("link", name="Harbour Playhouse").press("Enter")
    page.wait_for_url("**client=*")
    page.get_by_role("button", name="owner@outward.example").press("Enter")
    page.get_by_role("button", name="Log out").press("Enter")
    page.wait_for_url(lambda url: "/admin/" not in url)
    page.goto(f"http://agency.localhost:{stack.port}/admin/")
    assert "/log-in/" in page.url
    page.context.close()


def test_a_letter_is_discarded_after_a_question(stack: Stack, chromium: Browser) -> None:
    page = opened(stack, chromium, "light", 390)
    page.goto(f"http://agency.localhost:{stack.port}/admin/dead-letters/")
    page.locator("input[name=id]").check()
    page.get_by_role("button", name="Discard the chosen ones").click()
    expect(page.get_by_text("will be deleted for good")).to_be_visible()
    page.get_by_role("button", name="Discard 1 letter").click()
    expect(page.get_by_text("1 letter is gone for good")).to_be_visible()
    expect(page.get_by_text("There are none")).to_be_visible()
    page.context.close()


def test_an_account_is_closed_from_the_list(stack: Stack, chromium: Browser) -> None:
    page = opened(stack, chromium, "light", 1440)
    page.goto(f"http://agency.localhost:{stack.port}/admin/tenants/user/")
    row = page.get_by_role("row").filter(has_text="viewer@harbour.example")
    row.locator("input.action-select").check()
    page.locator("select[name=action]").select_option("close_accounts")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Nobody can log in with them")).to_be_visible()
    page.get_by_role("button", name="Close accounts").click()
    expect(page.get_by_text("1 account is closed.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="viewer@harbour.example")
    expect(row).to_contain_text("closed")
    page.context.close()
