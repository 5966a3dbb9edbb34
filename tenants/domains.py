"""Host names that serve a client: its own by CNAME beside <slug>.<base domain>."""

import re
import socket
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.models import Client, Domain
from tenants.models.clients import HOST_PATTERN


@dataclass(frozen=True)
class DomainCheck:
    """What the name service says of a host name."""

    is_right: bool
    words: str


def clean_domain(text: str) -> str:
    """The host name in small letters; raises ValidationError for what is none."""
    name = text.strip().lower().partition("://")[2] or text.strip().lower()
    name = name.partition("/")[0].partition(":")[0].rstrip(".")
    if not re.fullmatch(HOST_PATTERN, name) or "." not in name:
        raise ValidationError(f"{name!r} is not a host name: write it as stats.example.com.")
    if name == settings.AGENCY_HOST or name.endswith(f".{settings.BASE_DOMAIN}"):
        raise ValidationError(f"{name!r} belongs to the agency: name one of the client's own.")
    return name


def add_domain(client: Client, text: str, *, acting_user: str) -> Domain:
    """Serve the client under another name; raises ValidationError when it is taken."""
    name = clean_domain(text)
    try:
        with transaction.atomic():
            domain: Domain = Domain.objects.create(tenant=client, domain=name, is_primary=False)
            _record("domain.add", client, name, acting_user)
            announce_change()
    except IntegrityError:
        raise ValidationError(f"{name!r} is in use already: name another one.") from None
    return domain


def remove_domain(domain: Domain, *, acting_user: str) -> None:
    """Stop serving under the name; raises ValidationError for the client's main one."""
    client: Client = domain.tenant
    if domain.is_primary:
        raise ValidationError("The main name stays: links in mails and snippets lead to it.")
    with transaction.atomic():
        name = domain.domain
        domain.delete()
        _record("domain.remove", client, name, acting_user)
        announce_change()


def check_domain(client: Client, name: str) -> DomainCheck:
    """Ask the name service whether the name leads here; takes up to some seconds.

    It does when it is an alias (CNAME) of the client's main name, or has an address in common.
    """
    target = client.domains.filter(is_primary=True).values_list("domain", flat=True)[0]
    found = _addresses(name)
    if found is None:
        return DomainCheck(
            False,
            f"{name} is not known yet. Add the CNAME record at the domain's provider; until it is "
            "known everywhere, up to a day may pass.",
        )
    canonical, addresses = found
    if canonical == target:
        return DomainCheck(True, f"{name} is an alias of {target}.")
    ours = _addresses(target)
    if ours is not None and addresses & ours[1]:
        return DomainCheck(True, f"{name} leads to the same server as {target}.")
    return DomainCheck(
        False, f"{name} leads elsewhere. Point its CNAME record at {target} instead."
    )


def _addresses(name: str) -> tuple[str, frozenset[str]] | None:
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except (OSError, UnicodeError):
        return None
    canonical = next((entry[3] for entry in found if entry[3]), name)
    return canonical.rstrip(".").lower(), frozenset(str(entry[4][0]) for entry in found)


def _record(act: str, client: Client, name: str, acting_user: str) -> None:
    record_act(act, acting_user=acting_user, client_id=client.pk, details={"domain": name})
