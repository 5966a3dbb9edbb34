"""What leaves the report: shared links, scheduled mails, alerts, and how each sending went.

Sites, goals and people are plain numbers: their tables are another schema's. A token is stored
only as its hash, unless it can do nothing but end a mail.
"""

import secrets
from typing import ClassVar

from django.db import models


class DeliveryState(models.TextChoices):
    """Where one sending to one recipient stands."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    UNCERTAIN = "uncertain", "Perhaps sent"
    """The process died between handing it over and writing so down. Not repeated by itself."""
    DROPPED = "dropped", "Not sent"
    """The recipient has unsubscribed, or may not see the report any more."""


class Cadence(models.TextChoices):
    """How often a scheduled mail is sent, each time about the period that has just ended."""

    WEEKLY = "weekly", "Every week"
    MONTHLY = "monthly", "Every month"


class AlertKind(models.TextChoices):
    """What an alert watches for."""

    NO_HITS = "no_hits", "No hits"
    FALL = "fall", "Fall in visits"
    RISE = "rise", "Rise in visits"
    NOT_FOUND_BURST = "not_found_burst", "Many pages not found"
    GOAL_REACHED = "goal_reached", "Goal reached"


class Channel(models.TextChoices):
    """A way to tell of an alert, besides the page."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class About(models.TextChoices):
    """Which end of an event a notice tells of."""

    BEGAN = "began", "Began"
    ENDED = "ended", "Ended"


def new_token() -> str:
    """192 random bits, as 32 characters that need no quoting in an address."""
    return secrets.token_urlsafe(24)


class SharedLink(models.Model):
    """A way to read chosen sections of a site's report without an account."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=80)
    """For whom it is; only the client's people see it."""
    token_hash = models.CharField(max_length=64)
    """SHA-256 of the token: 192 random bits need no slower hash."""
    prefix = models.CharField(max_length=8)
    """First characters of the token, to tell links apart."""
    sections = models.JSONField(default=list)
    """Values of tenants.models.Section, at least one."""
    password = models.CharField(max_length=128, default="", blank=True)
    """Django's password hash; empty: none is asked for."""
    is_embed = models.BooleanField(default=False)
    """Shown in a frame of another page instead of opening the report."""
    frame_hosts = models.JSONField(default=list)
    """Origins that may frame an embedded view; `*` for all."""
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.IntegerField(null=True)
    """User; null: made by the demo."""
    last_used_at = models.DateTimeField(null=True, blank=True)
    uses = models.IntegerField(default=0)
    """Times that it let somebody in; of an embedded view, minutes in which it was shown."""

    class Meta:
        db_table = "shared_links"
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["token_hash"], name="shared_links_token_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["site_id"], name="shared_links_by_site")]

    def __str__(self) -> str:
        return self.name


class ScheduledReport(models.Model):
    """A mail about each week or month that has ended."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=80)
    cadence = models.CharField(max_length=8, choices=Cadence.choices, default=Cadence.WEEKLY)
    weekday = models.SmallIntegerField(default=0)
    """0 is Monday. Monthly mails go out on the first."""
    hour = models.SmallIntegerField(default=7)
    """On the site's clock."""
    text = models.TextField(default="", blank=True)
    """The sender's own words, above the figures."""
    sections = models.JSONField(default=list)
    """Values of tenants.models.Section."""
    with_pdf = models.BooleanField(default=False)
    is_paused = models.BooleanField(default=False)
    last_sent_for = models.DateField(null=True)
    """First day of the newest period whose mails were made out; never goes back."""
    created_at = models.DateTimeField()
    created_by = models.IntegerField(null=True)

    class Meta:
        db_table = "scheduled_reports"
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(weekday__gte=0, weekday__lte=6, hour__gte=0, hour__lte=23),
                name="scheduled_reports_time",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site_id"], name="scheduled_reports_by_site")]

    def __str__(self) -> str:
        return self.name


class Recipient(models.Model):
    """Who gets a scheduled mail: a member, or an address whose owner has said yes."""

    report = models.ForeignKey(ScheduledReport, models.CASCADE, related_name="recipients")
    user_id = models.IntegerField(null=True)
    """A member; gets the mail as long as they may see the site."""
    email = models.EmailField(max_length=254)
    token = models.CharField(max_length=32, default=new_token)
    """In the mails: confirms the address and ends the mails, nothing else."""
    confirmed_at = models.DateTimeField(null=True)
    """Null: asked, but not answered; gets nothing yet. Members need no asking."""
    unsubscribed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "report_recipients"
        ordering: ClassVar = ["email"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["report", "email"], name="report_recipients_once"),
            models.UniqueConstraint(fields=["token"], name="report_recipients_token_once"),
        ]

    def __str__(self) -> str:
        return f"recipient {self.pk}"


