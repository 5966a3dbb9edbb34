"""Where the embedded servers of a `var` answer, whether they run or not.

Depends on the path only, so that a command in a second terminal finds what `make run` started.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

OWNER = "outward"
"""Role that owns both databases; may create roles and schemas, is no superuser."""
DATABASE = "outward"
KEYS_DATABASE = "outward_keys"

_LONGEST_SOCKET_PATH = 103
"""Bytes of `sun_path` without its NUL: 107 on Linux, 103 on macOS; the smaller fits both."""


def socket_dir(home: Path) -> Path:
    """Directory of the socket of the server whose data is in `home`.

    `home` itself (mode 0700), unless its path is too long for a socket address: then a directory
    under /tmp named by the path's hash.
    """
    home = home.resolve()
    if len(os.fsencode(home / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH:
        return home
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path("/tmp") / f"outward-{name}"  # noqa: S108 - the start checks its owner and mode


def postgres_url(var: Path, database: str = DATABASE, user: str = OWNER) -> str:
    """URL of a database of the embedded PostgreSQL of `var`."""
    return f"postgresql://{user}@/{database}?host={quote(str(socket_dir(var / 'postgres')))}"


def valkey_socket(var: Path) -> Path:
    """Socket of the embedded Valkey of `var`."""
    return socket_dir(var / "valkey") / "valkey.sock"


def valkey_url(var: Path) -> str:
    """URL of the embedded Valkey of `var`."""
    return f"unix://{quote(str(valkey_socket(var)))}?db=0"
