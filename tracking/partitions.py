"""Month partitions of a client's raw tables: made ahead, dropped by retention.

One level, in the client's schema, with a default partition beside them (design, rule 4). A month
is a UTC month.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from psycopg import sql

from tenants.grants import APPEND_ONLY, grant_table
from tenants.models import Client
from tenants.schemas import owning

PARTITIONED = {"visits": "started_at", "hits": "at", "origins": "started_at"}
"""Table and the column that it is partitioned by."""
_OTHER_LARGE = ("labels", "hour_stats", "day_stats", "week_stats")
MONTHS_AHEAD = 2
_SUM_UP = (
    "SELECT brin_summarize_new_values(c.oid) FROM pg_class c "
    "JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND a.amname = 'brin' AND c.relkind = 'i'"
)
VISIT_STORAGE = "fillfactor = 80, autovacuum_vacuum_scale_factor = 0.03"
"""Of `visits`: a fifth of each page takes the new row versions of running visits, and what those
leave behind is given to later ones once it is 3 % of the rows, not 20 %."""


def month_of(day: dt.date) -> dt.date:
    """First day of the month."""
    return day.replace(day=1)


def next_month(month: dt.date) -> dt.date:
    """First day of the month after."""
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)


def months_ahead(today: dt.date) -> list[dt.date]:
    """Last month, this one and those that must exist ahead."""
    months = [month_of(month_of(today) - dt.timedelta(days=1))]
    while len(months) < MONTHS_AHEAD + 2:
        months.append(next_month(months[-1]))
    return months


def partition_name(table: str, month: dt.date) -> str:
    """hits_2026_11."""
    return f"{table}_{month:%Y_%m}"


def partition_statements(month: dt.date) -> list[sql.Composed]:
    """CREATE TABLE statements of a month, for the schema in the search path."""
    create = "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}){}"
    return [
        sql.SQL(create).format(
            sql.Identifier(partition_name(table, month)),
            sql.Identifier(table),
            sql.Literal(f"{month.isoformat()} 00:00:00+00"),
            sql.Literal(f"{next_month(month).isoformat()} 00:00:00+00"),
            sql.SQL(f" WITH ({VISIT_STORAGE})" if table == "visits" else ""),
        )
        for table in PARTITIONED
    ]


def existing_partitions(client: Client) -> set[str]:
    """Names of all partitions in the client's schema."""
    with owning(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r'",
            [client.schema_name],
        )
        return {name for (name,) in cursor.fetchall()}


def ensure_months(client: Client, months: Iterable[dt.date]) -> list[dt.date]:
    """Make the missing partitions; returns the months made. A rerun makes none.

    Rows of such a month that wait in the default partition are moved into it first: PostgreSQL
    refuses a partition while the default one holds rows of its range.
    """
    existing = existing_partitions(client)
    missing = sorted(
        {
            month
            for month in map(month_of, months)
            if any(partition_name(table, month) not in existing for table in PARTITIONED)
        }
    )
    for month in missing:
        _make_month(client, month)
    return missing


def gather_statistics(client: Client) -> None:
    """Tell the planner what is in the client's large tables, as after many rows came at once.

    The database's own housekeeping comes minutes later, and never to a table that has partitions.
    Without, reading a month's hits takes ten times as long.
    """
    tables = sql.SQL(", ").join(map(sql.Identifier, (*PARTITIONED, *_OTHER_LARGE)))
    with owning(client), connection.cursor() as cursor:
        cursor.execute(sql.SQL("ANALYZE {}").format(tables))
        # Until a block range is summed up, it is read whenever a time is asked for.
        cursor.execute(_SUM_UP, [client.schema_name])


def _make_month(client: Client, month: dt.date) -> None:
    with owning(client), transaction.atomic(), connection.cursor() as cursor:
        # One maker at a time in a schema; writers of other months go on.
        lock = f"{client.schema_name}:partitions"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [lock])
        for table, column in PARTITIONED.items():
            _set_aside(cursor, table, column, month)
        for statement in partition_statements(month):
            cursor.execute(statement)
        for table in PARTITIONED:
            grant_table(cursor, client.db_role, partition_name(table, month), table in APPEND_ONLY)
            cursor.execute(
                sql.SQL(
                    "WITH s AS MATERIALIZED (SELECT * FROM {}) INSERT INTO {} SELECT * FROM s"
                ).format(sql.Identifier(f"aside_{table}"), sql.Identifier(table))
            )
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"aside_{table}")))


def _set_aside(cursor: object, table: str, column: str, month: dt.date) -> None:
    """Move the month's rows from the default partition to a temporary table."""
    bounds: Sequence[str] = (
        f"{month.isoformat()} 00:00:00+00",
        f"{next_month(month).isoformat()} 00:00:00+00",
    )
    default, aside = sql.Identifier(f"{table}_default"), sql.Identifier(f"aside_{table}")
    where = sql.SQL("{} >= %s AND {} < %s").format(sql.Identifier(column), sql.Identifier(column))
    execute = cursor.execute  # type: ignore[attr-defined]  # Django's cursor wrapper is untyped
    execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(default))
    execute(
        sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT * FROM {} WHERE {}").format(
            aside, default, where
        ),
        bounds,
    )
    execute(sql.SQL("DELETE FROM {} WHERE {}").format(default, where), bounds)
