"""Whether a hit may be kept, and whether its visitor may be recognised by a cookie.

Pure: a client's settings and a visitor's signals in, a decision out.
"""

import enum
from collections.abc import Iterable
from typing import NamedTuple

from tenants.models.privacy import CookieMode


class Signals(NamedTuple):
    """What a visitor's browser says about being measured."""

    gpc: bool = False
    """Global Privacy Control: see `says_gpc`."""
    dnt: bool = False
    """Do Not Track: see `says_dnt`."""
    has_cookie: bool = False
    """The page sent the value of Outward's own cookie."""


class Verdict(enum.StrEnum):
    """What may be done with a hit; the value is the reason told to the page."""

    KEEP = "keep"
    """Count it, without recognising the visitor on another day."""
    KEEP_RECOGNISED = "keep-recognised"
    """Count it, and recognise the visitor by the cookie."""
    DROP_GPC = "gpc"
    DROP_DNT = "dnt"

    @property
    def is_kept(self) -> bool:
        """Whether the hit may be stored."""
        return self in (Verdict.KEEP, Verdict.KEEP_RECOGNISED)


def decide(
    signals: Signals, *, honour_gpc: bool, honour_dnt: bool, cookie_mode: CookieMode
) -> Verdict:
    """The verdict on one hit.

    A signal that the client honours drops the hit whatever else is given. Where the client does
    not honour it, the hit is kept, and a visitor who agreed to the cookie in the banner is still
    recognised: that choice is the more particular one. Under an exemption nobody was asked, and a
    signal is then the objection that the exemption must allow: the cookie is not read.
    """
    if signals.gpc and honour_gpc:
        return Verdict.DROP_GPC
    if signals.dnt and honour_dnt:
        return Verdict.DROP_DNT
    if not signals.has_cookie or cookie_mode == CookieMode.NEVER:
        return Verdict.KEEP
    if cookie_mode == CookieMode.EXEMPT and (signals.gpc or signals.dnt):
        return Verdict.KEEP
    return Verdict.KEEP_RECOGNISED


def says_gpc(values: Iterable[str]) -> bool:
    """Whether the `Sec-GPC` header lines hold a signal: one of them is exactly `1`.

    Any other value must be ignored (W3C Global Privacy Control, "The Sec-GPC Header Field").
    """
    return any(value == "1" for value in values)


def says_dnt(values: Iterable[str]) -> bool:
    """Whether the `DNT` header lines hold a signal: one starts with `1`, extensions may follow.

    W3C Tracking Preference Expression, 5.2: DNT-field-value = ( "0" / "1" ) *DNT-extension.
    """
    return any(value.startswith("1") for value in values)
