"""The report as files: CSV, XLSX, ZIP, PDF. The address is the page's own, filters included."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import IO

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency.report_digest import make_sheet
from agency.report_pdf import PdfUnavailableError, render_pdf
from agency.report_tables import (
    SPEC_OF,
    Asked,
    Spec,
    all_tables,
    dialect_of,
    export_table,
    filters_in_words,
    head_of,
    specs_for,
)
from agency.reports_mail import look_of
from agency.views.reading import Reading, read_request
from tenants.access import May
from tracking.delivery.exports import Cell, Table, csv_lines, write_xlsx, write_zip
from tracking.query.model import QueryError

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def asked_of(reading: Reading) -> Asked:
    """What a page's address asks for, as the tables take it."""
    return Asked(
        client=reading.client,
        site=reading.site,
        period=reading.period,
        before=reading.comparison,
        locale=reading.locale,
        k=reading.k,
        now=reading.now,
        filters=reading.filters,
        raw_since=reading.filterable_from,
    )


def _read(request: HttpRequest, site_id: int, table: str) -> tuple[Reading, Asked, Spec]:
    spec = SPEC_OF.get(table)
    if spec is None:
        raise Http404("There is no such table.")
    reading = read_request(request, site_id, may=May.EXPORT, section=spec.section)
    return reading, asked_of(reading), spec


def _read_all(request: HttpRequest, site_id: int) -> Reading:
    """Of a file with every table that the reader may see: there must be one."""
    reading = read_request(request, site_id, may=May.EXPORT)
    if not specs_for(reading.sections):
        raise PermissionDenied("No section with tables is open to you. Ask who invited you.")
    return reading


def _file_name(asked: Asked, what: str, ending: str) -> str:
    period = f"{asked.period.starts_on}-{asked.period.ends_on}"
    return f"{asked.client.slug}-{what}-{period}.{ending}"


def _for_spreadsheet(request: HttpRequest) -> bool:
    return request.GET.get("for") == "spreadsheet"


def _refused(request: HttpRequest, reading: Reading, problem: str) -> HttpResponse:
    context = {"site": reading.site, "problem": problem, "back": reading.below("")}
    return render(request, "client/export_refused.html", context, status=422)


@require_safe
@login_required
@never_cache
def csv_file(request: HttpRequest, site_id: int, table: str) -> HttpResponseBase:
    """One table as CSV; `?for=spreadsheet` as Excel of the client's language opens it.

    `?head=no` leaves out the lines above the headings, for programs.
    """
    reading, asked, spec = _read(request, site_id, table)
    dialect = dialect_of(asked.locale, for_spreadsheet=_for_spreadsheet(request))
    head = [] if request.GET.get("head") == "no" else head_of(asked)
    try:
        whole = _begun(export_table(asked, spec))
    except QueryError as error:
        return _refused(request, reading, str(error))
    return StreamingHttpResponse(
        csv_lines(head, whole, dialect),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": content_disposition_header(
                as_attachment=True, filename=_file_name(asked, table, "csv")
            )
        },
    )


def _begun(table: Table) -> Table:
    """The table with its first row read, so that a refused question is told before the answer."""
    rows: Iterator[Sequence[Cell]] = iter(table.rows)
    first = list(islice(rows, 1))
    return replace(table, rows=chain(first, rows))


@require_safe
@login_required
@never_cache
def xlsx_file(request: HttpRequest, site_id: int, table: str) -> HttpResponseBase:
    """One table as a workbook."""
    reading, asked, spec = _read(request, site_id, table)
    title = f"{asked.site.name}: {spec.title}"

    def write(file: IO[bytes]) -> None:
        write_xlsx(file, head_of(asked), [export_table(asked, spec)], title=title, about="About")

    return _file(request, reading, write, _file_name(asked, table, "xlsx"), XLSX)


@require_safe
@login_required
@never_cache
def all_xlsx(request: HttpRequest, site_id: int) -> HttpResponseBase:
    """Every table of the reader's sections, a sheet each."""
    reading = _read_all(request, site_id)
    asked = asked_of(reading)

    def write(file: IO[bytes]) -> None:
        tables = all_tables(asked, reading.sections)
        write_xlsx(file, head_of(asked), tables, title=asked.site.name, about="About")

    return _file(request, reading, write, _file_name(asked, "report", "xlsx"), XLSX)


@require_safe
@login_required
@never_cache
def all_zip(request: HttpRequest, site_id: int) -> HttpResponseBase:
    """Every table of the reader's sections, a CSV file each."""
    reading = _read_all(request, site_id)
    asked = asked_of(reading)
    dialect = dialect_of(asked.locale, for_spreadsheet=_for_spreadsheet(request))

    def write(file: IO[bytes]) -> None:
        write_zip(file, head_of(asked), all_tables(asked, reading.sections), dialect)

    return _file(request, reading, write, _file_name(asked, "report", "zip"), "application/zip")


@require_safe
@login_required
@never_cache
def pdf_file(request: HttpRequest, site_id: int) -> HttpResponseBase:
    """The report on paper."""
    reading = _read_all(request, site_id)
    asked = asked_of(reading)
    try:
        pdf = render_pdf(
            asked.client,
            make_sheet(
                asked,
                reading.sections,
                filters=filters_in_words(asked),
            ),
            look_of(asked.client),
        )
    except (PdfUnavailableError, QueryError) as error:
        return _refused(request, reading, str(error))
    name = _file_name(asked, "report", "pdf")
    disposition = content_disposition_header(as_attachment=True, filename=name)
    return HttpResponse(
        pdf, content_type="application/pdf", headers={"Content-Disposition": disposition or ""}
    )


def _file(
    request: HttpRequest,
    reading: Reading,
    write: Callable[[IO[bytes]], None],
    name: str,
    content_type: str,
) -> HttpResponseBase:
    """A file written to disk first, so that no workbook is kept in memory; gone when sent."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        write(file)
    except QueryError as error:
        file.close()
        return _refused(request, reading, str(error))
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
