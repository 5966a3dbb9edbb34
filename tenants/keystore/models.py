"""Wrapped data keys. This table lives in the keys database, which has its own short backups."""

from typing import ClassVar

from django.db import models


class DataKey(models.Model):
    """A 256-bit data key of one client, purpose and epoch, wrapped with the root key.

    A destroyed key keeps its row as the record of its destruction: `wrapped` is then empty and
    `destroyed_at` set.
    """

    client_id = models.BigIntegerField()
    purpose = models.CharField(max_length=16)
    epoch = models.DateField(null=True)
    """UTC day (ip, visitor) or first of the month (correspondence); null: the client's lifetime."""
    root_key_id = models.CharField(max_length=32)
    """Which root key wrapped it, so that root keys can be replaced one by one."""
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()
    destroy_after = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["client_id", "purpose", "epoch"],
                name="datakey_one_per_epoch",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["destroy_after"],
                name="datakey_due",
                condition=models.Q(destroyed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.pk} ({self.purpose}, {self.epoch or 'lifetime'})"


class UploadKey(models.Model):
    """The key of one uploaded weblog; the row is deleted as soon as the file is."""

    upload_id = models.UUIDField(primary_key=True)
    client_id = models.BigIntegerField()
    root_key_id = models.CharField(max_length=32)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"key of upload {self.upload_id}"
