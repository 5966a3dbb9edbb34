"""What both embedded servers need: space, a socket, and to know who uses them.

That is told by file locks in `var/run`, which the kernel drops with a process.

So the last user is known even when others were killed, and nothing stale is left to clear.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from agency.embedded_urls import socket_dir
from agency.postgres_account import EmbeddedError

NEEDED_MB = 400
"""Free space without which a run is refused: a new cluster takes 60 MB, its log more."""

NEEDED_TO_START_MB = 100
"""Free space without which a server is not started, whoever asks."""

START_TIMEOUT_S = 60
"""A server that recovers from a crash may need long."""


def require_space(var: Path, needed_mb: int) -> None:
    """Raises EmbeddedError, naming both figures, when `var`'s disk has less than `needed_mb`."""
    existing = next(path for path in (var, *var.parents) if path.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < needed_mb:
        raise EmbeddedError(
            f"The disk of {var} is full: {free_mb} MB free, {needed_mb} MB needed. "
            "Free some space, or set OUTWARD_VAR to a folder on another disk."
        )


def make_dirs(var: Path, needed_mb: int = NEEDED_TO_START_MB) -> None:
    """Make `var` and `var/run`; raises EmbeddedError when that cannot be or the disk is full."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        (var / "run").mkdir(exist_ok=True)
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename} cannot be written by this user: it was made by another one. "
            "Run as that user, or set OUTWARD_VAR to another folder."
        ) from error
    require_space(var, needed_mb)


class Hold:
    """A user's mark on a server: ends with `released`, or with the process."""

    def __init__(self, data: Path) -> None:
        # A bare descriptor: one forgotten by its holder must last until the process ends.
        self._descriptor: int | None = _open_lock(data, "use")
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self._data = data

    @contextlib.contextmanager
    def released(self) -> Iterator[bool]:
        """Release; yields whether nobody else holds the server (False if released before).

        Inside, no other process can start the server or begin to use it.
        """
        if self._descriptor is None:
            yield False
            return
        with starting(self._data):
            self.drop()
            yield _is_unused(self._data)

    def drop(self) -> None:
        """Release without asking who else holds the server."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def starting(data: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of `data`."""
    lock = _open_lock(data, "start")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _is_unused(data: Path) -> bool:
    lock = _open_lock(data, "use")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _open_lock(data: Path, name: str) -> int:
    path = data.parent / "run" / f"{data.name}.{name}.lock"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise EmbeddedError(
            f"{path} cannot be written by this user: var/ was made by another one. "
            "Run as that user, or set OUTWARD_VAR to another folder."
        ) from error


def prepare_socket_dir(home: Path, uid: int, gid: int) -> None:
    """Make the socket's directory, owned by `uid`, closed to others."""
    directory = socket_dir(home)
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid == os.geteuid() != uid:
        os.chown(directory, uid, gid)
    elif not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise EmbeddedError(
            f"{directory} belongs to another user. Run as that user, or set OUTWARD_VAR to "
            "another folder."
        )
    directory.chmod(0o700)


def last_line(text: str) -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
