"""From nothing to the first hit, as the agency's owner does it, in the real browser."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.stack import Stack, running
from tests.test_first_report import PERSON, Complaints
from tests.tracking.weblog_stage import line
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(420)]

EMAIL, PHRASE = "owner@agency.example", "a long phrase for the tests"
OWNER = f"""
from tenants.models import Membership, Role, User
user = User.objects.create_user({EMAIL!r}, {PHRASE!r}, first_name="Olive")
Membership.objects.create(user=user, role=Role.OWNER)
"""
WAIT_MS = 30_000


class Shop:
    """The client's website: a page whose head is what its developer has put there."""

    def __init__(self) -> None:
        self.head = ""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = f"<!doctype html><title>Shop</title>{shop.head}<h1>Shop</h1>".encode()
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://shop.localhost:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("wizard") / "var") as stack:
        stack.python(OWNER)
        stack.start_web()
        stack.start_writer()
        stack.start_worker()
        stack.wait_until_web_answers()
        yield stack


@pytest.fixture(scope="module")
def page(stack: Stack, chromium: Browser) -> Page:
    """The owner, logged in on the agency's host."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"http://agency.localhost:{stack.port}/log-in/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").first.fill(PHRASE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Clients", timeout=WAIT_MS)
    return page


def is_accessible(page: Page) -> None:
    assert violations(page, practice=True) == []


def test_the_owner_makes_a_client_and_sees_its_first_hit(
    page: Page, stack: Stack, shop: Shop
) -> None:
    shop.head = ""  # another test may have put its own line there
    complaints = Complaints()
    complaints.watch(page)
    page.goto(f"http://agency.localhost:{stack.port}/")
    is_accessible(page)
    page.get_by_role("link", name=re.compile("Make the first client|New client")).click()

    page.get_by_label("Name", exact=True).fill("Corner Shop")
    page.get_by_label("Short name").fill("Corner Shop!")
    page.keyboard.press("Enter")
    expect(page.get_by_text("small letters, digits and hyphens").first).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Corner Shop")
    is_accessible(page)
    page.get_by_label("Short name").fill("corner")
    page.keyboard.press("Enter")

    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_label("Hosts").fill("shop.localhost")
    is_accessible(page)
    page.get_by_role("button", name="Save and go on").click()

    page.get_by_role("radio", name="Statistics only").focus()
    page.keyboard.press("Space")
    is_accessible(page)
    page.keyboard.press("Enter")

    page.get_by_label("Accent colour").fill("#ffdd55")
    expect(page.locator("#preview")).to_contain_text("darkened to")
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_text("Is this right?")).to_be_visible()
    is_accessible(page)
    page.get_by_role("button", name="Make the client").click()

    expect(page.get_by_text("Waiting for the first hit")).to_be_visible(timeout=WAIT_MS)
    is_accessible(page)
    page.get_by_label("A page that has the line").fill(shop.url)
    page.get_by_role("button", name="Check my page").click()
    # Fetching the page may take five seconds, which is as long as `expect` waits by itself.
    expect(page.get_by_text("The script is not on the page")).to_be_visible(timeout=WAIT_MS)

    shop.head = str(page.locator("pre code").first.text_content())
    page.get_by_role("button", name="Check my page").click()
    expect(page.get_by_text("with the right key")).to_be_visible(timeout=WAIT_MS)

    visitor = page.context.browser.new_context(user_agent=PERSON).new_page()  # type: ignore[union-attr]  # launched, not connected
    visitor.goto(shop.url)
    expect(page.get_by_text("Hits are coming in")).to_be_visible(timeout=WAIT_MS)
    is_accessible(page)
    assert complaints == [complaint for complaint in complaints if "422" in complaint]
    page.get_by_role("link", name="Open the report").click()
    page.wait_for_url("**/sites/*/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.fixture(scope="module")
def other(stack: Stack) -> str:
    """Slug of a client that exists already."""
    stack.manage("create_client", "other", "Other Ltd", "www.other.example")
    return "other"


def test_a_blocked_page_is_told_while_waiting(
    page: Page, stack: Stack, shop: Shop, other: str
) -> None:
    page.goto(f"http://agency.localhost:{stack.port}/clients/{other}/settings/sites/add/")
    page.get_by_label("Name", exact=True).fill("Blog")
    page.get_by_label("Hosts").fill("blog.localhost")
    page.get_by_role("button", name="Add website").click()
    expect(page.get_by_text("Waiting for the first hit")).to_be_visible()
    shop.head = str(page.locator("pre code").first.text_content())
    visitor = page.context.browser.new_context(user_agent=PERSON).new_page()  # type: ignore[union-attr]  # as above
    visitor.goto(shop.url)
    expect(page.get_by_text("on a host that is none of this client's")).to_be_visible(
        timeout=WAIT_MS
    )
    is_accessible(page)


def test_a_log_is_uploaded_and_its_summary_read(page: Page, stack: Stack, other: str) -> None:
    page.goto(f"http://agency.localhost:{stack.port}/clients/{other}/imports/")
    page.get_by_role("button", name="Upload and import").click()
    lines = "".join(line(f"/old/{number}", address="203.0.113.77") for number in range(9_000))
    assert len(lines) > 2 * 512 * 1024, "several pieces"
    page.locator("#upload-file").set_input_files(
        {"name": "old.log", "mimeType": "text/plain", "buffer": lines.encode()}
    )
    is_accessible(page)
    page.get_by_role("button", name="Upload and import").click()
    page.wait_for_url("**/imports/*-*/", timeout=WAIT_MS)
    expect(page.get_by_text("Deleted, with its key")).to_be_visible(timeout=90_000)
    expect(page.locator("dl.facts")).to_contain_text("9,000")
    is_accessible(page)
    assert list((stack.var / "uploads").iterdir()) == []
