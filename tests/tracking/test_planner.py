"""The database's planner knows what came at once, and reads well what it does not know yet."""

import datetime as dt

from django.db import connection

from tenants.models import Client
from tenants.schemas import entered, owning
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tests.tracking.weblog_stage import START, line, run
from tracking import tasks
from tracking.query import reading
from tracking.query.columns import read_columns
from tracking.query.model import Condition
from tracking.reports.periods import Period
from tracking.weblogs import imports
from tracking.writer.store import site_zones, store_hits

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def rows_known(client: Client, table: str) -> float:
    """How many rows the planner takes a table for; -1: it knows nothing of it."""
    with owning(client), connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return float(cursor.fetchone()[0])


def test_an_import_of_many_lines_tells_the_planner(new_client, tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "MANY", 20)
    client = new_client()
    log = tmp_path / "access.log"
    seconds = [START + dt.timedelta(seconds=number) for number in range(50)]
    log.write_text("".join(line(f"/{at:%S}", at=at) for at in seconds[:10]))
    assert run(client, log).tally.stored == 10
    assert rows_known(client, "hits") == -1
    log.write_text("".join(line(f"/{at:%S}", at=at) for at in seconds))
    assert run(client, log, dry_run=True).tally.stored == 40
    assert rows_known(client, "hits") == -1
    assert run(client, log).tally.stored == 40
    assert rows_known(client, "hits") == 50
    assert rows_known(client, "labels") > 40


def test_the_daily_job_tells_the_planner_of_tables_with_partitions(new_client):
    client = new_client()
    hits = [hit(client.pk, site_of(client).pk, NOON, number) for number in range(30)]
    store_hits(client, hits, zones=site_zones(client))
    assert rows_known(client, "hits") == -1
    tasks.look_after_tables()
    assert rows_known(client, "hits") == 30
    assert rows_known(client, "visits") > 0


def test_raw_rows_are_not_joined_row_by_row(new_client, monkeypatch):
    client = new_client()
    site = site_of(client)
    hits = [hit(client.pk, site.pk, NOON, number) for number in range(30)]
    store_hits(client, hits, zones=site_zones(client))
    plans = []

    def explained(cursor, source, params, columns):
        cursor.execute(f"EXPLAIN SELECT 1 {source}", params)
        plans.append("\n".join(text for (text,) in cursor.fetchall()))
        return read_columns(cursor, source, params, columns)

    monkeypatch.setattr(reading, "read_columns", explained)
    wanted = reading.Wanted(frozenset({"event:page", "visit:outcode"}))
    condition = Condition("is_not", "visit:browser", ("Lynx",))
    with entered(client):
        raw = reading.read_raw(site, Period(NOON.date(), NOON.date()), condition, wanted)
    assert raw.hits.at.size
    assert len(plans) == 2
    assert any("Join" in plan for plan in plans)
    assert not any("Nested Loop" in plan for plan in plans), plans
