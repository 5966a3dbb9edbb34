"""Ids of hits."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tracking.hits import uuid7_bytes, uuid7_ms


def test_an_id_is_that_of_the_standard():
    # RFC 9562, A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    random = bytes.fromhex("0cc318c4dc0c0c07398f")
    found = uuid.UUID(bytes=uuid7_bytes(0x017F22E279B0 * 1_000 + 999, random))
    assert found == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=32))
def test_whatever_the_bits_are_version_and_variant_are_kept(at_ms: int, random: bytes):
    found = uuid.UUID(bytes=uuid7_bytes(at_ms * 1_000, random))
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert uuid7_ms(found) == at_ms
    assert found.bytes[7] == random[1]
    assert found.bytes[9:] == random[3:10]
