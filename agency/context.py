"""What every template may know."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def house(request: HttpRequest) -> dict[str, Any]:
    """Name of the house, the client whose host this is, and its locale."""
    client = getattr(request, "client", None)
    return {
        "agency_name": settings.AGENCY_NAME,
        "agency_url": f"{request.scheme}://{settings.AGENCY_HOST}{_port(request)}",
        "client": client,
        "is_demo": not settings.PRODUCTION,
    }


def _port(request: HttpRequest) -> str:
    port = request.get_port()
    return "" if port in {"80", "443"} else f":{port}"
