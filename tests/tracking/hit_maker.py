"""Makes hits for tests of the writer."""

import itertools
from collections.abc import Mapping
from typing import Any

from tracking.hits import Hit, Kind, uuid7_bytes

NOON_US = 1_780_000_000_000_000 - 1_780_000_000_000_000 % (86_400_000_000) + 43_200_000_000
"""Noon UTC of a day in May 2026."""
_numbers = itertools.count(1)


class Labels(Mapping[str, int]):
    """Label ids of any text, in the order of asking."""

    def __init__(self) -> None:
        self._ids = {"": 0}

    def __getitem__(self, text: str) -> int:
        return self._ids.setdefault(text, len(self._ids) + 99)

    def __iter__(self):
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def make_hit(
    at_s: float = 0.0,
    *,
    visitor: int = 1,
    kind: Kind = Kind.PAGEVIEW,
    path: str = "/",
    client_id: int = 1,
    site_id: int = 1,
    start_us: int = NOON_US,
    **fields: Any,
) -> Hit:
    """A hit `at_s` seconds after `start_us`, with an id of its own."""
    at_us = start_us + round(at_s * 1_000_000)
    return Hit(
        id=uuid7_bytes(at_us, next(_numbers).to_bytes(10, "big")),
        client_id=client_id,
        site_id=site_id,
        at_us=at_us,
        kind=int(kind),
        visitor=visitor,
        consented=fields.pop("consented", False),
        host=fields.pop("host", ""),
        path=path,
        **fields,
    )
