"""Changing what a client lets us collect: with a reason, on the record, in force at once."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.keys import Purpose, shorten_ip_keys
from tenants.keystore.models import DataKey
from tenants.models import AuditEntry, Client, CookieMode, IpMode, PrivacySettings, ZipMode

ACT = "privacy.change"
SETTINGS = (
    "ip_mode",
    "ip_retention_days",
    "keep_outcode",
    "zip_mode",
    "cookie_mode",
    "honour_gpc",
    "honour_dnt",
    "k_threshold",
    "hits_retention_days",
)
"""What can be changed, in the order in which pages show it."""
MIN_REASON, MAX_REASON = 5, 500

Value = str | int | bool

PRESETS: dict[str, dict[str, Value]] = {
    "closed": {
        "ip_mode": IpMode.NONE,
        "ip_retention_days": 1,
        "keep_outcode": False,
        "zip_mode": ZipMode.NONE,
        "cookie_mode": CookieMode.NEVER,
        "honour_gpc": True,
        "honour_dnt": True,
        "k_threshold": 10,
        "hits_retention_days": 90,
    },
    "statistics": {
        "ip_mode": IpMode.NONE,
        "ip_retention_days": 1,
        "keep_outcode": True,
        "zip_mode": ZipMode.ZIP3,
        "cookie_mode": CookieMode.NEVER,
        "honour_gpc": True,
        "honour_dnt": True,
        "k_threshold": 5,
        "hits_retention_days": 759,
    },
    "usual": {
        "ip_mode": IpMode.ENCRYPTED,
        "ip_retention_days": 30,
        "keep_outcode": True,
        "zip_mode": ZipMode.ZIP3,
        "cookie_mode": CookieMode.CONSENT,
        "honour_gpc": True,
        "honour_dnt": True,
        "k_threshold": 5,
        "hits_retention_days": 759,
    },
}
"""What a new client may begin with, the most closed first."""


@dataclass(frozen=True)
class PrivacyChange:
    """One change of a client's settings, as recorded."""

    at: dt.datetime
    who: str
    reason: str
    changes: list[tuple[str, Value, Value]]
    """(setting, from, to), in the order of SETTINGS."""


@dataclass(frozen=True)
class Losses:
    """What a change would destroy, for good."""

    ip_days: list[dt.date]
    """Days whose encrypted addresses become unreadable, in order."""
    hits_before: dt.date | None
    """Hits before this day fall out of the retention period; None: it is not lowered."""

    def __bool__(self) -> bool:
        """Whether anything is lost."""
        return bool(self.ip_days) or self.hits_before is not None


def changed_settings(
    settings: PrivacySettings, wanted: Mapping[str, Value]
) -> list[tuple[str, Value, Value]]:
    """(setting, from, to) of what differs, in the order of SETTINGS."""
    return [
        (name, getattr(settings, name), wanted[name])
        for name in SETTINGS
        if name in wanted and getattr(settings, name) != wanted[name]
    ]


def change_privacy(
    client: Client, wanted: Mapping[str, Value], *, reason: str, acting_user: str, now: dt.datetime
) -> PrivacyChange | None:
    """Put the settings into force and on the record; None when nothing differs.

    Collectors read them at once. A shorter retention of addresses also holds for those that are
    there: their keys are destroyed by the next job, within ten minutes. A longer one holds for
    new days only: what was collected keeps the promise under which it was. Raises
    ValidationError by field, and for a missing `reason`.
    """
    reason = " ".join(reason.split())
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise ValidationError(
            {"reason": "Say in a sentence why, so that it can be understood in a year's time."}
        )
    with transaction.atomic():
        settings = PrivacySettings.objects.select_for_update().get(client=client)
        changes = changed_settings(settings, wanted)
        if not changes:
            return None
        for name, _, to in changes:
            setattr(settings, name, to)
        settings.full_clean(exclude=["client"])
        settings.save(update_fields=[name for name, _, _ in changes])
        record_act(
            ACT,
            acting_user=acting_user,
            client_id=client.pk,
            details={
                "from": {name: before for name, before, _ in changes},
                "to": {name: to for name, _, to in changes},
                "reason": reason,
            },
        )
        announce_change()
    shorten_ip_keys(now, client_id=client.pk)
    return PrivacyChange(now, acting_user, reason, changes)


def losses_of(client: Client, wanted: Mapping[str, Value], *, now: dt.datetime) -> Losses:
    """What would be destroyed. Two queries."""
    settings = PrivacySettings.objects.get(client=client)
    ip_days = int(wanted.get("ip_retention_days", settings.ip_retention_days))
    hits_days = int(wanted.get("hits_retention_days", settings.hits_retention_days))
    lost: list[dt.date] = []
    if ip_days < settings.ip_retention_days:
        last_kept = now - dt.timedelta(days=ip_days + 1)
        # A key of day d is due ip_days after the end of d.
        lost = [day for day in _ip_days(client) if _day_start(day) <= last_kept]
    is_shorter = hits_days < settings.hits_retention_days
    return Losses(lost, (now - dt.timedelta(days=hits_days)).date() if is_shorter else None)


def history_of(client: Client) -> list[PrivacyChange]:
    """Every change, the newest first. One query."""
    entries = AuditEntry.objects.filter(client_id=client.pk, act=ACT).order_by("-at", "-pk")
    return [
        PrivacyChange(
            entry.at,
            entry.actor,
            entry.details["reason"],
            [
                (name, entry.details["from"][name], entry.details["to"][name])
                for name in SETTINGS
                if name in entry.details["to"]
            ],
        )
        for entry in entries
    ]


def _day_start(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _ip_days(client: Client) -> list[dt.date]:
    """UTC days of which encrypted addresses can be read."""
    keys = DataKey.objects.filter(
        client_id=client.pk, purpose=Purpose.IP, destroyed_at__isnull=True, epoch__isnull=False
    )
    return [day for day in keys.order_by("epoch").values_list("epoch", flat=True) if day]
