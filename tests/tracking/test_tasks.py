"""The jobs of tracking do what their functions do, for every client that needs it."""

import datetime as dt

import pytest
import time_machine
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from tenants.models import Client
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tracking import tasks
from tracking.partitions import PARTITIONED, existing_partitions, months_ahead, partition_name
from tracking.rollups.run import has_touched_hours
from tracking.writer.store import site_zones, store_hits

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def queued(valkey) -> list[bytes]:
    return list(valkey.lrange(settings.CELERY_TASK_DEFAULT_QUEUE, 0, -1))


def test_a_rollup_is_asked_for_only_where_hours_were_touched(new_client, valkey):
    idle, active = new_client(), new_client()
    hits = [hit(active.pk, site_of(active).pk, NOON, 1)]
    store_hits(active, hits, zones=site_zones(active))
    before = len(queued(valkey))
    asked = tasks.roll_up_all()
    assert len(queued(valkey)) == before + asked
    assert not has_touched_hours(idle)
    assert has_touched_hours(active)
    assert tasks.roll_up(active.pk) == 1
    assert not has_touched_hours(active)
    assert tasks.roll_up(active.pk) == 0
    with entered(active), connection.cursor() as cursor:
        cursor.execute("SELECT sum(pageviews) FROM day_stats WHERE dimension = 0")
        assert cursor.fetchone()[0] == 1


def test_a_rollup_of_a_client_that_is_gone_does_nothing(databases):
    assert tasks.roll_up(0) == 0


def test_partitions_are_made_ahead_of_time(new_client):
    client = new_client()
    later = timezone.now() + dt.timedelta(days=31)
    newest = months_ahead(later.date())[-1]
    assert partition_name("hits", newest) not in existing_partitions(client)
    with time_machine.travel(later, tick=False):
        assert tasks.look_after_tables() >= 1
        assert tasks.look_after_tables() == 0
    assert {partition_name(table, newest) for table in PARTITIONED} <= existing_partitions(client)


def test_a_client_whose_schema_is_damaged_holds_up_no_other(new_client, valkey):
    missing = Client.objects.create(
        slug="damaged", name="Damaged", schema_name="c_damaged", db_role="c_damaged"
    )
    try:
        active = new_client()
        assert active.pk > missing.pk
        hits = [hit(active.pk, site_of(active).pk, NOON, 1)]
        store_hits(active, hits, zones=site_zones(active))
        before = len(queued(valkey))
        with pytest.raises(DatabaseError, match="c_damaged"):
            tasks.roll_up_all()
        assert len(queued(valkey)) > before
        later = timezone.now() + dt.timedelta(days=62)
        with time_machine.travel(later, tick=False), pytest.raises(DatabaseError):
            tasks.look_after_tables()
        newest = months_ahead(later.date())[-1]
        assert partition_name("hits", newest) in existing_partitions(active)
    finally:
        missing.delete(force_drop=False)


def test_every_job_on_the_beat_is_a_registered_task():
    from agency.celery import app

    app.loader.import_default_modules()
    for entry in tasks.BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
