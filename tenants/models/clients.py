"""Clients, the host names they are served under, and their websites."""

import zoneinfo
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.timezone import now
from django_tenants.models import DomainMixin, TenantMixin

SLUG_PATTERN = r"[a-z][a-z0-9-]{0,38}[a-z0-9]"
_NAME = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
HOST_PATTERN = rf"(?=.{{1,253}}$){_NAME}(\.{_NAME})*(:\d{{1,5}})?"


def validate_timezone(name: str) -> None:
    """Raises ValidationError unless the IANA time zone database knows the name."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            "%(name)s is not a time zone: write it as in Europe/London.", params={"name": name}
        )


class Client(TenantMixin):  # type: ignore[misc]  # django-tenants has no types
    """The agency's customer: one schema, one database role, keys of its own."""

    slug = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(
                rf"^{SLUG_PATTERN}$",
                "Use 2 to 40 small letters, digits and hyphens, starting with a letter.",
            )
        ],
    )
    name = models.CharField(max_length=120)
    db_role = models.CharField(max_length=63, unique=True)
    """LOGIN role without a password, taken with SET ROLE; never logged in with."""
    timezone = models.CharField(
        max_length=64, default="Europe/London", validators=[validate_timezone]
    )
    locale = models.CharField(max_length=12, default="en-gb")
    currency = models.CharField(max_length=3, default="GBP")
    accent_colour = models.CharField(
        max_length=7,
        default="#0b6b57",
        validators=[RegexValidator(r"^#[0-9a-f]{6}$", "Write the colour as #0b6b57.")],
    )
    logo_digest = models.CharField(max_length=16, default="", blank=True)
    """Names the logo (ClientLogo) in addresses that browsers may keep; empty: there is none."""
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    auto_create_schema = False  # tenants.clients.create_client does it, whole or not at all
    auto_drop_schema = False

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):  # type: ignore[misc]  # django-tenants has no types
    """A host name that serves a client: <slug>.<base domain>, or its own by CNAME."""

    def __str__(self) -> str:
        return str(self.domain)


class Site(models.Model):
    """One website of a client."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="sites")
    key = models.CharField(max_length=24, unique=True)
    """Public key in the snippet; says which site a hit is for, and grants nothing else."""
    key_changed_at = models.DateTimeField(default=now, editable=False)
    """When the key was made: a hit before it says nothing of the line that is on the pages now."""
    name = models.CharField(max_length=120)
    hosts = models.JSONField(default=list)
    """Host names whose pages may send hits, small letters, the first one is the main one. An
    entry `*.example.com` allows all hosts below it."""
    timezone = models.CharField(
        max_length=64, default="Europe/London", validators=[validate_timezone]
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def main_host(self) -> str:
        """First host, whose pages are stored without a host."""
        return str(self.hosts[0]) if self.hosts else ""

    def clean(self) -> None:
        """Refuse an empty or malformed list of hosts."""
        valid = RegexValidator(rf"^(\*\.)?{HOST_PATTERN}$")
        if not isinstance(self.hosts, list) or not self.hosts:
            raise ValidationError({"hosts": "Name at least one host, such as www.example.com."})
        for host in self.hosts:
            try:
                valid(host)
            except ValidationError:
                raise ValidationError(
                    {"hosts": f"{host!r} is not a host name: write it as www.example.com."}
                ) from None
