"""WCAG 2.2 AA and good practice, as far as axe can tell, on a page in a browser."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# What passes is looked at all the same, but not described element by element.
_EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
_WCAG = _EVERYTHING | {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
}
_AXE = Axe()


def violations(page: Page, *, practice: bool = False) -> list[str]:
    """What breaks a rule: its name and up to three places. Nothing else comes over the wire.

    `practice`: rules of good practice too, which WCAG does not ask for.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE.axe_script)
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(results => results.violations)",
        _EVERYTHING if practice else _WCAG,
    )
    return [
        f"{one['id']} at {', '.join(str(node['target']) for node in one['nodes'][:3])}"
        for one in found
    ]
