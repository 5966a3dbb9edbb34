"""Promise 7: an accepted hit is stored exactly once, whatever process dies in between."""

import contextlib
import functools
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import httpx
import psutil
import pytest
import redis

from tests.stack import Stack, running
from tests.tracking.collector_stage import spooled_bytes
from tracking.streams import GROUP, stream_name

logging.getLogger("httpx").setLevel(logging.WARNING)
HOST = "once.localhost"
SENDERS = 3
PAUSE_S = 0.4
"""Between two deaths: time for the load to be in every place a hit can be in."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(
        tmp_path_factory.mktemp("once"),
        OUTWARD_RATE_LIMIT_HITS="1000000",
        OUTWARD_BASE_DOMAIN="localhost",
        OUTWARD_STREAM_PREFIX="once",
    ) as stack:
        yield stack


def start_collector(stack: Stack) -> None:
    stack.start(
        "collector",
        *("-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(stack.port), "tracking.collector.app:application"),
    )


def start_writers(stack: Stack) -> None:
    stack.start_writer()
    stack.start("second-writer", "manage.py", "write")


class Load:
    """Page views from several senders, each path once; remembers what became of each."""

    def __init__(self, stack: Stack, site_key: str) -> None:
        self._stack, self._key = stack, site_key
        self._stop = threading.Event()
        self.accepted: list[str] = []
        self.unknown: list[str] = []
        """Sent, but the answer was lost: may be stored or not."""
        self.refused = 0
        self._threads = [threading.Thread(target=self._send, args=[n]) for n in range(SENDERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def has_more_than(self, number: int) -> bool:
        """Whether so many were accepted."""
        return len(self.accepted) > number

    def _send(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            with self._stack.http(HOST) as visitor, contextlib.suppress(httpx.HTTPError):
                while not self._stop.is_set():
                    number += 1
                    self._post(visitor, f"/{sender}/{number}", number)
            self._stop.wait(0.05)

    def _post(self, visitor: httpx.Client, path: str, number: int) -> None:
        body: dict[str, object] = {"site": self._key, "url": f"https://www.once.example{path}"}
        # Every third is a ping, for which no key of a table stands up.
        body |= {"kind": "engagement", "engaged_s": 1} if is_ping(path) else {"kind": "pageview"}
        agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{number % 50}.0) Gecko/20100101 Firefox/130.0"
        try:
            reply = visitor.post("/collect", json=body, headers={"User-Agent": agent})
        except httpx.ConnectError:
            self.refused += 1
            raise
        except httpx.HTTPError:
            self.unknown.append(path)
            raise
        if reply.status_code == 202 and "x-outward-dropped" not in reply.headers:
            self.accepted.append(path)
        else:
            self.refused += 1
            time.sleep(0.02)


def is_ping(path: str) -> bool:
    return int(path.rpartition("/")[2]) % 3 == 0


def kill_postgres(stack: Stack, *, with_writers: bool = False) -> None:
    """The postmaster and every server process at once, as a crash of the machine would."""
    master = int((stack.var / "postgres" / "postmaster.pid").read_text().split()[0])
    process = psutil.Process(master)
    for victim in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    time.sleep(PAUSE_S)
    if with_writers:
        stack.kill("writer")
        stack.kill("second-writer")
    assert stack.postgres.revive()
    if with_writers:
        start_writers(stack)


def kill_all_that_write(stack: Stack) -> None:
    """PostgreSQL first, so that the writers hold hits in memory when they die."""
    kill_postgres(stack, with_writers=True)


def kill_valkey(stack: Stack) -> None:
    with redis.Redis.from_url(stack.valkey.url) as valkey:
        info: Any = valkey.info("server")
    psutil.Process(int(info["process_id"])).kill()
    time.sleep(PAUSE_S)
    assert stack.valkey.revive()


def kill_writer(stack: Stack) -> None:
    stack.kill("writer")
    stack.start_writer()


def kill_collector(stack: Stack) -> None:
    stack.kill("collector")
    start_collector(stack)


def wait_for_quiet(stack: Stack, load: Load) -> None:
    """Until everything accepted is stored and nothing is left in the streams."""

    def is_quiet() -> bool:
        with (
            redis.Redis.from_url(stack.valkey.url) as valkey,
            contextlib.suppress(redis.ConnectionError),
        ):
            names = [stream_name("once", partition) for partition in range(4)]
            pending: list[Any] = [valkey.xpending(name, GROUP) for name in names]
            left = sum(int(valkey.xlen(name)) for name in names)
            left += sum(found["pending"] for found in pending)
            left += spooled_bytes(stack.var / "spool")
            return left == 0 and len(stored_paths(stack)) >= len(load.accepted)
        return False

    stack.wait_for("all accepted hits are stored", is_quiet, 30)


def answers(stack: Stack) -> bool:
    with stack.http(HOST) as visitor:
        return visitor.get("/healthz").is_success


def stored_paths(stack: Stack) -> list[str]:
    """Of rows of hits, and of pings within visits; labels last, for they come before both."""
    rows: Any = stack.rows("SELECT path FROM c_once.hits")
    visits: Any = stack.rows("SELECT pings FROM c_once.visits WHERE pings IS NOT NULL")
    names: Any = stack.rows("SELECT id, value FROM c_once.labels")
    labels, found = dict(names), [path for (path,) in rows]
    for (pings,) in visits:
        found += [int.from_bytes(pings[at + 8 : at + 12], "big") for at in range(0, len(pings), 14)]
    return [str(labels[path]) for path in found]


def test_accepted_hits_are_stored_once_whatever_is_killed(stack: Stack) -> None:
    made = stack.manage("create_client", "once", "Once", "www.once.example")
    key = re.search(r"key (\w+)", made)
    assert key
    start_collector(stack)
    start_writers(stack)
    stack.wait_for("the collector answers", lambda: answers(stack))
    with Load(stack, key[1]) as load:
        stack.wait_for("the load flows", lambda: stored_paths(stack) != [])
        for kill in (kill_writer, kill_valkey, kill_all_that_write, kill_collector, kill_valkey):
            time.sleep(PAUSE_S)
            enough = len(load.accepted) + 50
            kill(stack)
            stack.wait_for("the load goes on", functools.partial(load.has_more_than, enough))
        kill_writer(stack)
        kill_postgres(stack)
    wait_for_quiet(stack, load)
    times = Counter(stored_paths(stack))
    assert len(load.accepted) > 500
    assert [path for path, number in times.items() if number > 1] == []
    assert set(load.accepted) - set(times) == set()
    assert set(times) - set(load.accepted) <= set(load.unknown)
    pings = [path for path in times if is_ping(path)]
    rows: list[Any] = stack.rows("SELECT visit_id <> 0 FROM c_once.hits WHERE kind = 3")
    alone = sum(not has_visit for (has_visit,) in rows)
    assert len(pings) > max(100, len(rows)), "no ping is kept within a visit"
    visits = stack.rows("SELECT sum(pageviews), sum(engaged_s) FROM c_once.visits")
    assert visits == [(len(times) - len(pings), len(pings) - alone)]
    with redis.Redis.from_url(stack.valkey.url) as valkey:
        assert valkey.xlen("once:dead") == 0
