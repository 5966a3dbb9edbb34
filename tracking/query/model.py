"""What can be asked: dimensions, metrics, filters, and the shape of the answer. Pure."""

import datetime as dt
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tracking.analysis.goals import Rule
from tracking.models import Dimension

Direction = Literal["asc", "desc"]

OPERATORS = ("is", "is_not", "contains", "contains_not", "matches", "matches_not")
MAX_LIMIT = 100_000
MAX_VALUES = 500
"""Most values in a condition, and most conditions in a filter."""
MAX_DEPTH = 12
"""Most levels of and, or, not."""


class QueryError(ValueError):
    """A question that cannot be answered: which part of it, and what to do.

    `code` is stable; `field` names the part: metrics, dimensions, filters, order_by, date_range,
    pagination, include.
    """

    code = "query-invalid"

    def __init__(self, field: str, message: str) -> None:
        # Half a character of UTF-16, which JSON can send, cannot be written back.
        super().__init__(message.encode("utf-8", "replace").decode())
        self.field = field


@dataclass(frozen=True)
class Condition:
    """A dimension's value is, contains or matches one of the values (or none, for `_not`)."""

    op: str
    dimension: str
    values: tuple[str, ...]
    case_sensitive: bool = True


@dataclass(frozen=True)
class Every:
    """All parts are true."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Either:
    """At least one part is true."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class Negated:
    """The part is not true."""

    part: "Filter"


@dataclass(frozen=True)
class Done:
    """The visit has a page view or event of which the part is true; `negated`: it has none."""

    part: "Filter"
    negated: bool = False


Filter = Condition | Every | Either | Negated | Done


class Grain(enum.IntEnum):
    """What a dimension is a property of; see the package's docstring."""

    VISIT = 0
    WHOLE = 1
    """Of the visit, but it may change while the visit lasts."""
    HIT = 2


@dataclass(frozen=True)
class Source:
    """Where a dimension is found."""

    grain: Grain
    stored: Dimension | None = None
    """Its rollup, if there is one."""


DIMENSIONS: dict[str, Source] = {
    "visit:source": Source(Grain.VISIT, Dimension.SOURCE),
    "visit:channel": Source(Grain.VISIT, Dimension.CHANNEL),
    "visit:utm_source": Source(Grain.VISIT, Dimension.UTM_SOURCE),
    "visit:utm_medium": Source(Grain.VISIT, Dimension.UTM_MEDIUM),
    "visit:utm_campaign": Source(Grain.VISIT, Dimension.UTM_CAMPAIGN),
    "visit:utm_term": Source(Grain.VISIT, Dimension.UTM_TERM),
    "visit:utm_content": Source(Grain.VISIT, Dimension.UTM_CONTENT),
    "visit:entry_page": Source(Grain.WHOLE, Dimension.ENTRY),
    "visit:exit_page": Source(Grain.WHOLE, Dimension.EXIT),
    "visit:country": Source(Grain.VISIT, Dimension.COUNTRY),
    "visit:region": Source(Grain.VISIT, Dimension.REGION),
    "visit:outcode": Source(Grain.WHOLE, Dimension.OUTCODE),
    "visit:device": Source(Grain.VISIT, Dimension.DEVICE),
    "visit:browser": Source(Grain.VISIT, Dimension.BROWSER),
    "visit:os": Source(Grain.VISIT, Dimension.OS),
    "visit:language": Source(Grain.VISIT, Dimension.LANGUAGE),
    "event:page": Source(Grain.HIT, Dimension.PAGE),
    "event:name": Source(Grain.HIT, Dimension.EVENT),
    "event:outbound": Source(Grain.HIT, Dimension.OUTBOUND),
    "event:download": Source(Grain.HIT, Dimension.DOWNLOAD),
    "event:not_found": Source(Grain.HIT, Dimension.NOT_FOUND),
    "event:status": Source(Grain.HIT, Dimension.STATUS),
    "event:hostname": Source(Grain.HIT),
    "event:goal": Source(Grain.HIT),
}
"""Every dimension but time and properties, under Plausible's names where it has one."""
PROPS = "event:props:"
"""Prefix of the dimensions of custom properties."""
GOAL = "event:goal"
OUTCODE = "visit:outcode"
TIMES = ("time", "time:hour", "time:day", "time:week", "time:month")

