"""Sizes of a client's tables, all partitions counted."""

from django.db import connection

from tenants.schemas import owning
from tracking.partitions import PARTITIONED, existing_partitions
from tracking.sizes import RAW_TABLES, table_bytes


def test_sizes_are_those_of_all_partitions_with_their_indexes(new_client):
    client = new_client()
    sizes = table_bytes(client)
    assert set(sizes) == set(RAW_TABLES)
    partitions = existing_partitions(client)
    with owning(client), connection.cursor() as cursor:
        for table in PARTITIONED:
            mine = [name for name in partitions if name.startswith(f"{table}_")]
            assert len(mine) > 3
            cursor.execute(
                "SELECT sum(pg_total_relation_size(name::regclass)) "
                "FROM unnest(%s::text[]) AS name",
                [mine],
            )
            assert sizes[table] == cursor.fetchone()[0] > 0
        cursor.execute("SELECT pg_total_relation_size('labels')")
        assert sizes["labels"] == cursor.fetchone()[0] > 0


def test_a_table_that_is_not_there_has_no_bytes(new_client):
    assert table_bytes(new_client(), ["orders"]) == {"orders": 0}
