"""A report on one sheet: what mails, the PDF and embedded views show, in words and figures."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from babel.dates import format_skeleton
from django.utils import translation

from agency import figures
from agency.components import Figure
from agency.report_tables import (
    SPEC_OF,
    TOTALS,
    Asked,
    Spec,
    raw_note,
    read_rows,
    read_totals,
    row_name,
)
from agency.wording import period_words
from tenants.models import Section
from tenants.schemas import entered
from tracking.query.model import Query, Row
from tracking.query.run import raw_warning, run_query
from tracking.reports.periods import Period

ROWS = 6
SHEET = (
    *("pages", "entry-pages", "sources", "channels", "campaigns"),
    *("countries", "outcodes", "devices", "browsers", "events", "goals"),
)
"""Tables of a sheet, in order; each if its section is chosen."""
BRIEF = frozenset({"pages", "sources", "countries", "devices", "events", "goals"})
"""Those of a mail, which is to be read in a minute: one of each section."""
SECTIONS = (Section.OVERVIEW, *dict.fromkeys(SPEC_OF[key].section for key in SHEET))
"""Sections that a sheet can show."""

NAMES = {
    "visitors": ("Visitors", "good"),
    "visits": ("Visits", "good"),
    "pageviews": ("Page views", "good"),
    "views_per_visit": ("Views per visit", "good"),
    "bounce_rate": ("Bounce rate", "bad"),
    "visit_duration": ("Visit duration", "good"),
    "engaged_time": ("Engaged time", "good"),
}
"""A total's name, and what its rise is."""


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet's table; `share` of the largest row, 0 to 100."""

    words: str
    cells: tuple[str, ...]
    share: int
    is_quiet: bool = False


@dataclass(frozen=True)
class SheetTable:
    """The first rows of a table."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    note: str = ""


@dataclass(frozen=True)
class Day:
    """A day of the series, beside the day that it is compared with; None: hidden, or no day."""

    words: str
    visitors: int | None
    before: int | None


@dataclass(frozen=True)
class Sheet:
    """Everything that is shown, ready to print."""

    client_name: str
    site_name: str
    host: str
    period: str
    before: str
    timezone: str
    figures: tuple[Figure, ...]
    days: tuple[Day, ...]
    tables: tuple[SheetTable, ...]
    note: str
    filters: tuple[str, ...] = ()
    """What is filtered, in words."""

    @property
    def pairs(self) -> list[tuple[SheetTable, ...]]:
        """The tables two by two, as they stand on paper."""
        return [self.tables[first : first + 2] for first in range(0, len(self.tables), 2)]


def make_sheet(
    asked: Asked,
    sections: Collection[Section],
    *,
    keys: Collection[str] | None = None,
    rows: int = ROWS,
    filters: Sequence[str] = (),
) -> Sheet:
    """Read and word a sheet of the sections. Called outside the client's schema.

    `keys` limits its tables; `filters` are those in force, in words. Some twenty queries, all
    of rollups where nothing is filtered.
    """
    chosen = [
        SPEC_OF[key]
        for key in SHEET
        if SPEC_OF[key].section in sections and (keys is None or key in keys)
    ]
    with_totals = Section.OVERVIEW in sections
    with translation.override(asked.client.locale):
        return Sheet(
            client_name=asked.client.name,
            site_name=asked.site.name,
            host=asked.site.main_host,
            period=period_words(asked.period, asked.locale),
            before=period_words(asked.before, asked.locale) if asked.before else "",
            timezone=asked.site.timezone,
            figures=_figures(asked) if with_totals else (),
            days=_days(asked) if with_totals else (),
            tables=tuple(_table(asked, spec, rows) for spec in chosen),
            note=_sheet_note(asked),
            filters=tuple(filters),
        )


def _sheet_note(asked: Asked) -> str:
    gone = raw_warning(asked.raw_since, asked.period.starts_on) if asked.filters else ""
    return (
        "Visitors who consented are counted once, all others once a day. "
        f"Outward codes of fewer than {asked.k} visitors are folded into other. {gone}"
    ).rstrip()


def _figures(asked: Asked) -> tuple[Figure, ...]:
    now = read_totals(asked, asked.period)
    before = read_totals(asked, asked.before) if asked.before else (None,) * len(now)
    return tuple(
        _figure(asked, name, value, former)
        for name, value, former in zip(TOTALS, now, before, strict=True)
    )


def _figure(asked: Asked, name: str, value: float | None, before: float | None) -> Figure:
    words, rising_is = NAMES[name]
    # Visitors have no number only where they are too few to be shown.
    hidden = figures.fewer_than(asked.k) if name == "visitors" else figures.NO_FIGURE
    no_before = hidden if asked.before else figures.NO_FIGURE
    change = figures.change(value, before, rising_is=rising_is)
    return Figure(
        name=words,
        value=hidden if value is None else metric_words(name, value),
        change=change.words,
        tone=change.tone,
        before=no_before if before is None else metric_words(name, before),
    )


def metric_words(name: str, value: float | None) -> str:
    """A metric's value as the pages write it; percent is 0 to 100."""
    if value is None:
        return figures.NO_FIGURE
    match name:
        case "bounce_rate" | "conversion_rate" | "percentage":
            return figures.share(value / 100)
        case "visit_duration" | "engaged_time" | "time_on_page":
            return figures.duration(value)
        case "views_per_visit":
            return figures.decimal(value)
        case _:
            return figures.number(round(value))


