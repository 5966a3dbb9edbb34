"""Which client a host name belongs to, and sessions that are worth nothing on another host.

Three kinds of host: the agency's, a client's, and (where the demo is seeded) a demo website's.
The connection stays in the public schema: a view enters its client's schema itself, in a
`with entered(client)` block, once the access door has let the user in.
"""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound

from tenants.models import Client, Domain

DEMO_SUFFIX = "-demo"
HOST_IN_SESSION = "outward_host"

Handler = Callable[[HttpRequest], HttpResponse]


class OutwardRequest(HttpRequest):
    """A request whose host has been read: `client` is None on the agency's host."""

    client: Client | None


def host_of(request: HttpRequest) -> str:
    """Host name in small letters, without port and trailing dot."""
    return request.get_host().rpartition("]")[2].partition(":")[0].rstrip(".").lower()


def find_client(host: str) -> Client | None:
    """The active client that a host name belongs to."""
    domain = Domain.objects.select_related("tenant").filter(domain=host).first()
    return domain.tenant if domain and domain.tenant.is_active else None


class HostMiddleware:
    """Sets `request.client` and the addresses (urlconf) that the host serves; else 404."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Read the host, pass on."""
        host = host_of(request)
        request.client = None  # type: ignore[attr-defined]  # OutwardRequest declares it
        if host == settings.AGENCY_HOST:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return self.get_response(request)
        name, _, base = host.partition(".")
        if base == settings.BASE_DOMAIN and name.endswith(DEMO_SUFFIX) and not settings.PRODUCTION:
            request.urlconf = "agency.demo.urls"
            return self.get_response(request)
        client = find_client(host)
        if client is None:
            return HttpResponseNotFound(
                f"No client is served at this address. The agency is at {settings.AGENCY_HOST}.",
                content_type="text/plain; charset=utf-8",
            )
        request.client = client  # type: ignore[attr-defined]  # OutwardRequest declares it
        request.urlconf = settings.ROOT_URLCONF
        return self.get_response(request)


class SessionHostMiddleware:
    """Ends a session that was begun on another host, whatever cookie brought it here."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Compare the session's host with the request's.

        A log-in that waits for its second step is bound too, before there is a user.
        """
        bound = request.session.get(HOST_IN_SESSION)
        if bound != host_of(request) and (bound or request.user.is_authenticated):
            logout(request)
        return self.get_response(request)


def bind_session(request: HttpRequest) -> None:
    """Tie the session to this host; called with the first right password, and at the log-in."""
    request.session[HOST_IN_SESSION] = host_of(request)


def client_of(request: HttpRequest) -> Client:
    """The client whose host this is; Http404 on the agency's."""
    client = cast(OutwardRequest, request).client
    if client is None:
        raise Http404("There is nothing here.")
    return client


def client_or_none(request: HttpRequest) -> Client | None:
    """The client whose host this is; None on the agency's."""
    client: Client | None = getattr(request, "client", None)
    return client


def account_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The account that a log-in is about, for counting wrong guesses: its address, small."""
    given = credentials or {}
    name = given.get("email") or given.get("username") or request.POST.get("login")
    return str(name).strip().lower() if name else None
