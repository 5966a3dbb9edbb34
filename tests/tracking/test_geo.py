"""Addresses are placed by MMDB files of every common shape."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from tracking.geo import NOWHERE, GeoReader, Place

ROOT = Path(__file__).resolve().parents[2]
COUNTRIES = (
    ROOT / "node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
)


UINT_KINDS = {2: 5, 4: 6, 8: 9}
"""Kind of an unsigned integer in the data section by its size in bytes."""


def encode(value: object) -> bytes:
    """A value of the MaxMind DB data section (https://maxmind.github.io/MaxMind-DB/).

    Integers come as bytes, for their size is their kind.
    """
    if isinstance(value, str):
        raw = value.encode()
        return _head(2, len(raw)) + raw
    if isinstance(value, dict):
        parts = [encode(key) + encode(each) for key, each in value.items()]
        return _head(7, len(parts)) + b"".join(parts)
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(encode, value))
    assert isinstance(value, bytes)
    return _head(UINT_KINDS[len(value)], len(value)) + value


def _head(kind: int, size: int) -> bytes:
    if kind > 7:
        return bytes([size, kind - 7])
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])


def write_mmdb(path: Path, first_half: object) -> Path:
    """A database of IPv4 whose lower half of addresses (0.0.0.0/1) has one record."""
    data = encode(first_half)
    # One node: left is the data section's first record (nodes + 16), right is "not found".
    tree = (1 + 16).to_bytes(3, "big") + (1).to_bytes(3, "big")
    metadata = {
        "node_count": (1).to_bytes(4, "big"),
        "record_size": (24).to_bytes(2, "big"),
        "ip_version": (4).to_bytes(2, "big"),
        "database_type": "Test",
        "languages": ["en"],
        "binary_format_major_version": (2).to_bytes(2, "big"),
        "binary_format_minor_version": bytes(2),
        "build_epoch": (1).to_bytes(8, "big"),
        "description": {"en": "test"},
    }
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(metadata))
    return path


def test_the_country_database_places_both_families() -> None:
    reader = GeoReader(COUNTRIES)
    assert reader.reason == ""
    assert reader.locate(ip_address("8.8.8.8")) == Place("US", "")
    assert reader.locate(ip_address("2a00:1450::1")) == Place("IE", "")
    reader.close()


@pytest.mark.parametrize("text", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "0.0.0.0"])
def test_a_private_address_is_nowhere(text: str) -> None:
    assert GeoReader(str(COUNTRIES)).locate(ip_address(text)) == NOWHERE


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (
            {"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "ENG"}]},
            Place("GB", "GB-ENG"),
        ),
        (
            {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "US-CA"}]},
            Place("US", "US-CA"),
        ),
        (
            {"country": {"iso_code": "FR"}, "subdivisions": [{"names": {"en": "Île-de-France"}}]},
            Place("FR", ""),
        ),
        ({"country": {"iso_code": "DE"}, "subdivisions": []}, Place("DE", "")),
        ({"country_code": "nl"}, Place("NL", "")),
        ({"country": "IE"}, Place("IE", "")),
        ({"country": {"names": {"en": "Nowhere"}}}, NOWHERE),
        ({"country_code": ""}, NOWHERE),
        ({"country_code": "None"}, NOWHERE),
        ({"asn": "64496"}, NOWHERE),
        ("GB", NOWHERE),
    ],
)
def test_city_and_country_databases_are_read(tmp_path: Path, record: object, place: Place) -> None:
    reader = GeoReader(write_mmdb(tmp_path / "one.mmdb", record))
    assert reader.reason == ""
    assert reader.locate(ip_address("81.2.69.142")) == place
    assert reader.locate(ip_address("203.0.113.1")) == NOWHERE


def test_a_database_of_ipv4_knows_no_ipv6_and_says_nothing(tmp_path: Path) -> None:
    reader = GeoReader(write_mmdb(tmp_path / "four.mmdb", {"country_code": "GB"}))
    assert reader.locate(ip_address("2a00:1450::1")) == NOWHERE


def test_the_first_database_that_knows_an_address_is_believed(tmp_path: Path) -> None:
    city = write_mmdb(
        tmp_path / "city.mmdb",
        {"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "SCT"}]},
    )
    reader = GeoReader([city, COUNTRIES])
    assert reader.locate(ip_address("8.8.8.8")) == Place("GB", "GB-SCT")
    assert reader.locate(ip_address("2a00:1450::1")) == Place("IE", "")


def test_a_missing_file_is_named_and_the_others_serve(tmp_path: Path) -> None:
    reader = GeoReader([tmp_path / "gone.mmdb", COUNTRIES])
    assert "gone.mmdb is missing" in reader.reason
    assert "\n" not in reader.reason
    assert reader.locate(ip_address("8.8.8.8")).country == "US"


def test_without_a_file_every_address_is_nowhere(tmp_path: Path) -> None:
    for reader in (GeoReader(tmp_path / "gone.mmdb"), GeoReader([])):
        assert reader.reason
        assert reader.locate(ip_address("8.8.8.8")) == NOWHERE


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"no database")
    assert "broken.mmdb cannot be read" in GeoReader(broken).reason
    assert "cannot be read" in GeoReader(tmp_path).reason
