"""A client's logo: apart from the client, which is read with every request."""

from django.db import models

from tenants.models.clients import Client


class ClientLogo(models.Model):
    """The logo as it is served; `Client.logo_digest` says whether there is one."""

    client = models.OneToOneField(
        Client, on_delete=models.CASCADE, primary_key=True, related_name="logo"
    )
    content = models.BinaryField()
    """At most 100 kB, checked by `tenants.logos`."""
    media_type = models.CharField(max_length=16)
    """image/png or image/svg+xml."""
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"logo of client {self.client_id}"
