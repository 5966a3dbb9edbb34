"""Who may see what: the one door to clients, their sites and the sections of their reports.

Outsiders get 404, so that they do not learn what exists; members with too small a role get 403.
A site or client outside a member's scope is as absent as one that does not exist.
"""

import enum
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404

from tenants.models import Client, Membership, Role, Section, Site, User

Person = User | AnonymousUser


class May(enum.Enum):
    """What a role may do."""

    VIEW = "view"
    EXPORT = "export"
    EDIT_REPORTS = "edit_reports"
    """Goals, funnels, segments, annotations, links, scheduled mails, alerts."""
    MANAGE_PEOPLE = "manage_people"
    EDIT_SETTINGS = "edit_settings"
    EDIT_PRIVACY = "edit_privacy"
    IMPORT = "import"
    CREATE_CLIENTS = "create_clients"
    ADMINISTER = "administer"
    """The admin site."""


_READING = frozenset({May.VIEW, May.EXPORT})
MAY: dict[Role, frozenset[May]] = {
    Role.OWNER: frozenset(May),
    Role.ANALYST: _READING | {May.EDIT_REPORTS, May.EDIT_SETTINGS, May.IMPORT, May.CREATE_CLIENTS},
    Role.PRIVACY_OFFICER: _READING | {May.EDIT_PRIVACY, May.ADMINISTER},
    Role.MANAGER: _READING | {May.EDIT_REPORTS, May.MANAGE_PEOPLE},
    Role.VIEWER: _READING,
}
"""What each role may do; MANAGE_PEOPLE of a client's role reaches its own client's people."""

_ABSENT = "There is nothing here."
_TOO_SMALL = "Your role does not allow this. Ask the agency if it should."


def find_membership(user: Person, client: Client | None) -> Membership | None:
    """The membership that lets the user in: at the agency (where it reaches this client), or here.

    `client=None` asks for the agency itself. None: an outsider. One query.
    """
    if not isinstance(user, User) or not user.is_active:
        return None
    memberships = Membership.objects.filter(user=user)
    if client is None:
        return memberships.filter(client=None).first()
    reaching = Q(client=None) & (Q(all_clients=True) | Q(clients=client))
    found = memberships.filter(reaching | Q(client=client)).distinct()
    # The agency's role is the larger one.
    return min(found, key=lambda one: one.client_id is not None, default=None)


def find_role(user: Person, client: Client | None) -> Role | None:
    """The user's role at a client, or at the agency with None; None: no member."""
    membership = find_membership(user, client)
    return Role(membership.role) if membership else None


def allows(user: Person, client: Client | None, may: May) -> bool:
    """Whether the user's role at the client (None: at the agency) may do this."""
    role = find_role(user, client)
    return role is not None and may in MAY[role]


def _access(user: Person, client: Client | None, may: May) -> Membership:
    membership = find_membership(user, client)
    if membership is None:
        raise Http404(_ABSENT)
    if may not in MAY[Role(membership.role)]:
        raise PermissionDenied(_TOO_SMALL)
    return membership


def access_agency(user: Person, *, may: May = May.VIEW) -> Role:
    """The user's role at the agency; Http404 for others, PermissionDenied for too small a one."""
    return Role(_access(user, None, may).role)


def access_client(user: Person, client: Client, *, may: May = May.VIEW) -> Role:
    """The user's role at the client; Http404 for outsiders, PermissionDenied for too small a one.

    Staff whose scope leaves the client out are outsiders here.
    """
    return Role(_access(user, client, may).role)


def access_site(
    user: Person,
    client: Client,
    site_id: int | None = None,
    *,
    may: May = May.VIEW,
    section: Section | None = None,
) -> Site:
    """A site of the client (the first one in scope when no id is given); errors as above.

    A page that shows a section of the report names it: members whose scope leaves the section
    out get PermissionDenied. A site out of scope is absent: Http404. Two queries, three for
    members of chosen sites.
    """
    return access_report(user, client, site_id, may=may, section=section).site


@dataclass(frozen=True)
class Access:
    """What of a client, or of the agency, a person may see and do."""

    is_staff: bool
    sites: tuple[Site, ...]
    """Active ones in scope, the oldest first; none for the agency itself."""
    sections: frozenset[Section]
    may: frozenset[May]


@dataclass(frozen=True)
class Opened(Access):
    """The same, with the site whose report was asked for."""

    site: Site


def access_report(
    user: Person,
    client: Client,
    site_id: int | None = None,
    *,
    may: May = May.VIEW,
    section: Section | None = None,
) -> Opened:
    """A site as `access_site` finds it, and what else of the report the member may see and do."""
    access = _access_of(_access(user, client, may), client)
    if section is not None and section not in access.sections:
        raise PermissionDenied(
            f"The section {section.label} of this report is not open to you. Ask who invited you."
        )
    site = next((one for one in access.sites if site_id is None or one.pk == site_id), None)
    if site is None:
        raise Http404("There is no such site.")
    return Opened(**vars(access), site=site)


def find_access(user: Person, client: Client | None) -> Access | None:
    """What the user reaches at a client, or at the agency with None; None: an outsider.

    Two queries, three for members of chosen sites.
    """
    membership = find_membership(user, client)
    return _access_of(membership, client) if membership else None


def _access_of(membership: Membership, client: Client | None) -> Access:
    return Access(
        is_staff=membership.client_id is None,
        sites=tuple(_sites(membership, client)) if client is not None else (),
        sections=_sections(membership),
        may=MAY[Role(membership.role)],
    )


def _sections(membership: Membership) -> frozenset[Section]:
    if membership.client_id is None or membership.all_sections:
        return frozenset(Section)
    return frozenset(Section(name) for name in membership.sections)


def _sites(membership: Membership, client: Client) -> list[Site]:
    sites = Site.objects.filter(client=client, is_active=True).order_by("pk")
    if membership.client_id is None or membership.all_sites:
        return list(sites)
    return list(sites.filter(pk__in=list(membership.sites.values_list("pk", flat=True))))


def accessible_sites(user: Person, client: Client) -> list[Site]:
    """Active sites of the client that the user may see, the oldest first; [] for outsiders."""
    membership = find_membership(user, client)
    return _sites(membership, client) if membership else []


def sections_of(user: Person, client: Client) -> frozenset[Section]:
    """Sections of the client's report that the user may see; empty for outsiders."""
    membership = find_membership(user, client)
    return _sections(membership) if membership else frozenset()


def accessible_clients(user: Person) -> list[Client]:
    """Active clients that the user may see, by name. Two queries."""
    if not isinstance(user, User) or not user.is_active:
        return []
    active = Client.objects.filter(is_active=True).order_by("name")
    staff = find_membership(user, None)
    if staff is not None and staff.all_clients:
        return list(active)
    own = Q(memberships__user=user)
    if staff is not None:
        own |= Q(pk__in=staff.clients.values_list("pk", flat=True))
    return list(active.filter(own).distinct())
