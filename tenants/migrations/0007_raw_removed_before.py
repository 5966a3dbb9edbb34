"""How far retention has removed a client's raw rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_when_a_sites_key_was_made")]

    operations = [
        migrations.AddField(
            "privacysettings",
            "raw_removed_before",
            models.DateTimeField(null=True, editable=False),
        )
    ]
