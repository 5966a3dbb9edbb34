"""Hits and pings read as one table, against the same unpacked in plain Python."""

import datetime as dt
import random
from typing import Any

from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tenants.models import Client
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.analysed import busy_hits
from tests.tracking.hit_maker import make_hit
from tests.tracking.recount import hits_of
from tests.tracking.traffic import hit
from tracking.hits import Kind
from tracking.pings import SIZE, has_ping, pack_ping
from tracking.raw_rows import hits_alone, hits_and_pings
from tracking.reports.live import count_live_visitors
from tracking.writer.store import site_zones, store_hits

START = dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC)
INSTANT = dt.timedelta(microseconds=1)
COLUMNS = (
    *("at", "visit_id", "site_id", "path", "kind", "scroll", "engaged_s", "name", "host", "status"),
    *("bytes_sent", "props"),
)


def read(client: Client, table: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with entered(client), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM {table} r", params)
        return sorted(cursor.fetchall(), key=str)


def test_hits_and_pings_of_any_time_are_those_that_are_stored(new_client):
    client = new_client()
    site = site_of(client).pk
    hits = busy_hits(random.Random(5), client, site, START, visitors=120)
    store_hits(client, hits, zones=site_zones(client))
    rows = hits_of(client)
    pings = [row for row in rows if row["tag"] is None]
    assert len(pings) > 50
    rng = random.Random(6)
    for _ in range(60):
        # Bounds at the instants of pings, where one too many or too few shows.
        since, before = sorted(rng.choice(pings)["at"] for _ in range(2))
        before += rng.choice([dt.timedelta(), INSTANT, dt.timedelta(minutes=40)])
        expected = [
            tuple(row[name] for name in COLUMNS) for row in rows if since <= row["at"] < before
        ]
        assert read(client, *hits_and_pings([site], since, before)) == sorted(expected, key=str)
        alone = read(client, *hits_alone([site], since, before))
        assert {*alone} <= {*expected}
        assert all(row[COLUMNS.index("kind")] == Kind.ENGAGEMENT for row in {*expected} - {*alone})
    assert read(client, *hits_and_pings([site + 1], START, START + dt.timedelta(days=40))) == []


def test_a_ping_from_before_its_visits_start_is_read_at_its_time(new_client):
    client = new_client()
    site = site_of(client).pk
    store_hits(
        client,
        [hit(client.pk, site, START + dt.timedelta(minutes=20), 1)],
        zones=site_zones(client),
    )
    early = hit(client.pk, site, START, 1, kind=Kind.ENGAGEMENT, engaged_s=60)
    store_hits(client, [early], zones=site_zones(client))
    ((at, *_),) = read(client, *hits_and_pings([site], START, START + dt.timedelta(minutes=10)))
    assert at == START


def test_who_reads_on_is_there_now_and_five_minutes_later_no_more(new_client):
    client = new_client()
    site = site_of(client)
    read_on = START + dt.timedelta(minutes=20)
    hits = [hit(client.pk, site.pk, START, 1)]
    hits += [hit(client.pk, site.pk, read_on, 1, kind=Kind.ENGAGEMENT, engaged_s=60)]
    store_hits(client, hits, zones=site_zones(client))
    with entered(client):
        live = [
            count_live_visitors(site, now=read_on + dt.timedelta(seconds=seconds))
            for seconds in (-1, 0, 299, 300)
        ]
    assert live == [0, 1, 1, 0]


@given(
    st.integers(0, 2**37 - 1),
    st.integers(0, 86_400),
    st.integers(0, 100),
    st.integers(0, 2**31 - 1),
)
def test_a_ping_says_what_it_was_made_of(since_us, engaged_s, scroll, path):
    one = make_hit(kind=Kind.ENGAGEMENT, engaged_s=engaged_s, scroll=scroll)
    packed = pack_ping(since_us, one, path)
    what = int.from_bytes(packed[:8], "big")
    assert (what >> 24, what >> 7 & 0x1FFFF, what & 0x7F) == (since_us, engaged_s, scroll)
    assert (int.from_bytes(packed[8:12], "big"), packed[12:]) == (path, one.id[14:])
    assert what < 2**63


@given(st.lists(st.binary(min_size=SIZE, max_size=SIZE)), st.binary(min_size=SIZE, max_size=SIZE))
def test_a_ping_is_found_where_one_begins_and_nowhere_else(pings, ping):
    assert has_ping(b"".join(pings), ping) == (ping in pings)


def test_bytes_across_two_pings_are_no_ping():
    row = bytes(SIZE * 3)
    assert has_ping(row, bytes(SIZE))
    odd = b"\1" + bytes(SIZE * 2 - 1)
    assert not has_ping(odd[:SIZE] + b"\1" + odd[SIZE + 1 :], bytes(SIZE))
    assert has_ping(odd, bytes(SIZE))
