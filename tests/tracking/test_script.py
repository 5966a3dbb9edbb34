"""The script in a real browser: what it sends, what it never sends, what it survives."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tenants.models import CookieMode
from tests.browser import launch
from tests.tracking.script_pages import REFUSE, SITE_KEY, STUB, Stage, serve_stage
from tracking.script.build import build_script
from tracking.script.serve import ScriptConfig

pytestmark = pytest.mark.browser

GPC = "Object.defineProperty(Navigator.prototype,'globalPrivacyControl',{get:()=>true})"
DNT = "Object.defineProperty(Navigator.prototype,'doNotTrack',{get:()=>'1'})"
COOKIE_MAX_S = 33_900_000
QUIET_S = 0.6
"""Longer than a page view waits (0.1 s) and a request on this machine takes."""


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_script()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright, without=["--disable-back-forward-cache"])
    yield browser
    browser.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with serve_stage(tmp_path) as stage:
        yield stage


def watch_errors(context: BrowserContext) -> list[str]:
    """What `window.onerror` and `unhandledrejection` tell any page of the context."""
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    return errors


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Its pages must not see an error: what throws in a test throws because of the script."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(10_000)
    errors = watch_errors(context)
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def settle(page: Page) -> None:
    """Long enough for anything that would be sent to have been sent."""
    page.evaluate(f"new Promise(done => setTimeout(done, {QUIET_S * 1000}))")


def leave(page: Page) -> None:
    page.goto("about:blank")


# --- page views


def test_a_page_view_is_sent_without_preflight_credentials_or_query(stage: Stage, page: Page):
    page.goto(f"{stage.site}/shop?email=a%40b.example&utm_source=news&ref=x&q=secret#part")
    (hit,) = stage.wait(1, "pageview")
    assert hit.pop("nonce")
    assert hit == {
        "site": SITE_KEY,
        "kind": "pageview",
        "url": f"{stage.site}/shop?&utm_source=news&ref=x",
        "referrer": "",
    }
    (request,) = stage.requests
    assert (request.method, request.path) == ("POST", "/collect")
    assert request.headers["content-type"].startswith("text/plain")
    assert "cookie" not in request.headers
    assert request.headers["origin"] == stage.site


def test_all_campaign_parameters_are_kept_and_click_ids_only_hinted_at(stage: Stage, page: Page):
    page.goto(
        f"{stage.site}/?xutm_source=no&utm_medium=cpc&utm_campaign=a%20b&source=s"
        "&gclid=CjwKCAjw&fbclid=IwAR0&msclkid=abcdef&reference=no&token=no"
    )
    (hit,) = stage.wait(1, "pageview")
    assert hit["url"].partition("?")[2].split("&") == [
        "",
        "utm_medium=cpc",
        "utm_campaign=a%20b",
        "source=s",
        "gclid=C",
        "fbclid=I",
        "msclkid=a",
    ]


def test_the_referrer_goes_without_its_query_even_where_the_page_would_send_it(
    stage: Stage, page: Page
):
    head = '<meta name="referrer" content="unsafe-url">'
    stage.pages["/from"] = stage.html('<a href="/to">to</a>', head)
    stage.pages["/to"] = stage.html(head=head)
    page.goto(f"{stage.site}/from?card=4111")
    stage.wait(1, "pageview")
    page.click("a")
    hits = stage.wait(2, "pageview")
    assert hits[1]["referrer"] == f"{stage.site}/from"
    posts = [request for request in stage.requests if request.method == "POST"]
    assert "card" not in "".join(request.body for request in posts)
    # The header is the browser's own; only a beacon's cannot be told to hold less.
    fetched = [post for post in posts if post.hit["kind"] == "pageview"]
    assert [post.headers["referer"] for post in fetched] == [f"{stage.site}/"] * 2


def test_history_navigation_counts_new_paths_only(stage: Stage, page: Page):
    page.goto(f"{stage.site}/a")
    stage.wait(1, "pageview")
    page.evaluate("history.pushState({}, '', '/b?page=2')")
    stage.wait(2, "pageview")
    page.evaluate("history.pushState({}, '', '/b?page=3')")
    page.evaluate("history.replaceState({}, '', '/b#deep')")
    page.evaluate("location.hash = 'deeper'")
    page.evaluate("history.replaceState({}, '', '/c')")
    stage.wait(3, "pageview")
    page.go_back()  # off the hash: same path
    page.go_back()
    page.wait_for_url("**/b?page=2")
    stage.wait(4, "pageview")
    settle(page)
    views = stage.wait(4, "pageview")
    assert [view["url"] for view in views] == [f"{stage.site}/{path}?" for path in "abcb"]
    assert [view.get("referrer", "") for view in views] == [""] * 4


def test_the_pages_own_history_calls_work_and_fail_as_before(stage: Stage, page: Page):
    page.goto(f"{stage.site}/a")
    stage.wait(1, "pageview")
    assert page.evaluate("(history.pushState({n: 7}, '', '/b'), history.state.n)") == 7
    caught = page.evaluate(
        "(() => {try {history.pushState({}, '', 'https://other.example/')}"
        " catch (error) {return error.name}})()"
    )
    assert caught == "SecurityError"


def test_quick_history_navigation_loses_no_page(stage: Stage, page: Page):
    page.goto(f"{stage.site}/a")
    page.evaluate("for (const p of ['/b', '/c', '/d']) history.pushState({}, '', p)")
    views = stage.wait(4, "pageview")
    # They are sent at once: in which order they arrive is the network's business.
    seen = sorted(view["url"].removeprefix(stage.site) for view in views)
    assert seen == ["/a?", "/b?", "/c?", "/d?"]


def test_a_page_left_at_once_is_counted(stage: Stage, page: Page):
    page.goto(f"{stage.site}/first")
    leave(page)
    (view,) = stage.wait(1, "pageview")
    assert view["url"] == f"{stage.site}/first?"


def test_a_return_from_the_back_forward_cache_is_a_page_view(stage: Stage, page: Page):
    stage.pages["/one"] = stage.html("<script>window.made = Math.random()</script>")
    page.goto(f"{stage.site}/one")
    stage.wait(1, "pageview")
    made = page.evaluate("made")
    page.goto(f"{stage.site}/two")
    stage.wait(2, "pageview")
    # The driver waits for a load that a restored page does not have.
    page.evaluate("setTimeout(() => history.back(), 50)")
    views = stage.wait(3, "pageview")
    assert [view["url"].removeprefix(stage.site) for view in views] == ["/one?", "/two?", "/one?"]
    assert page.evaluate("made") == made, "the page was loaded anew: nothing was tested"
    assert stage.site_lines.count("/one") == 1


def test_a_prerendered_page_counts_only_when_it_is_shown(stage: Stage, page: Page):
    page.add_init_script(
        "Object.defineProperty(document, 'prerendering', {get: () => !window.shown})"
    )
    page.goto(f"{stage.site}/next")
    page.evaluate("outward('event', 'Early')")
    page.evaluate("history.replaceState({}, '', '/next/canonical')")
    settle(page)
    assert stage.hits() == []
    page.evaluate("shown = true; document.dispatchEvent(new Event('prerenderingchange'))")
    stage.wait(1, "event")
    # Both are sent at once: which one arrives first is the network's business.
    hits = {hit["kind"]: hit for hit in stage.wait(2)}
    assert hits["event"]["name"] == "Early"
    assert hits["pageview"]["url"] == f"{stage.site}/next/canonical?"


@pytest.mark.parametrize("body", ["<p data-outward-404>Nothing here</p>", "<p>Nothing</p>"])
def test_a_page_says_that_it_is_the_page_for_missing_pages(stage: Stage, page: Page, body: str):
    stage.pages["/gone"] = stage.html(body)
    page.goto(f"{stage.site}/gone")
    (hit,) = stage.wait(1, "pageview", "not_found")
    assert hit["kind"] == ("not_found" if "404" in body else "pageview")


def test_an_application_that_renders_its_404_page_after_navigating_is_understood(
    stage: Stage, page: Page
):
    page.goto(f"{stage.site}/app")
    stage.wait(1, "pageview")
    page.evaluate(
        "history.pushState({}, '', '/nothing');"
        "setTimeout(() => document.body.setAttribute('data-outward-404', ''), 20)"
    )
    (hit,) = stage.wait(1, "not_found")
    assert hit["url"] == f"{stage.site}/nothing?"


def test_the_script_included_twice_counts_once(stage: Stage, page: Page):
    stage.pages["/"] = stage.html(stage.snippet + stage.snippet)
    page.goto(stage.site)
    page.evaluate("outward('event', 'One')")
    stage.wait(1, "event")
    settle(page)
    stage.wait(1, "pageview")
    stage.wait(1, "event")


# --- events, links, postcodes


def test_an_event_carries_its_properties(stage: Stage, page: Page):
    page.goto(stage.site)
    page.evaluate("outward('event', 'Newsletter', {place: 'footer', step: 2, paid: true})")
    page.evaluate("outward('event', 'Teaser', {}, false)")
    first, second = sorted(stage.wait(2, "event"), key=lambda hit: hit["name"])
    assert first["name"] == "Newsletter"
    assert first["props"] == {"place": "footer", "step": 2, "paid": True}
    assert "interactive" not in first
    assert second["interactive"] is False
    assert first["nonce"] != second["nonce"]
    assert all(re.fullmatch("[0-9a-f]{16}", hit["nonce"]) for hit in (first, second))


def test_calls_made_before_the_script_wait_in_the_queue(stage: Stage, page: Page):
    early = (
        "outward('postcode','SW1A 1AA');outward('consent',true);outward('event','Early',{a:'b'})"
    )
    stage.pages["/"] = stage.html(head=f"<script>{STUB};{early}</script>")
    page.goto(stage.site)
    # Two requests at once arrive in any order.
    (view,), (event,) = stage.wait(1, "pageview"), stage.wait(1, "event")
    assert (view["kind"], view["outcode"]) == ("pageview", "SW1A")
    assert re.fullmatch("[0-9a-f]{32}", view["cookie"])
    assert (event["name"], event["props"]) == ("Early", {"a": "b"})
    assert event["cookie"] == view["cookie"]


@pytest.mark.parametrize("how", ["click", "middle", "keyboard", "shadow", "stopped"])
def test_an_outbound_link_is_counted_however_it_is_followed(
    stage: Stage, page: Page, context: BrowserContext, how: str
):
    target = f"{stage.collector}/partner?customer=9#x"
    stage.pages["/"] = stage.html(
        f'<div id="host"></div><a id="out" href="{target}"><b>Partner</b></a>'
        '<a id="in" href="/inside">In</a><a id="mail" href="mailto:a@b.example">Mail</a>'
    )
    page.goto(stage.site)
    stage.wait(1, "pageview")
    if how == "click":
        page.click("#out b")
    elif how == "middle":
        page.click("#out b", button="middle")
    elif how == "keyboard":
        page.focus("#out")
        page.keyboard.press("Enter")
    elif how == "shadow":
        page.evaluate(
            "host.attachShadow({mode: 'open'}).innerHTML ="
            f" '<a id=inner href=\"{target}\">Partner</a>'"
        )
        page.click("#inner")
    else:
        page.evaluate(
            "out.addEventListener('click', e => {e.preventDefault(); e.stopPropagation()})"
        )
        page.click("#out")
    (hit,) = stage.wait(1, "outbound")
    assert hit["name"] == f"{stage.collector}/partner"


def test_inner_links_mail_links_and_right_clicks_are_not_outbound(stage: Stage, page: Page):
    stage.pages["/"] = stage.html(
        f'<a id="out" href="{stage.collector}/x">Out</a> <a id="in" href="/inside">In</a>'
        ' <a id="mail" href="mailto:a@b.example">Mail</a> <p id="text">text</p>'
    )
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.click("#out", button="right")
    page.click("#mail")
    page.click("#text")
    page.click("#in")
    stage.wait(2, "pageview")
    settle(page)
    assert stage.hits("outbound", "download") == []


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ('<a href="/files/Report.PDF?v=2">', "/files/Report.PDF"),
        ('<a href="/make-report" download>', "/make-report"),
        ('<a href="/data.xlsx">', "/data.xlsx"),
    ],
)
def test_a_download_is_counted(stage: Stage, page: Page, markup: str, name: str):
    stage.pages["/"] = stage.html(f"{markup}file</a>")
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.evaluate("document.querySelector('a').addEventListener('click', e => e.preventDefault())")
    page.click("a")
    (hit,) = stage.wait(1, "download")
    assert hit["name"] == stage.site + name


POSTCODES = {
    "SW1A 1AA": "SW1A",
    " sw1a1aa ": "sw1a",
    "M1 1AE": "M1",
    "m11ae": "m1",
    "EC1A 1BB": "EC1A",
    "W1A 0AX": "W1A",
    "B33 8TH": "B33",
    "CR2 6XH": "CR2",
    "DN55 1PT": "DN55",
    "LS2": "LS2",
    "K1A 0B1": "K1A",
    "D02 X285": "D02",
    "1012 AB": "1012",
    "90210-1234": "90210",
    "2000": "2000",
}
NOT_POSTCODES = [
    "M1 1",
    "SW1A 1",
    "SW1A 1A",
    "SW1A-1AA",
    "10 Downing Street",
    "",
    "123456",
    "Q",
    "AAA 1AA",
]


def test_a_postcode_is_cut_in_the_browser(stage: Stage, page: Page):
    page.goto(stage.site)
    stage.wait(1, "pageview")
    for number, (whole, outward) in enumerate(POSTCODES.items(), start=1):
        page.evaluate("code => outward('postcode', code)", whole)
        cut = [hit for hit in stage.wait(number, "engagement") if "outcode" in hit]
        assert len(cut) == number
        assert cut[-1]["outcode"].strip() == outward


def test_what_is_no_whole_postcode_is_not_sent(stage: Stage, page: Page):
    page.goto(stage.site)
    stage.wait(1, "pageview")
    for text in NOT_POSTCODES:
        page.evaluate("text => outward('postcode', text)", text)
        page.evaluate("outward('event', 'Next')")
    stage.wait(len(NOT_POSTCODES), "event")
    assert all("outcode" not in hit for hit in stage.hits())


def test_the_inward_part_of_a_field_never_leaves_the_browser(stage: Stage, page: Page):
    stage.pages["/"] = stage.html(
        '<form action="/next" method="get"><input id="code" data-outward-postcode>'
        '<input id="name"><button>Go</button></form>'
    )
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.fill("#name", "N1 9ZZ")
    page.type("#code", "SW1A 2QX")
    page.press("#code", "Tab")
    stage.wait(1, "engagement")
    page.evaluate("outward('event', 'Order')")
    page.evaluate("history.pushState({}, '', '/thanks')")
    stage.wait(2, "pageview")
    leave(page)
    settle(page)
    assert [hit["outcode"] for hit in stage.hits() if "outcode" in hit] == ["SW1A"]
    sent = " ".join(
        f"{request.path} {json.dumps(request.headers)} {request.body}" for request in stage.requests
    )
    assert not re.search("2QX|9ZZ|2%20|2\\+Q", sent, re.IGNORECASE)


# --- engaged time and depth


def engaged(stage: Stage) -> int:
    return sum(hit["engaged_s"] for hit in stage.hits("engagement"))


def test_engaged_seconds_stop_when_nobody_does_anything_and_are_sent_as_differences(
    stage: Stage, page: Page
):
    page.clock.install()
    page.goto(f"{stage.site}/a")
    page.clock.run_for(200)
    stage.wait(1, "pageview")
    page.clock.run_for(10_000)
    page.mouse.move(10, 10)
    page.clock.run_for(5_000)
    page.evaluate("history.pushState({}, '', '/b')")
    (first,) = stage.wait(1, "engagement")
    assert first["engaged_s"] == 15
    assert first["url"] == f"{stage.site}/a?"
    page.clock.run_for(120_000)  # away from the keyboard
    page.keyboard.press("Shift")
    page.clock.run_for(4_300)
    page.evaluate("history.pushState({}, '', '/c')")
    _, second = stage.wait(2, "engagement")
    assert second["engaged_s"] == 34
    assert second["url"] == f"{stage.site}/b?"


def test_seconds_without_focus_or_out_of_sight_do_not_count(stage: Stage, page: Page):
    page.add_init_script("document.hasFocus = () => !window.away")
    page.clock.install()
    page.goto(f"{stage.site}/a")
    page.clock.run_for(3_000)
    page.evaluate("away = true; dispatchEvent(new Event('blur'))")
    page.clock.run_for(20_000)
    page.evaluate("away = false; dispatchEvent(new Event('focus'))")
    page.clock.run_for(2_000)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    stage.wait(1, "engagement")
    assert engaged(stage) == 5
    page.clock.run_for(20_000)
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(4_000)
    page.evaluate("history.pushState({}, '', '/b')")
    stage.wait(2, "engagement")
    assert engaged(stage) == 9


def test_a_page_covered_by_another_tab_sends_a_ping_when_it_is_left(stage: Stage, page: Page):
    page.goto(f"{stage.site}/a")
    stage.wait(1, "pageview")
    page.wait_for_timeout(1_200)
    page.close(run_before_unload=True)
    (ping,) = stage.wait(1, "engagement")
    assert ping["engaged_s"] == 1


def test_the_depth_of_scrolling_is_the_greatest_so_far(stage: Stage, page: Page):
    stage.pages["/long"] = stage.html('<div style="height:6000px">long</div>')
    page.set_viewport_size({"width": 800, "height": 600})
    page.goto(f"{stage.site}/long")
    stage.wait(1, "pageview")
    page.evaluate("new Promise(done => {addEventListener('scroll', done); scrollTo(0, 2400)})")
    page.evaluate("new Promise(done => {addEventListener('scroll', done); scrollTo(0, 0)})")
    page.evaluate("outward('postcode', 'LS2')")
    (ping,) = stage.wait(1, "engagement")
    assert ping["scroll"] == pytest.approx(50, abs=1)
    page.evaluate("new Promise(done => {addEventListener('scroll', done); scrollTo(0, 9999)})")
    leave(page)
    assert stage.wait(2, "engagement")[1]["scroll"] == 100


# --- cookie and signals


def no_cookie(context: BrowserContext, page: Page) -> bool:
    return not context.cookies() and page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("mode", [CookieMode.NEVER, CookieMode.CONSENT])
def test_there_is_no_cookie_without_consent(
    stage: Stage, page: Page, context: BrowserContext, mode: CookieMode
):
    stage.config = ScriptConfig(cookie_mode=mode)
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.evaluate("outward('event', 'A'); outward('consent', false); outward('event', 'B')")
    stage.wait(2, "event")
    assert no_cookie(context, page)
    assert all("cookie" not in hit for hit in stage.hits())


def test_consent_sets_a_cookie_once_and_never_prolongs_it(
    stage: Stage, page: Page, context: BrowserContext
):
    page.goto(stage.site)
    stage.wait(1, "pageview")
    before = time.time()
    page.evaluate("outward('consent', true); outward('event', 'Agreed')")
    (event,) = stage.wait(1, "event")
    (cookie,) = context.cookies()
    assert cookie["name"] == "outward_id"
    assert re.fullmatch("[0-9a-f]{32}", cookie["value"])
    assert event["cookie"] == cookie["value"]
    assert cookie["expires"] == pytest.approx(before + COOKIE_MAX_S, abs=10)
    assert (cookie["sameSite"], cookie["secure"], cookie["path"]) == ("Lax", False, "/")
    assert cookie["domain"] == "127.0.0.1"
    page.wait_for_timeout(1_100)
    page.evaluate("outward('consent', true)")
    page.goto(f"{stage.site}/again")
    page.evaluate("outward('consent', true)")
    view = stage.wait(2, "pageview")[1]
    assert view["cookie"] == cookie["value"]
    assert context.cookies() == [cookie]


def test_withdrawing_consent_deletes_the_cookie(stage: Stage, page: Page, context: BrowserContext):
    page.goto(stage.site)
    page.evaluate("outward('consent', true)")
    stage.wait(1, "pageview")
    assert context.cookies()
    page.evaluate("outward('consent', false); outward('event', 'After')")
    (event,) = stage.wait(1, "event")
    assert "cookie" not in event
    assert no_cookie(context, page)
    page.evaluate("history.pushState({}, '', '/b')")
    assert "cookie" not in stage.wait(2, "pageview")[1]
    assert no_cookie(context, page)


def test_the_cookie_is_secure_on_https(stage: Stage, page: Page, context: BrowserContext):
    page.goto(stage.secure_site)
    page.evaluate("outward('consent', true)")
    (view,) = stage.wait(1, "pageview")
    (cookie,) = context.cookies()
    assert cookie["secure"] is True
    assert view["cookie"] == cookie["value"]


def test_where_cookies_are_off_consent_sets_none(stage: Stage, page: Page, context: BrowserContext):
    stage.config = ScriptConfig(cookie_mode=CookieMode.NEVER)
    context.add_cookies([{"name": "outward_id", "value": "ab" * 16, "url": stage.site}])
    page.goto(stage.site)
    (view,) = stage.wait(1, "pageview")
    assert "cookie" not in view
    page.evaluate("outward('consent', false); outward('consent', true)")
    settle(page)
    assert no_cookie(context, page)


def test_an_exemption_sets_the_cookie_unless_the_page_refuses(
    stage: Stage, page: Page, context: BrowserContext
):
    stage.config = ScriptConfig(cookie_mode=CookieMode.EXEMPT)
    stage.pages["/no"] = stage.html(head=f"<script>{STUB};outward('consent',false)</script>")
    page.goto(f"{stage.site}/no")
    assert "cookie" not in stage.wait(1, "pageview")[0]
    assert no_cookie(context, page)
    page.goto(f"{stage.site}/yes")
    view = stage.wait(2, "pageview")[1]
    (cookie,) = context.cookies()
    assert view["cookie"] == cookie["value"]


@pytest.mark.parametrize("signal", [GPC, DNT], ids=["gpc", "dnt"])
def test_a_signal_forbids_the_cookie_of_an_exemption_even_if_not_honoured(
    stage: Stage, page: Page, context: BrowserContext, signal: str
):
    stage.config = ScriptConfig(honour_gpc=False, honour_dnt=False, cookie_mode=CookieMode.EXEMPT)
    page.add_init_script(signal)
    page.goto(stage.site)
    assert "cookie" not in stage.wait(1, "pageview")[0]
    assert no_cookie(context, page)


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("signal", ["gpc", "dnt"])
def test_a_signal_silences_the_script_where_it_is_honoured(
    stage: Stage, page: Page, context: BrowserContext, signal: str, honoured: bool
):
    stage.config = ScriptConfig(
        honour_gpc=honoured if signal == "gpc" else not honoured,
        honour_dnt=honoured if signal == "dnt" else not honoured,
        cookie_mode=CookieMode.CONSENT,
    )
    stage.pages["/"] = stage.html('<input data-outward-postcode><a href="/f.pdf">f</a>')
    page.add_init_script(GPC if signal == "gpc" else DNT)
    page.goto(stage.site)
    page.evaluate("outward('consent', true); outward('event', 'A')")
    page.fill("input", "SW1A 1AA")
    page.evaluate("history.pushState({}, '', '/b')")
    page.click("a")
    if honoured:
        leave(page)
        time.sleep(QUIET_S)
        assert stage.requests == []
        assert context.cookies() == []
    else:
        stage.wait(1, "event")
        stage.wait(1, "download")


# --- what goes wrong


def test_an_error_of_a_page_would_be_seen_by_these_tests(stage: Stage, browser: Browser):
    context = browser.new_context()
    errors = watch_errors(context)
    page = context.new_page()
    page.goto(stage.site)
    page.evaluate("setTimeout(() => {throw Error('thrown')})")
    page.evaluate("void Promise.reject('rejected')")
    settle(page)
    context.close()
    assert len(errors) == 2
    assert "thrown" in errors[0]
    assert "rejected" in errors[1]


@pytest.mark.parametrize("answer", [REFUSE, 503, 429])
def test_a_failed_hit_is_sent_once_more_with_the_same_nonce(stage: Stage, page: Page, answer: int):
    stage.answers = [answer]
    page.goto(stage.site)
    first, second = stage.wait(2, "pageview")
    assert first == second
    posts = [request for request in stage.requests if request.method == "POST"]
    assert posts[1].at - posts[0].at == pytest.approx(1.0, abs=0.5)
    page.wait_for_timeout(1_300)
    stage.wait(2, "pageview")


def test_a_hit_that_fails_twice_is_given_up(stage: Stage, page: Page):
    stage.answers = [503, 503, 503]
    page.goto(stage.site)
    stage.wait(2, "pageview")
    # Where beacons do not get through either, the second try learns that it failed.
    page.add_init_script(
        "window.tries = []; window.fetch = (to, {body}) =>"
        " (tries.push(JSON.parse(body)), Promise.reject(Error('page')));"
        "Navigator.prototype.sendBeacon = () => false"
    )
    page.goto(f"{stage.site}/offline")
    page.wait_for_timeout(3_500)
    first, second = page.evaluate("tries")
    assert first == second
    stage.wait(2, "pageview")


def test_a_refused_hit_is_not_sent_again(stage: Stage, page: Page):
    stage.answers = [400]
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.wait_for_timeout(1_300)
    stage.wait(1, "pageview")


SABOTAGE = {
    "fetch deleted": "delete window.fetch",
    "fetch throws": "window.fetch = () => {throw Error('page')}",
    "fetch rejects": "window.fetch = () => Promise.reject(Error('page'))",
    "fetch gives nothing": "window.fetch = () => {}",
}


@pytest.mark.parametrize("how", SABOTAGE)
def test_without_fetch_a_beacon_is_sent(stage: Stage, page: Page, how: str):
    page.add_init_script(SABOTAGE[how])
    page.goto(stage.site)
    stage.wait(1, "pageview")


@pytest.mark.parametrize(
    "code",
    ["delete Navigator.prototype.sendBeacon", "Navigator.prototype.sendBeacon = () => false"],
)
def test_without_beacons_a_hidden_page_still_tells(stage: Stage, page: Page, code: str):
    page.add_init_script(code)
    page.goto(stage.site)
    stage.wait(1, "pageview")
    page.evaluate("dispatchEvent(new Event('visibilitychange'))")
    stage.wait(1, "engagement")


@pytest.mark.parametrize(
    "code",
    [
        "delete window.fetch; delete Navigator.prototype.sendBeacon",
        "window.setTimeout = () => {throw Error('page')}",
        "delete window.crypto; Object.defineProperty(window, 'crypto', {value: null})",
        "delete window.URL",
        "JSON.stringify = () => {throw Error('page')}",
        "Object.freeze(history)",
        "delete History.prototype.pushState",
        "Array.from = Event.prototype.composedPath = null",
        "EventTarget.prototype.addEventListener = () => {throw Error('page')}",
        "document.querySelector = () => {throw Error('page')}",
        "performance.now = undefined",
        "Object.defineProperty(document, 'cookie', {get() {throw Error('page')}})",
        "window.outward = Object.freeze({q: 1})",
    ],
)
def test_whatever_a_page_has_broken_it_is_not_told_by_an_exception(
    stage: Stage, page: Page, code: str
):
    stage.answers = [503]
    stage.pages["/"] = stage.html('<a href="#x">x</a><input data-outward-postcode>')
    page.goto(f"{stage.site}/plain")  # the listener for rejections is in place before the damage
    page.add_init_script(code)
    page.goto(stage.site)
    page.evaluate(
        "typeof outward == 'function' && ["
        "() => outward('event', 'A', {a: 1}), () => outward('postcode', null),"
        "() => outward('consent', true), () => outward('nonsense'), () => outward(),"
        "() => outward('event', 'B', {n: 1n})].forEach(call => call())"
    )
    page.click("a")
    page.fill("input", "SW1A 1AA")
    leave(page)
    time.sleep(0.2)


def test_a_snippet_without_its_key_or_out_of_a_module_does_no_harm(stage: Stage, page: Page):
    stage.pages["/"] = (
        f'<!doctype html><script type="module" src="{stage.collector}/outward.js"></script><p>x</p>'
    )
    page.goto(stage.site)
    page.evaluate("outward('event', 'A')")
    settle(page)
    assert stage.hits() == []


def test_the_page_is_shown_while_the_script_is_still_on_its_way(
    stage: Stage, page: Page, context: BrowserContext
):
    held: list[object] = []
    page.route("**/outward.js", lambda route: held.append(route))
    page.goto(stage.site, wait_until="commit")
    page.wait_for_selector("h1")
    assert page.inner_text("h1") == "Page"
    page.unroute_all(behavior="ignoreErrors")
