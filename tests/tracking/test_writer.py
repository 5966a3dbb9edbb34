import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.clients import delete_client
from tenants.models import Client, Site
from tests.tracking.hit_maker import make_hit
from tests.tracking.test_store import Shop
from tracking.hits import Hit, Kind
from tracking.streams import (
    FIELD,
    GROUP,
    RECORD,
    alone,
    dead_name,
    encode_hit,
    encode_hits,
    entry_of,
    lease_name,
    partition_of,
    stream_name,
)
from tracking.writer import leases
from tracking.writer.consume import Writer

PARTITIONS = 4


@pytest.fixture
def shop(new_client: Callable[..., Client]) -> Shop:
    return Shop(new_client())


class Stream:
    """A stream of its own for a test."""

    def __init__(self, valkey: Any, prefix: str) -> None:
        self.valkey = valkey  # redis-py's answers have types too wide to read
        self.prefix = prefix

    def add(self, *hits: Hit, partition: int | None = None) -> None:
        where = partition_of(hits[0].visitor, PARTITIONS) if partition is None else partition
        self.add_raw(encode_hits(hits), where)

    def add_raw(self, payload: bytes, partition: int = 0, field: bytes = FIELD) -> None:
        self.valkey.xadd(stream_name(self.prefix, partition), {field: payload})

    def writer(self, only: frozenset[int] | None = None) -> Writer:
        return Writer(settings.REDIS_URL, self.prefix, PARTITIONS, only)

    def drain(self) -> Writer:
        writer = self.writer()
        writer.drain()
        return writer

    def entries(self) -> int:
        return sum(self.valkey.xlen(stream_name(self.prefix, p)) for p in range(PARTITIONS))

    def dead(self) -> list[str]:
        return [
            fields[b"reason"].decode() for _, fields in self.valkey.xrange(dead_name(self.prefix))
        ]

    @contextlib.contextmanager
    def running(self) -> Iterator[Writer]:
        writer = self.writer()

        def run() -> None:
            try:
                writer.run()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield writer
        finally:
            writer.stop()
            thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture
def stream(valkey: "redis.Redis", request: pytest.FixtureRequest) -> Stream:
    prefix = f"test-{request.node.name}"
    for key in valkey.scan_iter(f"{prefix}:*"):
        valkey.delete(key)
    return Stream(valkey, prefix)


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def stored(shop: Shop) -> int:
    return int(shop.one("SELECT count(*) FROM hits")[0])


def test_what_is_in_the_stream_is_stored_and_the_stream_is_empty_after(
    shop: Shop, stream: Stream
) -> None:
    for visitor in range(20):
        stream.add(*(shop.hit(second, visitor=visitor) for second in range(3)))
    assert stream.drain().stored == 60
    assert (stored(shop), stream.entries()) == (60, 0)
    for partition in range(PARTITIONS):
        name = stream_name(stream.prefix, partition)
        assert stream.valkey.xpending(name, GROUP)["pending"] == 0


def test_a_click_is_stored_within_three_seconds(shop: Shop, stream: Stream) -> None:
    with stream.running() as writer:
        wait_until(lambda: len(writer.leases.held) == PARTITIONS)
        began = time.monotonic()
        stream.add(shop.hit())
        wait_until(lambda: writer.stored == 1, 3)
        assert time.monotonic() - began < 3
        assert stream.valkey.exists(leases.alive_name(stream.prefix, writer.leases.writer))
    assert stored(shop) == 1
    assert not list(stream.valkey.scan_iter(f"{stream.prefix}:alive:writer:*"))


def test_hits_of_many_clients_find_their_schemas(
    shop: Shop, stream: Stream, new_client: Callable[..., Client]
) -> None:
    other = Shop(new_client())
    stream.add(shop.hit(0), other.hit(0), shop.hit(1), partition=1)
    assert stream.drain().stored == 3
    assert (stored(shop), stored(other)) == (2, 1)


def test_a_site_made_after_the_writer_started_is_found(
    shop: Shop, stream: Stream, new_client: Callable[..., Client]
) -> None:
    writer = stream.writer()
    stream.add(shop.hit())
    writer.drain()
    late = Shop(new_client())
    site = Site.objects.create(client=shop.client, key="latesite", name="L", hosts=["l.example"])
    stream.add(late.hit(), shop.hit(site_id=site.pk))
    writer.drain()
    assert (writer.stored, writer.dead, stored(late)) == (3, 0, 1)


