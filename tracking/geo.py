"""Country and region of an address, from MMDB files.

Nothing is remembered by address: a look-up in the mapped file takes about a microsecond, and a
cache would hold raw addresses (promise 1).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import maxminddb

from tracking.addresses import Address, RawIp


class Place(NamedTuple):
    """Where an address is; "" what is not known."""

    country: str = ""
    """ISO 3166-1 alpha-2."""
    region: str = ""
    """ISO 3166-2 subdivision with its country, e.g. GB-ENG; "" without a city database."""


NOWHERE = Place()


class _Packed:
    """What the MMDB reader asks of an address."""

    __slots__ = ("packed", "version")

    def __init__(self, raw: bytes) -> None:
        self.packed = raw
        self.version = 4 if len(raw) == 4 else 6


class GeoReader:
    """Places of addresses, from one MMDB file or from several, asked in their order.

    Knows the form of GeoLite2, GeoIP2 and DB-IP (`country.iso_code`, `subdivisions[].iso_code`), of
    @ip-location-db (`country_code`) and of IPinfo (`country`). A file that is missing or broken
    is left out and named in `reason`: traffic is counted without places rather than not at all.
    """

    reason: str
    """Why places are not, or not fully, known: one line; "" when every file was read."""

    def __init__(self, path: str | Path | Sequence[str | Path]) -> None:
        paths = [path] if isinstance(path, str | Path) else list(path)
        self._readers: list[tuple[maxminddb.Reader, bool]] = []
        reasons = [] if paths else ["no MMDB file is set: countries are unknown"]
        for each in paths:
            try:
                # The C extension over a mapped file, which processes share; pure Python without.
                reader = maxminddb.open_database(str(each), maxminddb.MODE_AUTO)
            except FileNotFoundError:
                reasons.append(f"MMDB file {each} is missing: countries are unknown")
            except (OSError, maxminddb.InvalidDatabaseError) as error:
                reasons.append(f"MMDB file {each} cannot be read: {error}")
            else:
                self._readers.append((reader, reader.metadata().ip_version == 6))
        self.reason = "; ".join(" ".join(reason.split()) for reason in reasons)

    def locate(self, address: Address) -> Place:
        """Place of an address; `NOWHERE` for private and unknown ones."""
        for reader, knows_ipv6 in self._readers:
            if address.version == 4 or knows_ipv6:
                place = _read_record(reader.get(address))
                if place.country:
                    return place
        return NOWHERE

    def locate_packed(self, raw: RawIp) -> Place:
        """`locate` of a packed address, without making an address object of it."""
        address = _Packed(raw)
        for reader, knows_ipv6 in self._readers:
            if len(raw) == 4 or knows_ipv6:
                place = _read_record(reader.get(address))  # type: ignore[arg-type]  # it reads `packed` and no more
                if place.country:
                    return place
        return NOWHERE

    def close(self) -> None:
        """Unmaps the files; `locate` must not be called afterwards."""
        for reader, _ in self._readers:
            reader.close()


def _read_record(record: object) -> Place:
    if type(record) is dict and len(record) == 1:
        # All that a country database says: the same few hundred places again and again.
        code = record.get("country_code")
        if type(code) is str:
            return _country(code)
    return _read_fields(record)


@functools.lru_cache(1_000)
def _country(code: str) -> Place:
    return _read_fields({"country_code": code})


def _read_fields(record: object) -> Place:
    if not isinstance(record, Mapping):
        return NOWHERE
    country = record.get("country_code") or record.get("country")
    if isinstance(country, Mapping):
        country = country.get("iso_code")
    if not isinstance(country, str) or len(country) != 2 or not country.isalpha():
        return NOWHERE
    country = country.upper()
    divisions = record.get("subdivisions")
    if not isinstance(divisions, list) or not divisions or not isinstance(divisions[0], Mapping):
        return Place(country)
    code = divisions[0].get("iso_code")
    if not isinstance(code, str) or not code:
        return Place(country)
    return Place(country, code if code.startswith(f"{country}-") else f"{country}-{code}")
