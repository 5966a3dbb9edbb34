"""Weblogs that were uploaded to be imported."""

import uuid
from typing import ClassVar

from django.db import models

from tenants.models.clients import Client, Site


class UploadState(models.TextChoices):
    """Where an upload stands."""

    RECEIVING = "receiving", "Being uploaded"
    QUEUED = "queued", "Waiting for its turn"
    RUNNING = "running", "Being imported"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ENDED = (UploadState.FINISHED, UploadState.FAILED, UploadState.CANCELLED)
"""States in which the file and its key are gone."""


class LogUpload(models.Model):
    """One uploaded file and what became of it. The file itself: see `tracking.uploads`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="uploads")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)
    """Base name of the file."""
    size = models.BigIntegerField()
    """Bytes, as announced."""
    received = models.BigIntegerField(default=0)
    chunks = models.IntegerField(default=0)
    options = models.JSONField(default=dict)
    """Fields of `tracking.weblogs.options.Options`."""
    state = models.CharField(
        max_length=10, choices=UploadState.choices, default=UploadState.RECEIVING
    )
    is_cancel_asked = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=254)
    attempts = models.SmallIntegerField(default=0)
    """How often a worker has begun it; a worker may die."""
    position = models.BigIntegerField(default=0)
    """Bytes of the file that are read."""
    lines = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    skipped = models.JSONField(default=dict)
    bad = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    """Format, bots by name, numbers and reasons of the first bad lines; never a line's content."""
    error = models.CharField(max_length=400, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    """Sign of life of the browser that sends, or of the worker that imports."""
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["client", "-created_at"], name="logupload_by_client")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED
