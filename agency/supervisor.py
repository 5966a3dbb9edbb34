"""All processes of the embedded default under one parent, by honcho.

Each process runs in a small shell loop that starts it again when it dies, so that a killed writer
is back after a second; one that dies five times within a minute each ends the whole run. Their
output goes to `var/log/outward.log`; the terminal shows only what a person must know.
"""

import collections
import contextlib
import dataclasses
import fcntl
import json
import logging
import logging.handlers
import os
import shlex
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import honcho.manager
import psutil
from honcho.printer import Message, Printer

from agency.postgres_account import EmbeddedError

ROOT = Path(__file__).resolve().parent.parent

MARK = "OUTWARD_RUN"
"""Environment variable by which a later run knows the processes that a killed one left."""

STOP_S = 20
"""Seconds the processes have to finish their work before they are killed."""

_AGAIN = """tries=0
while :; do
  began=$(date +%s)
  {command}
  code=$?
  [ $(($(date +%s) - began)) -ge 60 ] && tries=0
  tries=$((tries + 1))
  [ $tries -ge 5 ] && exit $code
  echo "{mark} $code"
  sleep 1
done"""
_AGAIN_MARK = "outward: ended, starts again; exit code"


@dataclasses.dataclass(frozen=True)
class Child:
    """A process to run: its name in the log, and its command."""

    name: str
    command: tuple[str, ...]


def children(*, host: str, port: int) -> list[Child]:
    """The processes of the embedded default: collector and pages on one port, jobs behind."""
    python = sys.executable
    celery = (python, "-m", "celery", "-A", "agency.celery", "--quiet")
    return [
        Child(
            "web",
            (
                *(python, "-m", "granian", "--interface", "asgi", "--no-ws"),
                *("--host", host, "--port", str(port), "--workers", "1"),
                *("--respawn-failed-workers", "--log-level", "warning"),
                "agency.asgi:application",
            ),
        ),
        Child("writer", (python, "manage.py", "write")),
        Child(
            "worker",
            # Threads: two jobs at once in one process's memory; a job is safe to be run again.
            (
                *(*celery, "worker", "--pool", "threads", "--concurrency", "2"),
                *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
            ),
        ),
        Child("beat", (*celery, "beat", "--pidfile=", "--loglevel", "WARNING")),
    ]