def _days(asked: Asked) -> tuple[Day, ...]:
    now = _visitors_by_day(asked, asked.period)
    before = _visitors_by_day(asked, asked.before) if asked.before else {}
    former = list(asked.before.dates()) if asked.before else []
    return tuple(
        Day(
            format_skeleton("MMMd", day, locale=asked.locale),
            now.get(day, 0),
            before.get(former[number], 0) if number < len(former) else None,
        )
        for number, day in enumerate(asked.period.dates())
    )


def _visitors_by_day(asked: Asked, period: Period) -> dict[dt.date, int | None]:
    """Days with visitors; None where they are too few to be shown."""
    query = Query(
        ("visitors",), period.starts_on, period.ends_on, ("time:day",), asked.filters, limit=4_000
    )
    with entered(asked.client):
        result = run_query(asked.site, query, k=asked.k, now=asked.now)
    return {
        dt.date.fromisoformat(row.dimensions[0][:10]): (
            None if row.is_hidden else int(row.metrics[0] or 0)
        )
        for row in result.rows
    }


def _table(asked: Asked, spec: Spec, limit: int) -> SheetTable:
    rows, _warnings = read_rows(asked, spec, limit=limit)
    # The page shows two figures of a row; the files have the others.
    names = spec.metrics[:2]
    largest = max((row.metrics[0] or 0 for row in rows if not row.is_other), default=0)
    has_folded = spec.key == "outcodes" and any(row.is_other for row in rows)
    folded = (
        f"Outward codes of fewer than {asked.k} visitors are folded into other."
        if has_folded
        else ""
    )
    return SheetTable(
        spec.key,
        spec.title,
        (spec.heading or spec.title, *(NAMES.get(name, (name.capitalize(),))[0] for name in names)),
        tuple(_row(asked, spec, row, names, largest) for row in rows),
        note=" ".join(filter(None, (folded, raw_note(asked, spec)))),
    )


def _row(asked: Asked, spec: Spec, row: Row, names: Sequence[str], largest: float) -> SheetRow:
    first = row.metrics[0] or 0
    return SheetRow(
        str(row_name(asked, spec, row)),
        tuple(
            figures.fewer_than(asked.k)
            if row.is_hidden and row.dimensions[0] and name == "visitors"
            else metric_words(name, value)
            for name, value in zip(names, row.metrics[: len(names)], strict=True)
        ),
        0 if row.is_other or not largest else min(100, round(first / largest * 100)),
        row.is_other,
    )
