"""Pings of engaged time go into the row of their visit, and visits are found by visitor and time.

Pings that are rows of `hits` already stay so, and are read from there. The key of visits becomes
what writers look for; times, which come in order, take a block range index of a few kilobytes.
"""

from django.db import migrations, models

HOT_BESIDE_BRIN = 160_000
"""PostgreSQL's version from which a changing column in such an index costs a row nothing."""
PAGES = 16
"""A range of so few pages that the planner does not think the whole key cheaper to read."""


def index_times(apps, schema_editor):
    """By `last_at` too, for who was there at a time, where that does not make updates dearer."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        columns = "started_at, last_at" if cursor.fetchone()[0] >= HOT_BESIDE_BRIN else "started_at"
        cursor.execute(
            f"CREATE INDEX visits_by_time ON visits USING brin ({columns}) "
            f"WITH (autosummarize = on, pages_per_range = {PAGES})"
        )


class Migration(migrations.Migration):
    dependencies = [("tracking", "0007_hits_named_by_time_and_tag")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(["ALTER TABLE visits ADD COLUMN pings bytea"]),
                migrations.RunSQL(["ALTER TABLE visits DROP CONSTRAINT visits_pkey"]),
                migrations.RunSQL(
                    ["ALTER TABLE visits ADD PRIMARY KEY (visitor, started_at, site_id)"]
                ),
                migrations.RunSQL(["DROP INDEX visits_by_visitor"]),
                migrations.RunPython(index_times),
                # A writer asks for each batch whether some of its pings are rows.
                migrations.RunSQL(["CREATE INDEX hits_of_pings ON hits (at, tag) WHERE kind = 3"]),
            ],
            state_operations=[
                migrations.DeleteModel("Visit"),
                migrations.CreateModel(
                    name="Visit",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "visitor",
                                "started_at",
                                "site_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.BigIntegerField()),
                        ("started_at", models.DateTimeField()),
                        ("last_at", models.DateTimeField()),
                        ("visitor", models.BigIntegerField()),
                        *(
                            (name, models.IntegerField())
                            for name in (
                                *("site_id", "pageviews", "events", "engaged_s", "entry", "exit"),
                                *("source", "channel", "country", "language", "browser", "os"),
                                "device",
                            )
                        ),
                        ("consented", models.BooleanField()),
                        ("bounced", models.BooleanField()),
                        *(
                            (name, models.IntegerField(null=True))
                            for name in (
                                *("region", "utm_source", "utm_medium", "utm_campaign"),
                                *("utm_term", "utm_content", "import_id"),
                            )
                        ),
                        ("pings", models.BinaryField(null=True)),
                    ],
                    options={"db_table": "visits", "managed": False},
                ),
            ],
        ),
    ]
