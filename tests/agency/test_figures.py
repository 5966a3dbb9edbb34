"""Figures in words."""

import re

import pytest
from django.utils import translation

from agency import figures
from agency.colours import DARK_PAPERS, LIGHT_PAPERS, accent_style, contrast, parse_colour
from agency.figures import Change, change, decimal, duration, number, share
from agency.report_rows import _more


def test_numbers_follow_the_readers_locale() -> None:
    assert number(1234567) == "1,234,567"
    with translation.override("de"):
        assert number(1234567) == "1.234.567"
        assert decimal(2.45) == "2,5" or decimal(2.45) == "2,4"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, figures.NO_FIGURE),
        (0, "0%"),
        (0.347, "35%"),
        (0.0123, "1.2%"),
        (0.0996, "10%"),
        (1, "100%"),
    ],
)
def test_shares_have_a_place_below_ten_percent(value: float | None, words: str) -> None:
    assert share(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, figures.NO_FIGURE),
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (3720, "1h 02m"),
    ],
)
def test_durations_use_the_largest_unit_that_fits(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_change_has_a_sign_and_a_tone() -> None:
    assert change(120, 100) == Change("+20%", "good")
    assert change(95, 100) == Change("−5.0%", "bad")
    assert change(95, 100, rising_is="bad") == Change("−5.0%", "good")
    assert change(100, 100) == Change("no change")
    assert change(3, 0) == Change("none before", "good")
    assert change(0, 0) == Change(figures.NO_FIGURE)
    assert change(None, 3) == Change(figures.NO_FIGURE)


@pytest.mark.parametrize("colour", ["#0b6b57", "#ffee00", "#000000", "#ffffff", "#d2691e"])
def test_every_accent_can_be_read_on_light_and_dark_paper(colour: str) -> None:
    accent = re.search(r"--accent:light-dark\((#\w{6}),(#\w{6})\)", accent_style(colour))
    assert accent is not None
    for text, papers in zip(accent.groups(), (LIGHT_PAPERS, DARK_PAPERS), strict=True):
        for paper in papers:
            assert contrast(parse_colour(text), paper) >= 4.5


def test_a_colour_in_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="write it as"):
        accent_style("green")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 visits"), (1, "1 visit"), (2, "2 visits"), (12_345, "12,345 visits")],
)
def test_what_is_counted_has_its_number(value, words):
    assert figures.counted(value, "visit") == words


def test_a_row_tells_one_visit_as_one():
    assert _more({"visits": 1, "pageviews": 1, "bounce_rate": 100.0}) == (
        "1 visit · 1 view · 100% bounce"
    )
    assert _more({"visits": 2, "pageviews": 3}) == "2 visits · 3 views"
