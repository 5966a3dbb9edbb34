"""Raw rows past their retention go, by partition and by row; sums and a record stay."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.models import AuditEntry, PrivacySettings
from tenants.privacy import change_privacy
from tenants.schemas import entered, owning
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tracking import tasks
from tracking.partitions import ensure_months, existing_partitions
from tracking.retention import ACT, apply_retention
from tracking.rollups.run import has_touched_hours, roll_up_client, touch_all
from tracking.states import record_all_days
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DAYS = 90
BEFORE = NOW - dt.timedelta(days=DAYS)
"""22 August 2026, noon."""
DAY = dt.timedelta(days=1)
AGES = (1, 80, 89.9, 90.1, 95, 120, 121, 150, 4000)
"""Days ago: kept, and of the boundary month, of whole months, of the default partition."""
REASON = "The client asked for it."


def store(client, *ages, now=NOW, per_day=3):
    site = site_of(client)
    hits = [
        hit(client.pk, site.pk, now - age * DAY, number + 1, outcode="GB SW1A", ip_sealed=b"x" * 40)
        for age in ages
        for number in range(per_day)
    ]
    store_hits(client, sorted(hits, key=lambda one: one.at_us), zones=site_zones(client))


@pytest.fixture
def client(new_client):
    """Three visits on each of nine days, rolled up; 90 days of retention."""
    client = new_client(timezone_name="UTC")
    PrivacySettings.objects.filter(client=client).update(hits_retention_days=DAYS)
    ensure_months(client, [dt.date(2026, month, 1) for month in range(6, 12)])
    store(client, *AGES)
    roll_up_client(client, now=NOW)
    return client


def counts(client):
    with entered(client), connection.cursor() as cursor:
        found = {}
        for table in ("hits", "visits", "origins"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = cursor.fetchone()[0]
        return found


def oldest(client):
    with entered(client), connection.cursor() as cursor:
        cursor.execute("SELECT min(at) FROM hits")
        return cursor.fetchone()[0]


def sums(client):
    """All rows of the rollups but their numbers."""
    with entered(client), connection.cursor() as cursor:
        found = []
        for table, key in (("hour_stats", "hour"), ("day_stats", "day")):
            cursor.execute(
                f"SELECT {key}, dimension, label, visits, pageviews, events, visitors FROM {table} "
                f"ORDER BY {key}, dimension, label"
            )
            found.append([(*row[:-1], bytes(row[-1])) for row in cursor.fetchall()])
        return found


def entries(client):
    return AuditEntry.objects.filter(act=ACT, client_id=client.pk)


def test_what_is_past_goes_from_every_raw_table_and_all_sums_stay(client):
    before = sums(client)
    removal = apply_retention(client, now=NOW)
    kept = {"hits": 9, "visits": 9, "origins": 9}
    assert counts(client) == kept
    assert oldest(client) == NOW - 89.9 * DAY
    assert removal.rows == {"hits": 18, "visits": 18, "origins": 18}
    assert removal.is_complete
    assert sums(client) == before


def test_whole_months_go_with_their_partitions(client):
    names = {f"{table}_2026_{month:02d}" for table in ("hits", "visits", "origins")
             for month in (6, 7)}  # fmt: skip
    assert names <= existing_partitions(client)
    removal = apply_retention(client, now=NOW)
    assert set(removal.partitions) == names
    left = existing_partitions(client)
    assert not names & left
    # The month of the boundary and the ones ready for writers stay.
    assert {"hits_2026_08", "hits_2026_11", "hits_default"} <= left


def test_a_record_with_numbers_remains_and_a_second_run_adds_none(client):
    apply_retention(client, now=NOW)
    entry = entries(client).get()
    assert entry.actor == "system:retention"
    assert entry.details["removed"] == {"hits": 18, "visits": 18, "origins": 18}
    assert entry.details["before"] == BEFORE.isoformat()
    assert len(entry.details["partitions"]) == 6
    again = apply_retention(client, now=NOW)
    assert (again.total, again.partitions, again.is_complete) == (0, (), True)
    assert entries(client).count() == 1


def test_nothing_goes_before_a_rollup_has_counted_it(client):
    """What an import stores of old days is in the sums before its single hits are removed."""
    apply_retention(client, now=NOW)
    store(client, 300, per_day=7)
    assert has_touched_hours(client)
    removal = apply_retention(client, now=NOW)
    assert removal.rows["hits"] == 7
    with entered(client), connection.cursor() as cursor:
        day = (NOW - 300 * DAY).date()
        cursor.execute(
            "SELECT visits, pageviews FROM day_stats WHERE dimension = 0 AND day = %s", [day]
        )
        assert cursor.fetchone() == (7, 7)
    assert counts(client)["hits"] == 9


def test_rows_that_wait_for_a_rollup_wait_with_the_removal(client):
    store(client, 300)
    rolling = psycopg.connect(settings.DATABASE_URL)
    with rolling:
        # Another rollup of this client is at work.
        rolling.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"{client.schema_name}:rollup"],
        )
        removal = apply_retention(client, now=NOW)
        assert (removal.is_complete, removal.total) == (False, 0)
        assert counts(client)["hits"] == 30
    rolling.close()
    assert apply_retention(client, now=NOW).rows["hits"] == 21


def test_a_reader_of_the_table_is_waited_for_by_the_next_run_not_by_writers(client):
    reader = psycopg.connect(settings.DATABASE_URL)
    with reader:
        reader.execute(f"SELECT count(*) FROM {client.schema_name}.hits")
        removal = apply_retention(client, now=NOW)
        assert not removal.is_complete
        assert not any(name.startswith("hits") for name in removal.partitions)
        # Rows went none the less: only the empty partitions are left for the next run.
        assert counts(client)["hits"] == 9
    reader.close()
    assert {name[:4] for name in apply_retention(client, now=NOW).partitions} == {"hits"}


def test_writers_store_while_old_rows_go(client):
    stop = threading.Event()

    def write():
        try:
            while not stop.is_set():
                store(client, 0.5, per_day=2)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            removed = apply_retention(client, now=NOW).rows["hits"]
        finally:
            stop.set()
        writing.result()
    assert removed + apply_retention(client, now=NOW).rows["hits"] == 18


def test_a_longer_retention_does_not_empty_the_sums_of_what_is_gone(client):
    """A late hit of a day whose raw rows were removed must not replace the day's figures."""
    apply_retention(client, now=NOW)
    before = sums(client)
    change_privacy(
        client, {"hits_retention_days": 400}, reason=REASON, acting_user="tests", now=NOW
    )
    store(client, 95, per_day=1)
    assert roll_up_client(client, now=NOW).kept == 1
    assert sums(client) == before
    touch_all(client, site_of(client), now=NOW)
    roll_up_client(client, now=NOW)
    assert sums(client) == before
    record_all_days(client, now=NOW)
    privacy = PrivacySettings.objects.get(client=client)
    assert privacy.raw_days(NOW) == DAYS
    assert privacy.raw_days(NOW + 10 * DAY) == DAYS + 10
    assert privacy.raw_days(NOW + 1000 * DAY) == 400


