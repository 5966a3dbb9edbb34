"""Clients that are still being described."""

from django.conf import settings
from django.db import models


class ClientDraft(models.Model):
    """What somebody has entered for a new client so far; one draft a person.

    In the database instead of the session: it outlives a log-out, and a logo would not fit.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="client_draft",
    )
    steps = models.JSONField(default=dict)
    """By step: the fields as entered, also those that were refused."""
    logo = models.BinaryField(default=bytes)
    logo_type = models.CharField(max_length=16, default="", blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft of user {self.user_id}"
