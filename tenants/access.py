"""Who may see what: the one door to clients and their sites.

Outsiders get 404, so that they do not learn what exists; members with too small a role get 403.
"""

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from tenants.models import Client, Membership, Role, Site, User


def find_role(user: User | AnonymousUser, client: Client | None) -> Role | None:
    """The user's role at a client (agency staff have theirs at every client); None: no member.

    `client=None` asks for a role at the agency. One query.
    """
    if not isinstance(user, User) or not user.is_active:
        return None
    roles: dict[int | None, str] = dict(
        Membership.objects.filter(user=user)
        .filter(client=None)
        .union(Membership.objects.filter(user=user, client=client))
        .values_list("client_id", "role")
    )
    if None in roles:
        return Role(roles[None])
    return Role(roles[client.pk]) if client and client.pk in roles else None


def access_agency(user: User | AnonymousUser) -> Role:
    """Raises Http404 unless the user is agency staff."""
    role = find_role(user, None)
    if role is None:
        raise Http404("There is nothing here.")
    return role


def access_client(user: User | AnonymousUser, client: Client, *, role: Role | None = None) -> Role:
    """The user's role; Http404 for outsiders, PermissionDenied for members with another role.

    `role=Role.AGENCY` lets agency staff only.
    """
    found = find_role(user, client)
    if found is None:
        raise Http404("There is nothing here.")
    if role is Role.AGENCY and found is not Role.AGENCY:
        raise PermissionDenied("Only the agency's staff may do this.")
    return found


def access_site(
    user: User | AnonymousUser,
    client: Client,
    site_id: int | None = None,
    *,
    role: Role | None = None,
) -> Site:
    """A site of the client (its first one when no id is given); errors as `access_client`.

    A site of another client is as absent as one that does not exist: Http404.
    """
    access_client(user, client, role=role)
    sites = Site.objects.filter(client=client, is_active=True).order_by("pk")
    site = sites.filter(pk=site_id).first() if site_id is not None else sites.first()
    if site is None:
        raise Http404("There is no such site.")
    return site


def accessible_clients(user: User | AnonymousUser) -> list[Client]:
    """Active clients that the user may see, by name. Two queries."""
    if not isinstance(user, User):
        return []
    active = Client.objects.filter(is_active=True).order_by("name")
    if find_role(user, None) is not None:
        return list(active)
    return list(active.filter(memberships__user=user).distinct())
