"""Addresses of the house's hosts, for links in pages and mails."""

from django.conf import settings
from django.http import HttpRequest

from tenants.models import Client, Domain


def host_name(client: Client | None) -> str:
    """The client's main host name, or the agency's."""
    if client is None:
        return str(settings.AGENCY_HOST)
    found = Domain.objects.filter(tenant=client, is_primary=True)
    return str(found.values_list("domain", flat=True)[0])


def origin_of(request: HttpRequest | None, client: Client | None) -> str:
    """Scheme, host and port of a client's host (None: the agency's), without a slash at the end.

    Scheme and port are those of the request; without one (a job), those of the settings.
    """
    if request is not None:
        scheme, port = request.scheme or "http", request.get_port()
    else:
        scheme, port = ("https", "443") if settings.PRODUCTION else ("http", str(settings.PORT))
    return f"{scheme}://{host_name(client)}" + ("" if port in {"80", "443"} else f":{port}")
