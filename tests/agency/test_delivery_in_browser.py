"""What leaves the report, as a client's manager does it, in the real browser."""

import csv
import email
import email.policy
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.stack import Stack, running
from tests.test_first_report import Complaints
from tests.wcag import violations

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(420)]

WAIT_MS = 30_000
ALL = """
from agency import tasks
from tenants.models import Client
for client in Client.objects.all():
    tasks.{}(client.pk)
"""
SEND = ALL.format("send_reports_of")
WATCH = ALL.format("watch_alerts_of")
MISSING = """
import datetime as dt
from django.utils import timezone
from tenants.models import Client
from tests.tracking.traffic import hit
from tracking.hits import Kind
from tracking.writer.store import site_zones, store_hits
client = Client.objects.get(slug="harbour")
site = client.sites.get()
now = timezone.now() - dt.timedelta(minutes=2)
store_hits(
    client,
    [hit(client.pk, site.pk, now, n, kind=Kind.NOT_FOUND, path="/gone") for n in range(50)],
    zones=site_zones(client),
)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a fortnight of history; jobs are run by hand, when a test wants them."""
    with running(tmp_path_factory.mktemp("delivery") / "var", demo=True) as stack:
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


@pytest.fixture(scope="module")
def page(stack: Stack, chromium: Browser) -> Page:
    """The manager of a demo client, logged in."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{base(stack)}/log-in/")
    page.get_by_label("E-mail address").fill("manager@harbour.example")
    page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"{base(stack)}/")
    return page


class Shop:
    """Another website, whose page has what `body` says."""

    def __init__(self) -> None:
        self.body = ""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(f"<!doctype html><title>Shop</title>{shop.body}".encode())

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def base(stack: Stack) -> str:
    return f"http://harbour.localhost:{stack.port}"


def keeps_to_wcag(page: Page) -> None:
    assert violations(page) == []


def mails(stack: Stack, words: str) -> list[EmailMessage]:
    """Letters in var/mail whose subject begins with these words, the oldest first."""
    paths = sorted(Path(stack.var, "mail").glob("*.eml"))
    policy = email.policy.default
    letters = [email.message_from_bytes(path.read_bytes(), policy=policy) for path in paths]
    return [letter for letter in letters if str(letter["Subject"]).strip().startswith(words)]


def settings_page(page: Page, stack: Stack, words: str) -> None:
    page.goto(f"{base(stack)}/")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("navigation").get_by_role("link", name=words, exact=True).click()


def exported(page: Page, words: str) -> Path:
    """The file that an entry of the export menu gives."""
    entry = page.get_by_role("link", name=words)
    if not entry.is_visible():
        page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        entry.click()
    # Without its ending openpyxl would not open it.
    path = Path(waiting.value.path())
    return path.rename(path.with_name(f"{path.name}-{waiting.value.suggested_filename}"))


def test_the_figures_of_the_page_are_those_of_the_files(page: Page, stack: Stack) -> None:
    page.goto(f"{base(stack)}/?period=7d")
    shown = page.locator("[id=main]").inner_text()
    with zipfile.ZipFile(exported(page, "CSV")) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("summary.csv").decode())))
    figures = {row[0]: row[1] for row in rows if len(row) == 3}
    for name in ("Visitors", "Visits", "Page views"):
        assert re.search(rf"{name}[^\d]*\b{int(figures[name]):,}\b", shown), name
    sheet = openpyxl.load_workbook(exported(page, "Excel"))["Summary"]
    assert str(sheet["B2"].value) == figures["Visitors"]
    assert exported(page, "PDF").read_bytes().startswith(b"%PDF-")


def test_on_paper_the_period_stays_and_what_is_pressed_goes(page: Page, stack: Stack) -> None:
    page.goto(f"{base(stack)}/?period=7d&f=is,visit:browser,Chrome")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".period > button")).to_be_visible()
    expect(page.locator(".chip-words")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_be_hidden()
    expect(page.get_by_role("link", name="Add filter")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    page.emulate_media(media="screen", color_scheme="light")


def test_a_link_is_made_opened_with_its_password_and_revoked(
    page: Page, stack: Stack, chromium: Browser
) -> None:
    settings_page(page, stack, "Links & mails")
    page.get_by_role("link", name="New link").click()
    page.get_by_label("Name").fill("The mayor")
    page.get_by_label("Overview").check()
    page.get_by_label("Pages", exact=True).check()
    page.get_by_label("Password").fill("lights and fog")
    keeps_to_wcag(page)
    page.get_by_role("button", name="Make link").click()
    address = page.get_by_role("region", name="Address", exact=True).inner_text().strip()
    assert address.startswith(f"{base(stack)}/share/")
    keeps_to_wcag(page)

    reader = chromium.new_context().new_page()
    complaints = Complaints()
    complaints.watch(reader)
    reader.goto(address)
    keeps_to_wcag(reader)
    reader.get_by_label("Password").fill("lights and fog")
    reader.get_by_role("button", name="Open the report").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("Harbour Playhouse")
    expect(reader.get_by_role("heading", name="Pages", exact=True)).to_be_visible()
    expect(reader.get_by_role("heading", name="Sources", exact=True)).to_have_count(0)
    expect(reader.get_by_role("link", name="Settings")).to_have_count(0)
    assert complaints == []

    row = page.get_by_role("row").filter(has_text="The mayor")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row.get_by_text("Revoked")).to_be_visible()
    reader.reload()
    expect(reader.get_by_role("heading", name="Visitors by day")).to_have_count(0)


def test_an_embedded_view_stands_in_another_websites_page(
    page: Page, stack: Stack, chromium: Browser, shop: Shop
) -> None:
    settings_page(page, stack, "Links & mails")
    page.get_by_role("link", name="New link").click()
    page.get_by_label("An embedded view").check()
    page.get_by_label("Name").fill("On the website")
    page.get_by_label("Overview").check()
    page.get_by_label("Websites that may embed it").fill(f"http://shop.localhost:{shop.port}")
    page.get_by_role("button", name="Make link").click()
    shop.body = page.get_by_role("region", name="Address", exact=True).inner_text()
    source = re.search(r'src="([^"]+)"', shop.body)
    assert source

    def framed(host: str) -> str:
        visitor = chromium.new_context().new_page()
        visitor.goto(f"http://{host}:{shop.port}/")
        visitor.locator("iframe").scroll_into_view_if_needed()
        visitor.wait_for_timeout(2_000)
        return visitor.frames[1].locator("html").inner_text()

    assert "Visitors by day" in framed("shop.localhost")
    assert "Visitors by day" not in framed("other.localhost")

    alone = chromium.new_context().new_page()
    complaints = Complaints()
    complaints.watch(alone)
    alone.goto(source[1])
    for scheme in ("light", "dark"):
        alone.emulate_media(color_scheme=scheme)
        keeps_to_wcag(alone)
    assert complaints == []
    assert alone.context.cookies() == []


def test_a_scheduled_mail_lands_in_var_mail(page: Page, stack: Stack) -> None:
    settings_page(page, stack, "Links & mails")
    page.get_by_role("link", name="Scheduled mails").click()
    page.get_by_role("link", name="The week at the Playhouse").click()
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(
        "The week at the Playhouse"
    )
    keeps_to_wcag(page)
    page.get_by_role("button", name="Send me a test now").click()
    expect(page.get_by_text("A test is on its way")).to_be_visible()
    (test,) = mails(stack, "Test: Harbour Playhouse")
    assert test["To"] == "manager@harbour.example"

    # The demo's own mail is due: sent by the job, shown as sent.
    stack.python(SEND)
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Sent").first).to_be_visible()
    (letter,) = mails(stack, "Harbour Playhouse")
    assert [part.get_content_type() for part in letter.iter_attachments()] == ["application/pdf"]
    stack.python(SEND)
    assert len(mails(stack, "Harbour Playhouse")) == 1
    text = letter.get_body(("plain",))
    assert text is not None
    stop = re.search(r"Unsubscribe: (\S+/stop/)", text.get_content())
    assert stop
    page.goto(stop[1])
    keeps_to_wcag(page)
    page.get_by_role("button", name="Stop this mail").click()
    expect(page.get_by_text("You will get no more of")).to_be_visible()


def test_an_alert_is_made_told_by_mail_and_seen_to(page: Page, stack: Stack) -> None:
    settings_page(page, stack, "Alerts")
    page.get_by_role("link", name="New alert").click()
    page.get_by_role("link", name="Pages not found").click()
    page.get_by_label("Name").fill("Old addresses")
    page.get_by_label("Views of missing pages in an hour").fill("50")
    keeps_to_wcag(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Old addresses")
    expect(page.get_by_text("Never so far.")).to_be_visible()
    stack.python(MISSING)
    stack.python(WATCH)
    assert len(mails(stack, "Old addresses")) == 1
    stack.python(WATCH)
    assert len(mails(stack, "Old addresses")) == 1
    settings_page(page, stack, "Alerts")
    expect(page.get_by_text("pages were not found within an hour").first).to_be_visible()
    keeps_to_wcag(page)
    page.get_by_role("table").get_by_role("link", name="Old addresses").click()
    page.get_by_role("button", name="I have seen to it").click()
    expect(page.get_by_role("cell", name="Marguerite Oyelaran")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete alert").click()
    expect(page.get_by_text("is deleted.")).to_be_visible()