class _Sending(models.Model):
    """One message to one recipient. Changed by conditional updates only, which settle races."""

    state = models.CharField(
        max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, default="")
    """Why it failed, without addresses."""

    class Meta:
        abstract = True


class ReportDelivery(_Sending):
    """A period's mail to one recipient: made out once, claimed before it is handed over."""

    report = models.ForeignKey(ScheduledReport, models.CASCADE, related_name="deliveries")
    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="deliveries")
    starts_on = models.DateField()
    ends_on = models.DateField()

    class Meta:
        db_table = "report_deliveries"
        ordering: ClassVar = ["-starts_on", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["recipient", "starts_on", "ends_on"], name="report_deliveries_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                name="report_deliveries_due",
                condition=models.Q(state__in=("waiting", "sending")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_on} ({self.state})"


class Alert(models.Model):
    """What is watched for, and whom to tell."""

    site_id = models.IntegerField()
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=AlertKind.choices)
    hours = models.SmallIntegerField(default=3)
    """No hits: for how many hours."""
    percent = models.SmallIntegerField(default=50)
    """Fall and rise: by how much, compared with the same weekday's mean."""
    minimum = models.IntegerField(default=20)
    """Visits that are usual in the time compared; where fewer are usual, nothing is judged."""
    count = models.IntegerField(default=30)
    """Pages not found in an hour; conversions of a goal in a day."""
    factor = models.FloatField(default=3.0)
    """Pages not found: how many times the usual."""
    goal_id = models.IntegerField(null=True)
    user_ids = models.JSONField(default=list)
    """Members who get an e-mail, as long as they may see the site."""
    webhook_url = models.CharField(max_length=500, default="", blank=True)
    webhook_salt = models.CharField(max_length=32, default="", blank=True)
    """Goes into the webhook's secret, which is derived from the client's key and never stored."""
    tell_end = models.BooleanField(default=True)
    """Whether a notice goes out when it is over, too."""
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    """On the site's clock; notices of these hours wait for their end. May cross midnight."""
    is_paused = models.BooleanField(default=False)
    judged_at = models.DateTimeField(null=True)
    """When it was last evaluated."""
    created_at = models.DateTimeField()
    created_by = models.IntegerField(null=True)

    class Meta:
        db_table = "alerts"
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(hours__gte=1, hours__lte=168), name="alerts_hours"
            ),
            models.CheckConstraint(
                condition=models.Q(percent__gte=1, percent__lte=1000), name="alerts_percent"
            ),
            models.CheckConstraint(
                condition=models.Q(minimum__gte=1, count__gte=1, factor__gte=1),
                name="alerts_thresholds",
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="alerts_quiet_hours",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["site_id"], name="alerts_by_site")]

    def __str__(self) -> str:
        return self.name


class AlertEvent(models.Model):
    """One time that an alert's condition held, from its beginning to its end."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="events")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    """Null while it lasts."""
    what = models.JSONField(default=dict)
    """Numbers only: what was seen and what was expected."""
    notified_at = models.DateTimeField(null=True)
    """When its first notice went out."""
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.IntegerField(null=True)

    class Meta:
        db_table = "alert_events"
        ordering: ClassVar = ["-began_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["alert"],
                name="alert_events_one_open",
                condition=models.Q(ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"event of {self.began_at:%Y-%m-%d %H:%M}"


class AlertNotice(_Sending):
    """A message about an event through one channel; webhooks are tried again with back-off."""

    event = models.ForeignKey(AlertEvent, models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    about = models.CharField(max_length=5, choices=About.choices)
    user_id = models.IntegerField(null=True)
    """Who gets the e-mail; null for a webhook."""
    answer = models.SmallIntegerField(null=True)
    """Status code of the webhook's answer; null when there was none."""

    class Meta:
        db_table = "alert_notices"
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["event", "channel", "about", "user_id"],
                name="alert_notices_once",
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                name="alert_notices_due",
                condition=models.Q(state__in=("waiting", "sending")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} ({self.state})"
