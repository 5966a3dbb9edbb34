"""Logging in, in the real browser: second factor, passkey, new password, invitation, sessions."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.stack import Stack, running
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a day of history; pages only."""
    with running(tmp_path_factory.mktemp("log-in") / "var", demo=True) as stack:
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said: script errors, sources that the policy refused."""
    return []


def new_page(browser: Browser, complaints: list[str], **context: Any) -> Page:
    page = browser.new_context(**context).new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    return page


def address(stack: Stack, label: str, path: str = "/") -> str:
    return f"http://{label}.localhost:{stack.port}{path}"


def type_log_in(page: Page, email: str, password: str = DEMO_PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def log_in(page: Page, stack: Stack, label: str, email: str) -> None:
    page.goto(address(stack, label, "/account/"))
    type_log_in(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def log_out(page: Page, stack: Stack, label: str) -> None:
    page.goto(address(stack, label, "/log-out/"))
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def confirm_password(page: Page) -> None:
    """The page that asks whether it is you."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Is it you?")
    page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Go on").click()


def keeps_to_wcag(page: Page) -> None:
    assert violations(page, practice=True) == []
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def letter_to(stack: Stack, email: str, subject: str) -> str:
    """Text of the newest letter to an address, as it lies in var/mail."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = sorted((stack.var / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        for path in reversed(found):
            text = path.read_text()
            if f"To: {email}" in text and f"Subject: {subject}" in text:
                return text
        time.sleep(0.1)
    raise AssertionError(f"no letter {subject!r}")


def link_in(letter: str, part: str) -> str:
    found = re.search(rf"http://\S+/{part}/\S+/(?=\s)", letter)
    assert found, letter
    return found[0]


def code_now(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def test_an_authenticator_app_is_asked_for_at_the_next_log_in(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    page = new_page(chromium, complaints)
    log_in(page, stack, "harbour", "viewer@harbour.example")
    page.get_by_role("link", name="Set up a second factor").click()
    page.get_by_role("link", name="Set up an app").click()
    confirm_password(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up an authenticator app")
    picture = page.locator("img.qr")
    assert picture.evaluate("image => image.naturalWidth") > 100
    secret = re.search(r"[A-Z2-7]{32}", page.get_by_role("main").inner_text())
    assert secret
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Use this app").click()
    expect(page.get_by_role("alert").first).to_contain_text("not right")
    # A wrong code leaves the secret as it was: it is in the app already.
    assert secret[0] in page.get_by_role("main").inner_text()
    keeps_to_wcag(page)
    page.get_by_label("Authenticator code").fill(code_now(secret[0]))
    page.get_by_role("button", name="Use this app").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    codes = page.locator("ol.codes code").all_inner_texts()
    assert len(codes) == 10
    keeps_to_wcag(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    assert codes[0] in Path(download.value.path()).read_text()
    letter_to(stack, "viewer@harbour.example", "An authenticator app was set up")

    stored = stack.rows("SELECT data::text FROM mfa_authenticator")
    assert stored
    assert not any(secret[0] in str(row[0]) for row in stored), "secrets are encrypted"

    for way in (code_now(secret[0]), codes[3]):
        log_out(page, stack, "harbour")
        type_log_in(page, "viewer@harbour.example")
        expect(page.get_by_role("heading", level=1)).to_have_text("The second step")
        page.goto(address(stack, "harbour", "/account/"))
        expect(page.get_by_role("heading", level=1)).to_have_text("The second step")
        page.get_by_label("Code").fill("123456")
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(page.get_by_role("alert").first).to_contain_text("not right")
        keeps_to_wcag(page)
        page.get_by_label("Code").fill(way)
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url(lambda url: "/log-in/" not in url)
        page.goto(address(stack, "harbour", "/account/"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    log_out(page, stack, "harbour")
    type_log_in(page, "viewer@harbour.example")
    page.get_by_label("Code").fill(codes[3])
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("it has been used")
    assert complaints == []


def virtual_authenticator(context: BrowserContext, page: Page) -> CDPSession:
    """A device with a fingerprint reader, as Chromium's tests have one.

    https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
    """
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session


def test_a_passkey_takes_the_passwords_place_on_its_own_host(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    page = new_page(chromium, complaints)
    virtual_authenticator(page.context, page)
    log_in(page, stack, "harbour", "manager@harbour.example")
    page.goto(address(stack, "harbour", "/account/second-factor/"))
    page.get_by_role("link", name="Add a passkey").click()
    confirm_password(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a passkey")
    keeps_to_wcag(page)
    page.get_by_label("Name").fill("My laptop")
    expect(page.get_by_label("Log in with it instead of the password")).to_be_checked()
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.goto(address(stack, "harbour", "/account/second-factor/passkeys/"))
    expect(page.get_by_role("rowheader", name="My laptop")).to_be_visible()
    expect(page.get_by_text("Instead of the password")).to_be_visible()
    keeps_to_wcag(page)

    log_out(page, stack, "harbour")
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url(address(stack, "harbour"))
    page.goto(address(stack, "harbour", "/account/"))
    expect(page.get_by_role("main")).to_contain_text("manager@harbour.example")

    # As a second step after the password, too.
    log_out(page, stack, "harbour")
    type_log_in(page, "manager@harbour.example")
    expect(page.get_by_role("heading", level=1)).to_have_text("The second step")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(address(stack, "harbour"))

    page.goto(address(stack, "fellside", "/log-in/"))
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.locator("#passkey-error")).to_contain_text("No passkey was used")
    assert complaints == []


def test_a_forgotten_password_is_set_anew_by_a_letter(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    email, new = "viewer@fellside.example", "rain over the fells"
    elsewhere = new_page(chromium, complaints)
    log_in(elsewhere, stack, "fellside", email)
    page = new_page(chromium, complaints)
    page.goto(address(stack, "fellside", "/log-in/"))
    page.get_by_role("link", name="Forgotten your password?").click()
    keeps_to_wcag(page)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    link = link_in(letter_to(stack, email, "Set a new password"), "password-reset")
    page.goto(link)
    keeps_to_wcag(page)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(new)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new password is set")
    page.get_by_role("link", name="Log in").click()
    type_log_in(page, email)
    expect(page.get_by_role("alert").first).to_contain_text("do not go together")
    type_log_in(page, email, new)
    page.goto(address(stack, "fellside", "/account/"))
    expect(page.get_by_role("main")).to_contain_text(email)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is no longer good")
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Log in")
    # Nobody learns whether an address has an account.
    page = new_page(chromium, complaints)
    page.goto(address(stack, "fellside", "/password-reset/"))
    page.get_by_label("E-mail address").fill("nobody@elsewhere.example")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    assert not any("nobody@" in path.read_text() for path in (stack.var / "mail").glob("*"))
    assert complaints == []


def test_a_manager_invites_and_the_invited_person_logs_in(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    page = new_page(chromium, complaints, viewport={"width": 360, "height": 800})
    log_in(page, stack, "tamarind", "manager@tamarind.example")
    page.goto(address(stack, "tamarind", "/people/"))
    keeps_to_wcag(page)
    page.get_by_role("link", name="Invite somebody").click()
    keeps_to_wcag(page)
    page.get_by_label("E-mail address").fill("kiran@people.example")
    page.get_by_label("Viewer").check()
    page.get_by_role("group", name="Sections of the report").get_by_label("Only those").check()
    page.get_by_label("Pages").check()
    page.get_by_role("button", name="Send invitation").click()
    expect(page.get_by_role("rowheader", name="kiran@people.example")).to_be_visible()
    keeps_to_wcag(page)
    letter = letter_to(stack, "kiran@people.example", "Ananya Rao invites you to Tamarind Ledger")
    guest = new_page(chromium, complaints)
    guest.goto(link_in(letter, "invitation"))
    expect(guest.get_by_role("main")).to_contain_text("All websites · Pages")
    keeps_to_wcag(guest)
    guest.get_by_label("Your name").fill("Kiran Bose")
    guest.get_by_label("Password").fill("a ledger of leaves")
    guest.get_by_role("button", name="Make my account").click()
    guest.wait_for_url(lambda url: "/invitation/" not in url)
    guest.goto(address(stack, "tamarind", "/account/"))
    expect(guest.get_by_role("main")).to_contain_text("kiran@people.example")
    page.reload()
    expect(page.get_by_role("rowheader", name="Kiran Bose")).to_be_visible()
    expect(page.get_by_role("rowheader", name="kiran@people.example", exact=True)).to_have_count(0)

    page.get_by_role("row", name="Kiran Bose").get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove Kiran Bose?")
    keeps_to_wcag(page)
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("rowheader", name="Kiran Bose")).to_have_count(0)
    guest.reload()
    expect(guest.get_by_role("heading", level=1)).to_have_text("Log in")
    assert complaints == []


def test_a_session_is_seen_in_the_list_and_ended_from_another_browser(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    here, there = new_page(chromium, complaints), new_page(chromium, complaints)
    for page in (here, there):
        log_in(page, stack, "agency", "analyst@outward.example")
    here.get_by_role("link", name="Show sessions").click()
    keeps_to_wcag(here)
    rows = here.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("This one")
    rows.last.get_by_role("button", name="End").click()
    expect(here.locator("tbody tr")).to_have_count(1)
    there.reload()
    expect(there.get_by_role("heading", level=1)).to_have_text("Log in")
    assert complaints == []


def test_staff_go_to_a_client_and_the_client_reads_of_it(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    staff = new_page(chromium, complaints)
    log_in(staff, stack, "agency", "privacy@outward.example")
    number = stack.rows("SELECT id FROM tenants_client WHERE slug = 'fellside'")[0][0]
    staff.goto(address(stack, "agency", f"/clients/{number}/enter/?next=/people/"))
    staff.wait_for_url(address(stack, "fellside", "/people/"))
    people = new_page(chromium, complaints)
    log_in(people, stack, "fellside", "manager@fellside.example")
    people.goto(address(stack, "fellside", "/access/"))
    visits = people.get_by_role("region", name="Visits of the agency's staff")
    expect(visits).to_contain_text("Ines Duarte")
    expect(visits).to_contain_text("Privacy officer")
    keeps_to_wcag(people)
    assert complaints == []


def test_letters_are_read_on_a_page_of_the_demo(
    stack: Stack, chromium: Browser, complaints: list[str]
) -> None:
    page = new_page(chromium, complaints)
    page.goto(address(stack, "tamarind", "/password-reset/"))
    page.get_by_label("E-mail address").fill("viewer@tamarind.example")
    page.get_by_role("button", name="Send the link").click()
    page.wait_for_url(lambda url: not url.endswith("/password-reset/"))
    log_in(page, stack, "tamarind", "manager@tamarind.example")
    page.goto(address(stack, "tamarind", "/people/invite/"))
    page.get_by_label("E-mail address").fill("letters@people.example")
    page.get_by_label("Viewer").check()
    page.get_by_role("button", name="Send invitation").click()
    page.wait_for_url(lambda url: not url.endswith("/people/invite/"))
    log_in(page, stack, "agency", "owner@outward.example")
    page.goto(address(stack, "agency", "/mail/"))
    keeps_to_wcag(page)
    first = page.get_by_role("main").get_by_role("rowheader").first
    expect(first).to_contain_text("invites you to Tamarind Ledger")
    first.get_by_role("link").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("link", name="Take up the invitation")).to_be_visible()
    keeps_to_wcag(page)
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_account_pages_keep_to_wcag(
    stack: Stack, chromium: Browser, complaints: list[str], scheme: str, width: int
) -> None:
    page = new_page(
        chromium, complaints, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page.goto(address(stack, "agency", "/log-in/"))
    keeps_to_wcag(page)
    log_in(page, stack, "agency", "owner@outward.example")
    for path in (
        *("/account/", "/account/second-factor/", "/account/password/", "/account/sessions/"),
        *("/people/", "/people/invite/", "/mail/", "/log-out/"),
    ):
        page.goto(address(stack, "agency", path))
        keeps_to_wcag(page)
    assert complaints == []
