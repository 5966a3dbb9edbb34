"""Groups too small to be shown: folded into *other*, and *other* made large enough. Pure.

A group of fewer than k visitors could be a person. It is not enough to hide it:

- if *other* held one small group alone, its numbers would be that group's. So *other* takes the
  next smallest groups, until it has k visitors itself;
- if all groups together have fewer than k visitors, nothing is shown at all.

Visitors are those of the whole period: a cookieless visitor counts once a day, so that one
person who comes back on k days is not protected by this alone. Nor are the differences between
two overlapping periods.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.models.raw import OTHER
from tracking.sketches import count_surely


@dataclass(frozen=True)
class Group:
    """A value's sums (in the order of its report's columns) and sketches of its visitors."""

    label: int
    value: str
    sums: tuple[int, ...]
    sketches: tuple[bytes, ...]


def fold_small(
    groups: Sequence[Group], other: Group | None, k: int
) -> tuple[list[Group], Group | None, bool]:
    """Groups of at least k visitors in the order given, *other*, and whether all is hidden.

    `other` is what a rollup folded already. When all is hidden there are neither groups nor
    *other*. Where counts are estimates (k above 190), the smallest likely number decides.
    """
    sizes = {group.label: count_surely(group.sketches) for group in groups}
    folded = [group for group in groups if sizes[group.label] < k]
    if other is not None:
        folded.append(other)
    if not folded:
        return list(groups), None, False
    large = [group for group in groups if sizes[group.label] >= k]
    for smallest in sorted(large, key=lambda group: (sizes[group.label], group.label)):
        if count_surely(_sketches(folded)) >= k:
            break
        folded.append(smallest)
        large.remove(smallest)
    if count_surely(_sketches(folded)) < k:
        return [], None, True
    sums = tuple(map(sum, zip(*(group.sums for group in folded), strict=True)))
    return large, Group(OTHER, "", sums, tuple(_sketches(folded))), False


def _sketches(groups: Sequence[Group]) -> list[bytes]:
    return [sketch for group in groups for sketch in group.sketches]
