"""The database's planner knows what came at once, and reads well what it does not know yet."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction

from tenants.models import Client
from tenants.schemas import entered, owning
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tests.tracking.weblog_stage import START, line, run
from tracking import tasks
from tracking.hits import Hit
from tracking.partitions import gather_statistics
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


@contextlib.contextmanager
def statements_kept() -> Iterator[list[tuple[str, Any]]]:
    """SQL and parameters of what is asked meanwhile."""
    kept: list[tuple[str, Any]] = []

    def keep(execute, sql, params, many, context):
        kept.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield kept


def plan_of(client: Client, sql: str, params: Any, verb: str) -> str:
    """Plan of the last of the statements, which begins with `verb`; the others come into force."""
    before, found, rest = sql.partition(f"\n{verb}")
    assert found
    with entered(client), transaction.atomic(), connection.cursor() as cursor:
        if before.strip():
            cursor.execute(before)
        cursor.execute(f"EXPLAIN {verb}{rest}", params)
        return "\n".join(text for (text,) in cursor.fetchall())


def test_visits_of_now_are_found_by_visitor_though_the_planner_knows_none(new_client):
    client = new_client()
    site, zones = site_of(client), site_zones(client)
    later = NOON + dt.timedelta(hours=8)

    def visitor(number: int) -> int:
        """Without order, as hashes are."""
        return number * 0x9E3779B97F4A7C15 % 2**63

    def hits(number: int, at: dt.datetime) -> list[Hit]:
        second = dt.timedelta(seconds=1)
        return [hit(client.pk, site.pk, at + n // 10 * second, visitor(n)) for n in range(number)]

    store_hits(client, hits(12_000, NOON), zones=zones)
    gather_statistics(client)
    store_hits(client, hits(40_000, later), zones=zones)
    more = hits(300, later + dt.timedelta(minutes=25))
    with statements_kept() as kept:
        assert store_hits(client, more, zones=zones).changed_visits == 300
    (finding,) = [each for each in kept if "FROM visits" in each[0]]
    (updating,) = [each for each in kept if "UPDATE visits" in each[0]]
    for (sql, params), verb in ((finding, "SELECT"), (updating, "UPDATE")):
        plan = plan_of(client, sql, params, verb)
        assert "Nested Loop" not in plan
        assert "last_at_idx" not in plan
        assert "_pkey" in plan
