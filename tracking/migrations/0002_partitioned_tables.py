"""Tables of visits, hits and origins, partitioned by month, and the two fixed labels."""

import datetime as dt

from django.db import migrations

from tracking.partitions import PARTITIONED, months_ahead, partition_statements

VISITS = """
CREATE TABLE visits (
    id bigint NOT NULL,
    started_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    visitor bigint NOT NULL,
    site_id integer NOT NULL,
    pageviews integer NOT NULL,
    events integer NOT NULL,
    engaged_s integer NOT NULL,
    entry integer NOT NULL,
    exit integer NOT NULL,
    source integer NOT NULL,
    channel integer NOT NULL,
    country integer NOT NULL,
    language integer NOT NULL,
    browser integer NOT NULL,
    os integer NOT NULL,
    device integer NOT NULL,
    consented boolean NOT NULL,
    bounced boolean NOT NULL,
    region integer,
    utm_source integer,
    utm_medium integer,
    utm_campaign integer,
    utm_term integer,
    utm_content integer,
    import_id integer,
    PRIMARY KEY (started_at, id)
) PARTITION BY RANGE (started_at)
"""
HITS = """
CREATE TABLE hits (
    at timestamptz NOT NULL,
    visit_id bigint NOT NULL,
    id uuid NOT NULL,
    site_id integer NOT NULL,
    path integer NOT NULL,
    kind smallint NOT NULL,
    scroll smallint,
    engaged_s integer,
    name integer,
    host integer,
    status smallint,
    import_id integer,
    bytes_sent bigint,
    props jsonb,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at)
"""
ORIGINS = """
CREATE TABLE origins (
    started_at timestamptz NOT NULL,
    visit_id bigint NOT NULL,
    hit_id uuid NOT NULL,
    ip_key_id integer,
    outcode integer,
    ip_sealed bytea,
    PRIMARY KEY (started_at, visit_id)
) PARTITION BY RANGE (started_at)
"""
DEFAULTS = [
    "CREATE TABLE visits_default PARTITION OF visits DEFAULT WITH (fillfactor = 75)",
    "CREATE TABLE hits_default PARTITION OF hits DEFAULT",
    "CREATE TABLE origins_default PARTITION OF origins DEFAULT",
]
VISITOR_INDEX = "CREATE INDEX visits_by_visitor ON visits (visitor)"


def make_months(apps, schema_editor):
    """Partitions around today, so that a new client can store at once."""
    for month in months_ahead(dt.datetime.now(dt.UTC).date()):
        for statement in partition_statements(month):
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("tracking", "0001_raw_rows_and_rollups")]

    operations = [
        migrations.RunSQL([VISITS], [f"DROP TABLE {table}" for table in PARTITIONED]),
        migrations.RunSQL([HITS], migrations.RunSQL.noop),
        migrations.RunSQL([ORIGINS], migrations.RunSQL.noop),
        migrations.RunSQL(DEFAULTS, migrations.RunSQL.noop),
        migrations.RunSQL([VISITOR_INDEX], migrations.RunSQL.noop),
        migrations.RunPython(make_months, migrations.RunPython.noop),
        migrations.RunSQL(
            [
                "INSERT INTO labels (id, value) OVERRIDING SYSTEM VALUE VALUES (0, '')",
                "INSERT INTO labels (id, value) OVERRIDING SYSTEM VALUE VALUES (1, '(other)')",
                "ALTER SEQUENCE labels_id_seq RESTART WITH 100",
            ],
            migrations.RunSQL.noop,
        ),
    ]
