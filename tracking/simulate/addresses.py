"""Addresses for made-up visitors.

History takes them from networks that belong to nobody. Live traffic must show countries, so it
takes them from a country's ranges in the MMDB file: random members of a range, of whom nothing is
known and to whom nothing is sent.
"""

import hashlib
import random
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from tracking.addresses import Address
from tracking.geo import GeoReader

_BENCHMARK_V4: Final = int(IPv4Address("198.18.0.0"))
"""198.18.0.0/15, set aside for measurements of devices (RFC 2544)."""
_DOCUMENTATION_V6: Final = int(IPv6Address("2001:db8::"))
"""2001:db8::/32 (RFC 3849)."""
_REGISTRIES_V6: Final = (0x2A00 << 112, 0x2600 << 112, 0x2400 << 112, 0x2800 << 112)
"""2a00::/12 Europe, 2600::/12 North America, 2400::/12 Asia, 2800::/12 Latin America."""
_TRIES: Final = 60_000
_ENOUGH: Final = 400
_V6_SHARE: Final = 3
"""One visitor in three has IPv6."""


def synthetic_address(number: int) -> Address:
    """The same address for the same number, out of networks that route nowhere."""
    if number % _V6_SHARE == 0:
        return IPv6Address(_DOCUMENTATION_V6 | (number >> 8 & 0xFFFF_FFFF) << 64 | 1)
    return IPv4Address(_BENCHMARK_V4 | (number >> 8 & 0x1FFFF))


class CountryAddresses:
    """Addresses by country, found by asking the MMDB file about random ones.

    Asking takes about a microsecond, reading the whole file takes seconds. Countries of which
    none was found (a missing file, a very small country) get synthetic addresses.
    """

    def __init__(self, geo: GeoReader, countries: Collection[str], *, seed: int = 0) -> None:
        rng = random.Random(seed)
        self._networks: dict[str, list[Address]] = {country: [] for country in countries}
        lacking = set(countries)
        for _ in range(_TRIES):
            address: Address = _random_address(rng)
            country = geo.locate(address).country
            if country in lacking:
                found = self._networks[country]
                found.append(address)
                if len(found) >= _ENOUGH:
                    lacking.discard(country)
                    if not lacking:
                        break

    def address(self, country: str, number: int) -> Address:
        """The same address for the same country and number."""
        networks = self._networks.get(country)
        if not networks:
            return synthetic_address(number)
        base = networks[number % len(networks)]
        # Another host of the same /24 or /48, which a database of countries does not split.
        host = int.from_bytes(hashlib.blake2b(number.to_bytes(8, "big"), digest_size=8).digest())
        if isinstance(base, IPv4Address):
            return IPv4Address(int(base) & ~0xFF | 1 + host % 254)
        return IPv6Address(int(base) & ~((1 << 80) - 1) | host & 0xFFFF_FFFF)


def _random_address(rng: random.Random) -> Address:
    if rng.randrange(_V6_SHARE) == 0:
        return IPv6Address(rng.choice(_REGISTRIES_V6) | rng.getrandbits(68) << 48)
    return IPv4Address(rng.randrange(0x01000000, 0xDF000000))
