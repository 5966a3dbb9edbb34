"""Numbering, distinguishing and summing columns of integers. Pure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tracking.rollups.hours import Ints

Flags = npt.NDArray[np.bool_]
Columns = dict[int, Ints]
"""Counters of entries by their number; what is missing is 0."""
COUNTERS = 7
"""How many counters there are."""
_TABLE = 4
"""A table of values may have so many entries for each row."""
_SMALL_TABLE = 65_536


def is_new(ordered: Ints) -> Flags:
    """Where a sorted column differs from the row before."""
    new = np.ones(ordered.size, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return new


def distinct(values: Ints) -> Ints:
    """Each value once, ascending: sorting is a fifth of numpy's hashing here."""
    ordered = np.sort(values)
    return ordered[is_new(ordered)]


def places(ids: Ints, wanted: Ints) -> tuple[Ints, Flags]:
    """Index of each wanted id among the sorted ids, and whether it is there."""
    if not ids.size:
        return np.zeros(wanted.size, dtype=np.int64), np.zeros(wanted.size, dtype=bool)
    place = np.minimum(np.searchsorted(ids, wanted), ids.size - 1)
    return place, ids[place] == wanted


def factorised(column: Ints) -> tuple[int, Ints]:
    """How many different values there are, and a number for each row, in their order.

    Label ids are small and dense: a table of them is faster than sorting.
    """
    if not column.size:
        return 0, column
    low, high = int(column.min()), int(column.max())
    if low == high:
        return 1, np.zeros(column.size, dtype=np.int64)
    if high - low > _TABLE * column.size + _SMALL_TABLE:
        values, place = np.unique(column, return_inverse=True)
        return values.size, place
    present = np.zeros(high - low + 1, dtype=bool)
    present[column - low] = True
    number = np.cumsum(present, dtype=np.int32)
    return int(number[-1]), number[column - low].astype(np.int64) - 1


def coded(keys: Sequence[Ints]) -> tuple[Ints, Ints]:
    """A number for each different row of keys, in their order, and the index of one such row."""
    size, code = factorised(keys[0])
    for column in keys[1:]:
        values, place = factorised(column)
        if size == 1:
            size, code = values, place
        elif values > 1:
            size, code = factorised(code * values + place)
    first = np.zeros(size, dtype=np.int64)
    first[code] = np.arange(code.size)
    return code, first


def summed(sums: Columns, place: Ints, size: int) -> Ints:
    """All counters by place. Floats carry them, exactly: they stay below 2**53."""
    found = np.zeros((COUNTERS, size), dtype=np.int64)
    for number, column in sums.items():
        found[number] = np.bincount(place, weights=column, minlength=size)
    return found


def appended(one: Columns, size: int, other: Columns, other_size: int) -> Columns:
    """Entries of one, then of the other."""
    zeros, other_zeros = np.zeros(size, dtype=np.int64), np.zeros(other_size, dtype=np.int64)
    return {
        number: np.concatenate([one.get(number, zeros), other.get(number, other_zeros)])
        for number in one.keys() | other.keys()
    }


def taken(columns: Columns, which: Ints) -> Columns:
    """Some entries only."""
    return {number: column[which] for number, column in columns.items()}


def columns_of(sums: Ints) -> Columns:
    """The counters that are not all 0."""
    return {number: column for number, column in enumerate(sums) if column.any()}
