"""Data keys: made on first use, one per client, purpose and epoch; destroyed when due.

Destroying a key is the erasure of all that was sealed with it, in backups too, since the keys
database has short-lived backups of its own.
"""

import datetime as dt
import enum
import os
from collections.abc import Iterable
from typing import NamedTuple

from django.db import connections, transaction
from django.db.models import Q

from tenants.audit import record_act
from tenants.crypto import KEY_BYTES
from tenants.keystore.models import DataKey
from tenants.models import PrivacySettings
from tenants.providers import key_provider
from tenants.routers import KEYS_DATABASE


class Purpose(enum.StrEnum):
    """What a key is for; a key of one purpose opens nothing of another."""

    IP = "ip"
    VISITOR = "visitor"
    COOKIE = "cookie"
    CORRESPONDENCE = "correspondence"
    ACCOUNT = "account"
    BLIND_INDEX = "blind-index"
    WEBHOOK = "webhook"


DAILY = frozenset({Purpose.IP, Purpose.VISITOR})
MONTHLY = frozenset({Purpose.CORRESPONDENCE})
VISITOR_SALT_LIFE = dt.timedelta(hours=24)
"""How long a day's visitor salt outlives its day."""


class SecretKey(NamedTuple):
    """An unwrapped data key, in memory only."""

    id: int
    secret: bytes


class KeyDestroyedError(Exception):
    """The key is gone, and with it what was sealed with it."""

    code = "key-destroyed"


def epoch_of(purpose: Purpose, day: dt.date) -> dt.date | None:
    """The key's epoch on a UTC day: the day, its month's first, or None for the client's life."""
    if purpose in DAILY:
        return day
    return day.replace(day=1) if purpose in MONTHLY else None


def destroy_after(
    purpose: Purpose, epoch: dt.date | None, *, ip_retention_days: int, now: dt.datetime
) -> dt.datetime | None:
    """When the key must go; None: with the client.

    A visitor salt made late, for an import of old weblogs, lives 24 hours from now: the import
    needs it, and nothing else could ever use it.
    """
    if purpose not in DAILY or epoch is None:
        return None
    day_ends = dt.datetime.combine(epoch + dt.timedelta(days=1), dt.time(), dt.UTC)
    if purpose is Purpose.IP:
        return day_ends + dt.timedelta(days=ip_retention_days)
    return max(day_ends, now) + VISITOR_SALT_LIFE


def get_key(
    client_id: int, purpose: Purpose, epoch: dt.date | None, *, now: dt.datetime | None = None
) -> SecretKey:
    """The key, made when absent; raises KeyDestroyedError when its time has passed.

    Safe to call from many processes at once: the first insert wins and all read it. Two queries
    in the keys database, three and one in the default database when the key is new.
    """
    now = now or dt.datetime.now(dt.UTC)
    found = DataKey.objects.filter(client_id=client_id, purpose=purpose, epoch=epoch).first()
    if found is None:
        found = _make_key(client_id, purpose, epoch, now)
    return _unwrapped(found)


def _make_key(client_id: int, purpose: Purpose, epoch: dt.date | None, now: dt.datetime) -> DataKey:
    days = PrivacySettings.objects.values_list("ip_retention_days", flat=True).get(
        client_id=client_id
    )
    due = destroy_after(purpose, epoch, ip_retention_days=days, now=now)
    if due is not None and due <= now:
        raise KeyDestroyedError(f"The {purpose} key of {epoch} is past its retention.")
    provider = key_provider()
    DataKey.objects.bulk_create(
        [
            DataKey(
                client_id=client_id,
                purpose=purpose,
                epoch=epoch,
                root_key_id=provider.root_key_id,
                wrapped=provider.wrap(os.urandom(KEY_BYTES)),
                created_at=now,
                destroy_after=due,
            )
        ],
        ignore_conflicts=True,
    )
    return DataKey.objects.get(client_id=client_id, purpose=purpose, epoch=epoch)


