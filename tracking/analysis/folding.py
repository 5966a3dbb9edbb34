"""Groups too small to be shown, folded by exact counts. Pure.

The same promise as tracking.reports.thresholds makes for rollups: no group of fewer than k
visitors is shown, nor can its number be had by subtracting the others from the total.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True)
class Counted(Generic[Key]):
    """A group and its visits."""

    key: Key
    visits: int


@dataclass(frozen=True)
class Folded(Generic[Key]):
    """What may be shown of some groups."""

    kept: tuple[Counted[Key], ...]
    other_visits: int
    """Visits of all other groups together; 0: there are none."""
    is_hidden: bool = False
    """So few visitors that nothing may be shown."""


def fold(
    large: Sequence[Counted[Key]], *, visits: int, visitors: int, k: int, limit: int
) -> Folded[Key]:
    """At most `limit` groups, and what is left of the total.

    `large` are the groups of at least k visitors, most visits first: all of them, or at least
    `limit` + 1. `visits` and `visitors` are the totals of all groups, small ones included.

    What is left holds at least k visitors: a large group that did not fit, or else the smallest
    of those that did, which then goes with it.
    """
    kept = list(large[:limit])
    left = visits - sum(group.visits for group in kept)
    if left and len(large) <= limit:
        if not kept:
            hidden = visitors < k
            return Folded((), 0 if hidden else visits, is_hidden=hidden)
        left += kept.pop().visits
    return Folded(tuple(kept), left)
