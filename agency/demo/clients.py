"""The demo's clients."""

from agency.demo.fellside import FELLSIDE
from agency.demo.harbour import HARBOUR
from agency.demo.pages import DemoClient
from agency.demo.tamarind import TAMARIND

DEMO_CLIENTS: tuple[DemoClient, ...] = (FELLSIDE, HARBOUR, TAMARIND)


def find_demo_client(slug: str) -> DemoClient | None:
    """The demo client of a slug."""
    return next((demo for demo in DEMO_CLIENTS if demo.slug == slug), None)
