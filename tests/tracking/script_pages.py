"""A website with the script on it, and a collector's side of the wire, on ports of their own.

The collector here only records and answers as told: what the real one makes of a hit is tested
with the real one.
"""

import contextlib
import dataclasses
import datetime
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tenants.models import CookieMode
from tracking.script.serve import ScriptConfig, script_response

SITE_KEY = "k3y0fTheSite"
STUB = "window.outward=window.outward||function(){(outward.q=outward.q||[]).push(arguments)}"
REFUSE = 0
"""An answer: close the connection without one."""
WAIT_S = 8.0


@dataclasses.dataclass(frozen=True)
class Request:
    """One request to the collector's host that is not for the script."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    at: float

    @property
    def hit(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]  # each test knows its shape


class Stage:
    """Addresses, pages and what was sent."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.site_lines: list[str] = []
        """Paths asked of the website."""
        self.answers: list[int] = []
        """Status codes of the next replies; 202 when empty."""
        self.pages: dict[str, str] = {}
        """HTML by path; any other path gives a plain page."""
        self.missing: set[str] = set()
        self.config = ScriptConfig(cookie_mode=CookieMode.CONSENT)
        self.site = self.secure_site = self.collector = ""

    @property
    def snippet(self) -> str:
        return f'<script defer src="{self.collector}/outward.js" data-site="{SITE_KEY}"></script>'

    def html(self, body: str = "<h1>Page</h1>", head: str = "") -> str:
        return (
            f'<!doctype html><html lang="en"><head><title>A page</title>{head}{self.snippet}'
            f"</head><body>{body}</body></html>"
        )

    def hits(self, *kinds: str) -> list[dict[str, Any]]:
        """Hits that came, in their order."""
        hits = [request.hit for request in list(self.requests) if request.method == "POST"]
        return [hit for hit in hits if not kinds or hit["kind"] in kinds]

    def wait(self, count: int, *kinds: str) -> list[dict[str, Any]]:
        """The hits of these kinds, once there are `count`; fails when they do not come."""
        deadline = time.monotonic() + WAIT_S
        while len(found := self.hits(*kinds)) < count:
            assert time.monotonic() < deadline, f"{count} {kinds} expected, came: {self.hits()}"
            time.sleep(0.02)
        assert len(found) == count, found
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stage: Stage
    timeout = 20

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Quiet."""

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Website(_Handler):
    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.stage.site_lines.append(self.path)
        status = 404 if path in self.stage.missing else 200
        html = self.stage.pages.get(path, self.stage.html())
        kind = "application/pdf" if path.endswith(".pdf") else "text/html; charset=utf-8"
        self.reply(status, html.encode(), {"content-type": kind})


class _Collector(_Handler):
    def do_GET(self) -> None:
        if self.path == "/outward.js":
            headers, bodies = script_response(self.stage.config)
            self.reply(200, bodies["gzip"], {**headers, "content-encoding": "gzip"})
        else:
            self.take()

    def take(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        stage = self.stage
        stage.requests.append(Request(self.command, self.path, headers, body, time.monotonic()))
        status = stage.answers.pop(0) if stage.answers else 202
        if status == REFUSE:
            self.close_connection = True
            self.connection.close()
            return
        self.reply(status, b"", {"access-control-allow-origin": "*"})

    def do_POST(self) -> None:
        self.take()

    def do_OPTIONS(self) -> None:
        self.take()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle is part of the test."""


@contextlib.contextmanager
def serve_stage(folder: Path) -> Iterator[Stage]:
    """A stage whose servers run until the block ends; `folder` takes a certificate."""
    stage = Stage()
    servers = []
    for handler in (_Website, _Website, _Collector):
        bound = type("Bound", (handler,), {"stage": stage})
        servers.append(_Server(("127.0.0.1", 0), bound))
    site, secure_site, collector = servers
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    secure_site.socket = context.wrap_socket(secure_site.socket, server_side=True)
    stage.site = f"http://127.0.0.1:{site.server_port}"
    stage.secure_site = f"https://127.0.0.1:{secure_site.server_port}"
    # Another host than the website's: what a browser thinks of as a third party.
    stage.collector = f"http://localhost:{collector.server_port}"
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield stage
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
