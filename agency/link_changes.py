"""Making, renewing and ending shared links, each with its audit entry.

Called outside the client's schema, with the person who acts. An entry follows the change in a
transaction of its own, since a client's role cannot write public tables.
"""

import datetime as dt
from typing import Any

from django.http import Http404

from tenants.audit import record_act
from tenants.models import Client, Site, User
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


def get_link(client: Client, site: Site, link_id: int) -> SharedLink:
    """A link of the site; Http404."""
    with entered(client):
        link = SharedLink.objects.filter(pk=link_id, site_id=site.pk).first()
    if link is None:
        raise Http404("There is no such link.")
    return link


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
