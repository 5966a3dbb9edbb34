"""Weblog imports: what was read, what became of each line."""

from typing import ClassVar

from django.db import models


class ImportState(models.TextChoices):
    """Where an import stands."""

    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    INTERRUPTED = "interrupted", "Interrupted"
    FAILED = "failed", "Failed"


class Import(models.Model):
    """One file of a weblog import. Always: lines = stored + sum(skipped) + sum(bad)."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=255)
    """The file's base name."""
    fingerprint = models.CharField(max_length=64)
    """Keyed hash of the file's beginning: finds an interrupted import of the same file again."""
    format = models.CharField(max_length=64, default="")
    state = models.CharField(
        max_length=12, choices=ImportState.choices, default=ImportState.RUNNING
    )
    position = models.BigIntegerField(default=0)
    """Uncompressed bytes whose lines are all accounted for."""
    lines = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    skipped = models.JSONField(default=dict)
    """Lines by reason."""
    bad = models.JSONField(default=dict)
    """Lines by reason; never their content."""
    bytes_sent = models.BigIntegerField(default=0)
    details = models.JSONField(default=dict)
    """Options, bots by name, first bad line numbers by reason, and what a resume needs."""
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imports"
        indexes: ClassVar = [
            models.Index(fields=["site_id", "fingerprint"], name="imports_by_fingerprint")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
