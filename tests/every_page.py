"""A walk over every page that a person can reach by links, and what is wrong with each.

As a tool: `python -m tests.every_page PORT [FOLDER]` walks a running demo as each person of the
demo and puts screenshots into FOLDER, at 1440 and 390 pixels, light and dark.
"""

import dataclasses
import os
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.apps import apps
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from tests.browser import launch
from tests.wcag import violations

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agency.settings")
if not apps.ready:  # as a tool
    django.setup()

from agency.demo.logins import DEMO_PASSWORD

WIDE, NARROW, NARROWEST = 1440, 390, 360
_NUMBER = re.compile(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}")
_NO_PAGE = re.compile(
    r"/log-out/|/static/|\.(csv|xlsx|zip|pdf|json|js|svg|png|txt|eml)$|/file/$|/html/$|/logo"
)
_LINKS = "links => links.filter(a => !a.hasAttribute('download')).map(a => a.href)"
_SETTLED = """() => document.fonts.ready.then(() => !document.querySelector('.htmx-request'))"""


@dataclasses.dataclass
class Seen:
    """A page as it was found."""

    path: str
    route: str
    """The path with numbers taken out: pages of one kind are looked at once."""
    title: str = ""
    problems: list[str] = dataclasses.field(default_factory=list)
    bytes_sent: int = 0


class Walk:
    """One person's walk on one host, by breadth, each kind of page once."""

    def __init__(self, page: Page, base: str, *, folder: Path | None = None, axe: bool = True):
        self._page = page
        self._base = base
        self._host = urlsplit(base).netloc
        self._folder = folder
        self._asks_axe = axe
        self._problems: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._problems.append(f"script: {error}"))
        page.on("response", self._on_response)

    def log_in(self, email: str) -> None:
        """Through the log-in page."""
        self._page.goto(f"{self._base}/log-in/")
        self._page.locator("input[type=email], input[name=login]").first.fill(email)
        self._page.locator("input[type=password]").first.fill(DEMO_PASSWORD)
        self._page.locator("form:has(input[type=password]) button[type=submit]").first.click()
        self._page.wait_for_url(f"{self._base}/")

    def go(self, starts: Sequence[str] = ("/",), *, skip: str = "") -> Iterator[Seen]:
        """Pages in the order in which they are found; `skip` is a pattern of paths."""
        waiting = deque(starts)
        known = {self._route(path) for path in starts}
        while waiting:
            path = waiting.popleft()
            seen, links = self._look(path)
            yield seen
            for link in links:
                parts = urlsplit(link)
                route = self._route(parts.path)
                if (
                    parts.netloc == self._host
                    and route not in known
                    and not _NO_PAGE.search(parts.path)
                    and not (skip and re.search(skip, parts.path))
                ):
                    known.add(route)
                    waiting.append(parts.path)

    @staticmethod
    def _route(path: str) -> str:
        return _NUMBER.sub("N", path)

    def _look(self, path: str) -> tuple[Seen, list[str]]:
        self._problems.clear()
        page, seen = self._page, Seen(path, self._route(path))
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size({"width": WIDE, "height": 1000})
        reply = page.goto(f"{self._base}{path}")
        if reply is None or not reply.ok:
            return dataclasses.replace(seen, problems=[f"answers {reply and reply.status}"]), []
        if "text/html" not in reply.headers.get("content-type", ""):
            return seen, []
        page.wait_for_load_state("load")
        page.wait_for_function(_SETTLED)
        page.wait_for_timeout(250)
        seen.title = page.title()
        links = page.eval_on_selector_all("a[href]", _LINKS)
        self._check(seen, f"light {WIDE}")
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        self._shoot(seen, f"dark {WIDE}")
        page.set_viewport_size({"width": NARROW, "height": 844})
        page.wait_for_timeout(150)
        self._check(seen, f"dark {NARROW}")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self._shoot(seen, f"light {NARROW}")
        page.set_viewport_size({"width": NARROWEST, "height": 700})
        page.wait_for_timeout(100)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROWEST:
            seen.problems.append(f"is {wide} pixels wide at {NARROWEST}")
        seen.problems += self._problems
        return seen, links

    def _check(self, seen: Seen, how: str) -> None:
        self._shoot(seen, how)
        if self._asks_axe:
            seen.problems += [f"axe {how}: {each}" for each in violations(self._page)]

    def _shoot(self, seen: Seen, how: str) -> None:
        if self._folder is not None:
            self._page.wait_for_timeout(400)  # charts are drawn anew a little after a change
            name = seen.route.strip("/").replace("/", "_") or "home"
            path = self._folder / f"{name}-{how.replace(' ', '-')}.png"
            self._page.screenshot(path=path, full_page=True)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._problems.append(f"console: {message.text[:300]}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._problems.append(f"{response.status} for {urlsplit(response.url).path}")


PEOPLE = (
    ("agency", "owner@outward.example"),
    ("harbour", "manager@harbour.example"),
    ("fellside", "owner@outward.example"),
)
"""Host and person of each walk over the demo."""


def walk_demo(
    browser: Browser, port: int, host: str, email: str, folder: Path | None
) -> list[Seen]:
    """Every page of the demo that the person reaches on the host."""
    context = browser.new_context()
    try:
        walk = Walk(context.new_page(), f"http://{host}.localhost:{port}", folder=folder)
        walk.log_in(email)
        # Its look is the library's.
        return list(walk.go(skip=r"^/admin/.|^/api/"))
    finally:
        context.close()


def main(port: int, folder: Path) -> None:
    """Walk as each person, and print what is wrong."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for host, email in PEOPLE:
            into = folder / f"{host}-{email.partition('@')[0]}"
            into.mkdir(parents=True, exist_ok=True)
            for seen in walk_demo(browser, port, host, email, into):
                print(f"{host:10} {seen.path:50} {seen.title}")
                for problem in seen.problems:
                    print(f"{'':10}   {problem}")
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "var/screenshots"))
