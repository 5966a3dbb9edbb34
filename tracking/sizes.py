"""Bytes of a client's tables: the one place that knows whether they lie on a Citus cluster.

On Citus `pg_total_relation_size` sees the coordinator's empty shell, and
`citus_total_relation_size` refuses a partitioned table's parent: sizes are summed by partition
(design, section 9, rule 10).
"""

from collections.abc import Collection

from django.db import connection

from tenants.models import Client
from tenants.schemas import entered

RAW_TABLES = ("hits", "hit_days", "visits", "origins", "labels")
ROLLUP_TABLES = ("hour_stats", "day_stats", "week_stats", "touched_hours")

_LEAVES = """
SELECT coalesce(parent.relname, leaf.relname), leaf.oid
FROM pg_class leaf
JOIN pg_namespace n ON n.oid = leaf.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = leaf.oid
LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE n.nspname = %s AND leaf.relkind = 'r'
  AND coalesce(parent.relname, leaf.relname) = ANY(%s)
"""


def table_bytes(client: Client, tables: Collection[str] = RAW_TABLES) -> dict[str, int]:
    """Bytes by table with all partitions, indexes and TOAST; 0 for a table that is not there.

    One query, and one more for each partition.
    """
    sizes = dict.fromkeys(tables, 0)
    with entered(client), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
        size = "citus_total_relation_size" if cursor.fetchone() else "pg_total_relation_size"
        cursor.execute(_LEAVES, [client.schema_name, list(tables)])
        for table, leaf in cursor.fetchall():
            cursor.execute(f"SELECT {size}(%s::oid::regclass)", [leaf])
            sizes[table] += int(cursor.fetchone()[0])
    return sizes
