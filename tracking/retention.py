"""Removing raw rows past their retention; sums of hours and days stay.

A client's `hits_retention_days` holds for visits, hits and origins alike. A month that is wholly
past goes with its partition; what is left in the boundary month, and what stands in the default
partition, goes row by row. Nothing goes that no rollup has counted yet: removal and rollup meet in
`touched_hours`, which a writer fills in the transaction of its rows.
"""

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from psycopg import sql
from psycopg.errors import LockNotAvailable

from tenants.audit import record_act
from tenants.models import Client, PrivacySettings
from tenants.schemas import owning
from tracking.partitions import PARTITIONED, existing_partitions, months_ahead, next_month
from tracking.rollups.run import roll_up_client

ACT = "retention.remove"
STEP = dt.timedelta(hours=1)
"""Rows of so long a time are deleted by one statement."""
LOCK_TIMEOUT_MS = 800
"""Below PostgreSQL's deadlock_timeout: it is this job that gives way, never a writer."""
_PARTITION = re.compile(rf"({'|'.join(PARTITIONED)})_(\d{{4}})_(\d{{2}})")


@dataclass(frozen=True)
class Removal:
    """What was removed of a client's raw rows, or would be."""

    before: dt.datetime
    """Rows of before this instant are past their retention."""
    rows: dict[str, int]
    """How many, by table."""
    partitions: tuple[str, ...] = ()
    """Those dropped; their rows are counted in `rows`."""
    is_complete: bool = True
    """False: something waits for a rollup or a writer. A later run removes it."""

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


def apply_retention(client: Client, *, now: dt.datetime, dry_run: bool = False) -> Removal:
    """Remove the client's raw rows that are past their retention, with an audit entry.

    Rolls up what waits first. Idempotent; a rerun finds nothing more, and what one run could not
    remove the next one does. Called outside a client's schema, and outside a transaction.
    """
    days = PrivacySettings.objects.values_list("hits_retention_days", flat=True).get(client=client)
    before = now - dt.timedelta(days=days)
    if dry_run:
        return _look(client, before, now)
    # Known before the first row goes: from now on a rollup does not trust raw rows of before.
    PrivacySettings.objects.filter(
        Q(raw_removed_before__isnull=True) | Q(raw_removed_before__lt=before), client=client
    ).update(raw_removed_before=before)
    roll_up_client(client, now=now)
    _forget_copies(client, before)
    rows: Counter[str] = Counter()
    dropped: list[str] = []
    is_complete = True
    try:
        for table, name in _months_past(client, before, now):
            count = _drop(client, table, name, before)
            if count is None:
                is_complete = False
            else:
                rows[table] += count
                dropped.append(name)
        for table, column in PARTITIONED.items():
            is_complete &= _delete(client, table, column, before, rows)
    finally:
        # A rollup that began before may have copied a day of them; what is copied from now on has
        # only what is left.
        _forget_copies(client, before)
        # Also of a run that was cut short. In a transaction of its own, outside the schema.
        _record(client, before, rows, dropped)
    return Removal(before, _counts(rows), tuple(dropped), is_complete)


def _forget_copies(client: Client, before: dt.datetime) -> None:
    """Remove copies of days that are past, if only in part."""
    with owning(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM hit_days WHERE starts_at < %s", [before])


def _counts(rows: Counter[str]) -> dict[str, int]:
    return {table: rows[table] for table in PARTITIONED}


def _record(client: Client, before: dt.datetime, rows: Counter[str], dropped: list[str]) -> None:
    if rows.total() or dropped:
        record_act(
            ACT,
            acting_user="system:retention",
            client_id=client.pk,
            details={
                "before": before.isoformat(),
                "removed": _counts(rows),
                "partitions": dropped,
            },
        )


def _look(client: Client, before: dt.datetime, now: dt.datetime) -> Removal:
    rows: Counter[str] = Counter()
    with owning(client), connection.cursor() as cursor:
        for table, column in PARTITIONED.items():
            query = sql.SQL("SELECT count(*) FROM {} WHERE {} < %s")
            cursor.execute(query.format(sql.Identifier(table), sql.Identifier(column)), [before])
            rows[table] = int(cursor.fetchone()[0])
    months = tuple(name for _, name in _months_past(client, before, now))
    return Removal(before, _counts(rows), months)


def _months_past(client: Client, before: dt.datetime, now: dt.datetime) -> list[tuple[str, str]]:
    """Table and name of the partitions that lie wholly before, the oldest first.

    Without those of months that are kept ready for writers: they would be made again each day.
    """
    found = []
    ready = months_ahead(now.date())
    for name in existing_partitions(client):
        parts = _PARTITION.fullmatch(name)
        if parts is None:
            continue
        month = dt.date(int(parts[2]), int(parts[3]), 1)
        ends = dt.datetime.combine(next_month(month), dt.time(), dt.UTC)
        if ends <= before and month not in ready:
            found.append((month, parts[1], name))
    return [(table, name) for _, table, name in sorted(found)]


_WAITING = sql.SQL("EXISTS (SELECT 1 FROM touched_hours WHERE hour < %s)")


def _drop(client: Client, table: str, name: str, before: dt.datetime) -> int | None:
    """Drop a partition; how many rows it had, or None when it has to wait."""
    parent, partition = sql.Identifier(table), sql.Identifier(name)
    try:
        with owning(client), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(partition))
            count = int(cursor.fetchone()[0])
            cursor.execute(
                sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT_MS))
            )
            # The parent first, as writers lock it. Whoever had rows for it has committed then,
            # and their touched hours can be seen.
            cursor.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(parent))
            cursor.execute(sql.SQL("SELECT {}").format(_WAITING), [before])
            if cursor.fetchone()[0]:
                return None
            cursor.execute(sql.SQL("DROP TABLE {}").format(partition))
            return count
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return None
        raise


def _delete(
    client: Client, table: str, column: str, before: dt.datetime, rows: Counter[str]
) -> bool:
    """Delete the table's rows of before, an hour's rows at a time; False: some have to wait."""
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column), "waits": _WAITING}
    oldest = sql.SQL("SELECT min({column}) FROM {table} WHERE {column} < %s").format(**names)
    # Rows and touched hours are of one snapshot: what no rollup has counted is not seen.
    delete = sql.SQL(
        "DELETE FROM {table} WHERE {column} >= %s AND {column} < %s AND NOT {waits}"
    ).format(**names)
    while True:
        with owning(client), connection.cursor() as cursor:
            cursor.execute(oldest, [before])
            first: Any = cursor.fetchone()[0]
            if first is None:
                return True
            cursor.execute(delete, [first, min(first + STEP, before), before])
            if not cursor.rowcount:
                return False
            rows[table] += cursor.rowcount
