"""The whole product, running: embedded servers, web and collector on a port, writer, worker.

For tests that need processes of their own: their data is in a folder of their own too, so what
they leave on the disk can be searched, and what they kill is nobody else's.
"""

import contextlib
import datetime as dt
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
from django.conf import settings

from agency.embedded import Postgres, Valkey, start_postgres, start_valkey
from agency.embedded_urls import postgres_url
from tracking.script.build import build_script

ROOT = Path(__file__).resolve().parent.parent
DEMO_DAYS = 21
"""History of the demo: three weeks, for what compares weeks."""
QUIET_S = 3600
"""How long nobody has been there when the demo's history ends: visitors of it who leave while a
test counts who is there would be missing from what it counts."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Starts processes with one environment; stops all it started."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        self.port = free_port()
        self.postgres: Postgres = start_postgres(var, fast=True)
        self.valkey: Valkey = start_valkey(var, fast=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = (var / "processes.log").open("ab")
        self.environment = {
            **os.environ,
            "OUTWARD_VAR": str(var),
            "OUTWARD_DATABASE_URL": self.postgres.default_url,
            "OUTWARD_KEYS_DATABASE_URL": self.postgres.keys_url,
            "OUTWARD_REDIS_URL": self.valkey.url,
            "OUTWARD_PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "agency.settings",
            **environment,
        }

    def manage(self, *arguments: str, stdin: str | None = None, timeout: float = 100) -> str:
        """Run a management command to its end; returns what it printed, raises when it failed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.log.write((done.stdout + done.stderr).encode())
        self.log.flush()
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str) -> str:
        """Run Python in the stack's environment, Django set up; returns what it printed."""
        return self.manage("shell", "--no-imports", "-v", "0", stdin=code)

    def start(self, name: str, *command: str) -> None:
        """Start a long-running process."""
        self.processes[name] = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start_web(self) -> None:
        """Collector and pages on `port`."""
        self.start(
            "web",
            *("-m", "granian", "--interface", "asgi", "--no-ws", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(self.port), "agency.asgi:application"),
        )

    def start_writer(self) -> None:
        """One writer of all partitions."""
        self.start("writer", "manage.py", "write")

    def start_worker(self) -> None:
        """Celery's worker with its beat inside."""
        self.start(
            "worker",
            *("-m", "celery", "-A", "agency", "worker", "--beat", "--pool", "solo"),
            *("--without-mingle", "--without-gossip", "--loglevel", "WARNING"),
        )

    def kill(self, name: str) -> None:
        """SIGKILL a process and its children."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def http(self, host: str) -> httpx.Client:
        """A browserless visitor of one host; addresses are paths."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Host": f"{host}:{self.port}"},
            timeout=10,
        )

    def wait_for(self, what: str, until: Callable[[], object], seconds: float = 30) -> None:
        """Call `until` until it is true; fails naming `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError, psycopg.Error):
                if until():
                    return
            time.sleep(0.1)
        self.log.flush()
        tail = (self.var / "processes.log").read_text(errors="replace")[-3000:]
        raise AssertionError(f"{what}: not within {seconds} s\n{tail}")

    def wait_until_web_answers(self) -> None:
        """Until the log-in page does."""
        with self.http("agency.localhost") as visitor:
            self.wait_for("the web", lambda: visitor.get("/log-in/").status_code == 200)

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Read with the superuser's eyes."""
        with psycopg.connect(postgres_url(self.var, user="postgres"), autocommit=True) as server:
            return server.execute(query, parameters).fetchall()

    def stop(self) -> None:
        """Stop everything, servers last."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
        self.valkey.stop()
        self.postgres.stop()
        self.log.close()


@contextlib.contextmanager
def running(var: Path, *, demo: bool = False, **environment: str) -> Iterator[Stack]:
    """A stack with migrated databases, with the demo if asked; no process is started yet.

    Its databases are copies: each process of the suite makes them once.
    """
    _copy(_template(demo=demo), var)
    stack = Stack(var, **environment)
    try:
        yield stack
    finally:
        stack.stop()


@functools.cache
def _template(*, demo: bool) -> Path:
    """A folder as a stack leaves it that has been prepared and stopped."""
    var: Path = settings.VAR / "stacks" / ("demo" if demo else "empty")
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir(parents=True)
    if demo:
        _copy(_template(demo=False), var)
    stack = Stack(var)
    try:
        if demo:
            until = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=QUIET_S)
            arguments = ("--days", str(DEMO_DAYS), "--until", until.isoformat())
            stack.manage("seed_demo", *arguments, timeout=200)
        else:
            stack.manage("prepare")
            # Bundled and collected once for the whole run (conftest): that takes five seconds.
            for name in ("build", "static"):
                shutil.copytree(settings.VAR / name, var / name)
            build_script(var / "build")
    finally:
        stack.stop()
    return var


def _copy(template: Path, var: Path) -> None:
    """With the owners of its files, who are not we where the suite runs as root."""
    var.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{template}/.", str(var)], check=True)
