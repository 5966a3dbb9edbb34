"""Groups too small to be shown: folded into *other*, and *other* made large enough. Pure.

**Which rows** are protected by the client's k (`is_protected`): every row whose question names an
outcode, whether it groups by it or filters on it, and every row of a question that names two or
more different dimensions, however they are named. `visit:country` filtered on `visit:source` is
the same cross as both grouped by, row for row, so a filter may not be a way around the threshold;
and with three filters and no dimension the total itself is such a row. Which two dimensions are
crossed makes no difference: a browser and an hour of rare habits point at a person as well as a
place does, so there is no list of harmless pairs. Time is no dimension here, or no client with few
visitors could see a day's course; but the rows of a protected question are protected in each hour
or day too. One dimension alone, but for the outcode, is not protected: it is what a rollup keeps.
A goal is a dimension, and an outcode if that is what it asks for.

**How**: a group of fewer than k visitors could be a person. It is not enough to hide it:

- if *other* held one small group alone, its numbers would be that group's. So *other* takes the
  next smallest groups, until it has k visitors itself;
- if all groups together have fewer than k visitors, nothing is shown at all.

Hours and days of a protected question without another dimension cannot be folded into anything:
they are hidden one by one, and then the next smallest too, until k visitors are hidden.

Nor may a row be fewer than k visitors less than the same row without one of its filters, unless
it is none less: `tracking.query.differences` says of which groups that is so, and they are folded
or hidden like small ones.

Visitors are those of the whole period: a cookieless visitor counts once a day, so that one
person who comes back on k days is not protected by this alone. Nor are the differences between
two overlapping periods, or between two filters that name other values of one dimension.
"""

from collections.abc import Callable, Iterable, Sequence
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
    everything = list(groups) if other is None else [*groups, other]
    kept, folded, hidden = pick_small(
        [count_surely(group.sketches) for group in everything],
        lambda which: count_surely(_sketches([everything[number] for number in which])),
        k,
        already=[len(groups)] if other is not None else [],
        rank=[group.label for group in everything],
    )
    if hidden or not folded:
        return [everything[number] for number in kept], None, hidden
    parts = [everything[number] for number in folded]
    sums = tuple(map(sum, zip(*(group.sums for group in parts), strict=True)))
    large = [everything[number] for number in kept]
    return large, Group(OTHER, "", sums, tuple(_sketches(parts))), False


def pick_small(
    sizes: Sequence[int],
    joint: Callable[[Sequence[int]], int],
    k: int,
    *,
    already: Iterable[int] = (),
    rank: Sequence[int] | None = None,
    tells: Callable[[Sequence[int]], bool] | None = None,
) -> tuple[list[int], list[int], bool]:
    """Numbers of the groups that may be shown, in order, of those to fold, and whether to hide all.

    `sizes` are the visitors of each group, `joint` tells those of some groups together, `already`
    names what is *other* from the start, `tells` whether some groups would tell of fewer than k
    visitors though they are k. Of groups of equal size the one with the smaller `rank`
    (its number, if not given) is folded first. When all is hidden, nothing is kept or folded.
    """
    folded = sorted({*already, *(number for number, size in enumerate(sizes) if size < k)})
    if not folded:
        return list(range(len(sizes))), [], False
    kept = set(range(len(sizes))).difference(folded)
    ranks = range(len(sizes)) if rank is None else rank

    def is_enough() -> bool:
        return joint(folded) >= k and not (tells and tells(folded))

    if tells and tells(range(len(sizes))):
        # What all groups would tell, the folded ones tell: the others tell nothing by themselves.
        return [], [], True
    for smallest in sorted(kept, key=lambda number: (sizes[number], ranks[number])):
        if is_enough():
            break
        folded.append(smallest)
        kept.discard(smallest)
    if not is_enough():
        return [], [], True
    return sorted(kept), folded, False


def is_protected(dimensions: Iterable[str], *, outcode: bool = False) -> bool:
    """Whether rows of a question that names these dimensions must have k visitors.

    All that it groups by or filters on, in any order, repeated or not. `outcode`: one of them
    stands for an outcode.
    """
    named = {each for each in dimensions if not each.startswith("time")}
    return outcode or "visit:outcode" in named or len(named) > 1


def _sketches(groups: Sequence[Group]) -> list[bytes]:
    return [sketch for group in groups for sketch in group.sketches]
