"""How far retention has removed a client's raw rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_drop_djangos_sessions")]

    operations = [
        migrations.AddField(
            "privacysettings",
            "raw_removed_before",
            models.DateTimeField(null=True, editable=False),
        )
    ]
