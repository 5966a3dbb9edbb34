"""WCAG 2.2 AA, as far as axe can tell, on a page in a browser."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    # What passes is looked at all the same, but not described element by element.
    "resultTypes": ["violations"],
}
_AXE = Axe()


def violations(page: Page) -> list[str]:
    """What breaks a rule: its name and up to three places. Violations only come over the wire."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE.axe_script)
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(results => results.violations)", _OPTIONS
    )
    return [
        f"{one['id']} at {', '.join(str(node['target']) for node in one['nodes'][:3])}"
        for one in found
    ]
