"""Ids of hits, and their forms: open, in an entry of the stream, and in columns."""

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.hit_maker import Labels, make_hit
from tracking.columns import Columns, Gathering, columns_of
from tracking.hits import MAX_ENGAGED_S, Hit, Kind, tag_of, uuid7_bytes, uuid7_ms
from tracking.streams import (
    alone,
    decode_entry,
    decode_hits,
    decode_hits_one_by_one,
    encode_hits,
    encode_plainly,
)

texts = st.sampled_from(["", "", "", "/", "/a", "www.example", "Zoë"])
hits_of_any_kind = st.builds(
    Hit,
    id=st.binary(min_size=16, max_size=16),
    client_id=st.integers(0, 2**31 - 1),
    site_id=st.integers(0, 2**31 - 1),
    at_us=st.integers(-(2**63), 2**63 - 1),
    kind=st.sampled_from(list(map(int, Kind))),
    visitor=st.integers(-(2**63), 2**63 - 1),
    consented=st.booleans(),
    host=texts,
    path=texts,
    name=texts,
    props=st.none() | st.dictionaries(texts, texts, max_size=2),
    interactive=st.booleans(),
    engaged_s=st.integers(0, MAX_ENGAGED_S),
    scroll=st.integers(0, 100),
    status=st.sampled_from([0, 0, 999]),
    bytes_sent=st.sampled_from([0, 0, 2**63 - 1]),
    outcode=st.sampled_from(["", "GB SW1A"]),
    import_id=st.sampled_from([0, 0, 7]),
)


def agree(columns: Columns, hits: list[Hit]) -> None:
    """Every column says what its hit says."""
    assert list(columns.hits()) == hits
    for name in ("at_us", "visitor", "client_id", "site_id", "kind", "engaged_s", "scroll"):
        assert getattr(columns, name).tolist() == [getattr(hit, name) for hit in hits], name
    assert columns.tag.tolist() == [tag_of(hit.id) for hit in hits]
    assert columns.has_more.tolist() == [
        any((hit.name, hit.host, hit.props, hit.status, hit.bytes_sent, hit.import_id))
        for hit in hits
    ]
    assert columns.has_outcode.tolist() == [bool(hit.outcode) for hit in hits]
    assert columns.is_interactive.tolist() == [hit.interactive for hit in hits]
    assert columns.paths() == {hit.path for hit in hits}
    labels = Labels()
    expected = [labels[hit.path] for hit in hits]
    assert columns.path_labels(labels).tolist() == expected


@given(st.lists(st.lists(hits_of_any_kind, max_size=4), max_size=4), st.randoms())
def test_entries_and_columns_say_what_the_hits_say(parts, rng):
    gathering = Gathering()
    for part in parts:
        payload = encode_hits(part)
        assert decode_hits(payload) == part
        entry = decode_entry(payload)
        gathering.add(entry.records, entry.paths, entry.hits)
    hits = [hit for part in parts for hit in part]
    agree(gathering.columns(), hits)
    agree(columns_of(hits), hits)
    assert columns_of(hits).are_in_range().all()
    places = rng.sample(range(len(hits)), rng.randint(0, len(hits)))
    if places:
        agree(columns_of(hits).take(places), [hits[place] for place in places])
    ordered = sorted(hits, key=lambda hit: hit.at_us)
    agree(columns_of(hits).in_order_of_time(), ordered)


def test_hits_of_one_moment_keep_their_order():
    hits = [make_hit(number % 3, path=f"/{number}") for number in range(200)]
    agree(columns_of(hits).in_order_of_time(), sorted(hits, key=lambda hit: hit.at_us))


@given(st.lists(hits_of_any_kind, min_size=1, max_size=3))
def test_an_array_of_hits_as_former_collectors_sent_it_is_read(hits):
    former = msgspec.msgpack.encode(hits)
    assert decode_hits(former) == hits
    assert encode_plainly(hits) == former
    entry = decode_entry(former)
    assert entry == decode_entry(encode_hits(hits))
    assert decode_hits(alone(entry.hits[0])) == hits[:1]


@given(st.lists(hits_of_any_kind, max_size=3))
def test_the_plain_form_is_read_and_is_smaller(hits):
    assert decode_hits(encode_plainly(hits)) == hits
    assert len(encode_plainly(hits)) < len(encode_hits(hits))


@given(st.lists(hits_of_any_kind, min_size=1, max_size=3))
def test_an_entry_that_is_broken_as_a_whole_is_not_taken_apart(hits):
    entry = decode_entry(encode_hits(hits))
    payload = msgspec.msgpack.encode([entry.records, 5, entry.hits])
    for decode in (decode_entry, decode_hits, decode_hits_one_by_one):
        with pytest.raises(msgspec.DecodeError):
            decode(payload)


@given(st.lists(hits_of_any_kind, min_size=1, max_size=3), st.data())
def test_an_entry_whose_parts_are_of_different_lengths_is_refused_but_its_hits_are_saved(
    hits, data
):
    entry = decode_entry(encode_hits(hits))
    part = data.draw(st.sampled_from(["records", "paths", "hits"]))
    setattr(entry, part, getattr(entry, part)[:-1])
    payload = msgspec.msgpack.encode(entry)
    with pytest.raises(msgspec.ValidationError):
        decode_entry(payload)
    assert decode_hits_one_by_one(payload) == (hits[: len(entry.hits)], [])


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
