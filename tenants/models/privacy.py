"""What a client lets us collect. The defaults are closed."""

import datetime as dt
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from tenants.models.clients import Client


class IpMode(models.TextChoices):
    """What becomes of an IP address."""

    ENCRYPTED = "encrypted", "Encrypted, readable only through a recorded disclosure"
    TRUNCATED = "truncated", "Cut to its network (/24, /48)"
    NONE = "none", "Not kept"


class ZipMode(models.TextChoices):
    """What becomes of a US ZIP code."""

    ZIP5 = "zip5", "Five digits"
    ZIP3 = "zip3", "First three digits"
    NONE = "none", "Not kept"


class CookieMode(models.TextChoices):
    """When a visitor gets a cookie."""

    NEVER = "never", "Never"
    CONSENT = "consent", "After consent"
    EXEMPT = "exempt", "Always, under the client's documented exemption"


class PrivacySettings(models.Model):
    """One client's settings; each change is an audit entry."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="privacy")
    ip_mode = models.CharField(max_length=10, choices=IpMode.choices, default=IpMode.ENCRYPTED)
    keep_outcode = models.BooleanField(default=True)
    zip_mode = models.CharField(max_length=5, choices=ZipMode.choices, default=ZipMode.ZIP3)
    cookie_mode = models.CharField(
        max_length=8, choices=CookieMode.choices, default=CookieMode.CONSENT
    )
    honour_gpc = models.BooleanField(default=True)
    honour_dnt = models.BooleanField(default=True)
    k_threshold = models.IntegerField(
        default=5, validators=[MinValueValidator(2), MaxValueValidator(1000)]
    )
    """Groups of fewer visitors are folded into *other*."""
    ip_retention_days = models.IntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(400)]
    )
    hits_retention_days = models.IntegerField(
        default=759, validators=[MinValueValidator(1), MaxValueValidator(3700)]
    )
    """25 months, the longest that France's CNIL allows its audience-measurement exemption."""
    raw_removed_before = models.DateTimeField(null=True, editable=False)
    """Retention has removed raw rows of before this instant; a longer retention brings none back.
    Set by tracking.retention alone."""

    class Meta:
        verbose_name_plural = "privacy settings"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(k_threshold__gte=2, k_threshold__lte=1000),
                name="privacy_k_in_range",
            ),
            models.CheckConstraint(
                condition=models.Q(ip_retention_days__gte=1, ip_retention_days__lte=400),
                name="privacy_ip_days_in_range",
            ),
        ]

    def raw_since(self, now: dt.datetime) -> dt.datetime:
        """Raw rows of before this instant are gone, or go with the next run."""
        since = now - dt.timedelta(days=self.hits_retention_days)
        return max(since, self.raw_removed_before or since)

    def raw_days(self, now: dt.datetime) -> int:
        """Whole days, up to now, of which all raw rows live; `hits_retention_days` at most."""
        return min(self.hits_retention_days, (now - self.raw_since(now)).days)

    def __str__(self) -> str:
        return f"privacy settings of client {self.client_id}"
