"""Filters as text: what is written is read back, and what cannot be read says why."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.query_strategies import filters
from tracking.query.model import Condition, Done, Either, Every, Negated
from tracking.query.text import FilterError, filter_json, filter_texts, parse_filters, parse_json

ANY_TEXT = st.text(alphabet=string.ascii_letters + ',\\|~[]"é& /', max_size=12)


@given(filters())
@settings(max_examples=200, deadline=None)
def test_a_filter_survives_both_forms(part):
    assert parse_filters(filter_texts(part)) == part
    assert parse_json(filter_json(part)) == part


@given(st.lists(ANY_TEXT, min_size=1, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_value_survives_an_address(values, case_sensitive):
    part = Condition("is", "event:page", tuple(values), case_sensitive)
    (text,) = filter_texts(part)
    assert parse_filters([text]) == part


def test_an_address_says_what_it_means():
    google = Condition("is", "visit:source", ("Google", "Bing"))
    blog = Condition("contains", "event:page", ("a,b",), case_sensitive=False)
    assert filter_texts(Every((google, blog))) == [
        "is,visit:source,Google,Bing",
        "contains~,event:page,a\\,b",
    ]
    assert parse_filters(["is,visit:source,"]) == Condition("is", "visit:source", ("",))
    assert parse_filters([" ", ""]) is None
    either = Either((google, Negated(Done(blog, negated=True))))
    (text,) = filter_texts(either)
    assert text.startswith('["or",[["is","visit:source",["Google","Bing"]]')
    assert parse_filters([text]) == either


def test_a_segment_is_read_where_it_stands_and_holds_none_itself():
    stored = {
        7: [["is", "visit:os", ["Linux"]]],
        8: [["is", "visit:os", ["macOS"]], ["is", "visit:device", ["phone"]]],
        9: [["is", "segment", [7]]],
    }
    linux = Condition("is", "visit:os", ("Linux",))
    assert parse_filters(["is,segment,7"], load_segment=stored.get) == linux
    both = parse_json([["is", "segment", [7, 8]]], load_segment=stored.get)
    eighth = parse_json(stored[8])
    assert eighth is not None
    assert both == Either((linux, eighth))
    for bad in (9, 10, -1):
        with pytest.raises(FilterError):
            parse_json([["is", "segment", [bad]]], load_segment=stored.get)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("is", "is,visit:source,Google"),
        ("is,visit:source", "is,visit:source,Google"),
        ("equals,visit:source,a", "use one of is"),
        ("is,visit:shoes,a", "visit:source"),
        ("is,time:day,a", "date range"),
        ("is,event:goal,a\\", "write two"),
        ("matches,event:goal,a", "use is or contains"),
        ("[1", "choose it again"),
        ('["or",[]]', "list of filters"),
        ('["not",["is","visit:os",["a"]],3]', "one thing"),
        ("is,event:page," + "x" * 9_000, "shorten"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(text, remedy):
    with pytest.raises(FilterError, match="filter") as caught:
        parse_filters([text])
    assert remedy in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_a_filter_may_not_be_deep_or_endless():
    deep: list[object] = ["is", "visit:os", ["a"]]
    for _ in range(13):
        deep = ["not", deep]
    with pytest.raises(FilterError, match="nested"):
        parse_json([deep])
    many: list[object] = ["or", [["is", "visit:os", ["a"]]] * 501]
    with pytest.raises(FilterError, match="at most 500"):
        parse_json([many])