def test_a_shorter_retention_holds_for_what_is_there(client):
    apply_retention(client, now=NOW)
    change_privacy(client, {"hits_retention_days": 7}, reason=REASON, acting_user="tests", now=NOW)
    assert apply_retention(client, now=NOW).rows["hits"] == 6
    assert oldest(client) == NOW - DAY


def test_nobody_but_the_owner_can_take_hits_away(client):
    """The job works as the owner of the tables: the client's role still cannot."""
    apply_retention(client, now=NOW)
    with entered(client), connection.cursor() as cursor, pytest.raises(Exception, match="denied"):
        cursor.execute("DELETE FROM hits")
    with owning(client), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM hits")
        assert cursor.fetchone()[0] == 9


def test_the_command_counts_first_and_removes_then(client, capsys):
    with time_machine.travel(NOW, tick=False):
        call_command("apply_retention", client.slug, "--dry-run")
        assert capsys.readouterr().out == (
            f"{client.slug}: 18 hits, 18 visits, 18 origins of before 2026-08-22 12:00 UTC "
            "would go, 6 partitions to drop\n"
        )
        assert counts(client)["hits"] == 27
        assert not entries(client).exists()
        call_command("apply_retention", client.slug)
        assert "18 hits, 18 visits, 18 origins" in capsys.readouterr().out
        assert counts(client)["hits"] == 9
        with pytest.raises(CommandError, match="no client nobody"):
            call_command("apply_retention", "nobody")


def test_the_daily_job_asks_for_every_client_and_again_for_what_waits(client, valkey):
    queue = settings.CELERY_TASK_DEFAULT_QUEUE
    before = valkey.llen(queue)
    asked = tasks.apply_retention()
    assert valkey.llen(queue) == before + asked
    assert tasks.apply_retention_of(0) == 0
    with time_machine.travel(NOW, tick=False):
        reader = psycopg.connect(settings.DATABASE_URL)
        with reader:
            reader.execute(f"SELECT count(*) FROM {client.schema_name}.hits")
            tasks.apply_retention_of(client.pk)
            assert valkey.llen(queue) == before + asked + 1
        reader.close()
        tasks.apply_retention_of(client.pk)
        assert valkey.llen(queue) == before + asked + 1
