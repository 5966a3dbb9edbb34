"""The stage of a benchmark: servers, processes and a client of its own, under `var/bench`.

PostgreSQL runs as `make run` runs it, with fsync, and Valkey with its append-only file.
"""

import contextlib
import dataclasses
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import psutil
import psycopg
import redis
from django.conf import settings
from django.db import connection, connections
from psycopg import sql

from agency.bench.figures import BenchError
from agency.embedded import start_postgres, start_valkey
from agency.embedded_urls import DATABASE, KEYS_DATABASE, OWNER, postgres_url
from tenants.clients import create_client
from tenants.migrating import migrate_all
from tenants.models import Client, Site
from tenants.schemas import owning
from tracking.partitions import PARTITIONED
from tracking.pings import SIZE
from tracking.simulate.generic import generic_website
from tracking.simulate.websites import Page, Website
from tracking.streams import lease_name, stream_name

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "OUTWARD_BENCH"
"""Set in the process whose settings point at the stage."""
RESULT = "OUTWARD_BENCH_RESULT"
SITE_HOST = "www.bench.example"
WRITERS = 2
"""Writer processes that store: they share the partitions, as any number of them do."""
WRITERS_TOLD = "two writer processes"
_START_S = 30
_PAGES = 600


def stage_environment() -> dict[str, str]:
    """Environment of a process that works on the stage, whatever this one works on."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("OUTWARD_")
    }
    return environment | {
        MARK: "1",
        RESULT: str(settings.VAR / "bench.json"),
        "OUTWARD_VAR": str(settings.VAR / "bench"),
        "OUTWARD_TRUSTED_PROXIES": "127.0.0.0/8",
        "OUTWARD_LOG_LEVEL": "WARNING",
    }


def require_programs(*names: str) -> None:
    """Raises BenchError, naming the command that installs them, when programs are missing."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise BenchError(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}")


@contextlib.contextmanager
def servers() -> Iterator[None]:
    """The embedded servers with new, migrated databases and an empty stream."""
    postgres = start_postgres(settings.VAR)
    valkey = start_valkey(settings.VAR)
    try:
        with psycopg.connect(
            postgres_url(settings.VAR, "postgres", "postgres"), autocommit=True
        ) as server:
            _renew(server)
        stream().flushdb()
        migrate_all()
        yield
    finally:
        connections.close_all()
        valkey.stop()
        postgres.stop()


def _renew(server: "psycopg.Connection[tuple[object, ...]]") -> None:
    for name in (DATABASE, KEYS_DATABASE):
        server.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
    for (role,) in server.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^c_'").fetchall():
        server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(str(role))))
    for name in (DATABASE, KEYS_DATABASE):
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(OWNER)
            )
        )


def stream() -> "redis.Redis":
    """A connection to the stage's Valkey."""
    return redis.Redis.from_url(settings.REDIS_URL)


def backlog(valkey: "redis.Redis") -> int:
    """Entries that wait in all partitions; the writer deletes what it has stored."""
    return sum(
        int(valkey.xlen(stream_name(settings.STREAM_PREFIX, partition)))
        for partition in range(settings.PARTITIONS)
    )


def empty_stream(valkey: "redis.Redis") -> None:
    """Remove all hits that wait."""
    for partition in range(settings.PARTITIONS):
        valkey.delete(stream_name(settings.STREAM_PREFIX, partition))


def bench_client(slug: str) -> tuple[Client, Site]:
    """A new client with a site at SITE_HOST."""
    client = create_client(slug, name=slug.title(), hosts=[SITE_HOST], acting_user="system:bench")
    return client, client.sites.get()


def bench_website(visits_per_day: float) -> Website:
    """A website of some hundred pages."""
    plain = generic_website(host=SITE_HOST, timezone="Europe/London", country="GB")
    more = tuple(
        Page(f"/products/{number}", entry=30 / (number + 8), pull=8 / (number + 8), seconds=25)
        for number in range(_PAGES)
    )
    return dataclasses.replace(plain, pages=plain.pages + more, visits_per_day=visits_per_day)


def empty_tables(client: Client) -> None:
    """Take all raw rows of a client away, keeping its labels."""
    with owning(client), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(PARTITIONED)}, touched_hours")


def stored_hits(client: Client) -> int:
    """Rows of `hits`, and pings within visits."""
    with owning(client), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM hits")
        rows = int(cursor.fetchone()[0])
        cursor.execute("SELECT coalesce(sum(length(pings)), 0) FROM visits")
        return rows + int(cursor.fetchone()[0]) // SIZE


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of our own; stopped at the end, its output in `var/bench/log`."""
    log = settings.VAR / "log"
    log.mkdir(exist_ok=True)
    with (log / "processes.log").open("ab") as output:
        running = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
        )
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@dataclasses.dataclass(frozen=True)
class Server:
    """A server of ours."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Seconds of processor time that it and its worker have used."""
        main = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (main, *main.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@contextlib.contextmanager
def serving(application: str, interface: str) -> Iterator[Server]:
    """An application under granian, one worker."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", interface, "--loop", "uvloop"),
        *("--no-ws", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--log-level", "warning", application),
    ]
    url = f"http://127.0.0.1:{port}"
    with process(command) as running:
        _wait_for(f"{url}/healthz", running)
        yield Server(url, running.pid)


@contextlib.contextmanager
def writing() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """`WRITERS` writer processes, each holding its share of the partitions."""
    command = [sys.executable, "manage.py", "write"]
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(process(command)) for _ in range(WRITERS)]
        deadline = time.monotonic() + _START_S
        while not is_shared_out(stream()):
            dead = any(writer.poll() is not None for writer in writers)
            if dead or time.monotonic() > deadline:
                log = settings.VAR / "log" / "processes.log"
                raise BenchError(f"The writers did not share the partitions out; see {log}.")
            time.sleep(0.1)
        yield writers


def is_shared_out(valkey: "redis.Redis") -> bool:
    """Whether all partitions are leased, evenly to `WRITERS` writers."""
    names = [lease_name(settings.STREAM_PREFIX, each) for each in range(settings.PARTITIONS)]
    held = Counter(cast(list[bytes | None], valkey.mget(names)))
    share = math.ceil(settings.PARTITIONS / WRITERS)
    return None not in held and len(held) == WRITERS and max(held.values()) <= share


def _wait_for(url: str, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if running.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http address
                return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise BenchError(f"A server did not start; see {settings.VAR / 'log' / 'processes.log'}.")
