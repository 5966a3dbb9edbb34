"""Imports that are killed, interrupted, resumed, and that follow a live file."""

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.db import connections

from tenants.models import Client
from tenants.schemas import entered
from tests.tracking.weblog_stage import (
    ROOT,
    START,
    hits,
    line,
    rows,
    run,
    site_of,
    wait_until,
)
from tracking.models import Import, ImportState
from tracking.weblogs import imports
from tracking.weblogs.follow import FollowError
from tracking.weblogs.imports import import_files
from tracking.weblogs.summary import Summary
from tracking.weblogs.synthetic import write_log


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client()


def popen_import(client: Client, log: Path, *flags: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_weblog", client.slug, str(site_of(client).pk),
         str(log), *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_what_was_ended_in_the_middle_is_resumed(client: Client, tmp_path: Path, how: int):
    log = tmp_path / "big.log"
    write_log(log, 120_000, seed=5, assets=False)
    equal = line("/equal", at=START)
    with log.open("a") as file:
        file.write(equal * 3)
    process = popen_import(client, log)
    wait_until(lambda: hits(client) > 0 or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0]
    # Killed: the parent alone, as the kernel would; its workers must end by themselves.
    os.kill(process.pid, how)
    output = process.communicate()[0]
    if how == signal.SIGINT:
        assert process.returncode == 130, output
        assert "resumes it" in output
    partly = hits(client)
    summary = run(client, log)
    [result] = summary.files
    assert 1 < result.resumed_at < 120_004, partly
    tally = result.tally
    assert (tally.lines, tally.stored, tally.skipped) == (120_003, 120_003, {})
    assert hits(client) == 120_003
    with entered(client):
        record = Import.objects.get()
    assert (record.state, record.lines, record.stored) == ("finished", 120_003, 120_003)
    assert rows(client, "SELECT sum(pageviews) FROM visits") == [(120_003,)]


@pytest.mark.slow
def test_a_killed_worker_fails_the_import_and_loses_nothing(client: Client, tmp_path: Path):
    log = tmp_path / "big.log"
    write_log(log, 60_000, seed=6, assets=False)
    killed: list[int] = []

    def kill_one(progress: imports.Progress) -> None:
        if progress.tally.stored and not killed:
            children = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "tracking.weblogs.worker"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            killed.append(int(children.stdout.split()[0]))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracking.weblogs.pools._QUEUED_BLOCKS", 1)
        summary = import_files(client, site_of(client), [str(log)], progress=kill_one)
    if not killed:
        pytest.skip("the import was over before it could be disturbed")
    assert summary.failed
    assert "killed" in summary.files[0].error
    assert run(client, log).tally.stored == 60_000
    assert hits(client) == 60_000


def test_a_changed_file_is_not_taken_for_the_interrupted_one(client: Client, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text("".join(line(f"/{number}") for number in range(50)))
    stops = iter([False, True, True, True])
    import_files(client, site_of(client), [str(log)], stop=lambda: next(stops, True))
    with entered(client):
        record = Import.objects.get()
    assert record.state == ImportState.INTERRUPTED
    log.write_text(line("/0") + "".join(line(f"/other{number}") for number in range(50)))
    summary = run(client, log)
    assert summary.files[0].resumed_at == 0
    assert summary.tally.stored == 50


class Following:
    """`import_files(follow=True)` in a thread."""

    def __init__(self, client: Client, log: Path) -> None:
        self._asked = threading.Event()
        self.summary: Summary | None = None
        self._thread = threading.Thread(target=self._follow, args=(client, log))
        self._thread.start()

    def _follow(self, client: Client, log: Path) -> None:
        self.summary = import_files(
            client, site_of(client), [str(log)], follow=True, stop=self._asked.is_set
        )
        connections.close_all()

    def stop(self) -> Summary:
        self._asked.set()
        self._thread.join(timeout=60)
        assert self.summary is not None
        return self.summary


@pytest.fixture
def quick_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.weblogs.follow.POLL_SECONDS", 0.05)
    monkeypatch.setattr("tracking.weblogs.follow.GRACE_SECONDS", 0.5)
    monkeypatch.setattr("tracking.weblogs.imports.SMALL_BYTES", 1 << 40)


@pytest.mark.parametrize("how", ["rename and create", "copy and truncate"])
def test_a_live_file_is_followed_through_its_rotation(
    client: Client, tmp_path: Path, quick_follow: None, how: str
):
    log, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    log.write_text(line("/1"))
    following = Following(client, log)
    try:
        wait_until(lambda: hits(client) == 1)
        with log.open("a") as file:
            file.write(line("/2") + line("/3")[:40])
            file.flush()
            wait_until(lambda: hits(client) == 2)
            file.write(line("/3")[40:])
        wait_until(lambda: hits(client) == 3)
        if how == "rename and create":
            log.rename(rotated)
            with rotated.open("a") as file:
                file.write(line("/4"))  # a server writes on until it is told
            log.write_text(line("/5"))
        else:
            with log.open("a") as file:
                file.write(line("/4"))
            wait_until(lambda: hits(client) == 4)
            rotated.write_bytes(log.read_bytes())
            log.write_text(line("/5") * 2)
        expected = 5 if how == "rename and create" else 6
        wait_until(lambda: hits(client) == expected)
    finally:
        summary = following.stop()
    assert sum(file.tally.stored for file in summary.files) == expected
    run(client, rotated, log)
    assert hits(client) == expected


def test_a_followed_file_is_taken_up_where_it_was_left(
    client: Client, tmp_path: Path, quick_follow: None
):
    log = tmp_path / "access.log"
    log.write_text(line("/1") * 2)
    for count in (2, 4):
        following = Following(client, log)
        try:
            wait_until(partial(lambda count: hits(client) == count, count))
        finally:
            summary = following.stop()
        with log.open("a") as file:
            file.write(line("/1") * 2)
    assert summary.files[-1].resumed_at == 3
    assert summary.tally.lines == 4


def test_compressed_files_are_not_followed(client: Client, tmp_path: Path):
    log = tmp_path / "access.log.gz"
    log.write_bytes(gzip.compress(line().encode()))
    with pytest.raises(FollowError, match="plain"):
        import_files(client, site_of(client), [str(log)], follow=True)