def test_what_a_killed_writer_left_pending_is_stored_once(shop: Shop, stream: Stream) -> None:
    hits = [shop.hit(second, visitor=4) for second in range(6)]
    for hit in hits:
        stream.add(hit)
    name = stream_name(stream.prefix, 0)
    stream.valkey.xgroup_create(name, GROUP, id="0")
    stream.valkey.xreadgroup(GROUP, "p0", {name: ">"}, count=4)
    shop.store(*hits[:2])  # committed, but killed before it could acknowledge
    writer = stream.drain()
    assert (writer.stored, writer.duplicates) == (4, 2)
    assert (stored(shop), stream.entries()) == (6, 0)
    assert shop.one("SELECT pageviews FROM visits") == (6,)


def test_an_entry_delivered_but_deleted_is_forgotten(shop: Shop, stream: Stream) -> None:
    stream.add(shop.hit(), partition=0)
    name = stream_name(stream.prefix, 0)
    stream.valkey.xgroup_create(name, GROUP, id="0")
    ((_, ((entry, _),)),) = stream.valkey.xreadgroup(GROUP, "p0", {name: ">"})
    stream.valkey.xdel(name, entry)
    assert stream.drain().stored == 0
    assert stream.valkey.xpending(name, GROUP)["pending"] == 0


def test_poison_goes_to_the_dead_letters_and_blocks_nothing_behind_it(
    shop: Shop, stream: Stream
) -> None:
    bad_number, bad_time, foreign = shop.hit(), shop.hit(), shop.hit()
    bad_number.scroll = 101
    bad_time.at_us += 10**16
    foreign.site_id = 2_000_000
    unknown = make_hit(client_id=2_000_000)
    stream.add_raw(b"\xc1 no MessagePack")
    stream.add_raw(b"x", field=b"other")
    stream.add_raw(alone(b"\x91\x01"))
    stream.add(shop.hit(1), bad_number, bad_time, foreign, unknown, shop.hit(2), partition=0)
    stream.add(shop.hit(3), partition=0)
    writer = stream.drain()
    assert (writer.stored, stored(shop), stream.entries()) == (3, 3, 0)
    reasons = stream.dead()
    assert len(reasons) == writer.dead == 7
    for part in (
        *("entry is no list", "entry has no payload", "form: Expected `array`", "<= 100"),
        *("time is", "site is unknown", "client is unknown"),
    ):
        assert sum(part in reason for reason in reasons) == 1, (part, reasons)


def test_a_record_with_a_number_that_no_hit_has_goes_to_the_dead_letters(
    shop: Shop, stream: Stream
) -> None:
    entry = entry_of([shop.hit(0), shop.hit(1), shop.hit(2)])
    # Scroll depth, the last but one byte of the second record; its hit is in order.
    at = 2 * RECORD.size - 2
    entry.records = entry.records[:at] + b"\x65" + entry.records[at + 1 :]
    stream.add_raw(msgspec.msgpack.encode(entry))
    writer = stream.drain()
    assert (writer.stored, writer.dead, stored(shop)) == (2, 1, 2)
    assert stream.dead() == ["record of a hit is out of range"]


def test_a_damaged_hit_is_found_when_it_is_opened_and_named(shop: Shop, stream: Stream) -> None:
    entry = entry_of([shop.hit(0, visitor=1), shop.hit(1, visitor=2), shop.hit(2, visitor=3)])
    entry.hits[1] = entry.hits[1][:-1]
    stream.add_raw(msgspec.msgpack.encode(entry))
    writer = stream.drain()
    assert (writer.stored, writer.dead, stored(shop)) == (2, 1, 2)
    assert stream.dead() == ["hit has the wrong form: Input data was truncated"]


def test_entries_of_former_collectors_are_stored(shop: Shop, stream: Stream) -> None:
    hits = [shop.hit(0), shop.hit(1, kind=Kind.EVENT, name="Newsletter")]
    stream.add_raw(msgspec.msgpack.encode(hits))
    assert (stream.drain().stored, stored(shop)) == (2, 2)
    assert shop.rows("SELECT pageviews, events FROM visits") == [(1, 1)]


def test_a_dead_letter_keeps_the_hit_so_that_it_can_be_brought_back(
    shop: Shop, stream: Stream
) -> None:
    hit = shop.hit(status=7000)
    stream.add(hit)
    stream.drain()
    ((_, fields),) = stream.valkey.xrange(dead_name(stream.prefix))
    assert fields[b"payload"] == alone(encode_hit(hit))


