"""An accepted hit is durable: whatever becomes of Valkey and of the collector."""

import collections
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
import redis

from agency.embedded import start_valkey
from tenants.models import Client
from tests.tracking.collector_stage import Stage, eventually, fresh_address, spooled_bytes, staged


class OwnValkey:
    """A Valkey that a test may stop, kill and start anew."""

    def __init__(self, var: Path) -> None:
        self._server = start_valkey(var, fast=True)
        self.url = self._server.url
        self.client = redis.Redis.from_url(self.url)

        self._read_pid()

    def _read_pid(self) -> None:
        self._pid = int(self.client.info("server")["process_id"])

    def send(self, number: signal.Signals) -> None:
        """A signal to the server."""
        os.kill(self._pid, number)

    def start(self) -> None:
        """Start it again after a kill."""
        assert self._server.revive()
        self._read_pid()

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._server.stop()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    server = OwnValkey(tmp_path / "v")
    yield server
    server.close()


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    return new_client("durable")


class Load:
    """Visitors who send hits until told to stop; knows what was accepted."""

    def __init__(self, stage: Stage, client: Client, visitors: int = 4) -> None:
        self._stage = stage
        self._client = client
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self.accepted: list[str] = []
        self.refused: collections.Counter[int] = collections.Counter()
        self._threads = [
            threading.Thread(target=self._send, args=(number,)) for number in range(visitors)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _send(self, visitor: int) -> None:
        address = fresh_address()
        number = 0
        while not self._ends.is_set():
            number += 1
            path = f"/v{visitor}-{number}"
            url = f"https://www.durable.example{path}"
            try:
                reply = self._stage.post(
                    self._client, url=url, headers={"x-forwarded-for": address}
                )
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            with self._lock:
                if reply.status_code == 202:
                    self.accepted.append(path)
                else:
                    self.refused[reply.status_code] += 1
            time.sleep(0.005)


def _all_there(stage: Stage, client: Client, load: Load) -> Callable[[], bool]:
    def is_so() -> bool:
        paths = {hit.path for hit in stage.hits(client)}
        return all(path in paths for path in load.accepted)

    return is_so


def test_hits_go_to_the_spool_while_valkey_is_dead_and_return_in_order(
    own_valkey, client, tmp_path
):
    with staged(own_valkey.url, tmp_path / "spool", OUTWARD_RATE_LIMIT_HITS="100000") as stage:
        stage.know(client)
        with Load(stage, client) as load:
            eventually(lambda: len(load.accepted) > 20)
            own_valkey.send(signal.SIGKILL)
            count = len(load.accepted)
            eventually(lambda: len(load.accepted) > count + 40)
            assert spooled_bytes(stage.spool) > 0
            own_valkey.start()
            eventually(lambda: spooled_bytes(stage.spool) == 0)
            count = len(load.accepted)
            eventually(lambda: len(load.accepted) > count + 20)
        eventually(_all_there(stage, client, load))
        assert not load.refused
        by_visitor: dict[int, list[str]] = {}
        for hit in stage.hits(client):
            if hit.path.startswith("/v"):
                by_visitor.setdefault(hit.visitor, []).append(hit.path)
        ids = [hit.id for hit in stage.hits(client)]
        assert len(ids) == len(set(ids))
        for paths in by_visitor.values():
            numbers = [int(path.partition("-")[2]) for path in paths]
            assert numbers == sorted(numbers)
        assert len(by_visitor) == 4


def test_a_valkey_that_does_not_answer_costs_a_second_and_no_hit(own_valkey, client, tmp_path):
    with staged(own_valkey.url, tmp_path / "spool") as stage:
        stage.know(client)
        own_valkey.send(signal.SIGSTOP)
        started = time.monotonic()
        paths = [f"/frozen-{letter}" for letter in "abcdef"]
        for path in paths:
            reply = stage.post(client, url=f"https://www.durable.example{path}")
            assert reply.status_code == 202
        assert time.monotonic() - started < 8
        assert spooled_bytes(stage.spool) > 0
        own_valkey.send(signal.SIGCONT)
        eventually(lambda: spooled_bytes(stage.spool) == 0)
        found: dict[str, set[bytes]] = {}
        for hit in stage.hits(client):
            found.setdefault(hit.path, set()).add(hit.id)
        # Written twice perhaps, when Valkey took it after all: under one id, so stored once.
        assert [len(found[path]) for path in paths] == [1] * len(paths)


def test_a_full_spool_is_answered_503_and_told_when_to_come_back(own_valkey, client, tmp_path):
    with staged(
        own_valkey.url,
        tmp_path / "spool",
        OUTWARD_SPOOL_MB="1",
        OUTWARD_RATE_LIMIT_HITS="100000",
    ) as stage:
        stage.know(client)
        own_valkey.send(signal.SIGKILL)
        props = {f"key-{number}": "long value " * 20 for number in range(25)}
        accepted: list[str] = []

        def send(number: int) -> int:
            path = f"/full-{number}"
            reply = stage.post(client, url=f"https://www.durable.example{path}", props=props)
            if reply.status_code == 202:
                accepted.append(path)
            else:
                assert int(reply.headers["retry-after"]) >= 1
            return reply.status_code

        statuses = [send(number) for number in range(300)]
        assert statuses[0] == 202
        assert statuses[-1] == 503
        assert set(statuses) == {202, 503}
        assert spooled_bytes(stage.spool) <= 1_048_576
        pixel = f"/pixel.gif?site={client.sites.get().key}&url=https://www.durable.example/"

        def pixel_status() -> int:
            return stage.request("GET", pixel, "durable.localhost").status_code

        # Its hit is small: a few may still fit.
        assert 503 in [pixel_status() for _ in range(40)]
        own_valkey.start()
        eventually(lambda: send(1_000) == 202)
        eventually(lambda: {hit.path for hit in stage.hits(client)} >= set(accepted))


def test_a_collector_killed_with_a_full_spool_loses_nothing_it_accepted(
    own_valkey, client, tmp_path
):
    with staged(own_valkey.url, tmp_path / "spool", OUTWARD_RATE_LIMIT_HITS="100000") as stage:
        stage.know(client)
        with Load(stage, client) as load:
            eventually(lambda: len(load.accepted) > 20)
            own_valkey.send(signal.SIGKILL)
            count = len(load.accepted)
            eventually(lambda: len(load.accepted) > count + 20)
            stage.end(signal.SIGKILL)
        assert spooled_bytes(stage.spool) > 0
        own_valkey.start()
        stage.start()
        eventually(lambda: spooled_bytes(stage.spool) == 0)
        eventually(_all_there(stage, client, load))


def test_a_collector_that_is_stopped_answers_what_it_took(own_valkey, client, tmp_path):
    with staged(own_valkey.url, tmp_path / "spool", OUTWARD_RATE_LIMIT_HITS="100000") as stage:
        stage.know(client)
        with Load(stage, client) as load:
            eventually(lambda: len(load.accepted) > 50)
            stage.end(signal.SIGTERM)
        assert _all_there(stage, client, load)()
        assert not load.refused


def test_streams_that_nobody_reads_are_never_cut_but_spilled(own_valkey, client, tmp_path):
    with staged(
        own_valkey.url,
        tmp_path / "spool",
        OUTWARD_STREAM_MAX_ENTRIES="1000",
        OUTWARD_RATE_LIMIT_HITS="100000",
    ) as stage:
        stage.know(client)
        name = "outward:hits:0"
        pipe = own_valkey.client.pipeline(transaction=False)
        for _ in range(1_000):
            pipe.xadd(name, {"other": b""})
        pipe.execute()
        eventually(lambda: (stage.post(client), spooled_bytes(stage.spool))[1] > 0)
        length = own_valkey.client.xlen(name)
        assert length >= 1_000
        own_valkey.client.delete(name)
        eventually(lambda: spooled_bytes(stage.spool) == 0)
        assert stage.post(client).status_code == 202


def test_a_valkey_without_memory_sends_hits_to_the_spool(own_valkey, client, tmp_path):
    with staged(own_valkey.url, tmp_path / "spool") as stage:
        stage.know(client)
        own_valkey.client.config_set("maxmemory", "1")
        path = "/no-memory"
        reply = stage.post(client, url=f"https://www.durable.example{path}")
        assert reply.status_code == 202
        assert spooled_bytes(stage.spool) > 0
        own_valkey.client.config_set("maxmemory", "0")
        eventually(lambda: path in {hit.path for hit in stage.hits(client)})


def test_no_raw_address_is_in_the_spool(own_valkey, client, tmp_path):
    with staged(own_valkey.url, tmp_path / "spool") as stage:
        stage.know(client)
        own_valkey.send(signal.SIGKILL)
        for address, packed in (
            ("198.51.100.237", bytes([198, 51, 100, 237])),
            ("2001:db8:dead:beef:1:2:3:4", bytes.fromhex("20010db8deadbeef0001000200030004")),
        ):
            reply = stage.post(
                client,
                headers={"x-forwarded-for": address},
                kind="event",
                name=f"from {address}",
            )
            assert reply.status_code == 202
            spooled = b"".join(path.read_bytes() for path in stage.spool.glob("*.spool"))
            assert b"from" in spooled
            for form in (address.encode(), packed, packed.hex().encode()):
                assert form not in spooled
        own_valkey.start()
        eventually(lambda: spooled_bytes(stage.spool) == 0)
