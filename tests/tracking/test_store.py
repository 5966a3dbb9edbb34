import datetime as dt
import importlib
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.db.migrations.operations import RunPython
from hypothesis import given
from hypothesis import strategies as st

from tenants.models import Client, Site
from tenants.schemas import entered, owning
from tests.tracking.hit_maker import make_hit
from tests.tracking.recount import hits_of
from tests.tracking.traffic import us
from tracking.columns import Columns, columns_of
from tracking.hits import Hit, Kind, origin_row_id, tag_of
from tracking.partitions import MONTHS_AHEAD, ensure_months
from tracking.pings import MOST_PINGS
from tracking.visits import Visit
from tracking.writer import statements
from tracking.writer.hours import QUARTER_S, hour_start
from tracking.writer.store import StoreError, StoreResult, site_zones, store_hits


class Shop:
    """A client of its own, its site, and short ways to store and to read."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.site = Site.objects.get(client=client)
        self.zones = site_zones(client)

    def hit(self, at_s: float = 0, **fields: Any) -> Hit:
        return make_hit(at_s, client_id=self.client.pk, **{"site_id": self.site.pk, **fields})

    def store(self, *hits: Hit, **options: Any) -> StoreResult:
        return store_hits(self.client, hits, zones=self.zones, **options)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with entered(self.client), connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def one(self, query: str) -> tuple[Any, ...]:
        (row,) = self.rows(query)
        return row

    def label(self, number: int) -> str:
        return str(self.one(f"SELECT value FROM labels WHERE id = {number}")[0])


@pytest.fixture
def shop(new_client: Callable[..., Client]) -> Shop:
    return Shop(new_client())


def test_every_field_of_a_hit_is_found_in_its_row(shop: Shop) -> None:
    hit = shop.hit(
        0.123457,
        visitor=-(2**63),
        kind=Kind.EVENT,
        path="/a",
        host="shop.example.com",
        name="Newsletter",
        props={"place": "footer\0", "é": "\ud800"},
        engaged_s=7,
        scroll=80,
        status=200,
        bytes_sent=2**40,
        import_id=3,
        source="Google",
        channel="organic",
        utm_source="s",
        utm_medium="m",
        utm_campaign="c",
        utm_term="t",
        utm_content="o",
        country="GB",
        region="GB-ENG",
        language="en-GB",
        browser="Firefox",
        os="Linux",
        device="desktop",
        outcode="GB SW1A",
        ip_key_id=9,
        ip_sealed=b"sealed",
        consented=True,
    )
    assert shop.store(hit) == StoreResult(1, 0, 1, 0)
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=hit.at_us)
    row = shop.one(
        "SELECT h.at, h.tag, h.site_id, p.value, h.kind, h.scroll, h.engaged_s, n.value, o.value, "
        "h.status, h.import_id, h.bytes_sent, h.props->>'place', h.props->>'é' FROM hits h "
        "JOIN labels p ON p.id = h.path JOIN labels n ON n.id = h.name "
        "JOIN labels o ON o.id = h.host"
    )
    assert (row[0], row[1]) == (at, tag_of(hit.id))
    assert row[2:] == (
        *(shop.site.pk, "/a", Kind.EVENT, 80, 7, "Newsletter", "shop.example.com", 200, 3),
        *(2**40, "footer", "?"),
    )
    visit = shop.one(
        "SELECT id, started_at, last_at, visitor, site_id, pageviews, events, engaged_s, "
        "consented, bounced, import_id, entry, exit, source, channel, country, language, browser, "
        "os, device, region, utm_source, utm_medium, utm_campaign, utm_term, utm_content "
        "FROM visits"
    )
    assert visit[1:11] == (at, at, -(2**63), shop.site.pk, 0, 1, 7, True, False, 3)
    assert [shop.label(number) for number in visit[11:]] == [
        *("", "", "Google", "organic", "GB", "en-GB", "Firefox", "Linux", "desktop", "GB-ENG"),
        *("s", "m", "c", "t", "o"),
    ]
    origin = shop.one(
        "SELECT started_at, visit_id, hit_id, ip_key_id, ip_sealed, outcode FROM origins"
    )
    assert origin[:2] == (at, visit[0])
    assert (origin[2], origin[3], bytes(origin[4])) == (None, 9, b"sealed")
    assert origin_row_id(hit.id, hit.at_us) == visit[0].to_bytes(8, "big")
    assert shop.label(origin[5]) == "GB SW1A"


def test_rows_with_whole_ids_are_migrated_and_known_again(shop: Shop) -> None:
    hits = [shop.hit(number, visitor=number % 5) for number in range(30)]
    shop.store(*hits)
    migration = importlib.import_module("tracking.migrations.0007_hits_named_by_time_and_tag")
    (operation,) = migration.Migration.operations
    with owning(shop.client), connection.cursor() as cursor:
        # As it was before: the whole id in the row and in the key.
        cursor.execute("ALTER TABLE hits ADD COLUMN id uuid")
        cursor.executemany(
            "UPDATE hits SET id = %s WHERE tag = %s",
            [(hit.id.hex(), tag_of(hit.id)) for hit in hits],
        )
        cursor.execute("ALTER TABLE hits DROP CONSTRAINT hits_pkey")
        cursor.execute("ALTER TABLE hits ADD PRIMARY KEY (at, id)")
        cursor.execute("ALTER TABLE hits DROP COLUMN tag")
        migrate(operation)
    assert shop.store(*hits, shop.hit(40)) == StoreResult(1, 30, 0, 1)
    assert shop.one("SELECT count(*), count(DISTINCT tag) FROM hits") == (31, 31)


def test_what_is_not_known_takes_no_room(shop: Shop) -> None:
    shop.store(shop.hit())
    assert (
        shop.one(
            "SELECT scroll, engaged_s, name, host, status, import_id, bytes_sent, props FROM hits"
        )
        == (None,) * 8
    )
    assert (
        shop.one(
            "SELECT region, utm_source, utm_medium, utm_campaign, utm_term, utm_content, import_id "
            "FROM visits"
        )
        == (None,) * 7
    )
    assert shop.rows("SELECT * FROM origins") == []


def test_a_visit_goes_on_in_the_next_batch(shop: Shop) -> None:
    shop.store(shop.hit(0, path="/a"))
    result = shop.store(
        shop.hit(60, path="/b"), shop.hit(70, kind=Kind.ENGAGEMENT, engaged_s=5, path="/b")
    )
    assert result == StoreResult(2, 0, 0, 1)
    row = shop.one(
        "SELECT pageviews, engaged_s, bounced, exit, extract(epoch FROM last_at - started_at) "
        "FROM visits"
    )
    assert (row[:3], shop.label(row[3]), int(row[4])) == ((2, 5, False), "/b", 70)
    assert shop.one("SELECT count(DISTINCT visit_id), count(*) FROM hits") == (1, 2)
    assert [(row["engaged_s"], shop.label(row["path"])) for row in pings_of(shop)] == [(5, "/b")]


def test_a_batch_given_twice_is_stored_once(shop: Shop) -> None:
    batch = [shop.hit(second, visitor=second % 7) for second in range(100)]
    assert shop.store(*batch).stored == 100
    before = shop.rows("SELECT * FROM visits ORDER BY id")
    assert shop.store(*batch) == StoreResult(0, 100, 0, 0)
    assert shop.store(*batch, maybe_stored=True) == StoreResult(0, 100, 0, 0)
    assert shop.rows("SELECT * FROM visits ORDER BY id") == before
    assert shop.one("SELECT count(*) FROM hits") == (100,)


def test_a_batch_that_overlaps_stored_ones_adds_only_what_is_new(shop: Shop) -> None:
    first, second, third = shop.hit(0), shop.hit(1), shop.hit(2)
    shop.store(first, second)
    assert shop.store(second, third, third) == StoreResult(1, 2, 0, 1)
    assert shop.one("SELECT pageviews FROM visits") == (3,)


# --- pings


def pings_of(shop: Shop) -> list[dict[str, Any]]:
    """Pings within visits, in order of time."""
    rows = [hit for hit in hits_of(shop.client) if hit["kind"] == Kind.ENGAGEMENT]
    return [row for row in rows if row["tag"] is None]


def ping(shop: Shop, at_s: float, **fields: Any) -> Hit:
    return shop.hit(at_s, **{"kind": Kind.ENGAGEMENT, "engaged_s": 2, "scroll": 50, **fields})


def test_a_hit_is_named_by_its_time_and_its_tag_together(shop: Shop) -> None:
    stored, other = shop.hit(0), shop.hit(5)
    other.id = other.id[:8] + stored.id[8:]
    shop.store(stored)
    assert shop.store(stored, other, maybe_stored=True) == StoreResult(1, 1, 0, 1)


def test_a_row_of_a_ping_keeps_a_depth_without_seconds_and_seconds_without_a_depth(
    shop: Shop,
) -> None:
    shop.store(ping(shop, 0, engaged_s=0, scroll=40), ping(shop, 1, engaged_s=9, scroll=0))
    rows = shop.rows("SELECT scroll, engaged_s FROM hits ORDER BY at")
    assert rows == [(40, None), (None, 9)]


def test_pings_are_kept_in_a_new_visit_and_in_one_that_goes_on(shop: Shop) -> None:
    first = ping(shop, 3.000001, path="/a", engaged_s=86_400, scroll=100)
    second = ping(shop, 1799, path="/b", engaged_s=0, scroll=1)
    assert shop.store(shop.hit(0, path="/a"), first) == StoreResult(2, 0, 1, 0)
    assert shop.store(second) == StoreResult(1, 0, 0, 1)
    assert [
        (us(row["at"]), row["engaged_s"], row["scroll"], shop.label(row["path"]))
        for row in pings_of(shop)
    ] == [(first.at_us, 86_400, 100, "/a"), (second.at_us, 0, 1, "/b")]
    assert shop.one("SELECT count(*) FROM hits") == (1,)
    assert shop.one("SELECT engaged_s, last_at - started_at, pageviews FROM visits") == (
        86_400,
        dt.timedelta(seconds=1799),
        1,
    )


def test_a_ping_before_its_visits_start_is_kept_with_its_time(shop: Shop) -> None:
    shop.store(shop.hit(1799))
    early = ping(shop, 0)
    assert shop.store(early) == StoreResult(1, 0, 0, 1)
    assert [us(row["at"]) for row in pings_of(shop)] == [early.at_us]
    assert shop.store(early) == StoreResult(0, 1, 0, 0)


@pytest.mark.parametrize("maybe_stored", [False, True])
def test_a_ping_given_twice_is_stored_once(shop: Shop, maybe_stored: bool) -> None:
    view, pings = shop.hit(0), [ping(shop, second) for second in (1, 1, 2)]
    assert shop.store(view, *pings, pings[0]) == StoreResult(4, 1, 1, 0)
    new = ping(shop, 3)
    again = shop.store(*pings, new, maybe_stored=maybe_stored)
    assert again == StoreResult(1, 3, 0, 1)
    assert shop.store(new, maybe_stored=maybe_stored) == StoreResult(0, 1, 0, 0)
    assert len(pings_of(shop)) == 4
    assert shop.one("SELECT engaged_s FROM visits") == (8,)


def test_a_ping_that_was_stored_without_a_visit_is_known_when_there_is_one(shop: Shop) -> None:
    early = ping(shop, 10)
    assert shop.store(early).stored == 1
    shop.store(shop.hit(0))
    assert shop.store(early, ping(shop, 11)) == StoreResult(1, 1, 0, 1)
    assert len(pings_of(shop)) == 1
    assert shop.one("SELECT engaged_s FROM visits") == (2,)
    assert shop.one("SELECT count(*) FROM hits WHERE kind = 3") == (1,)


def test_rows_of_pings_are_known_however_many_there_are(shop: Shop, monkeypatch) -> None:
    pings = [ping(shop, second) for second in range(10, 16)]
    shop.store(*pings)
    shop.store(shop.hit(0))
    for few in (5, 6):
        monkeypatch.setattr(statements, "_FEW", few)
        assert shop.store(*pings, ping(shop, 20)) == StoreResult(1, 6, 0, 1)


def test_a_ping_is_known_when_another_visit_has_begun_since(shop: Shop) -> None:
    late = ping(shop, 50 * 60)
    shop.store(shop.hit(0), shop.hit(29 * 60), late)
    # A view that comes late begins a visit between: the ping would now belong to that one.
    between = shop.hit(0, visitor=2)
    shop.store(between)
    with owning(shop.client), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE visits SET visitor = 1, started_at = started_at + interval '49 minutes', "
            "last_at = last_at + interval '49 minutes' WHERE visitor = 2"
        )
    assert shop.store(late) == StoreResult(0, 1, 0, 0)
    assert len(pings_of(shop)) == 1


def test_what_a_ping_has_no_room_for_is_a_row(shop: Shop) -> None:
    shop.store(shop.hit(0))
    odd = [
        ping(shop, 1, host="shop.example.com"),
        ping(shop, 2, props={"a": "b"}),
        ping(shop, 3, name="Read"),
        ping(shop, 4, status=200),
        ping(shop, 5, bytes_sent=9),
        ping(shop, 6, import_id=3),
        ping(shop, 3 * 3600),
    ]
    assert shop.store(*odd).stored == 7
    assert pings_of(shop) == []
    assert shop.one("SELECT count(*), count(DISTINCT visit_id) FROM hits") == (8, 1)
    assert shop.one("SELECT engaged_s FROM visits") == (14,)
    assert shop.store(*odd) == StoreResult(0, 7, 0, 0)


def test_a_visit_keeps_so_many_pings_and_the_rest_are_rows(shop: Shop) -> None:
    pings = [ping(shop, second) for second in range(1, MOST_PINGS + 11)]
    shop.store(shop.hit(0), *pings[:20])
    shop.store(*pings[20:])
    assert len(pings_of(shop)) == MOST_PINGS
    assert shop.one("SELECT count(*) FROM hits WHERE kind = 3") == (10,)
    assert shop.store(*pings) == StoreResult(0, MOST_PINGS + 10, 0, 0)
    assert shop.one("SELECT engaged_s FROM visits") == (2 * (MOST_PINGS + 10),)
    assert len(pings_of(shop)) == MOST_PINGS


def test_a_ping_that_another_writer_stores_meanwhile_is_stored_once(
    shop: Shop, monkeypatch
) -> None:
    shop.store(shop.hit(0), shop.hit(60))
    # It changes neither seconds nor the visit's end: only the number of pings tells of it.
    silent = ping(shop, 30, engaged_s=0)
    find, calls = statements.find_visits, []

    def overtaken(hits: Columns, *, lock: bool) -> list[Visit]:
        found = find(hits, lock=lock)
        calls.append(len(found))
        if len(calls) == 1:
            assert shop.store(silent).stored == 1
        return found

    monkeypatch.setattr(statements, "find_visits", overtaken)
    assert shop.store(silent) == StoreResult(0, 1, 0, 0)
    assert len(pings_of(shop)) == 1


def test_the_hour_of_a_ping_is_touched(shop: Shop) -> None:
    shop.store(shop.hit(-60))
    shop.rows("DELETE FROM touched_hours RETURNING id")
    shop.store(ping(shop, 60))
    hours = [hour.hour for (hour,) in shop.rows("SELECT hour FROM touched_hours ORDER BY hour")]
    assert hours == [11, 12]


def test_visits_that_are_locked_wait_for_the_transaction(shop: Shop) -> None:
    hit = shop.hit(0)
    shop.store(hit)
    refused: list[BaseException] = []

    def change() -> None:
        try:
            with entered(shop.client), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                cursor.execute("UPDATE visits SET engaged_s = 1")
        except OperationalError as error:
            refused.append(error)
        finally:
            connection.close()

    with entered(shop.client), transaction.atomic():
        assert len(statements.find_visits(columns_of([hit]), lock=True)) == 1
        other = threading.Thread(target=change)
        other.start()
        other.join()
    assert len(refused) == 1
    change()
    assert len(refused) == 1


def migrate(operation: Any) -> None:
    """What a migration does to the database, in the schema in the search path."""
    with connection.cursor() as cursor:
        for each in operation.database_operations:
            if isinstance(each, RunPython):
                code: Any = each.code
                code(apps, connection.schema_editor())
            else:
                for statement in each.sql:
                    cursor.execute(statement)


def test_visits_from_before_pings_are_migrated_and_their_rows_known_again(shop: Shop) -> None:
    view, early = shop.hit(0, visitor=5), ping(shop, 10, visitor=5)
    shop.store(early)
    shop.store(view)
    module = importlib.import_module("tracking.migrations.0008_pings_within_visits")
    (operation,) = module.Migration.operations
    with owning(shop.client), connection.cursor() as cursor:
        # As it was before: a key of time and id, an index by visitor, no pings.
        for statement in (
            "ALTER TABLE visits DROP COLUMN pings",
            "ALTER TABLE visits DROP CONSTRAINT visits_pkey",
            "ALTER TABLE visits ADD PRIMARY KEY (started_at, id)",
            "DROP INDEX visits_by_time",
            "DROP INDEX hits_of_pings",
            "CREATE INDEX visits_by_visitor ON visits (visitor)",
        ):
            cursor.execute(statement)
        migrate(operation)
    later = ping(shop, 20, visitor=5)
    assert shop.store(view, early, later) == StoreResult(1, 2, 0, 1)
    assert [us(row["at"]) for row in pings_of(shop)] == [later.at_us]
    indexes = shop.rows(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() "
        "AND tablename = 'visits' ORDER BY indexname"
    )
    assert "brin (started_at, last_at)" in indexes[0][0]
    assert "(visitor, started_at, site_id)" in indexes[1][0]
    assert len(indexes) == 2


def test_an_outward_code_that_comes_later_is_kept_with_the_visit(shop: Shop) -> None:
    sealed = {"ip_sealed": b"sealed", "ip_key_id": 4}
    shop.store(shop.hit(0, visitor=1, **sealed), shop.hit(0, visitor=2))
    shop.store(
        shop.hit(5, visitor=1, outcode="GB SW1A"),
        shop.hit(5, visitor=2, outcode="US 902"),
        shop.hit(6, visitor=2, outcode="US 100", ip_sealed=b"later", ip_key_id=5),
    )
    assert shop.rows(
        "SELECT v.visitor, o.ip_key_id, o.ip_sealed, l.value FROM origins o "
        "JOIN labels l ON l.id = o.outcode JOIN visits v ON v.id = o.visit_id ORDER BY 1"
    ) == [(1, 4, b"sealed", "GB SW1A"), (2, None, None, "US 100")]


def test_addresses_sealed_for_their_hits_stay_so_and_new_ones_are_for_their_visits(
    shop: Shop,
) -> None:
    old, new = (shop.hit(at, visitor=at, ip_sealed=b"sealed", ip_key_id=4) for at in (1, 2))
    shop.store(old)
    module = importlib.import_module("tracking.migrations.0009_origins_sealed_for_their_visits")
    (operation,) = module.Migration.operations
    with owning(shop.client), connection.cursor() as cursor:
        # As it was before.
        cursor.execute("UPDATE origins SET hit_id = %s", [old.id.hex()])
        cursor.execute("ALTER TABLE origins ALTER COLUMN hit_id SET NOT NULL")
        for table in ("hits", "origins"):
            cursor.execute(f"ALTER INDEX {table}_default_pkey RESET (fillfactor)")
        cursor.execute("ALTER TABLE visits_default RESET (autovacuum_vacuum_scale_factor)")
        migrate(operation)
    assert shop.store(old, new) == StoreResult(1, 1, 1, 0)
    ids = shop.rows("SELECT hit_id FROM origins ORDER BY started_at")
    assert ids == [(uuid.UUID(bytes=old.id),), (None,)]
    assert _storage(shop) == _STORAGE


_STORAGE = {
    ("visits", "r", ("fillfactor=80", "autovacuum_vacuum_scale_factor=0.03")),
    ("hits", "r", ()),
    ("origins", "r", ()),
    ("hits", "i", ("fillfactor=96",)),
    ("origins", "i", ("fillfactor=96",)),
}
"""What every partition, and the key of every one, must have been given."""


def test_partitions_of_now_and_of_months_to_come_are_stored_alike(shop: Shop) -> None:
    assert ensure_months(shop.client, [dt.date(2031, 5, 1)]) == [dt.date(2031, 5, 1)]
    assert _storage(shop) == _STORAGE
    partitions = shop.rows("SELECT inhrelid FROM pg_inherits WHERE inhparent = 'visits'::regclass")
    assert len(partitions) == MONTHS_AHEAD + 4  # last month, this one, the default and 2031's


def _storage(shop: Shop) -> set[tuple[str, str, tuple[str, ...]]]:
    """(table, table or key, options) of all partitions; keys of visits have none to set."""
    found = shop.rows(
        "SELECT t.relname, c.relkind, coalesce(c.reloptions, '{}') FROM pg_inherits i "
        "JOIN pg_class t ON t.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE t.relnamespace = current_schema()::regnamespace "
        "AND (c.relkind = 'r' OR c.relname LIKE '%pkey' AND c.relname NOT LIKE 'visits%')"
    )
    return {(name.removesuffix("_pkey"), kind, tuple(options)) for name, kind, options in found}


def test_engagement_without_a_visit_is_stored_under_none(shop: Shop) -> None:
    assert shop.store(shop.hit(kind=Kind.ENGAGEMENT, engaged_s=3)).stored == 1
    assert shop.one("SELECT visit_id, engaged_s FROM hits") == (0, 3)
    assert shop.rows("SELECT * FROM visits") == []


def test_the_hours_of_hits_and_of_continued_visits_are_touched(shop: Shop) -> None:
    shop.store(shop.hit(-60, visitor=1))
    shop.rows("DELETE FROM touched_hours RETURNING id")
    shop.store(shop.hit(60, visitor=1), shop.hit(120, visitor=2))
    hours = [hour for (hour,) in shop.rows("SELECT hour FROM touched_hours ORDER BY hour")]
    assert [hour.hour for hour in hours] == [11, 12]
    assert all(hour.minute == 0 for hour in hours)


def test_a_hit_that_comes_late_touches_the_hours_up_to_its_visits_last_hit(shop: Shop) -> None:
    shop.store(*(shop.hit(minute * 60) for minute in range(0, 200, 25)))
    shop.rows("DELETE FROM touched_hours RETURNING id")
    shop.store(shop.hit(10 * 60))
    hours = [hour.hour for (hour,) in shop.rows("SELECT hour FROM touched_hours ORDER BY hour")]
    assert hours == [12, 13, 14]


def test_what_is_given_along_is_stored_with_the_hits_or_not_at_all(shop: Shop) -> None:
    def fail(result: StoreResult) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        shop.store(shop.hit(0, path="/gone"), also=fail)
    assert shop.rows("SELECT * FROM hits") == []
    seen: list[StoreResult] = []
    shop.store(shop.hit(1, path="/gone"), also=seen.append)
    assert seen == [StoreResult(1, 0, 1, 0)]
    assert shop.one("SELECT value FROM hits JOIN labels l ON l.id = path") == ("/gone",)


def test_a_callers_transaction_takes_the_hits_with_it(shop: Shop) -> None:
    hit = shop.hit(0, path="/inside")
    shop.store(hit)
    with entered(shop.client), transaction.atomic():
        assert shop.store(hit, shop.hit(1, path="/inside/new")) == StoreResult(1, 1, 0, 1)
        transaction.set_rollback(True)
    assert shop.one("SELECT count(*) FROM hits") == (1,)
    with entered(shop.client), transaction.atomic():
        shop.store(hit, shop.hit(1, path="/inside/new"))
    assert shop.one("SELECT count(*) FROM hits") == (2,)
    assert shop.one("SELECT value FROM hits JOIN labels l ON l.id = path ORDER BY at DESC LIMIT 1")[
        0
    ] == ("/inside/new")


@pytest.mark.parametrize(
    "fields",
    [
        *({"engaged_s": 2**31}, {"engaged_s": -1}, {"scroll": 101}, {"status": 70_000}),
        *({"visitor": 2**63}, {"bytes_sent": 2**63}, {"import_id": -1}, {"ip_key_id": 2**31}),
        *({"kind": 7}, {"ip_sealed": b"x" * 2000}, {"props": {"a": "b" * 20_000}}),
        *({"at_s": 5e9}, {"at_s": -1.3e9}, {"site_id": 0}),
    ],
)
def test_a_number_that_no_column_holds_is_refused_whole(shop: Shop, fields: Any) -> None:
    with pytest.raises(StoreError):
        shop.store(shop.hit(0), shop.hit(**{"at_s": 1, **fields}))
    assert shop.rows("SELECT * FROM hits") == []
    assert shop.rows("SELECT * FROM visits") == []


def test_a_site_of_somebody_else_is_refused(shop: Shop) -> None:
    hit = shop.hit(0)
    hit.site_id += 1
    with pytest.raises(StoreError):
        shop.store(hit)
    assert shop.rows("SELECT * FROM hits") == []


def test_a_visit_changed_meanwhile_is_read_anew(shop: Shop, monkeypatch) -> None:
    shop.store(shop.hit(0))
    find, calls = statements.find_visits, []

    def overtaken(hits: Columns, *, lock: bool) -> list[Visit]:
        found = find(hits, lock=lock)
        calls.append(len(found))
        if len(calls) == 1:
            shop.store(shop.hit(5))
        return found

    monkeypatch.setattr(statements, "find_visits", overtaken)
    assert shop.store(shop.hit(10)).changed_visits == 1
    assert shop.one("SELECT pageviews FROM visits") == (3,)
    assert shop.one("SELECT count(*) FROM hits") == (3,)


def test_writers_of_the_same_visitors_at_once_lose_and_double_nothing(shop: Shop) -> None:
    shop.store(*(shop.hit(0, visitor=visitor) for visitor in range(40)))
    errors: list[BaseException] = []

    def write(number: int) -> None:
        rng = random.Random(number)
        try:
            for turn in range(8):
                hits = [
                    shop.hit(1 + turn, visitor=visitor, path=f"/{rng.random()}")
                    for visitor in rng.sample(range(40), 30)
                ]
                # Without seconds: only their number says that a visit was changed.
                hits += [ping(shop, 1 + turn, visitor=rng.randrange(40), engaged_s=0)]
                shop.store(*hits)
                shop.store(*hits)
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert shop.one("SELECT count(*) FROM hits") == (40 + 3 * 8 * 30,)
    assert shop.one("SELECT sum(pageviews), count(*) FROM visits") == (40 + 3 * 8 * 30, 40)
    assert len(pings_of(shop)) == 3 * 8


# --- hours


def start_in(zone: str, when: str) -> str:
    at = dt.datetime.fromisoformat(when)
    start = hour_start(zone, int(at.timestamp()) // QUARTER_S)
    return dt.datetime.fromtimestamp(start, ZoneInfo(zone)).isoformat()


def test_hours_are_cut_in_the_sites_time_zone() -> None:
    assert start_in("Europe/London", "2026-05-01T12:59:59+00:00") == "2026-05-01T13:00:00+01:00"
    assert start_in("Asia/Kolkata", "2026-05-01T12:29:59+00:00") == "2026-05-01T17:00:00+05:30"
    assert start_in("Asia/Kathmandu", "2026-05-01T12:14:59+00:00") == "2026-05-01T17:00:00+05:45"
    assert start_in("Asia/Kathmandu", "2026-05-01T12:15:00+00:00") == "2026-05-01T18:00:00+05:45"


def test_the_hours_beside_lord_howes_half_hour_change_do_not_overlap() -> None:
    zone = "Australia/Lord_Howe"
    assert start_in(zone, "2026-10-03T15:29:59+00:00") == "2026-10-04T01:00:00+10:30"
    assert start_in(zone, "2026-10-03T15:30:00+00:00") == "2026-10-04T02:30:00+11:00"
    assert start_in(zone, "2026-10-03T16:00:00+00:00") == "2026-10-04T03:00:00+11:00"
    assert start_in(zone, "2026-04-04T14:59:00+00:00") == "2026-04-05T01:00:00+11:00"
    assert start_in(zone, "2026-04-04T15:00:00+00:00") == "2026-04-05T01:30:00+10:30"
    assert start_in(zone, "2026-04-04T15:30:00+00:00") == "2026-04-05T02:00:00+10:30"


@given(
    st.sampled_from(
        ["UTC", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"]
    ),
    st.integers(0, 2_200_000_000 // QUARTER_S),
)
def test_hours_follow_one_another_without_gap_or_overlap(zone: str, quarter: int) -> None:
    start = hour_start(zone, quarter)
    at = quarter * QUARTER_S
    assert start <= at < start + 3600
    assert hour_start(zone, start // QUARTER_S) == start
    following = hour_start(zone, quarter + 1)
    assert following in {start, at + QUARTER_S}
