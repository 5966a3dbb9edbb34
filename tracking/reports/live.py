"""Who is there now, from raw rows."""

import datetime as dt

from django.db import connection

from tenants.models import Site

LIVE_FOR = dt.timedelta(minutes=5)


def count_live_visitors(site: Site, *, now: dt.datetime) -> int:
    """Visits with a hit in the last five minutes, engaged time included. One indexed query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT visit_id) FROM hits "
            "WHERE site_id = %s AND at > %s AND at <= %s AND visit_id <> 0",
            [site.pk, now - LIVE_FOR, now],
        )
        return int(cursor.fetchone()[0])
