"""What each client's websites did, in the shared schema: sums of days, and how things stand.

For the agency's pages, which show all clients at once and must not enter a schema for each. Copied
from the client's rollups by `tracking.states`; holds sums only, nothing of a visitor.
"""

from typing import ClassVar

from django.db import models

from tenants.models.clients import Client


class ClientDay(models.Model):
    """One day of one website, on the website's clock."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="days")
    site_id = models.IntegerField()
    """Plain id: the sums outlive the website."""
    day = models.DateField()
    visits = models.IntegerField()
    consented_visits = models.IntegerField()
    """Visits whose visitor had agreed to be recognised."""
    visitors = models.IntegerField()
    """Different visitors of that day; they cannot be joined over days, websites or clients."""
    pageviews = models.IntegerField()
    events = models.IntegerField()
    bytes_sent = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["client", "site_id", "day"], name="clientday_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["day"], name="clientday_by_day")]

    def __str__(self) -> str:
        return f"site {self.site_id}, {self.day:%Y-%m-%d}"


class ClientState(models.Model):
    """How a client stands now."""

    client = models.OneToOneField(
        Client, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    last_hit_at = models.DateTimeField(null=True)
    """Null: nothing has ever been received."""
    live_now = models.IntegerField(default=0)
    """Visits with a hit in the five minutes before `live_at`."""
    live_at = models.DateTimeField(null=True)
    open_alerts = models.IntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"state of client {self.client_id}"
