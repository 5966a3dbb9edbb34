"""A client's websites: made, changed, given another key, taken out of use."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.clients import new_site_key
from tenants.models import Client, Site


@dataclass(frozen=True)
class SiteFields:
    """What is set of a website."""

    name: str
    hosts: list[str]
    timezone: str


def hosts_of(text: str) -> list[str]:
    """Host names out of lines, commas or spaces; of addresses their host; none twice."""
    found: list[str] = []
    for word in text.replace(",", " ").split():
        host = word.lower().partition("://")[2] or word.lower()
        host = host.partition("/")[0].rstrip(".")
        if host and host not in found:
            found.append(host)
    return found


def add_site(client: Client, fields: SiteFields, *, acting_user: str) -> Site:
    """A new website; raises ValidationError by field."""
    site = Site(client=client, key=new_site_key())
    return _save(site, fields, "site.create", acting_user)


def change_site(site: Site, fields: SiteFields, *, acting_user: str) -> Site:
    """Other fields; raises ValidationError by field."""
    return _save(site, fields, "site.change", acting_user)


def renew_site_key(site: Site, *, acting_user: str) -> Site:
    """Another key: what is on pages with the old one is refused from now on."""
    with transaction.atomic():
        site.key, site.key_changed_at = new_site_key(), timezone.now()
        site.save(update_fields=["key", "key_changed_at"])
        record_act(
            "site.renew_key",
            acting_user=acting_user,
            client_id=site.client_id,
            details={"site": site.pk},
        )
        announce_change()
    return site


def set_site_active(site: Site, *, is_active: bool, acting_user: str) -> Site:
    """Take it out of use (its hits are refused, its report is not shown), or back into it.

    Raises ValidationError for the last one in use: a client without a website has no report.
    """
    with transaction.atomic():
        # Locked, so that two people cannot take away the last two at once.
        sites = Site.objects.select_for_update().filter(client_id=site.client_id, is_active=True)
        if not is_active and not [one for one in sites if one.pk != site.pk]:
            raise ValidationError(
                "This is the only website in use: add another one first, or keep it."
            )
        site.is_active = is_active
        site.save(update_fields=["is_active"])
        record_act(
            "site.activate" if is_active else "site.deactivate",
            acting_user=acting_user,
            client_id=site.client_id,
            details={"site": site.pk},
        )
        announce_change()
    return site


def _save(site: Site, fields: SiteFields, act: str, acting_user: str) -> Site:
    site.name = fields.name.strip()
    site.hosts = [host.strip().lower() for host in fields.hosts if host.strip()]
    site.timezone = fields.timezone
    site.full_clean(exclude=["client"])
    with transaction.atomic():
        site.save()
        record_act(
            act,
            acting_user=acting_user,
            client_id=site.client_id,
            details={
                "site": site.pk,
                "name": site.name,
                "hosts": site.hosts,
                "timezone": site.timezone,
            },
        )
        announce_change()
    return site
