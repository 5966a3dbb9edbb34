"""Addresses are read strictly, found behind trusted proxies only, cut, and hashed away."""

import hashlib
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.addresses import (
    Address,
    RawIp,
    client_ip,
    cookie_hash,
    network_of,
    packed,
    parse_ip,
    seal_address,
    visitor_hash,
)

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
LOAD_BALANCERS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:c000:201]:1", "192.0.2.1"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_read_in_all_its_dresses(text: str, address: str) -> None:
    assert parse_ip(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "unknown", "_hidden", "192.0.2", "192.0.2.256", "010.1.1.1", "192.0.2.1:http"),
        *("[2001:db8::1", "2001:db8::1]", "[::1]x", "1:2:3", "::1::", "example.com", "1.2.3.4.5"),
        *("\x00", "1.2.3.4\x00", "\udc80", "\u0661.2.3.4", "1" * 500),
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_ip(text) is None


@given(addresses)
def test_every_address_is_read_back(address: Address) -> None:
    expected = getattr(address, "ipv4_mapped", None) or address
    assert parse_ip(str(address)) == expected
    assert parse_ip(f"[{address}]:443") == expected


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    parse_ip(text)
    client_ip("10.0.0.1", text, LOAD_BALANCERS)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,198.51.100.7 , 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("fd00::1", "[2001:db8::7]:9", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_only_trusted_proxies_are_believed(
    peer: str, forwarded_for: str | None, client: str
) -> None:
    assert client_ip(peer, forwarded_for, LOAD_BALANCERS) == ip_address(client)


def test_without_trusted_proxies_a_forwarded_address_counts_for_nothing() -> None:
    assert client_ip("10.0.0.1", "198.51.100.7", ()) == ip_address("10.0.0.1")


def test_a_unix_socket_has_no_address() -> None:
    assert client_ip("", "198.51.100.7", LOAD_BALANCERS) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.129", bytes([192, 0, 2, 0])),
        ("2001:db8:1:2::9", bytes.fromhex("20010db80001") + bytes(10)),
    ],
)
def test_a_truncated_address_is_its_network(address: str, network: bytes) -> None:
    assert network_of(ip_address(address)) == network


@given(addresses)
def test_a_truncated_address_agrees_with_the_standard_library(address: Address) -> None:
    prefix = 24 if address.version == 4 else 48
    expected = ip_network(f"{address}/{prefix}", strict=False).network_address
    assert network_of(address) == expected.packed


def test_an_address_is_sealed_truncated_or_gone_as_the_client_says() -> None:
    seen: list[bytes] = []

    def seal(raw: RawIp) -> bytes:
        seen.append(raw)
        return b"sealed"

    address = ip_address("192.0.2.129")
    assert seal_address(address, "truncated", seal) == bytes([192, 0, 2, 0])
    assert seal_address(address, "none", seal) == b""
    assert seal_address(None, "encrypted", seal) == b""
    assert seen == []
    assert seal_address(address, "encrypted", seal) == b"sealed"
    assert seen == [packed(address)]


def test_a_misspelt_mode_keeps_nothing_and_says_so() -> None:
    with pytest.raises(ValueError, match="unknown IP mode 'encrypt'"):
        seal_address(None, "encrypt", bytes)  # type: ignore[arg-type] # that is the point


SECRET = bytes(range(32))
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/127.0"

# Fixed once, so that a change of the message's form is seen: it would split every visitor in two.
VISITOR = -6861079477337061944
COOKIE = -5733386628530670524


def test_a_visitor_is_the_keyed_hash_of_site_address_and_agent() -> None:
    message = (7).to_bytes(8, "big") + bytes([0, 0, 0, 4, 192, 0, 2, 1])
    message += len(AGENT).to_bytes(4, "big") + AGENT.encode()
    digest = hashlib.blake2b(message, digest_size=8, key=SECRET, person=b"outward.visitor").digest()
    raw = packed(IPv4Address("192.0.2.1"))
    assert visitor_hash(SECRET, 7, raw, AGENT) == int.from_bytes(digest, "big", signed=True)
    assert visitor_hash(SECRET, 7, raw, AGENT) == VISITOR


def test_a_cookie_is_the_keyed_hash_of_site_and_value() -> None:
    message = (7).to_bytes(8, "big") + bytes([0, 0, 0, 3]) + b"abc"
    digest = hashlib.blake2b(message, digest_size=8, key=SECRET, person=b"outward.cookie").digest()
    assert cookie_hash(SECRET, 7, "abc") == int.from_bytes(digest, "big", signed=True)
    assert cookie_hash(SECRET, 7, "abc") == COOKIE


def test_an_empty_secret_is_refused_for_anyone_could_recompute_it() -> None:
    with pytest.raises(ValueError, match="secret of a pseudonym is empty"):
        visitor_hash(b"", 7, b"\x00" * 4, AGENT)


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(1, 2**31),
    st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
    st.text(max_size=40),
    st.text(max_size=4),
)
def test_another_field_gives_another_visitor(
    secret: bytes, site_id: int, raw: bytes, agent: str, more: str
) -> None:
    visitor = visitor_hash(secret, site_id, raw, agent)
    assert -(2**63) <= visitor < 2**63
    assert visitor == visitor_hash(secret, site_id, raw, agent)
    others = {
        visitor_hash(secret[::-1] + b"\x01", site_id, raw, agent),
        visitor_hash(secret, site_id + 1, raw, agent),
        visitor_hash(secret, site_id, raw[:-1] + bytes([raw[-1] ^ 1]), agent),
        visitor_hash(secret, site_id, raw, f"{agent}{more}x"),
        visitor_hash(secret, site_id, raw + b"a", agent),
        cookie_hash(secret, site_id, agent),
    }
    assert visitor not in others


def test_bytes_moved_from_one_field_to_the_next_give_another_visitor() -> None:
    assert visitor_hash(SECRET, 1, b"1234", "5678") != visitor_hash(SECRET, 1, b"12345", "678")


def test_a_user_agent_that_is_no_text_is_hashed_all_the_same() -> None:
    assert visitor_hash(SECRET, 1, b"1234", "\udcff") != visitor_hash(SECRET, 1, b"1234", "")


def test_mapped_and_plain_addresses_are_one_visitor() -> None:
    plain, mapped = parse_ip("192.0.2.1"), parse_ip("::ffff:192.0.2.1")
    assert plain is not None
    assert mapped is not None
    assert packed(plain) == packed(mapped)
    assert not isinstance(mapped, IPv6Address)
