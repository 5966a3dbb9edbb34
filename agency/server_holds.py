"""Who uses an embedded server: file locks in `var/run`, which the kernel drops with a process.

So the last user is known even when others were killed, and nothing stale is left to clear.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agency.postgres_account import EmbeddedError

NEEDED_MB = 400
"""Free space without which a start is refused: initdb takes 60 MB, the write-ahead log more."""


def require_space(var: Path, needed_mb: int = NEEDED_MB) -> None:
    """Raises EmbeddedError, naming both figures, when `var`'s disk has less than `needed_mb`."""
    existing = next(path for path in (var, *var.parents) if path.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < needed_mb:
        raise EmbeddedError(
            f"The disk of {var} is full: {free_mb} MB free, {needed_mb} MB needed. "
            "Free some space, or set OUTWARD_VAR to a folder on another disk."
        )


def make_dirs(var: Path) -> None:
    """Make `var` and `var/run`; raises EmbeddedError when that cannot be or the disk is full."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        (var / "run").mkdir(exist_ok=True)
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename} cannot be written by this user: it was made by another one. "
            "Run as that user, or set OUTWARD_VAR to another folder."
        ) from error
    require_space(var)


@contextlib.contextmanager
def starting(data: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of `data`."""
    with _open_lock(data, "start") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold(data: Path) -> IO[bytes]:
    """Count this process among the users of the server of `data` until the file is closed."""
    use = _open_lock(data, "use")
    fcntl.flock(use, fcntl.LOCK_SH)
    return use


@contextlib.contextmanager
def given_up(use: IO[bytes], data: Path) -> Iterator[bool]:
    """Release `use`; yields whether nobody else holds the server (False when released before)."""
    if use.closed:
        yield False
        return
    with starting(data):
        use.close()
        with _open_lock(data, "use") as last:
            try:
                fcntl.flock(last, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True


def _open_lock(data: Path, name: str) -> IO[bytes]:
    path = data.parent / "run" / f"{data.name}.{name}.lock"
    try:
        return path.open("ab")
    except PermissionError as error:
        raise EmbeddedError(
            f"{path} cannot be written by this user: var/ was made by another one. "
            "Run as that user, or set OUTWARD_VAR to another folder."
        ) from error
