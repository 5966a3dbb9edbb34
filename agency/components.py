"""What the components of the look take: see docs/look.md and `templates/components/`.

All words are ready to print: formatted, translated, cut to what the reader may see. URLs are paths
of the same host.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One total of a row of totals."""

    name: str
    value: str
    change: str = ""
    tone: str = ""
    """`good`, `bad` or empty."""
    before: str = ""
    """The value it is compared with."""
    term: str = ""
    """Slug in the glossary."""
    url: str = ""
    """Chooses this figure for the chart."""
    is_current: bool = False
    id: str = ""
    """Of the element with the value, where it is exchanged by itself."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """The head of a column."""

    words: str
    term: str = ""
    sort_url: str = ""
    sorted: str = ""
    """`ascending`, `descending` or empty."""


@dataclass(frozen=True, kw_only=True)
class BarRow:
    """A row with a bar behind it."""

    words: str
    cells: Sequence[str]
    share: float = 0.0
    """Length of the bar, 0 to 100."""
    url: str = ""
    """Filters by this row."""
    tip: str = ""
    """The whole value where `words` is short for it."""
    more: str = ""
    """Further numbers, shown on pointing and on focus."""
    swatch: str = ""
    """Colour as #0b6b57, or empty."""
    is_quiet: bool = False
    """Other, hidden: no value of its own."""
    is_current: bool = False
    """The filter in force."""


@dataclass(frozen=True, kw_only=True)
class BarTable:
    """A table with bars; the first column is `title`, `columns` are those of the cells."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[BarRow]
    note: str = ""
    empty: str = "Nothing in this period."


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A choice among views of the same thing."""

    words: str
    url: str
    """Whole page with this tab open."""
    partial: str = ""
    """What htmx loads instead."""
    is_current: bool = False
    count: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A heading, its tabs, a table."""

    key: str
    title: str
    table: BarTable
    tabs: Sequence[Tab] = ()
    more_url: str = ""
    export_url: str = ""
    term: str = ""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A filter in force."""

    words: str
    remove_url: str
    edit_url: str = ""
    name: str = ""
    """What is filtered, before the words."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several addresses of the same page."""

    words: str
    url: str
    is_current: bool = False


@dataclass(frozen=True, kw_only=True)
class PeriodPicker:
    """Presets, two dates, and what is compared."""

    words: str
    presets: Sequence[Choice]
    starts_on: dt.date
    ends_on: dt.date
    hidden: Sequence[tuple[str, str]] = ()
    """Names and values that stay in the address when dates are sent."""
    errors: Sequence[str] = ()
    comparisons: Sequence[Choice] = ()
    compare_hidden: Sequence[tuple[str, str]] = ()
    """Names and values that stay when two dates to compare with are sent; empty: none are asked."""
    compare_from: dt.date | None = None
    compare_to: dt.date | None = None
    max_on: dt.date | None = None
    before_words: str = ""


@dataclass(frozen=True, kw_only=True)
class MenuItem:
    """An entry of a menu: a link, or with `method="post"` a button."""

    words: str
    url: str
    note: str = ""
    method: str = "get"
    is_current: bool = False
    tone: str = ""
    """`danger` or empty."""
    new_tab: bool = False


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and its value."""

    name: str
    value: str
    term: str = ""
    note: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that was done."""

    at: dt.datetime
    who: str
    what: str
    reason: str = ""
    details: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a wizard."""

    words: str
    state: str = ""
    """`done`, `current` or empty."""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class FunnelStep:
    """A step of a funnel."""

    words: str
    value: str
    share: float
    """Of those who entered, 0 to 100."""
    step_share: str = ""
    """Of the step before, in words."""
    lost: str = ""
    """Who left here, in words."""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """A cell with a tint."""

    words: str
    share: float
    """0 to 100."""

    @property
    def level(self) -> int:
        """Tint 0 to 9."""
        return max(0, min(9, int(self.share / 10)))


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """A row of a heat table; None is a cell that cannot have a value yet."""

    words: str
    cells: Sequence[HeatCell | None]
    size: str = ""
    """How many the row is about."""


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A table of shares, such as retention by week."""

    title: str
    columns: Sequence[str]
    rows: Sequence[HeatRow]
    note: str = ""
    row_title: str = ""
    size_title: str = ""
