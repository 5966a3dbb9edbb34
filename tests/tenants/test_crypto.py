"""Sealed values open with their key, in their place, unchanged, and in no other way."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tenants.crypto import SealError, associated_data, seal, unseal, unwrap_key, wrap_key

KEY = bytes(range(32))
PLACE = associated_data(7, "origins", "ip_sealed", b"\x01" * 16)


def test_associated_data_is_known() -> None:
    assert PLACE == (
        b"\x00\x017" + b"\x00\x07origins" + b"\x00\tip_sealed" + b"\x00\x10" + b"\x01" * 16
    )


def test_sealed_bytes_are_nonce_ciphertext_and_tag_of_aes_gcm() -> None:
    sealed = seal(KEY, b"\xcb\x00\x71\x05", PLACE)
    assert len(sealed) == 12 + 4 + 16
    assert AESGCM(KEY).decrypt(sealed[:12], sealed[12:], PLACE) == b"\xcb\x00\x71\x05"


def test_a_known_answer_of_aes_gcm_opens() -> None:
    # Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", AES-256.
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    cipher = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert unseal(key, nonce + cipher, aad) == plain


def test_a_known_answer_of_key_wrap_opens() -> None:
    # RFC 3394, 4.6: 256 bits of key data with a 256-bit KEK.
    root = bytes.fromhex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")
    secret = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = bytes.fromhex(
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    )
    assert wrap_key(root, secret) == wrapped
    assert unwrap_key(root, wrapped) == secret


def test_another_root_key_opens_nothing() -> None:
    with pytest.raises(SealError):
        unwrap_key(bytes(32), wrap_key(KEY, bytes(32)))


@given(st.binary(max_size=64))
def test_what_is_sealed_opens(plaintext: bytes) -> None:
    assert unseal(KEY, seal(KEY, plaintext, PLACE), PLACE) == plaintext


@given(
    st.sampled_from(
        [
            associated_data(8, "origins", "ip_sealed", b"\x01" * 16),
            associated_data(7, "hits", "ip_sealed", b"\x01" * 16),
            associated_data(7, "origins", "outcode", b"\x01" * 16),
            associated_data(7, "origins", "ip_sealed", b"\x02" * 16),
        ]
    )
)
def test_a_value_moved_elsewhere_does_not_open(place: bytes) -> None:
    with pytest.raises(SealError):
        unseal(KEY, seal(KEY, b"abcd", PLACE), place)


@given(st.integers(min_value=0, max_value=31), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_does_not_open(position: int, change: int) -> None:
    sealed = bytearray(seal(KEY, b"abcd", PLACE))
    sealed[position] ^= change
    with pytest.raises(SealError):
        unseal(KEY, bytes(sealed), PLACE)


def test_a_value_cut_short_does_not_open() -> None:
    with pytest.raises(SealError):
        unseal(KEY, b"short", PLACE)


@given(st.lists(st.binary(max_size=5), min_size=2, max_size=2))
def test_two_places_never_share_their_associated_data(rows: list[bytes]) -> None:
    one, two = (associated_data(1, "t" + "a" * len(row), "c", row) for row in rows)
    assert (one == two) == (rows[0] == rows[1])
