"""Postcodes cut to their outward part; the inward part never gets further than this module.

Pure: values in, values out, and no cache: a cache would keep whole postcodes in memory.

| country | kept | example |
| --- | --- | --- |
| GB | outward code | GB SW1A |
| US | ZIP5 or ZIP3, by the client's setting | US 90210, US 902 |
| IE | routing key of an Eircode | IE D02 |
| CA | forward sortation area | CA K1A |
| NL | the four digits | NL 1012 |
| AU | the postcode, which names a district | AU 2000 |
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal

ZipMode = Literal["zip5", "zip3", "none"]

# Position rules of the letters: Royal Mail's, as checked in GOV.UK's bulk data transfer
# specification, with its misplaced anchors and its gaps mended.
UK_OUTWARD: Final = (
    r"(?:GIR"
    r"|[A-PR-UWYZ][0-9][0-9]?"
    r"|[A-PR-UWYZ][A-HK-Y][0-9][0-9]?"
    r"|[A-PR-UWYZ][0-9][A-HJKPSTUW]"
    r"|[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY])"
)
UK_INWARD: Final = r"[0-9][ABD-HJLNP-UW-Z]{2}"
"""Its two letters are never C, I, K, M, O or V."""

UK_AREAS: Final = frozenset(
    "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E"  # noqa: SIM905 - reads better as words
    " EC EH EN EX FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL"
    " LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM"
    " SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE".split()
)
"""The 124 postcode areas that name a place, Crown dependencies (GY, IM, JE) among them.

