"""Sketches count small sets exactly, large ones within their bound, and merge like sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.sketches import (
    EMPTY,
    EXACT_BELOW,
    count_surely,
    count_visitors,
    merge_sketches,
    sketch_of,
)

ids = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.lists(st.sets(ids, max_size=30), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_merge_of_small_sets_counts_their_union_exactly(sets):
    sketches = [sketch_of(sorted(each)) for each in sets]
    union = set().union(*sets)
    assert count_visitors(sketches) == len(union)
    assert count_surely(sketches) == len(union)
    assert count_visitors([merge_sketches(sketches)]) == len(union)


def test_nobody_is_counted_as_nobody():
    assert count_visitors([]) == 0
    assert count_visitors([EMPTY, EMPTY]) == 0
    assert count_visitors([merge_sketches([])]) == 0


def test_counts_are_exact_up_to_the_promised_number():
    for count in range(EXACT_BELOW + 1):
        sketch = sketch_of(number * 2**40 for number in range(count))
        assert (count_visitors([sketch]), count_surely([sketch])) == (count, count)


def test_a_large_union_is_within_three_standard_errors_and_takes_two_kilobytes():
    days = [sketch_of(range(day * 5_000, day * 5_000 + 20_000)) for day in range(10)]
    merged = merge_sketches(days)
    assert len(merged) < 2_200
    assert abs(count_visitors([merged]) - 65_000) < 3 * 0.0163 * 65_000
    assert count_surely([merged]) < count_visitors([merged])


def test_one_visitor_takes_twelve_bytes():
    assert len(sketch_of([-5])) == 12
