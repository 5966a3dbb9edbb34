"""Sessions are in tenants_session since 0002; what is left in Django's own table is of no use."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_client_days_groups_logos_uploads")]

    operations = [
        migrations.RunSQL(
            ["DROP TABLE IF EXISTS public.django_session"], reverse_sql=migrations.RunSQL.noop
        )
    ]
