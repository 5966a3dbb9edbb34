"""Postcodes are cut to their outward part, twice without harm."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.outcode import (
    HHS_LOW_POPULATION,
    LOW_POPULATION,
    UK_AREAS,
    UK_INWARD,
    UK_OUTWARD,
    ZipMode,
    outcode,
)

ZIP_MODES: tuple[ZipMode, ...] = ("zip5", "zip3", "none")
COUNTRIES = (None, "GB", "US", "IE", "CA", "NL", "AU", "DE", "FR")


def cut(text: str, country: str | None = None, zip_mode: ZipMode = "zip3") -> str:
    return outcode(text, keep_outcode=True, zip_mode=zip_mode, country=country)


def area_letters(outward: str) -> str:
    return re.match("[A-Z]+", outward)[0]  # type: ignore[index] # each one starts with a letter


outward_codes = st.from_regex(UK_OUTWARD, fullmatch=True).filter(
    lambda code: code != "GIR" and area_letters(code) in UK_AREAS
)
inward_codes = st.from_regex(UK_INWARD, fullmatch=True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SW1A 1AA", "GB SW1A"),
        ("SW1A1AA", "GB SW1A"),
        ("sw1a 1aa", "GB SW1A"),
        ("  Sw1A \t 1aA\n", "GB SW1A"),
        ("SW1A\u00a01AA", "GB SW1A"),
        ("\uff33\uff37\uff11\uff21\u3000\uff11\uff21\uff21", "GB SW1A"),
        ("SW1A-1AA", "GB SW1A"),
        ("S W 1 A 1 A A", "GB SW1A"),
        ("M11AA", "GB M1"),
        ("M1 1AA", "GB M1"),
        ("M60 1NW", "GB M60"),
        ("CR2 6XH", "GB CR2"),
        ("DN55 1PT", "GB DN55"),
        ("W1A1AA", "GB W1A"),
        ("W1A 1HQ", "GB W1A"),
        ("EC1A 1BB", "GB EC1A"),
        ("E1 6AN", "GB E1"),
        ("E16AN", "GB E1"),
        ("E16 6AN", "GB E16"),
        ("BT1 5GS", "GB BT1"),
        ("JE2 3NN", "GB JE2"),
        ("GIR 0AA", "GB GIR"),
        ("CA1 1AA", "GB CA1"),
        ("SW1A", "GB SW1A"),
        ("m1", "GB M1"),
        ("GB SW1A", "GB SW1A"),
        ("UK SW1A 1AA", "GB SW1A"),
    ],
)
def test_a_british_postcode_keeps_its_outward_code(text: str, kept: str) -> None:
    assert cut(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "AAA 1AA", "Q1 1AA", "SW1A 1AC", "SW1A 1IA", "SW1A 1KA", "SW1A 1MA", "SW1A 1OA"),
        *("SW1A 1VA", "xxM1 1AA", "GIR 0AA junk", "M1 1", "M1 1A", "SW1A 1", "SW1A1", "A9 9AA"),
        *("BF1 2AA", "BX1 1LT", "XX1 1AA", "GX11 1AA", "ASCN 1ZZ", "STHL 1ZZ", "FIQQ 1ZZ"),
        *("SW1A 1AA SW1A 1AA", "hello", "1012", "2000", "12", "123", "1234567", "902101234"),
        *("M1\u0661AA", "0" * 50, "M1 1AA" + " " * 50),
    ],
)
def test_what_is_no_postcode_keeps_nothing(text: str) -> None:
    assert cut(text) == ""


@pytest.mark.parametrize(
    ("text", "country", "kept"),
    [
        ("D02 X285", None, "IE D02"),
        ("d6w xy12", None, "IE D6W"),
        ("A65F4E2", "GB", "IE A65"),
        ("D02", None, "IE D02"),
        ("W12", None, "GB W12"),
        ("W12", "IE", "IE W12"),
        ("W12 8QT", "IE", "GB W12"),
        ("W23 F854", None, "IE W23"),
        ("K1A 0B1", None, "CA K1A"),
        ("k1a0b1", "GB", "CA K1A"),
        ("M5V 3L9", None, "CA M5V"),
        ("M4B", None, "CA M4B"),
        ("M4B", "GB", "GB M4B"),
        ("E1W", None, "GB E1W"),
        ("N1C", "CA", "CA N1C"),
        ("1012 AB", None, "NL 1012"),
        ("1012ab", "US", "NL 1012"),
        ("1012", "NL", "NL 1012"),
        ("1012", None, ""),
        ("1012", "BE", ""),
        ("2000", "AU", "AU 2000"),
        ("0800", "AU", "AU 0800"),
        ("0100", "AU", ""),
        ("2000", None, ""),
        ("10115", "DE", ""),
        ("90210", "PR", "US 902"),
    ],
)
def test_other_countries_keep_their_prefix_and_the_country_settles_what_collides(
    text: str, country: str | None, kept: str
) -> None:
    assert cut(text, country) == kept


@pytest.mark.parametrize(
    ("text", "zip_mode", "kept"),
    [
        ("90210", "zip5", "US 90210"),
        ("90210-1234", "zip5", "US 90210"),
        ("90210 1234", "zip3", "US 902"),
        ("90210", "zip3", "US 902"),
        ("90210", "none", ""),
        ("US 90210", "none", ""),
        ("US 90210", "zip3", "US 902"),
        ("US 902", "zip5", "US 902"),
        ("03601", "zip3", "US 000"),
        ("89301", "zip3", "US 000"),
        ("US 036", "zip3", "US 000"),
        ("US 000", "zip3", "US 000"),
        ("36901", "zip3", "US 000"),
    ],
)
def test_a_zip_code_is_kept_as_the_client_allows(text: str, zip_mode: ZipMode, kept: str) -> None:
    assert cut(text, zip_mode=zip_mode) == kept


def test_all_seventeen_areas_of_the_official_list_become_000() -> None:
    assert len(HHS_LOW_POPULATION) == 17
    assert {cut(f"{area}01") for area in LOW_POPULATION} == {"US 000"}


@pytest.mark.parametrize("text", ["SW1A 1AA", "90210", "D02 X285", "K1A 0B1", "1012 AB", "GB M1"])
def test_a_client_that_keeps_no_outcodes_keeps_none(text: str) -> None:
    assert outcode(text, keep_outcode=False, zip_mode="zip5") == ""


def test_there_are_124_areas() -> None:
    assert len(UK_AREAS) == 124


@given(
    outward_codes,
    inward_codes,
    st.sampled_from(["", " ", "  ", "\t", "-", "\u00a0"]),
    st.booleans(),
    st.sampled_from(COUNTRIES),
)
def test_no_sign_of_the_inward_part_survives(
    outward: str, inward: str, between: str, small: bool, country: str | None
) -> None:
    text = f"{outward}{between}{inward}"
    assert cut(text.lower() if small else text, country) == f"GB {outward}"


@given(
    st.one_of(
        st.text(max_size=12),
        st.text("ABDEIKMNOSWX0129 -", max_size=10),
        st.builds("{} {}".format, st.sampled_from(["GB", "US", "IE", "CA", "NL", "AU"]), st.text()),
        st.from_regex(r"\A[0-9]{3,5}(-[0-9]{4})?\Z"),
        st.builds("{}{}".format, outward_codes, inward_codes),
    ),
    st.sampled_from(ZIP_MODES),
    st.sampled_from(COUNTRIES),
    st.sampled_from(COUNTRIES),
)
def test_cutting_twice_is_cutting_once_and_leaves_only_the_outward_part(
    text: str, zip_mode: ZipMode, country: str | None, other: str | None
) -> None:
    once = cut(text, country, zip_mode)
    assert once == "" or re.fullmatch(
        rf"GB {UK_OUTWARD}|US [0-9]{{3}}(?:[0-9]{{2}})?|IE [A-Z][0-9][0-9W]|CA [A-Z][0-9][A-Z]"
        r"|(?:NL|AU) [0-9]{4}",
        once,
    )
    assert cut(once, country, zip_mode) == once
    assert cut(once, other, zip_mode) == once
