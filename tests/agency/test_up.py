"""`make run` from the outside: one clear line for what stops it, and nothing left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from agency.embedded_urls import valkey_url
from agency.postgres_account import EmbeddedError
from agency.supervisor import MARK, require_port

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys
from pathlib import Path
from agency.supervisor import Child, only_run, run

var, url, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) or None
children = [Child(name, tuple(command)) for name, command in CHILDREN]
with only_run(var, url=url) as mark:
    sys.exit(run(children, mark=mark, log=var / "log" / "outward.log", health_url=url,
                 ready=lambda: print("ready", flush=True), tend=lambda: None, parent=parent))
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "log").mkdir()
    return tmp_path


@pytest.fixture
def start(var: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a run of the given children; whatever is left at the end is killed."""
    runs: list[subprocess.Popen[str]] = []

    def begin(
        *children: tuple[str, list[str]], url: str = "http://127.0.0.1:1/", parent: int = 0
    ) -> "subprocess.Popen[str]":
        code = RUN.replace("CHILDREN", repr(children))
        run = subprocess.Popen(
            [sys.executable, "-c", code, str(var), url, str(parent)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.kill()
    _end_marked(var)
    for run in runs:
        run.communicate(timeout=20)


def _marked(var: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(f"{var}#"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _end_marked(var: Path) -> None:
    """A killed run's children hold its output open: end them before reading it to its end."""
    while left := _marked(var):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def _sleepers(var: Path) -> list[psutil.Process]:
    found = []
    for process in _marked(var):
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-1:] == SLEEP[-1:]:
                found.append(process)
    return found


def _until(condition: Callable[[], object], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_a_busy_port_is_one_line_with_the_way_out() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"Port {port} is taken") as caught:
            require_port("127.0.0.1", port)
    assert "make run OUTWARD_PORT=" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_killed_process_is_started_again(
    start: Callable[..., "subprocess.Popen[str]"], var: Path
) -> None:
    start(("one", SLEEP), ("two", SLEEP))
    _until(lambda: len(_sleepers(var)) == 2)
    victim = _sleepers(var)[0]
    victim.kill()
    _until(lambda: len(_sleepers(var)) == 2 and victim not in _sleepers(var))


def test_a_process_that_does_not_stay_up_ends_the_run_with_its_last_words(
    start: Callable[..., "subprocess.Popen[str]"], var: Path
) -> None:
    run = start(("good", SLEEP), ("bad", ["/bin/sh", "-c", "echo the reason; exit 3"]))
    output, _ = run.communicate(timeout=40)
    assert run.returncode == 1
    assert "bad does not stay up" in output
    assert "the reason" in output
    assert not _marked(var)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_every_process_finish(
    start: Callable[..., "subprocess.Popen[str]"], var: Path, sent: signal.Signals
) -> None:
    done = var / "done"
    finishes = textwrap.dedent(
        f"""
        import pathlib, signal, sys, time
        def finish(*_):
            time.sleep(1)
            pathlib.Path({str(done)!r}).write_text("finished")
            sys.exit(0)
        signal.signal(signal.SIGTERM, finish)
        pathlib.Path({str(done)!r}).write_text("working")
        time.sleep(600)
        """
    )
    run = start(("one", [sys.executable, "-c", finishes]))
    _until(lambda: done.exists() and done.read_text() == "working")
    run.send_signal(sent)
    run.communicate(timeout=30)
    assert run.returncode == 0
    assert done.read_text() == "finished"
    assert not _marked(var)


def test_a_second_run_on_the_same_var_is_refused_with_the_address_of_the_first(
    start: Callable[..., "subprocess.Popen[str]"], var: Path
) -> None:
    start(("one", SLEEP), url="http://127.0.0.1:7/first")
    _until(lambda: _sleepers(var))
    second = start(("one", SLEEP))
    output, _ = second.communicate(timeout=20)
    assert "already runs" in output
    assert "http://127.0.0.1:7/first" in output
    assert len(_sleepers(var)) == 1, "the first run goes on"


def test_what_a_killed_run_left_is_ended_by_the_next(
    start: Callable[..., "subprocess.Popen[str]"], var: Path
) -> None:
    killed = start(("one", SLEEP), ("two", SLEEP))
    _until(lambda: len(_sleepers(var)) == 2)
    left = _sleepers(var)
    killed.kill()
    killed.wait()
    assert all(process.is_running() for process in left)
    start(("one", SLEEP))
    _until(lambda: len(_sleepers(var)) == 1 and not any(one in left for one in _sleepers(var)))


def test_a_run_stops_when_the_make_above_it_is_killed(
    start: Callable[..., "subprocess.Popen[str]"], var: Path
) -> None:
    run = start(("one", SLEEP), parent=2**22 + 1)  # not our process id: as if make had gone
    run.communicate(timeout=30)
    assert run.returncode == 0
    assert not _marked(var)


def test_an_old_python_is_one_line() -> None:
    done = subprocess.run(
        ["make", "--silent", "setup", "PYTHON=/bin/false"],
        cwd=ROOT,
        # Without what an outer `make test` hands down.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make:")]
    assert len(lines) == 1
    assert lines[0].startswith("Outward needs Python 3.11 or newer")


# --- the whole of it


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _up(var: Path, port: int) -> "subprocess.Popen[str]":
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OUTWARD_", "DJANGO_", "COV"))
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-demo"],
        cwd=ROOT,
        env=environment | {"OUTWARD_VAR": str(var), "OUTWARD_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _read_until_ready(run: "subprocess.Popen[str]", port: int) -> None:
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line)
        if line.strip() == f"Outward is ready: http://agency.localhost:{port}/":
            return
    raise AssertionError("".join(said))


def _health(port: int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
        body: dict[str, str] = json.load(answer)
        return body


def _is_healthy(port: int) -> bool:
    try:
        return set(_health(port).values()) == {"ok"}
    except OSError:  # 503, too
        return False


@pytest.mark.slow
def test_up_serves_survives_a_kill_and_stops_whole(tmp_path: Path) -> None:
    port = _free_port()
    first = _up(tmp_path, port)
    assert first.stdout is not None
    try:
        _read_until_ready(first, port)
        parts = _health(port)
        assert set(parts.values()) == {"ok"}
        assert {"database", "keys", "stream", "writer", "worker"} <= parts.keys()
    finally:
        first.kill()
        first.wait()
        first.stdout.close()  # not read to its end: the children it left hold it open
    second = _up(tmp_path, port)
    try:
        _read_until_ready(second, port)
        assert set(_health(port).values()) == {"ok"}
        postmaster = tmp_path / "postgres" / "postmaster.pid"
        os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
        with redis.Redis.from_url(valkey_url(tmp_path)) as valkey:
            os.kill(int(valkey.info("server")["process_id"]), signal.SIGKILL)
        _until(lambda: not _is_healthy(port))
        _until(lambda: _is_healthy(port), within_s=40)
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=60)
        assert second.returncode == 0
        assert not _marked(tmp_path)
    finally:
        second.kill()
        _end_marked(tmp_path)
        second.communicate(timeout=20)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    require_port("127.0.0.1", port)
