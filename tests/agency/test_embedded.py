"""The embedded servers: shared, adopted, recovered, and refused in one clear line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from agency.embedded import start_postgres, start_valkey
from agency.embedded_urls import postgres_url, socket_dir, valkey_url
from agency.postgres_account import EmbeddedError
from agency.server_holds import require_space

ROOT = Path(__file__).resolve().parents[2]


def _python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, as another user of the servers."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _postmaster(var: Path) -> int:
    return int((var / "postgres" / "postmaster.pid").read_text().split()[0])


def _value(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
        return row and row[0]


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("o")
    yield folder
    start_postgres(folder, fast=True).stop()
    start_valkey(folder, fast=True).stop()


def test_owner_owns_both_databases_and_is_no_superuser(var: Path) -> None:
    server = start_postgres(var, fast=True)
    try:
        for url in (server.default_url, server.keys_url):
            assert _value(url, "SELECT current_user") == "outward"
            assert _value(url, "SELECT rolsuper FROM pg_roles WHERE rolname = user") is False
        assert server.default_url == postgres_url(var)
    finally:
        server.stop()


def test_another_role_may_not_even_connect_to_the_keys(var: Path) -> None:
    server = start_postgres(var, fast=True)
    try:
        with psycopg.connect(server.default_url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS a_client")
            connection.execute("CREATE ROLE a_client LOGIN")
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(postgres_url(var, "outward_keys", "a_client"))
    finally:
        server.stop()


def test_the_last_user_stops_the_servers_and_no_earlier_one(var: Path) -> None:
    servers = (start_postgres(var, fast=True), start_valkey(var, fast=True))
    other = _python(
        "import sys; from pathlib import Path\n"
        "from agency.embedded import start_postgres, start_valkey\n"
        "var = Path(sys.argv[1])\n"
        "print(start_postgres(var, fast=True).stop(), start_valkey(var, fast=True).stop())",
        str(var),
    )
    assert other.stdout.split() == ["False", "False"], other.stderr
    assert _value(servers[0].default_url, "SELECT 1") == 1
    assert [server.stop() for server in servers] == [True, True]
    assert [server.stop() for server in servers] == [False, False], "a second stop does nothing"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(servers[0].default_url)
    with redis.Redis.from_url(valkey_url(var)) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_servers_of_a_killed_process_are_adopted_with_their_data(var: Path) -> None:
    killed = _python(
        "import os, sys, psycopg, redis; from pathlib import Path\n"
        "from agency.embedded import start_postgres, start_valkey\n"
        "var = Path(sys.argv[1])\n"
        "postgres, valkey = start_postgres(var, fast=True), start_valkey(var, fast=True)\n"
        "with psycopg.connect(postgres.default_url) as connection:\n"
        "    connection.execute('CREATE TABLE kept AS SELECT 41 AS n')\n"
        "redis.Redis.from_url(valkey.url).xadd('kept', {'n': 42})\n"
        "os.kill(os.getpid(), 9)",
        str(var),
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    orphan = _postmaster(var)
    postgres, valkey = start_postgres(var, fast=True), start_valkey(var, fast=True)
    try:
        assert _postmaster(var) == orphan, "the running server is shared, not started again"
        assert _value(postgres.default_url, "SELECT n FROM kept") == 41
        with redis.Redis.from_url(valkey.url) as client:
            assert client.xlen("kept") == 1
            client.delete("kept")
    finally:
        _drop(postgres.default_url, "kept")
        assert postgres.stop()
        assert valkey.stop()


def test_killed_servers_come_back_with_what_they_had_accepted(var: Path) -> None:
    postgres, valkey = start_postgres(var, fast=True), start_valkey(var, fast=True)
    with psycopg.connect(postgres.default_url) as connection:
        connection.execute("CREATE TABLE crashed AS SELECT 7 AS n")
    with redis.Redis.from_url(valkey.url) as client:
        client.xadd("crashed", {"n": 7})
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
    os.kill(_postmaster(var), signal.SIGKILL)
    again = start_postgres(var, fast=True), start_valkey(var, fast=True)
    try:
        assert _value(again[0].default_url, "SELECT n FROM crashed") == 7
        with redis.Redis.from_url(again[1].url) as client:
            assert client.xlen("crashed") == 1
    finally:
        _drop(again[0].default_url, "crashed")
        for server in (postgres, valkey, *again):
            server.stop()


def test_a_pid_file_that_names_another_process_is_cleared(var: Path) -> None:
    assert start_postgres(var, fast=True).stop()
    stale = var / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{var / 'postgres'}\n1\n5432\n{var}\n\n0 0\nready\n")
    server = start_postgres(var, fast=True)
    try:
        assert _value(server.default_url, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_half_made_cluster_is_made_afresh(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = start_postgres(tmp_path, fast=True)
    try:
        assert _value(server.default_url, "SELECT 1") == 1
        assert not half.exists()
    finally:
        server.stop()


def test_a_long_path_with_spaces_and_quotes_works(tmp_path: Path) -> None:
    deep = tmp_path / ("a folder 'quoted' " + "x" * 60) / ("y" * 60)
    assert socket_dir(deep / "postgres").parent == Path("/tmp")
    servers = (start_postgres(deep, fast=True), start_valkey(deep, fast=True))
    try:
        assert _value(servers[0].keys_url, "SELECT 1") == 1
        with redis.Redis.from_url(servers[1].url) as client:
            assert client.ping()
    finally:
        for server in servers:
            server.stop()


def test_neither_server_listens_on_a_port_nor_opens_to_other_users(var: Path) -> None:
    postgres, valkey = start_postgres(var, fast=True), start_valkey(var, fast=True)
    try:
        assert _value(postgres.default_url, "SHOW listen_addresses") == ""
        assert _value(postgres.default_url, "SHOW max_connections") == "200"
        with redis.Redis.from_url(valkey.url) as client:
            assert int(client.info("server")["tcp_port"]) == 0
        for name in ("postgres", "valkey"):
            assert (var / name).stat().st_mode & 0o077 == 0
    finally:
        postgres.stop()
        valkey.stop()


def test_a_run_is_durable_and_only_tests_are_fast(tmp_path: Path) -> None:
    postgres, valkey = start_postgres(tmp_path), start_valkey(tmp_path)
    try:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert _value(postgres.default_url, f"SHOW {name}") == "on"
        with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
            assert client.config_get("append*")["appendfsync"] == "everysec"
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    finally:
        postgres.stop()
        valkey.stop()


def test_a_full_disk_is_one_line_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"full: \d+ MB free, 1000000000 MB needed") as caught:
        require_space(tmp_path / "not" / "made", needed_mb=1_000_000_000)
    assert "\n" not in str(caught.value)


def _drop(url: str, table: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f'DROP TABLE "{table}"')