def find_key(key_id: int) -> SecretKey:
    """The key of an id; raises KeyDestroyedError when it is gone or never was."""
    found = DataKey.objects.filter(pk=key_id).first()
    if found is None:
        raise KeyDestroyedError(f"There is no key {key_id}.")
    return _unwrapped(found)


def _unwrapped(key: DataKey) -> SecretKey:
    if key.destroyed_at is not None:
        raise KeyDestroyedError(f"Key {key.pk} was destroyed on {key.destroyed_at:%Y-%m-%d}.")
    return SecretKey(key.pk, key_provider().unwrap(bytes(key.wrapped)))


def destroy_due_keys(now: dt.datetime, *, client_id: int | None = None) -> dict[Purpose, int]:
    """Destroy every key (of one client) whose time has come; counts by purpose.

    Brings address keys' dates forward first where the retention in force asks for it: the change
    of a setting does so too, but in another database, and may have died between the two. A rerun
    finds nothing more.
    """
    shorten_ip_keys(now, client_id=client_id)
    due = DataKey.objects.filter(destroyed_at__isnull=True, destroy_after__lte=now)
    if client_id is not None:
        due = due.filter(client_id=client_id)
    return _destroy(list(due.values_list("pk", "purpose", "client_id")), now, "retention")


def shorten_ip_keys(now: dt.datetime, *, client_id: int | None = None) -> int:
    """Bring the end of each address key forward where the retention asks for it; never back.

    Returns how many. Two queries, and one for each key that is shortened.
    """
    settings = PrivacySettings.objects.all()
    keys = DataKey.objects.filter(
        purpose=Purpose.IP, destroyed_at__isnull=True, epoch__isnull=False
    )
    if client_id is not None:
        settings, keys = settings.filter(client_id=client_id), keys.filter(client_id=client_id)
    days = dict(settings.values_list("client_id", "ip_retention_days"))
    shortened = 0
    for key in keys:
        if key.client_id not in days:
            continue
        due = destroy_after(Purpose.IP, key.epoch, ip_retention_days=days[key.client_id], now=now)
        if key.destroy_after is None or (due is not None and due < key.destroy_after):
            # Conditional, so that a shortening at the same moment is never undone.
            later = Q(destroy_after__isnull=True) | Q(destroy_after__gt=due)
            shortened += keys.filter(later, pk=key.pk).update(destroy_after=due)
    return shortened


def destroy_client_keys(client_id: int, now: dt.datetime) -> dict[Purpose, int]:
    """Destroy all keys of a client: the erasure of all its sealed data."""
    keys = DataKey.objects.filter(client_id=client_id, destroyed_at__isnull=True)
    return _destroy(list(keys.values_list("pk", "purpose", "client_id")), now, "client")


def _destroy(
    rows: Iterable[tuple[int, str, int]], now: dt.datetime, reason: str
) -> dict[Purpose, int]:
    by_client: dict[int, dict[Purpose, list[int]]] = {}
    for key_id, purpose, client_id in rows:
        by_client.setdefault(client_id, {}).setdefault(Purpose(purpose), []).append(key_id)
    counts: dict[Purpose, int] = {}
    for client_id, purposes in by_client.items():
        destroyed: dict[str, int] = {}
        for purpose, ids in purposes.items():
            with transaction.atomic(using=KEYS_DATABASE):
                changed = DataKey.objects.filter(pk__in=ids, destroyed_at__isnull=True).update(
                    wrapped=b"", destroyed_at=now
                )
            counts[purpose] = counts.get(purpose, 0) + changed
            destroyed[purpose.value] = changed
        record_act(
            "key.destroy",
            acting_user=f"system:{reason}",
            client_id=client_id,
            details={"destroyed": destroyed},
        )
    if counts:
        _scrub()
    return counts


def _scrub() -> None:
    """Rewrite the table, so that no dead row version keeps a destroyed key on the disk."""
    with connections[KEYS_DATABASE].cursor() as cursor:
        cursor.execute("VACUUM (FULL) keystore_datakey")
