"""Figures in words: numbers, shares, durations and changes, in the reader's locale."""

import dataclasses

from django.utils import formats

NO_FIGURE = "–"


def number(value: int) -> str:
    """12,345."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def counted(value: int, one: str, many: str = "") -> str:
    """1 visit, 12,345 visits."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def fewer_than(k: int) -> str:
    """What stands for a number of visitors that is too small to be shown."""
    return f"fewer than {k}"


def decimal(value: float, places: int = 1) -> str:
    """2.4."""
    return formats.number_format(round(value, places), places, force_grouping=True)


def share(value: float | None) -> str:
    """0.347 as 35 %, with one place below 10 %; None (nothing to divide by) as a dash."""
    if value is None:
        return NO_FIGURE
    percent = value * 100
    places = 1 if 0 < percent < 9.95 else 0
    return f"{decimal(percent, places)}%"


def duration(seconds: float | None) -> str:
    """0s, 42s, 3m 05s, 1h 02m."""
    if seconds is None:
        return NO_FIGURE
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


@dataclasses.dataclass(frozen=True)
class Change:
    """A change in words, and whether it is good news."""

    words: str
    tone: str = ""
    """`good`, `bad` or empty."""


def change(now: float | None, before: float | None, *, rising_is: str = "good") -> Change:
    """Relative change; `rising_is` good, bad or empty. Without a base there is no percentage."""
    if now is None or before is None or (before == 0 and now == 0):
        return Change(NO_FIGURE)
    if before == 0:
        return Change("none before", rising_is)
    relative = (now - before) / before
    if abs(relative) < 0.0005:
        return Change("no change")
    falling_is = {"good": "bad", "bad": "good"}.get(rising_is, "")
    sign, tone = ("+", rising_is) if relative > 0 else ("−", falling_is)
    percent = abs(relative) * 100
    places = 1 if percent < 9.95 else 0
    return Change(f"{sign}{decimal(percent, places)}%", tone)
