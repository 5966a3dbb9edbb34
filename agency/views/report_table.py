"""All rows of one table: searched, sorted, in pages, with every column."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from agency.components import Column
from agency.report_page import base_template, tools_context
from agency.report_panels import HEADINGS, NOTHING, TERMS
from agency.report_rows import cell_words, fold_note, row_words
from agency.report_tables import METRICS, SPEC_OF, Spec
from agency.views.reading import Reading, reads
from tenants.access import May
from tenants.schemas import entered
from tracking.query.model import MAX_LIMIT, Query, QueryError, Result, Row
from tracking.query.run import run_query

KEPT = ("q", "sort")
PER_PAGE = 50


@dataclass(frozen=True)
class TableRow:
    """A row in words; `share` is the length of its bar, 0 to 100."""

    words: str
    url: str
    share: float
    cells: Sequence[str]
    is_quiet: bool = False
    is_current: bool = False


@reads(kept=KEPT)
def all_rows(request: HttpRequest, reading: Reading, table: str) -> HttpResponse:
    """Every row of a table; `q` searches the names, `sort` is a metric, `-` before it: falling."""
    spec = SPEC_OF.get(table)
    if spec is None or spec.key == "days":
        raise Http404("There is no such table.")
    reading.check(spec.section)
    metrics = table_metrics(spec)
    sort = _sort_of(reading, metrics)
    try:
        result, problem = _ask(reading, spec, metrics, sort), ""
    except QueryError as error:
        result, problem = Result((), 0, from_raw=True), str(error).removeprefix("filters: ")
    with translation.override(reading.client.locale):
        rows = _found(reading, spec, result.rows)
        page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
        longest = max((_size(row) for row in result.rows if not row.is_other), default=0.0)
        context = {
            **tools_context(reading, of_visits=spec.needs_goals),
            "base": base_template(reading),
            "spec": spec,
            "page": page,
            "rows": [_row(reading, spec, row, metrics, longest) for row in page],
            "columns": [_column(reading, name, sort) for name in metrics],
            "first": spec.heading or spec.title,
            "term": TERMS.get(spec.key, ""),
            "search": dict(reading.kept).get("q", ""),
            "search_hidden": [pair for pair in reading.pairs if pair[0] != "q"],
            "search_url": reading.below(f"table/{spec.key}/"),
            "page_query": reading.query().removeprefix("?"),
            "back_url": reading.below("", own=False),
            "note": fold_note(reading, spec, [row for row in result.rows if row.is_other]),
            "nothing": NOTHING,
            "problem": problem,
            "csv_url": _export(reading, "export_csv", spec),
            "xlsx_url": _export(reading, "export_xlsx", spec),
        }
        is_part = request.headers.get("HX-Target") == "div#rows"
        return render(
            request, "client/_table_rows.html" if is_part else "client/report_table.html", context
        )


def table_metrics(spec: Spec) -> tuple[str, ...]:
    """Columns of the whole table."""
    if spec.needs_goals or "visitors" not in spec.metrics:
        return spec.metrics
    return ("visitors", "percentage", *spec.metrics[1:])


def _sort_of(reading: Reading, metrics: Sequence[str]) -> tuple[str, bool]:
    """Metric, and whether it falls; without a sensible one the first, falling."""
    asked = dict(reading.kept).get("sort", "")
    name = asked.removeprefix("-")
    return (name, asked.startswith("-")) if name in metrics else (metrics[0], True)


def _ask(reading: Reading, spec: Spec, metrics: tuple[str, ...], sort: tuple[str, bool]) -> Result:
    name, falls = sort
    query = Query(
        metrics,
        reading.period.starts_on,
        reading.period.ends_on,
        (spec.dimension,),
        reading.filters,
        order_by=((name, "desc" if falls else "asc"),),
        limit=MAX_LIMIT,
    )
    with entered(reading.client):
        return run_query(reading.site, query, k=reading.k, now=reading.now)


def _found(reading: Reading, spec: Spec, rows: Sequence[Row]) -> list[Row]:
    """Rows whose name, as it is shown, holds what is searched for; *other* only without that."""
    wanted = dict(reading.kept).get("q", "").strip().casefold()
    if not wanted:
        return list(rows)
    return [
        row
        for row in rows
        if not row.is_other
        and wanted in row_words(spec, row, k=reading.k, locale=reading.locale).casefold()
    ]


def _row(
    reading: Reading, spec: Spec, row: Row, metrics: Sequence[str], longest: float
) -> TableRow:
    is_plain = not (row.is_other or row.is_hidden)
    value = row.dimensions[0]
    return TableRow(
        words=row_words(spec, row, k=reading.k, locale=reading.locale),
        url=(
            reading.door.base + reading.with_filter(spec.dimension, value, own=False)
            if is_plain
            else ""
        ),
        share=100 * _size(row) / longest if is_plain and longest else 0.0,
        cells=cell_words(metrics, row, k=reading.k),
        is_quiet=not is_plain,
        is_current=is_plain and reading.is_chosen(spec.dimension, value),
    )


def _size(row: Row) -> float:
    return float(row.metrics[0] or 0)


def _column(reading: Reading, name: str, sort: tuple[str, bool]) -> Column:
    is_sorted = name == sort[0]
    turned = name if is_sorted and sort[1] else f"-{name}"
    words = HEADINGS.get(name) or METRICS[name][0].partition(" (")[0]
    return Column(
        words=words,
        sort_url=reading.query({"sort": turned}),
        sorted=("descending" if sort[1] else "ascending") if is_sorted else "",
    )


def _export(reading: Reading, name: str, spec: Spec) -> str:
    """Address of the table as a file; empty for who may not have it."""
    if May.EXPORT not in reading.door.may:
        return ""
    return reading.url(name, spec.key)
