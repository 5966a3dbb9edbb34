"""Distinct visitors as mergeable sketches: Apache DataSketches HLL.

A sketch is bytes: up to about 190 visitors it keeps each one's hash (12 bytes for one visitor,
4 more for each other) and counts exactly; beyond, it is an HLL_4 of 4,096 registers, 2.1 kB,
with a relative standard error of 1.6 % (https://datasketches.apache.org/docs/HLL/HLL.html).
HLL_4 is the smallest of the three forms and as exact; the visitor ids cannot be read back.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_K = 12
"""Logarithm of the number of registers."""
EXACT_BELOW = 190
"""Up to so many visitors, counts are exact."""
_FORM = tgt_hll_type.HLL_4
_ROUNDING = 1e-3
"""An exact count is estimated a millionth too high, or low."""


def sketch_of(visitors: Iterable[int]) -> bytes:
    """Sketch of visitor ids (signed 64-bit). The same ids in the same order give the same bytes."""
    sketch = hll_sketch(LG_K, _FORM)
    for visitor in visitors:
        sketch.update(visitor)
    return bytes(sketch.serialize_compact())


EMPTY = sketch_of(())
"""Nobody."""


def merge_sketches(sketches: Sequence[bytes]) -> bytes:
    """Sketch of everybody who is in one of them."""
    if len(sketches) == 1:
        return bytes(sketches[0])
    return bytes(_united(sketches).get_result(_FORM).serialize_compact())


class Count(NamedTuple):
    """What sketches say of how many distinct visitors are in them all together."""

    estimate: int
    surely: int
    """As `count_surely` says."""


def count_both(sketches: Iterable[bytes]) -> Count:
    """`count_visitors` and `count_surely` at once: uniting the sketches is what takes long."""
    united = _united(sketches)
    return Count(round(united.get_estimate()), int(united.get_lower_bound(2) + _ROUNDING))


def count_visitors(sketches: Iterable[bytes]) -> int:
    """How many distinct visitors are in them all together."""
    return count_both(sketches).estimate


def count_surely(sketches: Iterable[bytes]) -> int:
    """The most visitors that there surely are: two standard errors below the estimate.

    Equals `count_visitors` while counts are exact. For thresholds that protect people.
    """
    return count_both(sketches).surely


def _united(sketches: Iterable[bytes]) -> hll_union:
    union = hll_union(LG_K)
    for sketch in sketches:
        union.update(hll_sketch.deserialize(bytes(sketch)))
    return union
