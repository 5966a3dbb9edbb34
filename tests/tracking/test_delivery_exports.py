"""Tables as files: exact, readable by spreadsheets, and harmless to them."""

import csv
import datetime as dt
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.delivery.exports import (
    BOM,
    Column,
    Dialect,
    Table,
    csv_lines,
    safe_text,
    write_xlsx,
    write_zip,
)

HALF_PAST_TWO = dt.datetime(2026, 11, 1, 14, 30, tzinfo=dt.UTC)
HEAD = [("Site", "Alpha & Sons"), ("Period", "1–30 Nov 2026")]
COLUMNS = (
    Column("Page"),
    Column("Day", "date"),
    Column("Visitors", "number"),
    Column("Bounce rate (%)", "percent"),
    Column("At", "time"),
)
ROWS = [
    ("/a,b", dt.date(2026, 11, 1), 1234, 37.456, HALF_PAST_TWO),
    ('/say "hi"', dt.date(2026, 11, 2), 0, None, None),
]


def table(rows=ROWS, **fields):
    return Table("pages", "Pages", COLUMNS, rows, **fields)


def read(text, separator=","):
    return list(csv.reader(io.StringIO(text), delimiter=separator))


def test_a_csv_file_has_head_headings_and_plain_values():
    text = "".join(csv_lines(HEAD, table(note="Fewer than 5 are other."), Dialect()))
    assert read(text) == [
        ["Site", "Alpha & Sons"],
        ["Period", "1–30 Nov 2026"],
        [],
        ["Page", "Day", "Visitors", "Bounce rate (%)", "At"],
        ["/a,b", "2026-11-01", "1234", "37.46", "2026-11-01 14:30"],
        ['/say "hi"', "2026-11-02", "0", "", ""],
        [],
        ["Fewer than 5 are other."],
    ]
    assert "\r\n" in text


def test_a_csv_file_for_a_spreadsheet_has_its_mark_and_its_countrys_signs():
    text = "".join(csv_lines([], table(), Dialect(True, ";", ",")))
    assert text.startswith(BOM)
    assert read(text[1:], ";")[1] == ["/a,b", "2026-11-01", "1234", "37,46", "2026-11-01 14:30"]


def test_rows_are_written_while_they_are_read():
    taken = []

    def rows():
        for number in range(3):
            taken.append(number)
            yield ("/", dt.date(2026, 11, 1), number, 0.0, None)

    lines = csv_lines([], table(rows()), Dialect())
    next(lines)
    next(lines)
    assert taken == [0]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "＝1+1"],
)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert safe_text(text) == "'" + text
    line = "".join(csv_lines([], table([(text, None, None, None, None)]), Dialect()))
    assert read(line)[1][0] == "'" + text


@given(st.text(), st.floats(-1e12, 1e12), st.integers(-(10**12), 10**12))
def test_no_cell_of_text_begins_a_formula_and_numbers_come_back(text, decimal, number):
    written = "".join(
        csv_lines([(text, text)], table([(text, None, number, decimal, None)]), Dialect())
    )
    head, _empty, _headings, row = read(written)
    for cell in (*head, row[0]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert int(row[2]) == number
    assert float(row[3]) == pytest.approx(decimal, abs=0.0051)


def test_a_workbook_has_texts_numbers_and_dates():
    file = io.BytesIO()
    more = Table("other", "Pages", COLUMNS, [("=1+1", None, 1, None, None)], note="A note")
    write_xlsx(file, HEAD, [table(), more], title="Report", about="About")
    book = openpyxl.load_workbook(io.BytesIO(file.getvalue()))
    assert book.sheetnames == ["About", "Pages", "Pages 2"]
    about, pages, other = (book[name] for name in book.sheetnames)
    assert [cell.value for cell in about["A"]] == ["Report", None, "Site", "Period"]
    values = [[cell.value for cell in row] for row in pages.iter_rows()]
    assert values[0] == [column.words for column in COLUMNS]
    path, day, visitors, rate, at = values[1]
    assert (path, visitors, rate) == ("/a,b", 1234, 37.456)
    assert (day.isoformat(), at.isoformat()) == ("2026-11-01T00:00:00", "2026-11-01T14:30:00")
    assert values[2][2:] == [0, None, None]
    assert pages["B2"].is_date
    assert pages["C2"].number_format == "#,##0"
    # The text is a text: not run, and not changed either.
    assert (other["A2"].value, other["A2"].data_type) == ("=1+1", "s")
    assert other["A4"].value == "A note"


@pytest.mark.parametrize("title", ["a/b:c*d?[e]", "x" * 40, "'quoted'", "", "About"])
def test_any_title_makes_a_sheet(title):
    file = io.BytesIO()
    tables = [Table("t", title, (Column("A"),), [("1",)]) for _ in range(2)]
    write_xlsx(file, [], tables, title="Report", about="About")
    assert len(openpyxl.load_workbook(io.BytesIO(file.getvalue())).sheetnames) == 3


def test_an_archive_has_a_file_for_each_table():
    file = io.BytesIO()
    write_zip(file, HEAD, [table(), Table("empty", "Empty", COLUMNS, [])], Dialect(has_bom=True))
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["pages.csv", "empty.csv"]
        text = archive.read("pages.csv").decode("utf-8-sig")
        assert read(text) == read("".join(csv_lines(HEAD, table(), Dialect())))
        assert len(read(archive.read("empty.csv").decode("utf-8-sig"))) == 4
