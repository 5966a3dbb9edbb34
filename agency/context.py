"""What every template may know."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from agency.navigation import navigation_of

THEME_COOKIE = "outward_theme"
THEMES = {"light", "dark"}


def house(request: HttpRequest) -> dict[str, Any]:
    """The house, the client whose host this is, and where the reader may go from here.

    `navigation` costs its queries only where a template prints it.
    """
    client = getattr(request, "client", None)
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "agency_name": settings.AGENCY_NAME,
        "agency_url": f"{request.scheme}://{settings.AGENCY_HOST}{_port(request)}",
        "client": client,
        "is_demo": not settings.PRODUCTION,
        "base_template": "client/base.html" if client else "agency/base.html",
        "navigation": SimpleLazyObject(lambda: navigation_of(request)),
        "theme": theme if theme in THEMES else "",
    }


def _port(request: HttpRequest) -> str:
    port = request.get_port()
    return "" if port in {"80", "443"} else f":{port}"
