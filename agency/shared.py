"""Readers who came by a shared link: what their session was let into, checked at every request.

`/share/<token>/` lets in (agency.views.links); the report is then read at `/shared/<link>/` and
below, through `agency.views.reading`. The session holds the link's number and a mark that changes
with its token and password, so that revoking, renewing or a new password ends it at once.
"""

from dataclasses import dataclass

from django.http import Http404, HttpRequest
from django.utils import timezone

from agency.hosts import bind_session, client_of
from tenants.models import Client, Section, Site
from tenants.schemas import entered
from tracking.delivery.links import find_link_by_id, password_mark
from tracking.models import SharedLink

IN_SESSION = "outward_links"
MOST_LINKS = 20
"""Links that a session remembers; the oldest is forgotten."""


@dataclass(frozen=True)
class SharedReport:
    """What a link lets its reader see."""

    link: SharedLink
    client: Client
    site: Site
    sections: frozenset[Section]


def let_in(request: HttpRequest, link: SharedLink) -> None:
    """Remember in the session that its reader held the token and knew the password."""
    known: dict[str, str] = dict(request.session.get(IN_SESSION, {}))
    known.pop(str(link.pk), None)
    known[str(link.pk)] = password_mark(link)
    request.session[IN_SESSION] = dict(list(known.items())[-MOST_LINKS:])
    bind_session(request)


def shared_link_of(request: HttpRequest, link_id: int) -> SharedLink | None:
    """The link, if this session was let in and it has neither ended nor changed since.

    One query in the client's schema; none for a session that never was let in.
    """
    mark = request.session.get(IN_SESSION, {}).get(str(link_id))
    if not mark:
        return None
    with entered(client_of(request)):
        link = find_link_by_id(link_id, timezone.now())
    return link if link is not None and password_mark(link) == mark else None


def access_shared(
    request: HttpRequest, link_id: int, *, section: Section | None = None
) -> SharedReport:
    """What the link's reader may see; Http404 for anybody else, and for other sections."""
    link = shared_link_of(request, link_id)
    found = report_of(client_of(request), link) if link is not None else None
    if found is None or (section is not None and section not in found.sections):
        raise Http404("There is nothing here.")
    return found


def report_of(client: Client, link: SharedLink) -> SharedReport | None:
    """What a link shows; None when its site is no more. One query."""
    site = Site.objects.filter(client=client, pk=link.site_id, is_active=True).first()
    if site is None:
        return None
    known = {section.value: section for section in Section}
    sections = frozenset(known[name] for name in link.sections if name in known)
    return SharedReport(link, client, site, sections)
