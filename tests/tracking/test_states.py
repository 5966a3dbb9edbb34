"""The shared copies of clients' sums equal what the clients' own tables say."""

import datetime as dt
import random

from django.db import connection

from tenants.models import ClientDay, ClientState, PrivacySettings
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.traffic import hit, random_hits
from tracking.rollups.run import roll_up_client, touch_all
from tracking.states import record_all_days
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def store(client, hits):
    store_hits(client, hits, zones=site_zones(client))


def recount(client, site):
    """Visits, consented visits, page views by day, from raw rows on the site's clock."""
    with entered(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT (started_at AT TIME ZONE %s)::date, count(*), "
            "count(*) FILTER (WHERE consented) FROM visits WHERE site_id = %s GROUP BY 1",
            [site.timezone, site.pk],
        )
        visits = {day: (count, consented) for day, count, consented in cursor.fetchall()}
        cursor.execute(
            "SELECT (at AT TIME ZONE %s)::date, count(*) FROM hits "
            "WHERE site_id = %s AND kind IN (1, 6) GROUP BY 1",
            [site.timezone, site.pk],
        )
        return visits, dict(cursor.fetchall())


def test_days_of_a_client_are_copied_after_its_rollup(new_client):
    client = new_client(timezone_name="Asia/Kolkata")
    site = site_of(client)
    hits = random_hits(random.Random(7), client.pk, site.pk, NOW - dt.timedelta(hours=40))
    hits += [hit(client.pk, site.pk, NOW - dt.timedelta(hours=3), 77, consented=True)]
    store(client, sorted(hits, key=lambda each: each.at_us))
    roll_up_client(client, now=NOW)
    visits, pageviews = recount(client, site)
    rows = {row.day: row for row in ClientDay.objects.filter(client=client, site_id=site.pk)}
    assert {day: (row.visits, row.consented_visits) for day, row in rows.items()} == visits
    assert {day: row.pageviews for day, row in rows.items() if row.pageviews} == pageviews
    assert sum(row.consented_visits for row in rows.values()) >= 1
    assert all(row.visitors > 0 for row in rows.values())


def test_a_rerun_changes_nothing_and_a_later_hit_is_added(new_client):
    client = new_client()
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, NOW, 1)])
    roll_up_client(client, now=NOW)
    store(client, [hit(client.pk, site.pk, NOW + dt.timedelta(minutes=1), 2)])
    roll_up_client(client, now=NOW)
    assert ClientDay.objects.get(client=client).visits == 2
    touch_all(client, site, now=NOW)
    roll_up_client(client, now=NOW)
    record_all_days(client, now=NOW)
    assert ClientDay.objects.get(client=client).visits == 2


def test_the_state_says_who_is_there_and_when_the_last_hit_was(new_client):
    client = new_client()
    site = site_of(client)
    earlier = NOW - dt.timedelta(hours=2)
    store(client, [hit(client.pk, site.pk, earlier, 1)])
    roll_up_client(client, now=NOW)
    state = ClientState.objects.get(client=client)
    assert (state.live_now, state.last_hit_at, state.live_at) == (0, earlier, NOW)
    ClientState.objects.filter(client=client).update(open_alerts=3)
    latest = NOW - dt.timedelta(minutes=2)
    store(client, [hit(client.pk, site.pk, latest, visitor) for visitor in (2, 3)])
    roll_up_client(client, now=NOW)
    state.refresh_from_db()
    assert (state.live_now, state.last_hit_at, state.open_alerts) == (2, latest, 3)
    # A log of last week says nothing of the last hit.
    store(client, [hit(client.pk, site.pk, NOW - dt.timedelta(days=7), 9)])
    roll_up_client(client, now=NOW)
    state.refresh_from_db()
    assert state.last_hit_at == latest


def test_consented_visits_stay_known_when_their_rows_are_past_retention(new_client):
    client = new_client()
    site = site_of(client)
    store(client, [hit(client.pk, site.pk, NOW, 5, consented=True)])
    roll_up_client(client, now=NOW)
    PrivacySettings.objects.filter(client=client).update(hits_retention_days=30)
    with entered(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM visits")
    record_all_days(client, now=NOW + dt.timedelta(days=60))
    assert ClientDay.objects.get(client=client).consented_visits == 1


def test_a_copy_without_a_rollup_goes(new_client):
    client = new_client()
    site = site_of(client)
    ClientDay.objects.create(
        client=client, site_id=site.pk, day=NOW.date(), visits=1, consented_visits=0, visitors=1,
        pageviews=1, events=0, bytes_sent=0,
    )  # fmt: skip
    assert record_all_days(client, now=NOW) == 0
    assert not ClientDay.objects.filter(client=client).exists()
