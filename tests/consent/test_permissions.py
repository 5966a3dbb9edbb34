"""Signals of browsers against settings of clients."""

import itertools

import pytest

from consent.permissions import Signals, Verdict, decide, says_dnt, says_gpc
from tenants.models import CookieMode

ALL_SETTINGS = list(itertools.product((True, False), (True, False), CookieMode))


@pytest.mark.parametrize(("honour_gpc", "honour_dnt", "cookie_mode"), ALL_SETTINGS)
def test_a_hit_without_signals_is_always_kept(
    honour_gpc: bool, honour_dnt: bool, cookie_mode: CookieMode
) -> None:
    verdict = decide(
        Signals(), honour_gpc=honour_gpc, honour_dnt=honour_dnt, cookie_mode=cookie_mode
    )
    assert verdict is Verdict.KEEP


@pytest.mark.parametrize("has_cookie", [True, False])
@pytest.mark.parametrize("cookie_mode", list(CookieMode))
def test_an_honoured_signal_drops_the_hit_even_with_a_cookie(
    cookie_mode: CookieMode, has_cookie: bool
) -> None:
    gpc = decide(
        Signals(gpc=True, has_cookie=has_cookie),
        honour_gpc=True,
        honour_dnt=False,
        cookie_mode=cookie_mode,
    )
    dnt = decide(
        Signals(dnt=True, has_cookie=has_cookie),
        honour_gpc=False,
        honour_dnt=True,
        cookie_mode=cookie_mode,
    )
    assert (gpc, dnt) == (Verdict.DROP_GPC, Verdict.DROP_DNT)
    assert not gpc.is_kept
    assert not dnt.is_kept


def test_a_signal_that_is_not_honoured_keeps_the_hit() -> None:
    signals = Signals(gpc=True, dnt=True)
    verdict = decide(signals, honour_gpc=False, honour_dnt=False, cookie_mode=CookieMode.CONSENT)
    assert verdict is Verdict.KEEP


def test_honouring_one_signal_does_not_honour_the_other() -> None:
    common = {"cookie_mode": CookieMode.NEVER}
    assert decide(Signals(dnt=True), honour_gpc=True, honour_dnt=False, **common).is_kept
    assert decide(Signals(gpc=True), honour_gpc=False, honour_dnt=True, **common).is_kept


@pytest.mark.parametrize(
    ("cookie_mode", "verdict"),
    [
        (CookieMode.NEVER, Verdict.KEEP),
        (CookieMode.CONSENT, Verdict.KEEP_RECOGNISED),
        (CookieMode.EXEMPT, Verdict.KEEP_RECOGNISED),
    ],
)
def test_a_cookie_recognises_only_where_the_client_uses_cookies(
    cookie_mode: CookieMode, verdict: Verdict
) -> None:
    signals = Signals(has_cookie=True)
    assert decide(signals, honour_gpc=True, honour_dnt=True, cookie_mode=cookie_mode) is verdict


@pytest.mark.parametrize(
    "signals", [Signals(gpc=True, has_cookie=True), Signals(dnt=True, has_cookie=True)]
)
def test_under_an_exemption_a_signal_is_an_objection_to_the_cookie(signals: Signals) -> None:
    exempt = decide(signals, honour_gpc=False, honour_dnt=False, cookie_mode=CookieMode.EXEMPT)
    agreed = decide(signals, honour_gpc=False, honour_dnt=False, cookie_mode=CookieMode.CONSENT)
    assert (exempt, agreed) == (Verdict.KEEP, Verdict.KEEP_RECOGNISED)


@pytest.mark.parametrize(
    ("lines", "is_signal"),
    [
        ([], False),
        (["1"], True),
        (["0"], False),
        (["1", "0"], True),
        (["0", "1"], True),
        (["true"], False),
        (["1 "], False),
        (["11"], False),
        (["1, 1"], False),
        ([""], False),
    ],
)
def test_gpc_is_exactly_one(lines: list[str], is_signal: bool) -> None:
    assert says_gpc(lines) is is_signal


@pytest.mark.parametrize(
    ("lines", "is_signal"), [([], False), (["1"], True), (["1x"], True), (["0"], False)]
)
def test_dnt_is_a_one_that_extensions_may_follow(lines: list[str], is_signal: bool) -> None:
    assert says_dnt(lines) is is_signal
