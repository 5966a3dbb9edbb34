"""Personal data that strays into paths, names and values, masked before anything is stored.

Of a whole British postcode the outward part is kept (promise 2); the rest is replaced by its kind:

| what | mask | rule | let through |
| --- | --- | --- | --- |
| e-mail address | :email | local part, @, a domain with a dot | @handles, package@1.2.3 |
| IPv4 | :ip | four numbers up to 255; also a version number of four parts | 1.2.3, 1.2.3.4.5 |
| IPv6 | :ip | eight groups, or fewer around `::` | std::vector |
| token | :id | UUID; JSON Web Token; 32 hex digits or more; 24 or more of capitals, small letters
and digits, all three, in one run | slugs, short ids |
| digits | :id | 14 or more, or a card's four groups; 9 or more after a plus | ISBN, dates, orders |

The rules know percent-encoding, doubled too (%2520), because names and campaign values may hold it.
"""

import re
from typing import Final

from tracking.outcode import UK_AREAS, UK_INWARD, UK_OUTWARD

EMAIL_MASK: Final = ":email"
IP_MASK: Final = ":ip"
ID_MASK: Final = ":id"

_PCT = r"%(?:25)*"
# A word may begin after an encoded sign: in "%20SW1A" the 0 is no part of it.
_START = r"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2}))"
_END = r"(?![0-9A-Za-z])"

_SUSPECT = re.compile(r"[0-9@:]|eyJ")
"""Without one of these there is nothing to mask; most paths end here."""

# Tried only where a local part may begin, so a long text without an address costs linear time.
_LOCAL = r"\s/@:;,<>()\""
_EMAIL = re.compile(
    rf"(?<![^{_LOCAL}])[^{_LOCAL}]+(?:@|{_PCT}40)"
    r"(?:(?:[\w-]{1,63}\.){1,126}(?:xn--[\w-]+|[^\W\d_]{2,24})|\[?[0-9]{1,3}(?:\.[0-9]{1,3}){3}\]?)"
)

_IPV4 = re.compile(
    r"(?:(?<![0-9])(?<![0-9]\.)|(?<=%[0-9A-Fa-f]{2}))"
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])(?!\.[0-9])"
)
_GROUP = r"[0-9A-Fa-f]{1,4}"
_COLON = rf"(?::|{_PCT}3[Aa])"
_GROUPS = rf"{_GROUP}(?:{_COLON}{_GROUP}){{0,6}}"
_IPV6 = re.compile(
    rf"{_START}(?:{_GROUPS}{_COLON}{_COLON}(?:{_GROUPS})?|{_COLON}{_COLON}{_GROUPS}"
    rf"|{_GROUP}(?:{_COLON}{_GROUP}){{7}}){_END}"
)
_TWO_COLONS = re.compile(rf"{_COLON}.*?{_COLON}", re.DOTALL)

_LONG_RUN = re.compile(
    r"[0-9A-Za-z]{24}|[0-9A-Fa-f]-[0-9A-Fa-f]{4}-|eyJ|[0-9]{14}|[0-9]{4}[ -][0-9]{4}"
)
_TOKEN = re.compile(
    r"eyJ[\w-]{8,}\.[\w.-]+"
    rf"|{_START}[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}{_END}"
    r"|(?:(?<![0-9A-Za-z%])|(?<=%[0-9A-Fa-f]{2}))[0-9A-Za-z]{24,}"
)
_DIGITS = re.compile(r"[0-9]{14,}|(?<![0-9])(?:[0-9]{4}[ -]){3}[0-9]{1,7}(?![0-9])")
_TELEPHONE = re.compile(rf"(?:\+|{_PCT}2[Bb])[0-9]{{9,}}")
_HEX_LENGTH = 32
_MOST_ROUNDS = 8

_INWARD_HINT = re.compile(r"[0-9][A-Za-z]{2}")
_BETWEEN = (
    r"(?:[\s+\-_./,\u200c\u200d\u2010-\u2015\u2212]"
    rf"|{_PCT}(?:0[9AD]|2[0BCDEF]|5F|C2{_PCT}A0))"
)
_POSTCODE = re.compile(
    rf"{_START}({UK_OUTWARD})(?:{_BETWEEN}{{0,3}}{UK_INWARD})+{_END}", re.IGNORECASE
)


def mask_personal(text: str) -> str:
    """`text` with everything of the table above masked or cut; masking twice changes nothing."""
    if not _SUSPECT.search(text):
        return text
    # A mask may stand where the next one begins ("a@b.example%20@c.example"), hence the rounds.
    for _ in range(_MOST_ROUNDS):
        masked = _mask_once(text)
        if masked == text:
            break
        text = masked
    return text


def _mask_once(text: str) -> str:
    if "@" in text or "40" in text:
        text = _EMAIL.sub(EMAIL_MASK, text)
    text = mask_addresses(text)
    if _LONG_RUN.search(text):
        text = _DIGITS.sub(ID_MASK, _TOKEN.sub(_mask_token, text))
    text = _TELEPHONE.sub(ID_MASK, text)
    return cut_postcodes(text)


def mask_addresses(text: str) -> str:
    """`text` with whatever looks like an IPv4 or IPv6 address masked (promise 1)."""
    if text.count(".") >= 3:
        # First, so that of ::ffff:1.2.3.4 no numbers are left over.
        text = _IPV4.sub(_mask_ipv4, text)
    if _TWO_COLONS.search(text):
        text = _IPV6.sub(IP_MASK, text)
    return text


def cut_postcodes(text: str) -> str:
    """`text` with each whole British postcode cut to its outward part, as it was written.

    Strict, for a part number must stay what it is: the letters and places of the postcode's own
    pattern, an area that exists, and no letter or digit touching it. Between the halves may stand
    nothing, or up to three of: space, + - _ . / , and their percent-encodings.
    """
    if not _INWARD_HINT.search(text):
        return text
    return _POSTCODE.sub(_keep_outward, text)


def _keep_outward(found: re.Match[str]) -> str:
    outward = found[1].upper()
    letters = outward[:2] if outward[1].isalpha() else outward[0]
    return found[1] if letters in UK_AREAS or outward == "GIR" else found[0]


def _mask_ipv4(found: re.Match[str]) -> str:
    return IP_MASK if all(int(part) <= 255 for part in found[0].split(".")) else found[0]


def _mask_token(found: re.Match[str]) -> str:
    run = found[0]
    if not run.isalnum():  # a UUID or a JSON Web Token
        return ID_MASK
    if len(run) >= _HEX_LENGTH and not run.strip("0123456789abcdefABCDEF"):
        return ID_MASK
    mixed = not run.islower() and not run.isupper() and any(sign.isdigit() for sign in run)
    return ID_MASK if mixed and not run.isdigit() else run