BF (forces), BX (banks), XX (parcels) name none; GX (Gibraltar) and the four-letter territories
(ASCN, STHL, ...) are not in the United Kingdom. Without this list the pattern takes the Irish
D02, the Canadian K1A and many a part number for British.
"""

HHS_LOW_POPULATION: Final = frozenset(
    "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893".split()  # noqa: SIM905 - reads better as words
)
"""ZIP3 areas of 20,000 people or fewer by the 2000 Census: the list in the guidance on
45 CFR 164.514(b)(2)(i)(B) of the US Department of Health and Human Services,
https://www.hhs.gov/hipaa/for-professionals/special-topics/de-identification/index.html
"""

LATER_LOW_POPULATION: Final = frozenset(("202", "204", "205", "369", "753", "772"))
"""Further ZIP3 areas that lists derived from the 2010 Census name. Unofficial, but the rule asks
for *current* census data and HHS has printed no newer list, so the union is the careful reading."""

LOW_POPULATION: Final = HHS_LOW_POPULATION | LATER_LOW_POPULATION

_LONGEST_TEXT = 40
_UK_COUNTRIES = frozenset({"GB", "UK", "GG", "IM", "JE"})
_ZIP_COUNTRIES = frozenset({"US", "AS", "GU", "MP", "PR", "VI"})
"""States and territories numbered by the US Postal Service."""

_FSA = r"[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z]"
_ROUTING_KEY = r"(?:[AC-FHKNPRTV-Y][0-9]{2}|D6W)"

_PREFIX = re.compile(r"(GB|UK|US|IE|CA|NL|AU) +(.+)")
_SPACING = re.compile(r"[ ._-]+")
_UK_FULL = re.compile(rf"({UK_OUTWARD}){UK_INWARD}")
_UK_BARE = re.compile(UK_OUTWARD)
# A letter as third character of a one-letter area exists only in central London; elsewhere this
# form is a Canadian forward sortation area (M4B is Toronto, not Manchester).
_UK_LETTER_DIGIT_LETTER = re.compile(r"W1[A-HJKPSTUW]|E1W|N1[CP]")
_LETTER_DIGIT_LETTER = re.compile(r"[A-Z][0-9][A-Z]")
_ZIP = re.compile(r"([0-9]{5})(?:[- ][0-9]{4})?")
_ZIP3 = re.compile(r"[0-9]{3}")
_IE_FULL = re.compile(rf"({_ROUTING_KEY})[0-9AC-FHKNPRTV-Y]{{4}}")
_IE_BARE = re.compile(_ROUTING_KEY)
_CA_FULL = re.compile(rf"({_FSA})[0-9][ABCEGHJ-NPRSTV-Z][0-9]")
_CA_BARE = re.compile(_FSA)
_NL_FULL = re.compile(r"([1-9][0-9]{3})[A-Z]{2}")
_NL_BARE = re.compile(r"[1-9][0-9]{3}")
_AU_BARE = re.compile(r"0[289][0-9]{2}|[1-9][0-9]{3}")


def outcode(text: str, *, keep_outcode: bool, zip_mode: ZipMode, country: str | None = None) -> str:
    """Outward part of the postcode `text` with its country in front, "" when there is none to keep.

    `keep_outcode` False keeps nothing of any country; `zip_mode` decides about ZIP codes besides:
    "zip3" gives three digits, and 000 where 20,000 people or fewer share them (the rule of 45 CFR
    164.514(b)(2)(i)(B)), "none" nothing.

    `country` (ISO 3166-1 alpha-2) only settles what the text leaves open: five digits are a ZIP
    code unless another country is named, four digits nothing unless it is NL or AU; W12 is London
    unless it is IE; M4B is Toronto unless it is GB. A country in front of the text wins over it, so
    the function takes its own result: the browser cuts first, the collector cuts again.
    """
    if not keep_outcode or not text or len(text) > _LONGEST_TEXT:
        return ""
    if not text.isascii():
        # Full-width letters, no-break spaces.
        text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.upper().split())
    if not text.isascii():
        return ""
    if prefixed := _PREFIX.fullmatch(text):
        named = "GB" if prefixed[1] == "UK" else prefixed[1]
        if area := _READERS[named](prefixed[2]):
            return _finish(named, area, zip_mode)
    return _read_bare(text, (country or "").upper(), zip_mode)


def _read_bare(text: str, country: str, zip_mode: ZipMode) -> str:
    """Outward part of a postcode without its country in front."""
    for candidate in _candidates(text, country):
        if area := _READERS[candidate](text):
            return _finish(candidate, area, zip_mode)
    return ""


def _candidates(text: str, country: str) -> tuple[str, ...]:
    """Countries whose postcode `text` may be, the likeliest first.

    Full British, Irish, Canadian and Dutch codes have forms of their own and are taken wherever
    the visitor is; only the short forms collide.
    """
    if text[:1].isdigit():
        if country in _ZIP_COUNTRIES or (not country and len(text) > 4):
            return ("US",) if text[-1].isdigit() else ("NL",)
        # A whole Dutch code has letters; four digits alone may be of any country.
        if country == "AU":
            return ("AU",)
        return ("NL",) if country == "NL" or text[-1].isalpha() else ()
    if country == "IE":
        return ("IE", "GB", "CA")
    if country == "CA":
        return ("CA", "GB", "IE")
    bare_district = _LETTER_DIGIT_LETTER.fullmatch(text)
    if bare_district and country not in _UK_COUNTRIES:
        return ("GB", "IE", "CA") if _UK_LETTER_DIGIT_LETTER.fullmatch(text) else ("IE", "CA")
    return ("GB", "IE", "CA")


def _finish(country: str, area: str, zip_mode: ZipMode) -> str:
    if country != "US":
        return f"{country} {area}"
    if zip_mode == "none":
        return ""
    if zip_mode == "zip5" and len(area) == 5:
        return f"US {area}"
    return f"US {'000' if area[:3] in LOW_POPULATION else area[:3]}"


def _read_uk(text: str) -> str:
    """A whole code may have spacing anywhere: its inward part is always the last three signs.

    A bare one may not, for "M1 1" is half of M1 1AA, and M11 would hold a digit of its inward part.
    """
    full = _UK_FULL.fullmatch(_SPACING.sub("", text))
    district = full[1] if full else text
    if full is None and not _UK_BARE.fullmatch(text):
        return ""
    letters = district[:2] if district[1].isalpha() else district[0]
    return district if letters in UK_AREAS or district == "GIR" else ""


def _read_zip(text: str) -> str:
    if full := _ZIP.fullmatch(text):
        return full[1]
    return text if _ZIP3.fullmatch(text) else ""


def _whole_or_bare(full: re.Pattern[str], bare: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if whole := full.fullmatch(_SPACING.sub("", text)):
            return whole[1]
        return text if bare.fullmatch(text) else ""

    return read


_READERS: Final[dict[str, Callable[[str], str]]] = {
    "GB": _read_uk,
    "US": _read_zip,
    "IE": _whole_or_bare(_IE_FULL, _IE_BARE),
    "CA": _whole_or_bare(_CA_FULL, _CA_BARE),
    "NL": _whole_or_bare(_NL_FULL, _NL_BARE),
    "AU": lambda text: text if _AU_BARE.fullmatch(text) else "",
}
