"""Addresses of visitors: read, found behind proxies, cut, sealed, and hashed away.

Pure: values in, values out. Nothing here caches, logs or puts an address into an error message,
so a raw IP address lives only as long as its caller holds it.
"""

import hashlib
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NewType, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
IpMode = Literal["encrypted", "truncated", "none"]

RawIp = NewType("RawIp", bytes)
"""A whole address in network order, 4 or 16 bytes. Must never be stored, sent or logged."""

_LONGEST = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%") + 16 + len("]:65535")
_MAPPED_PREFIX = b"\x00" * 10 + b"\xff\xff"
_KEPT_BYTES = {4: 3, 16: 6}
_VISITOR = b"outward.visitor"
_COOKIE = b"outward.cookie"


def parse_ip(text: str) -> Address | None:
    """Address in `text`, None when there is none.

    Takes brackets, a port (`1.2.3.4:80`, `[::1]:80`), a zone id (dropped) and white space around.
    An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is the IPv4 address: a proxy listening on `::`
    must not make a second visitor of the same person. Leading zeros ("010.1.1.1") are refused,
    since programs disagree on their base.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if text[0] == "[":
        text, closed, port = text[1:].partition("]")
        if not closed or not _is_port_part(port):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port_part(f":{port}"):
            return None
    # inet_pton is four times as quick as ipaddress's own parser; both refuse leading zeros.
    try:
        if ":" not in text:
            return IPv4Address(socket.inet_pton(socket.AF_INET, text))
        raw = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL or a lone surrogate in the text
        return None
    return IPv4Address(raw[12:]) if raw.startswith(_MAPPED_PREFIX) else IPv6Address(raw)


def _is_port_part(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit())


def client_ip(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> Address | None:
    """Address of the visitor: the peer, or behind trusted proxies what they vouch for.

    `X-Forwarded-For` is read from its right end while the addresses are trusted proxies; the first
    one that is not is the visitor. What stands left of it was written by the visitor and means
    nothing. An entry that is no address ends the walk at the proxy that wrote it. None when the
    peer itself is no address (a unix socket).
    """
    address = parse_ip(peer)
    if address is None or not forwarded_for or not trusted:
        return address
    rest = forwarded_for
    while rest and any(address in network for network in trusted):
        rest, _, entry = rest.rpartition(",")
        found = parse_ip(entry)
        if found is None:
            break
        address = found
    return address


def packed(address: Address) -> RawIp:
    """The address in network order: 4 or 16 bytes."""
    return RawIp(address.packed)


def network_of(address: Address) -> bytes:
    """The address truncated to its /24 or /48, the rest zero: 4 or 16 bytes."""
    return network_of_packed(packed(address))


def network_of_packed(raw: RawIp) -> bytes:
    """`network_of` of a packed address."""
    kept = _KEPT_BYTES[len(raw)]
    return raw[:kept] + bytes(len(raw) - kept)


def seal_address(address: Address | None, mode: IpMode, seal: Callable[[RawIp], bytes]) -> bytes:
    """What a client may keep of an address: `seal`ed, truncated to its network, or b"".

    Raises ValueError for an unknown mode: a misspelt setting must not pass as a permissive one.
    """
    if mode not in ("encrypted", "truncated", "none"):
        raise ValueError(f"unknown IP mode {mode!r}: use encrypted, truncated or none")
    if address is None or mode == "none":
        return b""
    return seal(packed(address)) if mode == "encrypted" else network_of(address)


def visitor_hash(secret: bytes, site_id: int, address_packed: bytes, user_agent: str) -> int:
    """Pseudonym of a visitor without consent, signed 64-bit.

    Keyed BLAKE2b (RFC 7693) with the client's `visitor` key of the UTC day, so it cannot be
    recomputed once that key is destroyed. `secret` is 1 to 64 bytes; each field has its length
    in front, so no two different visitors give the same message.
    """
    return visitor_hasher(secret, site_id)(address_packed, agent_field(user_agent))


def visitor_hasher(secret: bytes, site_id: int) -> Callable[[bytes, bytes], int]:
    """`visitor_hash` of one key and site: (packed address, `agent_field`) to pseudonym.

    For where many visitors of one site are hashed: the key and the agent are prepared once. It
    holds the key as `secret` does.
    """
    begun = _begin(secret, _VISITOR, site_id)

    def hash_visitor(address_packed: bytes, agent: bytes) -> int:
        digest = begun.copy()
        digest.update(len(address_packed).to_bytes(4, "big") + address_packed + agent)
        return int.from_bytes(digest.digest(), "big", signed=True)

    return hash_visitor


def agent_field(user_agent: str) -> bytes:
    """A User-Agent as `visitor_hasher` takes it: its length and its bytes."""
    agent = user_agent.encode("utf-8", "surrogatepass")
    return len(agent).to_bytes(4, "big") + agent


def cookie_hash(secret: bytes, site_id: int, cookie_value: str) -> int:
    """Pseudonym of a consenting visitor, signed 64-bit.

    The cookie's value under the client's `cookie` key. Never equal to a `visitor_hash` but by
    chance (1 in 2^64).
    """
    return _hash(secret, _COOKIE, site_id, cookie_value.encode("utf-8", "surrogatepass"))


def _begin(secret: bytes, purpose: bytes, site_id: int) -> "hashlib.blake2b":
    if not secret:
        # BLAKE2b takes an empty key for "no key", which anyone could recompute.
        raise ValueError("the secret of a pseudonym is empty: pass the client's key")
    site = site_id.to_bytes(8, "big", signed=True)
    return hashlib.blake2b(site, digest_size=8, key=secret, person=purpose)


def _hash(secret: bytes, purpose: bytes, site_id: int, *fields: bytes) -> int:
    digest = _begin(secret, purpose, site_id)
    for field in fields:
        digest.update(len(field).to_bytes(4, "big"))
        digest.update(field)
    return int.from_bytes(digest.digest(), "big", signed=True)
