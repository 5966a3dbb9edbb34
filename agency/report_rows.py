"""Rows of the report's tables, in words."""

from collections.abc import Mapping, Sequence

import babel

from agency import figures
from agency.components import BarRow, BarTable, Column
from agency.filter_words import value_words
from agency.report_numbers import ROWS, Value
from agency.report_panels import EMPTY, HEADINGS, NOTHING, panel_metrics
from agency.report_tables import METRICS, Spec
from agency.views.reading import Reading
from agency.wording import date_words
from tracking.query.model import Result, Row

SHORT = {"pageviews": "views", "bounce_rate": "bounce"}
ONE = {"visitors": "visitor", "visits": "visit", "views": "view", "events": "event"}
MOST_TOLD = 3
"""Further numbers that find room over a row."""


def metric_words(name: str, value: Value) -> str:
    """A metric's value for people: percentages as 35%, seconds as 1m 05s."""
    if value is None:
        return figures.NO_FIGURE
    kind = METRICS[name][1] if name in METRICS else "percent"
    if kind == "percent":
        return figures.share(value / 100)
    if kind == "seconds":
        return figures.duration(value)
    if kind == "decimal":
        return figures.decimal(value)
    return figures.number(round(value))


def row_words(spec: Spec, row: Row, *, k: int, locale: babel.Locale) -> str:
    """What a row is about: a goal has its name even where its numbers are hidden."""
    if row.is_hidden and not row.dimensions[0]:
        return f"Fewer than {k} visitors"
    return "Other" if row.is_other else value_words(spec.dimension, row.dimensions[0], locale)


def cell_words(names: Sequence[str], row: Row, *, k: int) -> list[str]:
    """A row's numbers; of one that is hidden that there are too few, unless its words say so."""
    if not row.is_hidden:
        return [metric_words(name, each) for name, each in zip(names, row.metrics, strict=True)]
    has_name = bool(row.dimensions[0])
    return [figures.fewer_than(k) if has_name and name == "visitors" else "" for name in names]


def bar_table(reading: Reading, spec: Spec, result: Result) -> BarTable:
    """A panel's table: two columns, the rest on pointing; each row filters."""
    metrics = panel_metrics(spec)
    longest = max((_size(row) for row in result.rows if not row.is_other), default=0)
    shown = [row for row in result.rows if not row.is_other][:ROWS]
    rest = [row for row in result.rows if row.is_other]
    return BarTable(
        title=spec.heading or spec.title,
        columns=[Column(words=HEADINGS.get(name, name)) for name in metrics[:2]],
        rows=[_bar_row(reading, spec, row, longest) for row in (*shown, *rest)],
        note=fold_note(reading, spec, rest),
        empty=EMPTY.get(spec.key, NOTHING) if not reading.chosen else NOTHING,
    )


def fold_note(reading: Reading, spec: Spec, folded: Sequence[Row]) -> str:
    """What was folded, where the threshold did it; of goals, which days are missing."""
    if spec.needs_goals:
        since = reading.filterable_from
        early = reading.period.starts_on < since
        day = date_words(since, reading.locale)
        return f"Counted from single visits, which are kept since {day}." if early else ""
    protected = spec.dimension == "visit:outcode" or bool(reading.chosen)
    if not folded or not protected:
        return ""
    return f"Groups of fewer than {reading.k} visitors are folded into other."


def _bar_row(reading: Reading, spec: Spec, row: Row, longest: float) -> BarRow:
    metrics = panel_metrics(spec)
    value = row.dimensions[0]
    words = row_words(spec, row, k=reading.k, locale=reading.locale)
    is_plain = not (row.is_other or row.is_hidden)
    is_current = is_plain and reading.is_chosen(spec.dimension, value)
    return BarRow(
        words=words,
        cells=cell_words(metrics, row, k=reading.k)[:2],
        share=100 * _size(row) / longest if is_plain and longest else 0.0,
        url=row_url(reading, spec, value, is_current=is_current) if is_plain else "",
        tip=words,
        more=_more(dict(zip(metrics[2:], row.metrics[2:], strict=True))) if is_plain else "",
        is_quiet=not is_plain,
        is_current=is_current,
    )


def row_url(reading: Reading, spec: Spec, value: str, *, is_current: bool) -> str:
    """Query string that filters by the row, or no longer filters by it."""
    if is_current:
        return reading.with_filters(
            [each.text for each in reading.chosen if not each.is_exactly(spec.dimension, value)]
        )
    return reading.with_filter(spec.dimension, value)


def _size(row: Row) -> float:
    return float(row.metrics[0] or 0)


def _more(values: Mapping[str, Value]) -> str:
    """1,204 visits · 2,310 views · 41% bounce."""
    words = []
    for name, value in values.items():
        if value is not None:
            heading = SHORT.get(name, METRICS[name][0].partition(" (")[0].lower())
            if value == 1:
                heading = ONE.get(heading, heading)
            words.append(f"{metric_words(name, value)} {heading}")
    return " · ".join(words[:MOST_TOLD])
