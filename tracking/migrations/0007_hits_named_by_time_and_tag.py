"""A hit's row names it by its time and the random half of its id, 16 bytes instead of 24.

The other half of a UUIDv7 is the time again. Rows that are stored already are written anew, so
that their key is the same as that of a hit which arrives a second time.
"""

from django.db import migrations, models

TAG = "UPDATE hits SET tag = ('x' || right(replace(id::text, '-', ''), 16))::bit(64)::bigint"


class Migration(migrations.Migration):
    dependencies = [("tracking", "0006_copies_of_days")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(["ALTER TABLE hits ADD COLUMN tag bigint"]),
                migrations.RunSQL([TAG]),
                migrations.RunSQL(["ALTER TABLE hits DROP CONSTRAINT hits_pkey"]),
                migrations.RunSQL(["ALTER TABLE hits ALTER COLUMN tag SET NOT NULL"]),
                migrations.RunSQL(["ALTER TABLE hits ADD PRIMARY KEY (at, tag)"]),
                migrations.RunSQL(["ALTER TABLE hits DROP COLUMN id"]),
            ],
            state_operations=[
                migrations.DeleteModel("Hit"),
                migrations.CreateModel(
                    name="Hit",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "at",
                                "tag",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("visit_id", models.BigIntegerField()),
                        ("tag", models.BigIntegerField()),
                        ("site_id", models.IntegerField()),
                        ("path", models.IntegerField()),
                        ("kind", models.SmallIntegerField()),
                        ("scroll", models.SmallIntegerField(null=True)),
                        ("engaged_s", models.IntegerField(null=True)),
                        ("name", models.IntegerField(null=True)),
                        ("host", models.IntegerField(null=True)),
                        ("status", models.SmallIntegerField(null=True)),
                        ("import_id", models.IntegerField(null=True)),
                        ("bytes_sent", models.BigIntegerField(null=True)),
                        ("props", models.JSONField(null=True)),
                    ],
                    options={"db_table": "hits", "managed": False},
                ),
            ],
        ),
    ]
