"""Connections to servers that other people name: public addresses only, within one time limit.

Against server-side request forgery the name is resolved once, every address of it is judged here,
and the connection goes to the address that was judged, not to the name again. A socket's timeout
is for each operation, so a server that sends a byte now and then would hold us for hours: `within`
cuts the connection when the time is over, whatever it is doing.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator

HTTPS_PORT = 443
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out for the public internet (IANA, ipv6-address-space)."""
_REFUSED = tuple(
    ipaddress.ip_network(network) for network in ("2002::/16", "2001::/32", "3fff::/20")
)
"""6to4 and Teredo, whose addresses hold an IPv4 one that could be private; and documentation."""


def is_public(text: str) -> bool:
    """Whether an IP address, as text, is one of the public internet. Raises ValueError."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            refused = any(ip in network for network in _REFUSED)
            return ip in _UNICAST and ip.is_global and not refused
        ip = ip.ipv4_mapped
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


class PinnedConnection(http.client.HTTPConnection):
    """Connects to the address that was judged, and checks a certificate against the name."""

    def __init__(self, host: str, port: int, address: str, *, is_tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._is_tls = is_tls
        self._is_cut = False
        if is_tls:
            self.default_port = HTTPS_PORT

    def connect(self) -> None:
        """Open the socket, and TLS over it; raises OSError, ssl.SSLError among them."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._is_tls:
            context = ssl.create_default_context()
            # The handshake on its own, so that it can be cut: `wrap_socket` empties the plain one.
            wrapped = context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock = wrapped
            wrapped.do_handshake()
        if self._is_cut:
            raise TimeoutError

    def cut(self) -> None:
        """End whatever is being waited for; from another thread."""
        self._is_cut = True
        sock: socket.socket | None = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                # Past SSLSocket's own, which would take TLS away under a call that is using it.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


@contextlib.contextmanager
def within(connection: PinnedConnection, deadline: float) -> Iterator[None]:
    """Use the connection until `deadline` (of time.monotonic) at the latest, then close it.

    What is waited for at that moment fails with an OSError or HTTPException, or reads an end.
    """
    watch = threading.Timer(max(0.0, deadline - time.monotonic()), connection.cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        connection.close()
