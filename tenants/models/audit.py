"""What was done, by whom: append-only."""

from typing import ClassVar

from django.db import models


class AuditEntry(models.Model):
    """One act. Holds ids and settings, never personal data of visitors."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=254)
    """E-mail address of the user, or `system:<job>`."""
    act = models.CharField(max_length=64)
    """Verb and noun, e.g. `client.create`, `key.destroy`."""
    client_id = models.BigIntegerField(null=True)
    """Plain id: an entry outlives its client."""
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [models.Index(fields=["client_id", "at"], name="audit_by_client")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.act}"