def test_a_value_that_only_the_database_refuses_is_found_by_halving(
    shop: Shop, stream: Stream
) -> None:
    """A check constraint stands for what validity does not foresee."""
    from tenants.schemas import owning

    with owning(shop.client), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE hits ADD CONSTRAINT no_42 CHECK (status IS DISTINCT FROM 42)")
    hits = [shop.hit(second, status=42 if second in {3, 11} else 200) for second in range(16)]
    stream.add(*hits)
    writer = stream.drain()
    assert (writer.stored, writer.dead, stored(shop)) == (14, 2, 14)


def test_hits_of_a_deleted_client_do_not_hold_up_the_others(
    shop: Shop, stream: Stream, new_client: Callable[..., Client]
) -> None:
    gone = Shop(new_client())
    writer = stream.writer()
    stream.add(gone.hit(), shop.hit())
    writer.drain()
    hit = gone.hit(5)
    delete_client(gone.client, acting_user="tests")
    stream.add(hit, shop.hit(5))
    writer.drain()
    assert (writer.stored, writer.dead, stream.entries(), stored(shop)) == (3, 1, 0, 2)


# --- leases


def test_two_writers_share_the_partitions_and_the_rest_falls_to_the_one_that_stays(
    shop: Shop, stream: Stream, monkeypatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.2)
    with stream.running() as first:
        wait_until(lambda: len(first.leases.held) == 4)
        with stream.running() as second:
            wait_until(lambda: len(first.leases.held) == len(second.leases.held) == 2)
            for visitor in range(200):
                stream.add(shop.hit(visitor=visitor))
            wait_until(lambda: first.stored + second.stored == 200)
            assert first.stored > 0 < second.stored
        wait_until(lambda: len(first.leases.held) == 4)
    assert stored(shop) == 200
    assert not any(stream.valkey.exists(lease_name(stream.prefix, p)) for p in range(4))


def test_the_lease_of_a_dead_writer_runs_out(shop: Shop, stream: Stream, monkeypatch) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.2)
    stream.valkey.set(lease_name(stream.prefix, 1), "dead", px=1000)
    stream.add(shop.hit(visitor=1))
    with stream.running() as writer:
        wait_until(lambda: len(writer.leases.held) == 3)
        assert writer.stored == 0
        wait_until(lambda: writer.stored == 1)


def test_a_lease_that_ran_out_is_kept_if_free_and_lost_if_taken(
    stream: Stream, monkeypatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.2)
    with stream.running() as writer:
        wait_until(lambda: len(writer.leases.held) == 4)
        stream.valkey.delete(lease_name(stream.prefix, 0))
        wait_until(lambda: stream.valkey.exists(lease_name(stream.prefix, 0)))
        stream.valkey.set(lease_name(stream.prefix, 1), "another")
        wait_until(lambda: writer.leases.held == [0, 2, 3])
        stream.valkey.delete(lease_name(stream.prefix, 1))
        wait_until(lambda: len(writer.leases.held) == 4)


def test_a_writer_may_be_bound_to_partitions(shop: Shop, stream: Stream) -> None:
    stream.add(shop.hit(visitor=1))
    stream.add(shop.hit(visitor=2))
    stream.writer(frozenset({2})).drain()
    assert (stored(shop), stream.entries()) == (1, 1)


@pytest.mark.parametrize("text", ["x", "4", "0,-1"])
def test_a_wrong_partition_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(CommandError, match="0"):
        call_command("write", f"--partitions={text}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_gracefully(number: signal.Signals, valkey: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "write"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Streams of its own: other tests leave hits on theirs.
        env={**os.environ, "OUTWARD_STREAM_PREFIX": f"graceful-{number}"},
    )
    pattern = f"graceful-{number}:alive:writer:*-{process.pid}-*"
    wait_until(lambda: list(valkey.scan_iter(pattern)) != [], 20)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "Stored 0 hits, 0 duplicates, 0 dead." in output


def test_engagement_of_a_visit_stored_before_finds_it(shop: Shop, stream: Stream) -> None:
    stream.add(shop.hit(0))
    stream.drain()
    stream.add(shop.hit(30, kind=Kind.ENGAGEMENT, engaged_s=30))
    stream.drain()
    assert shop.one("SELECT engaged_s, pageviews FROM visits") == (30, 1)
