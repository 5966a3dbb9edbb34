"""A collector of its own process, real requests to it, and what it left on the streams."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import redis

from tenants.changes import announce_change
from tenants.models import Client, PrivacySettings, Site
from tests.conftest import site_of
from tracking.hits import Hit
from tracking.streams import FIELD, decode_hits, stream_name

ROOT = Path(__file__).resolve().parents[2]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PARTITIONS = 4
_addresses = itertools.count(1)


def fresh_address() -> str:
    """An address that no other request of the run has."""
    number = next(_addresses)
    return f"81.2.{number // 250 % 250}.{number % 250 + 1}"


def spooled_bytes(spool: Path) -> int:
    """What waits in the spool's files; a file may be through and gone while they are looked at."""
    total = 0
    for path in spool.glob("*.spool"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def eventually(is_so: Callable[[], Any], timeout_s: float = 12.0) -> Any:
    """The first true value, or AssertionError."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if value := is_so():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class Stage:
    """One collector process under granian, as in production, on a port of its own."""

    def __init__(self, redis_url: str, spool: Path, **environment: str) -> None:
        self.spool = spool
        self.valkey = redis.Redis.from_url(redis_url)
        self._environment = {
            **os.environ,
            "OUTWARD_REDIS_URL": redis_url,
            "OUTWARD_SPOOL_PATH": str(spool),
            "OUTWARD_TRUSTED_PROXIES": "127.0.0.0/8",
            "PYTHONFAULTHANDLER": "1",
            **environment,
        }
        self.log = spool.parent / f"{spool.name}.log"
        self._sites: dict[int, Site] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(timeout=20)

    def start(self) -> None:
        """Start, and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop"]
        command += ["--workers", "1", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--no-access-log", "tracking.collector.app:application"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, 30.0)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop (SIGTERM) or kill (SIGKILL) the process and its worker."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                if number is signal.SIGKILL:
                    os.killpg(self._process.pid, number)
                else:
                    self._process.send_signal(number)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"it did not end:\n{self._where_it_is()}") from None
            finally:
                self._process = None

    def _where_it_is(self) -> str:
        """Kill what does not end; its log, with where each of its threads was."""
        assert self._process is not None
        for child in psutil.Process(self._process.pid).children(recursive=True):
            child.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        return self.log.read_text()

    def close(self) -> None:
        """End everything."""
        try:
            self.end()
        finally:
            self.http.close()
            self.valkey.close()

    def request(self, method: str, path: str, host: str, **options: Any) -> httpx.Response:
        """One request to a host of a client."""
        headers = {
            "host": host,
            "user-agent": FIREFOX,
            "x-forwarded-for": fresh_address(),
            **options.pop("headers", {}),
        }
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.http.request(method, url, headers=headers, **options)

    def post(
        self, client: Client, headers: dict[str, Any] | None = None, **fields: Any
    ) -> httpx.Response:
        """POST /collect as the script does, from the first page of the client's first site."""
        # Kept from `know`: a thread that asks the database would leave a connection behind.
        site = self._sites.get(client.pk) or site_of(client)
        body = {
            "site": site.key,
            "kind": "pageview",
            "url": f"https://{site.main_host}/",
            **fields,
        }
        return self.request(
            "POST",
            "/collect",
            host_of(client),
            json=body,
            headers={"content-type": "text/plain", **(headers or {})},
        )

    def know(self, client: Client) -> Client:
        """Wait until the collector serves the client."""
        self._sites[client.pk] = site_of(client)
        eventually(lambda: self.post(client).status_code == 202)
        return client

    def hits(self, client: Client | None = None) -> list[Hit]:
        """What is on the streams, of one client or of all."""
        found = [hit for entry in self._entries() for hit in decode_hits(entry)]
        return [hit for hit in found if client is None or hit.client_id == client.pk]

    def raw_streams(self) -> bytes:
        """All bytes on the streams."""
        return b"".join(self._entries())

    def _entries(self) -> list[bytes]:
        return [
            fields[FIELD]
            for partition in range(PARTITIONS)
            for _, fields in cast(
                list[tuple[bytes, dict[bytes, bytes]]],
                self.valkey.xrange(stream_name("outward", partition)),
            )
            if FIELD in fields
        ]

    def last_hit(self, client: Client) -> Hit:
        """The newest hit of a client."""
        return max(self.hits(client), key=lambda hit: hit.at_us)


def host_of(client: Client) -> str:
    """The client's own host."""
    return f"{client.slug}.localhost"


def change_privacy(client: Client, **changes: Any) -> None:
    """Change settings, and tell the collectors."""
    PrivacySettings.objects.filter(client=client).update(**changes)
    announce_change()


@contextlib.contextmanager
def staged(redis_url: str, spool: Path, **environment: str) -> Iterator[Stage]:
    """A started collector, ended afterwards."""
    stage = Stage(redis_url, spool, **environment)
    try:
        stage.start()
        yield stage
    finally:
        stage.close()
