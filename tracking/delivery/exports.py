"""Tables as CSV and as XLSX: values in, text and bytes out. Pure.

A cell of a CSV file that begins with `= + - @`, a tab or a return would be run as a formula by a
spreadsheet (CSV injection, https://owasp.org/www-community/attacks/CSV_Injection): such a text
gets an apostrophe in front. Numbers are written as numbers. A workbook needs no apostrophe: its
texts are stored as texts.
"""

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

Kind = Literal["text", "number", "decimal", "percent", "seconds", "date", "time"]
Cell = str | int | float | dt.date | dt.datetime | None
"""Percent is 0 to 100. None: nothing to tell, an empty cell."""

BOM = "\ufeff"
"""By which Excel knows UTF-8."""
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_WIDTH = {"text": 34, "date": 12, "time": 18}
_NUMBER_FORMATS = {
    "number": "#,##0",
    "decimal": "#,##0.00",
    "percent": "0.0",
    "seconds": "#,##0.0",
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm",
}
MAX_SHEET_NAME = 31


@dataclass(frozen=True)
class Column:
    """A column's heading, and what its cells are."""

    words: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A table to be written. `rows` is read once, as it is written."""

    key: str
    """Names its file in an archive."""
    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is read by the program it is for.

    Spreadsheets of a language with decimal commas expect semicolons between cells.
    """

    has_bom: bool = False
    separator: str = ","
    decimal_sign: str = "."


Head = Sequence[tuple[str, str]]
"""Names and values above a table: site, period, filters."""


def safe_text(text: str) -> str:
    """The text, with an apostrophe in front if a spreadsheet would run it."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def csv_lines(head: Head, table: Table, dialect: Dialect) -> Iterator[str]:
    """The file in pieces: head, an empty line, headings, rows (RFC 4180, UTF-8)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=dialect.separator, lineterminator="\r\n")

    def piece() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    if dialect.has_bom:
        yield BOM
    for name, value in head:
        writer.writerow([safe_text(name), safe_text(value)])
    if head:
        writer.writerow([])
    writer.writerow([safe_text(column.words) for column in table.columns])
    yield piece()
    for row in table.rows:
        writer.writerow([_csv_cell(cell, dialect) for cell in row])
        yield piece()
    if table.note:
        writer.writerow([])
        writer.writerow([safe_text(table.note)])
        yield piece()


def _csv_cell(cell: Cell, dialect: Dialect) -> str:
    match cell:
        case None:
            return ""
        case str():
            return safe_text(cell)
        case dt.datetime():
            return cell.strftime("%Y-%m-%d %H:%M")
        case dt.date():
            return cell.isoformat()
        case float():
            return _plain(cell).replace(".", dialect.decimal_sign)
        case _:
            return str(cell)


def _plain(value: float) -> str:
    """At most two places after the point; no exponent; no zeros at the end."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def write_zip(file: IO[bytes], head: Head, tables: Iterable[Table], dialect: Dialect) -> None:
    """An archive with a CSV file for each table, into a file open for reading and writing."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in tables:
            with archive.open(f"{table.key}.csv", "w") as entry:
                for line in csv_lines(head, table, dialect):
                    entry.write(line.encode())


def write_xlsx(
    file: IO[bytes], head: Head, tables: Iterable[Table], *, title: str, about: str
) -> None:
    """A workbook with a sheet called `about`, which holds the head, and one for each table."""
    options = {"constant_memory": True, "default_date_format": _NUMBER_FORMATS["date"]}
    book = xlsxwriter.Workbook(file, options)
    book.set_properties({"title": title})
    formats = {
        kind: book.add_format({"num_format": text}) for kind, text in _NUMBER_FORMATS.items()
    }
    formats["head"] = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
    formats["title"] = book.add_format({"bold": True, "font_size": 14})
    formats["note"] = book.add_format({"font_color": "#555555"})
    names = _SheetNames()
    _write_head(book.add_worksheet(names.of(about)), head, title, formats)
    for table in tables:
        _write_table(book.add_worksheet(names.of(table.title)), table, formats)
    book.close()


class _SheetNames:
    """Names that a workbook allows, none twice."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, title: str) -> str:
        plain = _SHEET_NAME.sub(" ", title).strip("' ")[:MAX_SHEET_NAME] or "Table"
        name, number = plain, 2
        while name.lower() in self._used:
            end = f" {number}"
            name, number = plain[: MAX_SHEET_NAME - len(end)] + end, number + 1
        self._used.add(name.lower())
        return name


def _write_head(sheet: Worksheet, head: Head, title: str, formats: dict[str, Format]) -> None:
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 80)
    sheet.write_string(0, 0, title, formats["title"])
    for number, (name, value) in enumerate(head, start=2):
        sheet.write_string(number, 0, name)
        sheet.write_string(number, 1, value)


def _write_table(sheet: Worksheet, table: Table, formats: dict[str, Format]) -> None:
    for number, column in enumerate(table.columns):
        sheet.set_column(number, number, _WIDTH.get(column.kind, 14))
        sheet.write_string(0, number, column.words, formats["head"])
    sheet.freeze_panes(1, 0)
    line = 0
    for line, row in enumerate(table.rows, start=1):
        for number, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
            _write_cell(sheet, line, number, cell, formats.get(column.kind))
    if table.note:
        sheet.write_string(line + 2, 0, table.note, formats["note"])


def _write_cell(sheet: Worksheet, line: int, number: int, cell: Cell, kind: Any) -> None:
    match cell:
        case None:
            return
        case str():
            sheet.write_string(line, number, cell)
        case dt.datetime():
            # A spreadsheet knows no time zones: the clock on the site's wall is written.
            sheet.write_datetime(line, number, cell.replace(tzinfo=None), kind)
        case dt.date():
            sheet.write_datetime(line, number, dt.datetime.combine(cell, dt.time()), kind)
        case _:
            sheet.write_number(line, number, cell, kind)