@contextlib.contextmanager
def only_run(var: Path, *, url: str) -> Iterator[str]:
    """Be the only run on `var`; end what a killed run left. Yields this run's mark.

    Raises EmbeddedError when another run is alive.
    """
    # lockf, not flock: a lock of the process, which honcho's forks do not inherit.
    with (var / "run" / "up.json").open("a+") as state:
        try:
            fcntl.lockf(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            state.seek(0)
            with contextlib.suppress(ValueError):
                url = json.load(state)["url"]
            raise EmbeddedError(
                f"Outward already runs in {var}: {url} (stop it there with Ctrl-C, or set "
                "OUTWARD_VAR and OUTWARD_PORT for a second one)."
            ) from None
        end_former_run(var)
        state.truncate(0)
        json.dump({"pid": os.getpid(), "url": url}, state)
        state.flush()
        yield f"{var}#{uuid.uuid4()}"


def end_former_run(var: Path) -> int:
    """Stop the processes that a killed run on `var` left behind; returns how many."""
    left = [process for process in psutil.process_iter() if _mark_of(process).startswith(f"{var}#")]
    # The loops first, or they would start their process again.
    for process in sorted(left, key=lambda one: one.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(left, timeout=STOP_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(left)


def _mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""  # another user's, or gone


def require_port(host: str, port: int) -> None:
    """Raises EmbeddedError when something else listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise EmbeddedError(
                f"Port {port} needs more rights than you have: set OUTWARD_PORT above 1023."
            ) from None
        except OSError as error:
            other = port + 1 if port < 65535 else 8000
            raise EmbeddedError(
                f"Port {port} is taken ({error.strerror}): stop the program that listens there, "
                f"or choose another port: make run OUTWARD_PORT={other}"
            ) from None


class _Log(Printer):  # type: ignore[misc]  # honcho ships no types
    """Writes the processes' lines to a file, keeps the last ones, and tells when one dies."""

    def __init__(self, path: Path, started: Callable[[], None]) -> None:
        super().__init__(output=sys.stdout)
        path.parent.mkdir(exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=10_000_000, backupCount=2)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._lines = logging.getLogger("outward.processes")
        self._lines.propagate = False
        self._lines.setLevel(logging.INFO)
        self._lines.addHandler(handler)
        self._started = started
        self._begun = False
        self.last: dict[str, collections.deque[str]] = {}

    def write(self, message: Message) -> None:
        """One message: a line of a process, or of honcho itself."""
        if not self._begun:
            # honcho has forked all its children before its first line: threads are safe now.
            self._begun = True
            self._started()
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        for line in text.splitlines():
            self._lines.info("%s | %s", message.name, line)
            if line.startswith(_AGAIN_MARK):
                code = line.removeprefix(_AGAIN_MARK).strip()
                print(f"{message.name} ended (exit code {code}) and is started again.", flush=True)
            else:
                kept = self.last.setdefault(message.name, collections.deque(maxlen=12))
                kept.append(line)


class _Manager(honcho.manager.Manager):  # type: ignore[misc]  # honcho ships no types
    """honcho's manager, which also notices that one of its own relay processes was killed."""

    def _has_ended(self, process: dict[str, Any]) -> bool:
        if process.get("returncode") is not None:
            return True
        relay = process.get("process")
        return relay is not None and not relay.is_alive()

    def _all_stopped(self) -> bool:
        return all(self._has_ended(process) for process in self._processes.values())

    def _any_stopped(self) -> bool:
        return any(self._has_ended(process) for process in self._processes.values())

    def failed(self) -> str | None:
        """Name of a process that gave up by itself, if one did."""
        for name, process in self._processes.items():
            if process.get("returncode") not in (None, 0, -signal.SIGTERM, -signal.SIGKILL):
                return str(name)
        return None


def run(
    processes: list[Child],
    *,
    mark: str,
    log: Path,
    health_url: str,
    ready: Callable[[], None],
    tend: Callable[[], None],
    parent: int | None,
) -> int:
    """Run the processes until a signal or until one gives up; returns the exit code.

    `ready` is called once, when `health_url` answers 200; `tend` every second, to look after what
    is no process of this run. With `parent`, the run also stops when that process is no longer
    its parent.
    """
    over = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(over, health_url, ready, tend, parent, log), name="watch", daemon=True
    )
    printer = _Log(log, watcher.start)
    honcho.manager.KILL_WAIT = STOP_S  # honcho's own 5 s may be too short for a full batch
    manager = _Manager(printer)
    environment = {**os.environ, MARK: mark, "PYTHONUNBUFFERED": "1"}
    for child in processes:
        loop = _AGAIN.format(command=shlex.join(child.command), mark=_AGAIN_MARK)
        manager.add_process(child.name, loop, env=environment, cwd=str(ROOT))
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    over.set()
    watcher.join()  # what it tends must not be started again while the caller stops it
    failed = manager.failed()
    if failed is None:
        return 0
    print(f"{failed} does not stay up, so all was stopped. Its last lines (more in {log}):")
    print("\n".join(printer.last.get(failed, ())))
    return 1


def _watch(
    over: threading.Event,
    health_url: str,
    ready: Callable[[], None],
    tend: Callable[[], None],
    parent: int | None,
    log: Path,
) -> None:
    """Announce readiness once, tend, and stop the run when its parent has gone."""
    announced = False
    slow_at = time.monotonic() + 60
    tended_at = time.monotonic()
    while not over.wait(1 if announced else 0.1):
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if time.monotonic() - tended_at >= 1:
            tend()
            tended_at = time.monotonic()
        if not announced:
            state = _health(health_url)
            if state == "":
                announced = True
                ready()
            elif time.monotonic() > slow_at:
                slow_at = float("inf")
                print(f"Not ready after a minute: {state} (more in {log})", flush=True)


def _health(url: str) -> str:
    """Empty when all is alive, else what is not."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http address
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return error.read(2000).decode(errors="replace")
    except OSError:
        return "the port does not answer"
