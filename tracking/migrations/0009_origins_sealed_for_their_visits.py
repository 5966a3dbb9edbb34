"""What is sealed beside a visit is bound to the visit; indexes in order of time are packed.

The row of an address named the hit that it came with, 16 bytes, for the associated data of the
ciphertext. It is the visit's first hit, whose last bits are in the visit's own id: new addresses
are sealed for that. Older ones keep the hit's id, without which they could not be opened.

Entries of `hits` and `origins` come in order of time, but for a few, and find that much room.
Partitions of visits are cleared of old row versions more often.
"""

from django.db import migrations, models
from psycopg import sql

from tracking.partitions import VISIT_STORAGE

PACKED = 96
"""Fill factor: room for ten late entries in a page of 280."""


def key(table, columns):
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, "
        f"ADD PRIMARY KEY ({columns}) WITH (fillfactor = {PACKED})"
    )


def store_visits_so(apps, schema_editor):
    """In the partitions that are there; `ensure_months` does it for those to come."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'visits'::regclass"
        )
        for (name,) in cursor.fetchall():
            statement = sql.SQL(f"ALTER TABLE {{}} SET ({VISIT_STORAGE})")
            cursor.execute(statement.format(sql.Identifier(name)))


class Migration(migrations.Migration):
    dependencies = [("tracking", "0008_pings_within_visits")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(["ALTER TABLE origins ALTER COLUMN hit_id DROP NOT NULL"]),
                migrations.RunPython(store_visits_so),
                migrations.RunSQL([key("hits", "at, tag")]),
                migrations.RunSQL([key("origins", "started_at, visit_id")]),
            ],
            state_operations=[
                migrations.AlterField("Origin", "hit_id", models.UUIDField(null=True)),
            ],
        ),
    ]
