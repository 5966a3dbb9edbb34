"""What the privacy page says of each switch is what is stored."""

import datetime as dt
import os
from typing import NamedTuple

import pytest
from django.db import connection
from django.utils import timezone

from agency.privacy_words import statements
from tenants.models import PrivacySettings
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.collector_stage import Stage, change_privacy, eventually, fresh_address, staged
from tests.tracking.traffic import hit
from tracking.hits import tag_of
from tracking.query.model import Query
from tracking.query.run import run_query
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

COOKIE = "0123456789abcdef0123456789abcdef"


class Stored(NamedTuple):
    """What the client's schema holds of a hit."""

    consented: bool
    country: str
    outcode: str
    ip: bytes
    has_key: bool


@pytest.fixture(scope="module")
def stage(databases, valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    with staged(os.environ["OUTWARD_REDIS_URL"], folder / "spool") as running:
        yield running


@pytest.fixture(scope="module")
def client(stage: Stage, new_client):
    return stage.know(new_client("words"))


def said(client) -> str:
    settings = PrivacySettings.objects.get(client=client)
    return " ".join(f"{one.title}: {one.what}" for one in statements(settings))


def stored(stage, client, *, is_american=False, headers=None, **fields) -> Stored | None:
    """Send a new visitor's hit, store what the collector lets through; None: it is not counted."""
    address = fresh_address()
    if is_american:
        address = f"8.8.{address.partition('.2.')[2]}"
    sent = {"x-forwarded-for": address, **(headers or {})}
    reply = stage.post(client, headers=sent, **fields)
    if "x-outward-dropped" in reply.headers:
        return None
    passed = stage.last_hit(client)
    store_hits(client, [passed], zones=site_zones(client))
    with entered(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.consented, c.value, coalesce(p.value, ''), coalesce(o.ip_sealed, ''), "
            "o.ip_key_id IS NOT NULL FROM hits h "
            "JOIN visits v ON v.id = h.visit_id JOIN labels c ON c.id = v.country "
            "LEFT JOIN origins o ON o.visit_id = v.id AND o.started_at = v.started_at "
            "LEFT JOIN labels p ON p.id = o.outcode WHERE h.tag = %s",
            [tag_of(passed.id)],
        )
        consented, country, outcode, ip, has_key = cursor.fetchone()
    return Stored(consented, country, outcode, bytes(ip), has_key)


ZIP = {"outcode": "90210", "is_american": True}
POSTCODE = {"outcode": "SW1A 1AA"}


@pytest.mark.parametrize(
    ("changes", "words", "sent", "is_so"),
    [
        (
            {"ip_mode": "encrypted"},
            "Encrypted before it is stored",
            {},
            lambda row: len(row.ip) > 16 and row.has_key,
        ),
        (
            {"ip_mode": "truncated"},
            "the last 8 bits of an IPv4 address",
            {},
            lambda row: len(row.ip) == 4 and row.ip[3] == 0 and not row.has_key,
        ),
        (
            {"ip_mode": "none"},
            "IP address: Not kept in any form.",
            {},
            lambda row: row.ip == b"" and not row.has_key,
        ),
        (
            {"keep_outcode": True, "zip_mode": "zip3"},
            "first three digits",
            ZIP,
            lambda row: row.outcode == "US 902",
        ),
        (
            {"keep_outcode": True, "zip_mode": "zip5"},
            "its five digits",
            ZIP,
            lambda row: row.outcode == "US 90210",
        ),
        (
            {"keep_outcode": True},
            "names a district (SW1A, never SW1A 1AA)",
            POSTCODE,
            lambda row: row.outcode == "GB SW1A",
        ),
        (
            {"keep_outcode": False},
            "Postcode: Not kept, not even its outward half.",
            POSTCODE,
            lambda row: row.outcode == "",
        ),
        (
            {"cookie_mode": "never"},
            "No cookie is ever set.",
            {"cookie": COOKIE},
            lambda row: not row.consented,
        ),
        (
            {"cookie_mode": "consent"},
            "After a visitor has agreed in the banner",
            {"cookie": COOKIE},
            lambda row: row.consented,
        ),
        (
            {"honour_gpc": True},
            "Are not counted at all: Global Privacy Control",
            {"headers": {"sec-gpc": "1"}},
            None,
        ),
        (
            {"honour_gpc": False, "honour_dnt": True},
            "Are not counted at all: Do Not Track.",
            {"headers": {"dnt": "1"}},
            None,
        ),
        (
            {"honour_gpc": False, "honour_dnt": False},
            "Are counted like others.",
            {"headers": {"sec-gpc": "1", "dnt": "1"}},
            lambda row: not row.consented,
        ),
    ],
)
def test_each_switch_stores_what_its_sentence_says(stage, client, changes, words, sent, is_so):
    closed = {"ip_mode": "none", "keep_outcode": False, "cookie_mode": "never",
              "honour_gpc": True, "honour_dnt": True}  # fmt: skip
    change_privacy(client, **(closed | changes))
    assert words in said(client)

    def holds():
        row = stored(stage, client, **sent)
        return row is None if is_so is None else row is not None and is_so(row)

    eventually(holds, 5.0)


def test_of_the_place_country_and_region_are_stored_and_no_more(stage, client):
    change_privacy(client, honour_gpc=True)
    assert "only the country is stored, and its region where" in said(client)
    row = stored(stage, client, is_american=True)
    assert row is not None
    assert row.country == "US"
    with entered(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name IN ('visits', 'hits', 'origins')",
            [client.schema_name],
        )
        columns = {name for (name,) in cursor.fetchall()}
    assert {"country", "region"} <= columns
    assert not columns & {"city", "latitude", "longitude", "location"}


def test_small_groups_are_protected_where_the_page_says_so_and_only_there(new_client):
    client = new_client(timezone_name="UTC")
    site, now = site_of(client), timezone.now()
    at = now - dt.timedelta(days=1)
    hits = [
        hit(client.pk, site.pk, at, number, outcode="GB SW1A", country="GB", path="/rare")
        for number in range(1, 5)
    ]
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    assert "fewer than 5 visitors" in said(client)
    assert "One thing by itself, such as a country or a page, is shown" in said(client)

    def rows(*dimensions):
        query = Query(("visitors",), at.date(), at.date(), dimensions=dimensions)
        with entered(client):
            return [row.metrics[0] for row in run_query(site, query, k=5, now=now).rows]

    assert rows("visit:country") == [4]
    assert rows("event:page") == [4]
    # Their row, if there is one, tells no number.
    assert not any(rows("visit:outcode"))
    assert not any(rows("visit:country", "event:page"))


def test_how_long_says_what_the_daily_job_does(client):
    """That it does: tests/tracking/test_raw_retention.py."""
    change_privacy(client, hits_retention_days=123)
    assert "beside them, for 123 days; a daily job removes what is older" in said(client)
