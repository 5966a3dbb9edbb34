"""The embedded servers: PostgreSQL and Valkey out of wheels, with their data under `var/`.

Both listen on unix sockets in directories that only their owner may enter, so no port is taken
and no password is kept. A process that calls `start_postgres` or `start_valkey` shares the server
with every other caller of the same `var`; the last to stop it ends it. What a killed process
left behind, a running server or a stale pid file, is adopted or cleared by the next start.

Knows nothing of Django: settings, tests and the supervisor all import it. POSIX only.
"""

import dataclasses
import os
import shutil
import time
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from agency import postgres_account
from agency.embedded_urls import (
    DATABASE,
    KEYS_DATABASE,
    OWNER,
    postgres_url,
    socket_dir,
)
from agency.embedded_valkey import Valkey, start_valkey
from agency.postgres_account import EmbeddedError
from agency.server_holds import (
    START_TIMEOUT_S,
    Hold,
    last_line,
    make_dirs,
    prepare_socket_dir,
    starting,
)

_NO_PID = str(2**31 - 1)
"""Above every system's largest process id."""

_POSTGRES_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Little work often: what running visits leave behind in their table is soon used again.
    "autovacuum_naptime": "15s",
    # A schema and a dozen partitions per client: one transaction may touch many relations.
    "max_locks_per_transaction": "256",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "logging_collector": "on",
    "log_filename": "'postgres-%a.log'",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    # Statements and DETAIL lines hold values; a log must hold none that is personal.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# A killed server loses nothing with fsync off, a power cut does: for tests only. It would lose
# commits with synchronous_commit off.
_FAST = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off"}


@dataclasses.dataclass(frozen=True)
class Postgres:
    """A running embedded PostgreSQL, held until `stop`."""

    data: Path
    default_url: str
    keys_url: str
    _hold: Hold

    def revive(self) -> bool:
        """Start the server again if it has died; whether it had. Raises EmbeddedError."""
        with starting(self.data):
            if _postmaster(self.data) is not None:
                return False
            _launch_postgres(self.data, postgres_account.for_data(self.data))
        return True

    def stop(self) -> bool:
        """Give up this hold; stop the server when no other process holds it. True if stopped."""
        with self._hold.released() as was_last:
            if was_last and _postmaster(self.data) is not None:
                account = postgres_account.for_data(self.data)
                for mode in ("fast", "immediate"):
                    done = postgres_account.run(
                        account,
                        "pg_ctl",
                        "-D",
                        str(self.data),
                        "-m",
                        mode,
                        "-w",
                        "stop",
                    )
                    if done.returncode == 0:
                        break
            return was_last


def start_postgres(var: Path, *, fast: bool = False) -> Postgres:
    """Start, or share, the PostgreSQL of `var`; owner role and both databases exist after it.

    `fast` (tests) leaves out fsync. The first start takes about 3 s (initdb), a later one 0.5 s.
    Raises EmbeddedError.
    """
    var = var.resolve()
    make_dirs(var)
    data = var / "postgres"
    with starting(data):
        hold = Hold(data)
        try:
            account = postgres_account.for_data(data)
            _init_postgres(data, account)
            _write_postgres_settings(data, account, _FAST if fast else _SAFE)
            if _postmaster(data) is None:
                _launch_postgres(data, account)
            _create_databases(var)
        except BaseException:
            hold.drop()
            raise
    return Postgres(data, postgres_url(var), postgres_url(var, KEYS_DATABASE), hold)


def _init_postgres(data: Path, account: postgres_account.Account) -> None:
    """Create the cluster beside its place and move it there whole: no half-made one is used."""
    postgres_account.open_paths(account, data)
    if data.exists():
        return
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    os.chown(fresh, account.uid, account.gid)
    done = postgres_account.run(
        account,
        *("initdb", "-D", str(fresh), "--username=postgres", "--auth=trust"),
        # C.UTF-8 of PostgreSQL itself: sorts the same whatever the system's locales are.
        *(
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ),
        "--no-sync",
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise EmbeddedError(f"PostgreSQL could not create {data}: {last_line(done.stdout)}")
    # initdb's own sync flushes each file alone; one sync of the filesystem does the same.
    os.sync()
    fresh.rename(data)


def _write_postgres_settings(
    data: Path, account: postgres_account.Account, durability: dict[str, str]
) -> None:
    prepare_socket_dir(data, account.uid, account.gid)
    settings = _POSTGRES_SETTINGS | durability
    settings["unix_socket_directories"] = "'" + str(socket_dir(data)).replace("'", "''") + "'"
    text = "# Written at each start; your own settings go below the include in postgresql.conf.\n"
    text += "".join(f"{name} = {value}\n" for name, value in settings.items())
    (data / "outward.conf").write_text(text)
    os.chown(data / "outward.conf", account.uid, account.gid)
    main = data / "postgresql.conf"
    include = "include_if_exists = 'outward.conf'\n"
    if include not in main.read_text():
        with main.open("a") as conf:
            conf.write("\n" + include)


def _launch_postgres(data: Path, account: postgres_account.Account) -> None:
    """Start the server and wait until it answers."""
    start_log = data / "start.log"
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        start_log.unlink(missing_ok=True)
        done = postgres_account.run(
            account,
            *("pg_ctl", "-D", str(data), "-l", str(start_log), "-w"),
            *("-t", str(START_TIMEOUT_S), "start"),
        )
        if done.returncode == 0:
            return
        said = done.stdout + _logged(data)
        # The children of a killed postmaster need a moment to notice and let go.
        if "still in use" in said and time.monotonic() < deadline:
            time.sleep(0.3)
            continue
        fatal = [line for line in said.splitlines() if "FATAL" in line]
        reason = fatal[-1] if fatal else last_line(said)
        raise EmbeddedError(f"PostgreSQL did not start: {reason.strip()} (more in {start_log})")


def _logged(data: Path) -> str:
    """The last lines of a start: of its first log, else of the server's own."""
    logs = [
        data / "start.log",
        *sorted(data.glob("log/*.log"), key=lambda log: log.stat().st_mtime),
    ]
    texts = [log.read_text(errors="replace") for log in (logs[0], logs[-1]) if log.exists()]
    return next((text[-4000:] for text in texts if "FATAL" in text), "".join(texts)[-4000:])


def _postmaster(data: Path) -> int | None:
    """Pid of the server that runs on `data`, None if none does.

    A pid file that names a dead process, a zombie or another program is disarmed: PostgreSQL
    would take it for a running server. It keeps its other lines, by which PostgreSQL knows
    whether children of the dead server still use its shared memory.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        process = psutil.Process(pid)
        if str(data) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
            return pid
    except FileNotFoundError:
        return None
    except (psutil.NoSuchProcess, psutil.AccessDenied, IndexError, ValueError):
        pass
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([_NO_PID, *lines[1:], ""]))
    for lock in socket_dir(data).glob(".s.PGSQL.*.lock"):
        lock.unlink()
    return None


def _create_databases(var: Path) -> None:
    """Create role and databases where they are missing; waits for a server still in recovery."""
    url = postgres_url(var, "postgres", "postgres")
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
            break
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not answer: {error}") from error
            time.sleep(0.1)
    owner = sql.Identifier(OWNER)
    with connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB NOSUPERUSER").format(owner)
            )
        for name in (DATABASE, KEYS_DATABASE):
            database = sql.Identifier(name)
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
            ).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        # No client's role has any business among the keys.
        connection.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(KEYS_DATABASE))
        )


__all__ = ["Postgres", "Valkey", "start_postgres", "start_valkey"]
