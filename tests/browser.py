"""The system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_COMMAND = "sudo apt-get install -y chromium"

# Without the background-networking flags it looks up its maker's hosts at each start; as root it
# does not start with its sandbox.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class ChromiumMissingError(AssertionError):
    """A browser test cannot run: it fails, and says how to install what is missing."""


def find_chromium() -> Path:
    """Path of the browser: OUTWARD_CHROMIUM, or the first of CHROMIUM_NAMES on PATH."""
    named = os.environ.get("OUTWARD_CHROMIUM")
    for name in (named,) if named else CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise ChromiumMissingError(f"No Chromium found. Install it with: {INSTALL_COMMAND}")


def launch(
    playwright: Playwright, *more_flags: str, without: Sequence[str] | None = None
) -> Browser:
    """A headless browser of its own; the caller closes it. Raises ChromiumMissingError.

    `without` names flags that Playwright would add by itself, such as the one that switches the
    back/forward cache off.
    """
    return playwright.chromium.launch(
        executable_path=find_chromium(),
        args=[*FLAGS, *more_flags],
        ignore_default_args=without,
        headless=True,
    )


def watch_console(page: Page, *, but: str = "") -> list[str]:
    """A list that fills with what the browser complains of: script errors, refused sources.

    What the Content-Security-Policy refuses is a complaint too. `but` is part of one that is meant.
    """
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not (but and but in message.text):
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def bytes_over_the_wire(page: Page) -> dict[str, int]:
    """Fills with the size of each answer as it was sent, compressed, by address.

    Chromium's own count, headers included; what comes from its cache counts as nothing.
    """
    sizes: dict[str, int] = {}
    names: dict[str, str] = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on(
        "Network.requestWillBeSent", lambda e: names.update({e["requestId"]: e["request"]["url"]})
    )

    def add(event: dict[str, Any]) -> None:
        url = names.get(event["requestId"], "")
        sizes[url] = sizes.get(url, 0) + int(event["encodedDataLength"])

    session.on("Network.loadingFinished", add)
    return sizes
