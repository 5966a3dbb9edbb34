"""Groups by which the agency sorts its clients."""

from typing import ClassVar

from django.db import models

from tenants.models.clients import Client


class ClientGroup(models.Model):
    """A name for some clients; a client may be in several groups, or in none."""

    name = models.CharField(max_length=60, unique=True)
    clients = models.ManyToManyField(Client, related_name="groups", blank=True)
    order = models.IntegerField(default=0)
    """Groups are shown by it, then by name."""

    class Meta:
        ordering: ClassVar = ["order", "name"]

    def __str__(self) -> str:
        return self.name