METRICS = (
    "visitors",
    "visits",
    "pageviews",
    "events",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
    "engaged_time",
    "time_on_page",
    "scroll_depth",
    "percentage",
    "conversion_rate",
    "group_conversion_rate",
)
"""`bounce_rate`, `percentage` and the conversion rates are percent, 0 to 100, not rounded;
`visit_duration` and `engaged_time` are seconds per visit, `time_on_page` engaged seconds per visit
that viewed the page, `scroll_depth` mean percent of those views whose depth is known."""
NEEDS_PAGE = frozenset({"scroll_depth", "time_on_page"})
NEEDS_GOAL = frozenset({"conversion_rate", "group_conversion_rate"})


def source_of(dimension: str) -> Source | None:
    """Where a dimension (not a time) is found; None if there is no such dimension."""
    if dimension.startswith(PROPS) and len(dimension) > len(PROPS) and is_stored_text(dimension):
        return Source(Grain.HIT)
    return DIMENSIONS.get(dimension)


def is_stored_text(text: str) -> bool:
    """Whether PostgreSQL can hold such a text: no NUL, and nothing that UTF-8 has no bytes for."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def is_time(dimension: str) -> bool:
    """Whether it is one of `TIMES`."""
    return dimension in TIMES


def conditions_of(part: Filter | None) -> Iterator[Condition]:
    """All conditions of a filter, from left to right."""
    match part:
        case None:
            return
        case Condition():
            yield part
        case Every(parts) | Either(parts):
            for each in parts:
                yield from conditions_of(each)
        case Negated(each) | Done(each):
            yield from conditions_of(each)


def both(one: Filter | None, other: Filter | None) -> Filter | None:
    """Both filters; flat, so that the same conditions make the same filter."""
    parts = [
        each
        for part in (one, other)
        if part is not None
        for each in (part.parts if isinstance(part, Every) else (part,))
    ]
    if len(parts) > 1:
        return Every(tuple(parts))
    return parts[0] if parts else None


@dataclass(frozen=True)
class Query:
    """A question about whole days on the site's clock, both included."""

    metrics: tuple[str, ...]
    starts_on: dt.date
    ends_on: dt.date
    dimensions: tuple[str, ...] = ()
    filters: Filter | None = None
    order_by: tuple[tuple[str, Direction], ...] = ()
    """Empty: time ascending if it is asked for, else the first metric descending."""
    limit: int = 10_000
    offset: int = 0
    goals: tuple[Rule, ...] | None = None
    """The site's goals; None loads them when `event:goal` is asked for."""
    starts_at: dt.datetime | None = None
    """The first hour, where only some hours of the first day are asked for."""
    ends_before: dt.datetime | None = None
    """The end of the last hour, likewise."""


@dataclass(frozen=True)
class Row:
    """One group. `dimensions` and `metrics` in the order of the query."""

    dimensions: tuple[str, ...]
    """A value that is not set is "". Times: 2026-05-01 or 2026-05-01 14:00:00 on the site's
    clock. All "" where the row is *other*, but for times."""
    metrics: tuple[int | float | None, ...]
    """None: nothing to divide by, the metric says nothing here, or it is hidden."""
    is_other: bool = False
    """The groups that are not told one by one, all together: the last row in any order."""
    is_hidden: bool = False
    """So few visitors that nothing is told; all metrics are None."""


@dataclass(frozen=True)
class Result:
    """Rows from `offset` on, at most `limit`."""

    rows: tuple[Row, ...]
    total_rows: int
    from_raw: bool
    """Counted from raw rows, which end with the client's retention; else from rollups."""
    warnings: tuple[str, ...] = ()
    is_protected: bool = False
    """Rows of fewer than k visitors are folded or hidden."""
