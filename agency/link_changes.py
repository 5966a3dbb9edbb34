"""Making, renewing and ending shared links, each with its audit entry.

Called outside the client's schema, with the person who acts. An entry follows the change in a
transaction of its own, since a client's role cannot write public tables.
"""

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404

from tenants.audit import record_act
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery import links
from tracking.models import SharedLink


def record(act: str, client: Client, user: User, **details: Any) -> None:
    """Append to the audit trail what a person changed at a client."""
    record_act(act, acting_user=user.email, client_id=client.pk, details=details)


def make_link(
    client: Client, site: Site, *, acting_user: User, now: dt.datetime, **fields: Any
) -> tuple[SharedLink, str]:
    """A new link and its token; fields as of `tracking.delivery.links.create_link`."""
    with entered(client):
        link, token = links.create_link(site, created_by=acting_user.pk, now=now, **fields)
    record(
        "link.create",
        client,
        acting_user,
        link=link.pk,
        site=site.pk,
        sections=link.sections,
        is_embed=link.is_embed,
        has_password=bool(link.password),
        expires_at=link.expires_at.isoformat() if link.expires_at else None,
    )
    return link, token


def get_link(
    client: Client, site: Site, link_id: int, *, sections: Collection[Section]
) -> SharedLink:
    """A link of the site that whoever sees these sections may change; Http404.

    PermissionDenied where the link shows more: a new address of it would open that.
    """
    with entered(client):
        link = SharedLink.objects.filter(pk=link_id, site_id=site.pk).first()
    if link is None:
        raise Http404("There is no such link.")
    if not may_change(link, sections):
        raise PermissionDenied(
            "This link shows sections that are not open to you. Ask somebody who sees them."
        )
    return link


def may_change(link: SharedLink, sections: Collection[Section]) -> bool:
    """Whether the link shows nothing beyond these sections."""
    return set(link.sections) <= {section.value for section in sections}


def renew_link(client: Client, link: SharedLink, *, acting_user: User) -> str:
    """Another address for the link, which ends the old one; returns its token."""
    with entered(client):
        token = links.renew_link(link)
    record("link.renew", client, acting_user, link=link.pk)
    return token


def revoke_link(client: Client, link: SharedLink, *, acting_user: User, now: dt.datetime) -> None:
    """End the link for good."""
    with entered(client):
        changed = links.revoke_link(link, now)
    if changed:
        record("link.revoke", client, acting_user, link=link.pk)


def delete_link(client: Client, link: SharedLink, *, acting_user: User) -> None:
    """Take a link off the list, which ends it too."""
    with entered(client):
        links.delete_link(link)
    record("link.delete", client, acting_user, link=link.pk)
