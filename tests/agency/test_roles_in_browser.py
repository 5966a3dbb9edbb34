"""A day of each role in the real browser: in by a second factor, what it does, what it may not."""

import csv
import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from agency.demo.logins import DEMO_PASSWORD
from tests.stack import Stack, running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ACTIVATE = f"""
from allauth.mfa.totp.internal.auth import TOTP
from tenants.models import User
for user in User.objects.filter(email__endswith=".example"):
    TOTP.activate(user, "{SECRET}")
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with a few days of history; everybody has an authenticator app."""
    with running(tmp_path_factory.mktemp("roles") / "var", demo=True) as stack:
        stack.python(ACTIVATE)
        stack.start_web()
        stack.wait_until_web_answers()
        yield stack


class Person:
    """Somebody at a browser of their own."""

    def __init__(self, browser: Browser, stack: Stack) -> None:
        self.stack = stack
        self.page: Page = browser.new_page()

    def address(self, host: str, path: str = "/") -> str:
        return f"http://{host}.localhost:{self.stack.port}{path}"

    def goes_to(self, host: str, path: str = "/") -> int:
        """The status of the answer."""
        reply = self.page.goto(self.address(host, path))
        assert reply is not None
        return reply.status

    def logs_in(self, host: str, email: str) -> None:
        """By password, then by the code of the app."""
        page = self.page
        self.goes_to(host, "/log-in/")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The second step")
        assert self.goes_to(host, "/account/") == 200
        expect(page.get_by_role("heading", level=1)).to_have_text("The second step")
        code = format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))
        page.get_by_label("Code").fill(str(code))
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url(lambda url: "/log-in/" not in url)

    def enters(self, slug: str) -> None:
        """A client's host, from the agency's, as staff do."""
        query = "SELECT id FROM tenants_client WHERE slug = %s"
        number = self.stack.rows(query, slug)[0][0]
        self.page.goto(self.address("agency", f"/clients/{number}/enter/?next=/"))
        self.page.wait_for_url(self.address(slug))

    def reads_a_report(self, host: str) -> None:
        """Filters it by a row, compares it with another time, and takes the filter away."""
        page = self.page
        assert self.goes_to(host, "/?period=7d") == 200
        visitors = page.locator(".figure .value").first
        everybody = visitors.inner_text()
        row = page.locator("#panel-sources tbody tr").first.get_by_role("link")
        row.click()
        expect(page.locator(".chip")).to_have_count(1)
        expect(visitors).not_to_have_text(everybody)
        page.get_by_role("button", name=re.compile("^Period")).click()
        page.get_by_role("link", name="Year before").click()
        expect(page).to_have_url(re.compile("compare="))
        page.get_by_role("link", name=re.compile("Remove filter")).click()
        expect(page.locator(".chip")).to_have_count(0)
        expect(visitors).to_have_text(everybody)

    def takes_a_file(self, host: str) -> None:
        """The report as CSV has the number of visitors that the page shows."""
        page = self.page
        assert self.goes_to(host, "/?period=7d") == 200
        shown = page.locator(".figure .value").first.inner_text().replace(",", "")
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name="CSV").click()
        with zipfile.ZipFile(Path(waiting.value.path())) as archive:
            rows = list(csv.reader(io.StringIO(archive.read("summary.csv").decode())))
        assert ["Visitors", shown] in [row[:2] for row in rows]

    def adds_a_goal(self, host: str, name: str) -> None:
        """Of a page that everybody sees."""
        page = self.page
        self.goes_to(host)
        page.get_by_role("link", name="Goals").click()
        page.get_by_role("link", name="Add a goal").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Path of the page").fill("/*")
        page.get_by_role("button", name="Add goal").click()
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    def may_not(self, host: str, *paths: str, status: int = 403) -> None:
        """Every address answers with that status, and says it in the house's words."""
        for path in paths:
            assert self.goes_to(host, path) == status, path
            expect(self.page.get_by_role("heading", level=1)).to_be_visible()


@pytest.fixture
def person(chromium: Browser, stack: Stack) -> Person:
    return Person(chromium, stack)


def site_path(person: Person, rest: str) -> str:
    """An address of the first site of the client whose page is open."""
    href = person.page.get_by_role("link", name="Overview").first.get_attribute("href")
    assert href is not None
    return f"{href.partition('?')[0]}{rest}"


def test_the_owner_does_everything(person: Person) -> None:
    person.logs_in("agency", "owner@outward.example")
    person.page.get_by_role("link", name="Harbour Playhouse").first.click()
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    for path in ("/admin/", "/people/", "/roll-up/"):
        assert person.goes_to("agency", path) == 200, path
    person.enters("harbour")
    person.reads_a_report("harbour")
    person.adds_a_goal("harbour", "Seen by the owner")
    assert person.goes_to("harbour", "/privacy/") == 200
    expect(person.page.get_by_role("button", name="Put into force")).to_be_visible()


def test_the_analyst_edits_reports_and_not_privacy(person: Person) -> None:
    person.logs_in("agency", "analyst@outward.example")
    person.page.get_by_role("link", name="New client").first.click()
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    person.may_not("agency", "/admin/", "/people/invite/")
    person.enters("tamarind")
    person.reads_a_report("tamarind")
    person.takes_a_file("tamarind")
    person.adds_a_goal("tamarind", "Seen by the analyst")
    assert person.goes_to("tamarind", "/privacy/") == 200
    expect(person.page.get_by_role("button", name="Put into force")).to_have_count(0)
    person.may_not("tamarind", "/people/invite/")


def test_the_privacy_officer_changes_a_switch_and_the_client_reads_why(
    person: Person, chromium: Browser, stack: Stack
) -> None:
    reason = "Asked for by the theatre's board on its last meeting."
    person.logs_in("agency", "privacy@outward.example")
    assert person.goes_to("agency", "/admin/") == 200
    person.may_not("agency", "/people/invite/", "/clients/new/")
    person.enters("harbour")
    page = person.page
    person.reads_a_report("harbour")
    person.may_not("harbour", site_path(person, "goals/new/"))
    person.goes_to("harbour", "/privacy/")
    field = page.get_by_label("Smallest group shown")
    before = field.input_value()
    field.fill("7")
    page.get_by_role("button", name="Put into force").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    field.fill("7")
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Put into force").click()
    expect(page.get_by_role("main")).to_contain_text("In force now")
    expect(page.get_by_role("main")).to_contain_text(f"{before} visitors → 7 visitors")

    reader = Person(chromium, stack)
    reader.logs_in("harbour", "viewer@harbour.example")
    assert reader.goes_to("harbour", "/privacy/") == 200
    expect(reader.page.get_by_role("main")).to_contain_text(reason)
    expect(reader.page.get_by_role("main")).to_contain_text("fewer than 7")


def test_the_manager_edits_reports_and_invites(person: Person) -> None:
    person.logs_in("fellside", "manager@fellside.example")
    person.reads_a_report("fellside")
    person.takes_a_file("fellside")
    person.adds_a_goal("fellside", "Seen by the manager")
    assert person.goes_to("fellside", "/people/invite/") == 200
    assert person.goes_to("fellside", "/privacy/") == 200
    expect(person.page.get_by_role("button", name="Put into force")).to_have_count(0)
    # A log-in of one host is worth nothing on another.
    person.goes_to("harbour")
    expect(person.page).to_have_url(re.compile("/log-in/"))


def test_the_viewer_reads_and_takes_files_and_no_more(person: Person) -> None:
    person.logs_in("tamarind", "viewer@tamarind.example")
    person.reads_a_report("tamarind")
    person.takes_a_file("tamarind")
    page = person.page
    page.get_by_role("link", name="Goals").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Goals")
    expect(page.get_by_role("link", name="Add a goal")).to_have_count(0)
    page.get_by_role("link", name="Funnels").click()
    expect(page.get_by_role("link", name="Add a funnel")).to_have_count(0)
    below = [site_path(person, each) for each in ("goals/new/", "funnels/new/", "links/")]
    person.may_not("tamarind", *below, "/people/invite/", "/api-keys/")
    assert person.goes_to("tamarind", "/privacy/") == 200
    expect(page.get_by_role("button", name="Put into force")).to_have_count(0)
