"""When a website's key was made; of those there are, the day they were made themselves."""

import django.utils.timezone
from django.db import migrations, models
from django.db.models import F


def fill(apps, schema_editor):
    """One statement: an agency has hundreds of websites, not millions."""
    sites = apps.get_model("tenants", "Site").objects.filter(key_changed_at=None)
    sites.update(key_changed_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_drop_djangos_sessions")]

    operations = [
        migrations.AddField(
            model_name="site",
            name="key_changed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="site",
            name="key_changed_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
    ]
