"""The door to a client on the agency's host, where its slug stands in the address."""

from django.http import Http404, HttpRequest

from tenants.access import May, access_agency, access_client
from tenants.models import Client, User


def client_named(request: HttpRequest, slug: str, *, may: May = May.VIEW) -> Client:
    """The active client of a slug, for the agency's staff whose role reaches it.

    Http404 for everybody else and for a client out of scope, PermissionDenied for too small a
    role.
    """
    access_agency(request.user)
    client: Client | None = Client.objects.filter(slug=slug, is_active=True).first()
    if client is None:
        raise Http404("There is no such client.")
    access_client(request.user, client, may=may)
    return client


def acting_user(request: HttpRequest) -> str:
    """Who is named in the audit trail."""
    user = request.user
    return user.email if isinstance(user, User) else "nobody"
