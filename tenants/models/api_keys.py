"""Keys with which a client's programs read its statistics."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from tenants.models.clients import Client


class Scope(models.TextChoices):
    """What a key may do."""

    STATS_READ = "stats:read", "Read statistics"


class ApiKey(models.Model):
    """One key. The secret itself is shown once, when it is made, and kept nowhere."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16)
    """Beginning of the secret, by which people tell keys apart."""
    hash = models.CharField(max_length=64, unique=True)
    """SHA-256 of the secret, in hex. A secret of 256 random bits needs no slow hash."""
    scopes = models.JSONField(default=list)
    sites = models.JSONField(default=list)
    """Ids of the sites it may read; empty: all of the client's."""
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    """To the minute."""
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API key"
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            # A key without a scope would be a key to nothing, or one day to everything.
            models.CheckConstraint(condition=~models.Q(scopes=[]), name="apikey_has_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
