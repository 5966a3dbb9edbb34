"""Data keys: one per client, purpose and epoch; gone when due, and what they sealed with them."""

import base64
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from tenants import keys
from tenants.keys import KeyDestroyedError, Purpose, destroy_after, epoch_of, find_key, get_key
from tenants.keystore.models import DataKey
from tenants.models import AuditEntry, Client, PrivacySettings
from tenants.providers import RootKeyError, provider_from_environment, provider_from_file

DAY = dt.date(2026, 3, 1)
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_epochs_are_days_months_or_the_clients_life() -> None:
    assert epoch_of(Purpose.IP, dt.date(2026, 3, 9)) == dt.date(2026, 3, 9)
    assert epoch_of(Purpose.VISITOR, dt.date(2026, 3, 9)) == dt.date(2026, 3, 9)
    assert epoch_of(Purpose.CORRESPONDENCE, dt.date(2026, 3, 9)) == dt.date(2026, 3, 1)
    assert epoch_of(Purpose.COOKIE, dt.date(2026, 3, 9)) is None


def test_an_ip_key_dies_when_the_retention_after_its_day_has_passed() -> None:
    due = destroy_after(Purpose.IP, DAY, ip_retention_days=30, now=NOON)
    assert due == dt.datetime(2026, 4, 1, tzinfo=dt.UTC)


def test_a_days_visitor_salt_dies_24_hours_after_the_day() -> None:
    due = destroy_after(Purpose.VISITOR, DAY, ip_retention_days=30, now=NOON)
    assert due == dt.datetime(2026, 3, 3, tzinfo=dt.UTC)


def test_a_salt_made_late_for_an_import_lives_a_day_from_then() -> None:
    due = destroy_after(Purpose.VISITOR, dt.date(2015, 5, 17), ip_retention_days=30, now=NOON)
    assert due == NOON + dt.timedelta(hours=24)


def test_lifetime_keys_are_never_due() -> None:
    assert destroy_after(Purpose.COOKIE, None, ip_retention_days=30, now=NOON) is None


def test_the_same_key_is_found_again_and_differs_by_purpose_epoch_and_client(
    client_a: Client, client_b: Client
) -> None:
    now = dt.datetime.now(dt.UTC)
    today = now.date()
    first = get_key(client_a.pk, Purpose.IP, today)
    assert get_key(client_a.pk, Purpose.IP, today) == first
    assert find_key(first.id) == first
    others = [
        get_key(client_a.pk, Purpose.VISITOR, today),
        get_key(client_a.pk, Purpose.IP, today - dt.timedelta(days=1)),
        get_key(client_b.pk, Purpose.IP, today),
    ]
    assert len({first.secret, *(key.secret for key in others)}) == 4


def test_many_processes_that_make_a_key_at_once_get_one_key(client_a: Client) -> None:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)

    def make(_: int) -> bytes:
        try:
            return get_key(client_a.pk, Purpose.IP, day).secret
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1


def test_the_keys_database_holds_wrapped_keys_only(client_a: Client) -> None:
    key = get_key(client_a.pk, Purpose.COOKIE, None)
    wrapped = bytes(DataKey.objects.get(pk=key.id).wrapped)
    assert len(wrapped) == 40
    assert key.secret not in wrapped


def test_a_due_key_is_destroyed_with_a_record_and_opens_nothing_more(
    new_client: Callable[..., Client],
) -> None:
    client_b = new_client()
    now = dt.datetime.now(dt.UTC)
    key = get_key(client_b.pk, Purpose.IP, now.date())
    kept = get_key(client_b.pk, Purpose.IP, now.date() + dt.timedelta(days=40))
    wrapped = bytes(DataKey.objects.get(pk=key.id).wrapped)
    counts = keys.destroy_due_keys(now + dt.timedelta(days=32), client_id=client_b.pk)
    assert counts[Purpose.IP] >= 1
    with pytest.raises(KeyDestroyedError):
        find_key(key.id)
    with pytest.raises(KeyDestroyedError):
        get_key(client_b.pk, Purpose.IP, now.date())
    assert find_key(kept.id) == kept
    entry = AuditEntry.objects.filter(act="key.destroy", client_id=client_b.pk).latest("at")
    assert entry.details["destroyed"]["ip"] >= 1
    assert not _key_files_hold(wrapped)
    assert keys.destroy_due_keys(now + dt.timedelta(days=32), client_id=client_b.pk) == {}


def test_a_shorter_retention_holds_even_if_its_change_died_between_the_two_databases(
    new_client: Callable[..., Client],
) -> None:
    client = new_client()
    now = dt.datetime.now(dt.UTC)
    old = get_key(client.pk, Purpose.IP, now.date() - dt.timedelta(days=9))
    new = get_key(client.pk, Purpose.IP, now.date())
    # The settings are committed; the keys' dates, in the other database, are not.
    PrivacySettings.objects.filter(client=client).update(ip_retention_days=7)
    assert keys.destroy_due_keys(now, client_id=client.pk) == {Purpose.IP: 1}
    with pytest.raises(KeyDestroyedError):
        find_key(old.id)
    assert find_key(new.id) == new
    day_ends = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    due = DataKey.objects.get(pk=new.id).destroy_after
    assert due == day_ends + dt.timedelta(days=7)
    # A longer one never moves a date back.
    PrivacySettings.objects.filter(client=client).update(ip_retention_days=90)
    keys.destroy_due_keys(now, client_id=client.pk)
    assert DataKey.objects.get(pk=new.id).destroy_after == due


def _key_files_hold(wrapped: bytes) -> bool:
    """Whether the table's file on the disk still holds the bytes, dead row versions included."""
    with psycopg.connect(
        settings.KEYS_DATABASE_URL.replace("outward@", "postgres@"), autocommit=True
    ) as server:
        server.execute("CHECKPOINT")
        row = server.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath('keystore_datakey'))"
        ).fetchone()
    assert row is not None
    return wrapped in bytes(row[0])


def test_a_key_past_its_retention_is_never_made(client_a: Client) -> None:
    with pytest.raises(KeyDestroyedError):
        get_key(client_a.pk, Purpose.IP, dt.date(2015, 5, 17))


def test_a_root_key_file_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    first = provider_from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert provider_from_file(path).unwrap(first.wrap(bytes(32))) == bytes(32)
    path.chmod(0o644)
    with pytest.raises(RootKeyError, match="chmod 600"):
        provider_from_file(path)


def test_a_root_key_from_the_environment_must_be_32_bytes_of_base64() -> None:
    text = base64.b64encode(bytes(range(32))).decode()
    assert provider_from_environment(text).root_key_id.startswith("env:")
    with pytest.raises(RootKeyError, match="16 bytes"):
        provider_from_environment(base64.b64encode(bytes(16)).decode())
    with pytest.raises(RootKeyError, match="openssl"):
        provider_from_environment("not base64!")
