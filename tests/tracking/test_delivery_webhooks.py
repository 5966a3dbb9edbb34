"""Webhooks: signed, to public addresses only, no redirects. Against a real HTTP server."""

import datetime as dt
import hashlib
import hmac
import http.server
import itertools
import socket
import threading
import time

import pytest

from tenants.models import Client
from tracking.delivery.alerts import new_salt
from tracking.delivery.webhooks import (
    DELIVERY_HEADER,
    SIGNATURE_HEADER,
    WebhookError,
    check_address,
    headers_of,
    post,
    resolve,
    secret_of,
    signature,
)
from tracking.outgoing import PinnedConnection, within

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Server(http.server.ThreadingHTTPServer):
    """Keeps the path, headers and body of each request."""

    got: list[tuple[str, dict[str, str], bytes]]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as the path says."""

    server: Server

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        code = int(self.path.rpartition("/")[2].partition("?")[0])
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/redirected/200")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    with Server(("127.0.0.1", 0), Receiver) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dripping():
    """A server that sends a byte each twentieth of a second, for ever; its port.

    To a TLS client they are the beginning of a long record, to another one of a status line.
    """
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        taken, _ = listener.accept()
        with taken:
            for byte in itertools.chain(b"\x16\x03\x03\x3f\xff", itertools.repeat(0)):
                if over.wait(0.05):
                    return
                try:
                    taken.sendall(bytes([byte]))
                except OSError:  # it was cut off, as it should be
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


def url_of(server, path):
    return f"http://localhost:{server.server_port}{path}"


def test_the_receiver_can_check_who_sent_it(receiver):
    secret, body = "ab" * 32, b'{"type":"alert.began"}'
    headers = headers_of(secret, body, "17", NOW)
    assert post(url_of(receiver, "/hook/200?a=b"), body, headers, allow_local=True) == 200
    ((path, got, received),) = receiver.got
    assert (path, received) == ("/hook/200?a=b", body)
    assert got["Content-Type"] == "application/json"
    assert got[DELIVERY_HEADER] == "17"
    fields = dict(part.split("=") for part in got[SIGNATURE_HEADER].split(","))
    signed = f"{fields['t']}.".encode() + received
    assert hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() == fields["v1"]
    assert int(fields["t"]) == NOW.timestamp()


def test_another_body_secret_or_time_has_another_signature():
    one = signature("s", b"{}", NOW)
    later = signature("s", b"{}", NOW + dt.timedelta(seconds=1))
    assert len({one, later, signature("t", b"{}", NOW), signature("s", b"{ }", NOW)}) == 4


def test_a_redirect_is_an_answer_and_is_not_followed(receiver):
    assert post(url_of(receiver, "/302"), b"{}", {}, allow_local=True) == 302
    assert [path for path, _, _ in receiver.got] == ["/302"]


def test_errors_of_the_receiver_are_its_status(receiver):
    assert post(url_of(receiver, "/500"), b"{}", {}, allow_local=True) == 500


def test_a_server_that_is_away_is_told_without_its_address(receiver):
    with pytest.raises(WebhookError, match="could not be reached") as caught:
        post("http://127.0.0.1:9/", b"{}", {}, allow_local=True)
    assert "127.0.0.1" not in str(caught.value)


def test_a_server_that_speaks_no_tls_is_not_trusted(receiver):
    with pytest.raises(WebhookError, match="certificate"):
        post(url_of(receiver, "/200").replace("http:", "https:"), b"{}", {}, allow_local=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://10.1.2.3/hook",
        "https://192.168.0.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[ff02::1]/",
        "https://[fec0::1]/",
        "https://[::8.8.8.8]/",
        "https://[2001:0:a00:1::]/",
        "https://[3fff::1]/",
        "https://user:secret@example.com/",
        "https:///hook",
        "https://example.com:port/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: evil",
        "https://exämple.com/",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public_are_refused_in_production(url):
    with pytest.raises(WebhookError):
        check_address(url, allow_local=False)


@pytest.mark.parametrize(
    "url", ["https://example.com/hook?x=1", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/"]
)
def test_public_addresses_are_allowed(url):
    check_address(url, allow_local=False)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_a_name_that_leads_to_the_machine_itself_is_refused_when_resolved(host):
    with pytest.raises(WebhookError):
        resolve(f"https://{host}/", allow_local=False)


def test_the_demo_may_call_the_machine_itself():
    target = resolve("http://localhost:8123/x", allow_local=True)
    assert (target.port, target.path, target.is_https) == (8123, "/x", False)


def test_each_client_and_each_salt_has_a_secret_of_its_own(client_a: Client, client_b: Client):
    one, other = new_salt(), new_salt()
    secrets = {
        secret_of(client.pk, salt) for client in (client_a, client_b) for salt in (one, other)
    }
    assert len(secrets) == 4
    assert secret_of(client_a.pk, one) in secrets
    assert {len(secret) for secret in secrets} == {64}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_drips_is_given_up_in_time(dripping, scheme):
    began = time.monotonic()
    with pytest.raises(WebhookError, match=r"No answer within 0\.5 seconds"):
        post(f"{scheme}://localhost:{dripping}/", b"{}", {}, allow_local=True, timeout_s=0.5)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("is_tls", "port", "host"),
    [
        (True, 443, b"hook.example"),
        (True, 8443, b"hook.example:8443"),
        (False, 80, b"hook.example"),
    ],
)
def test_the_usual_port_is_not_named_to_the_receiver(is_tls, port, host):
    """Some receivers check signatures or routes against the name as they know it."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = PinnedConnection("hook.example", port, "192.0.2.1", is_tls=is_tls, timeout=5)
        connection.sock = ours
        with within(connection, time.monotonic() + 5):
            connection.request("POST", "/", b"{}")
            assert b"\r\nHost: " + host + b"\r\n" in theirs.recv(4_096)
