"""Files of the report: the same numbers as the pages, for whoever may have them."""

import csv
import datetime as dt
import io
import re
import zipfile
import zlib

import openpyxl
import pytest
import weasyprint
from django.utils import timezone

from agency.report_pdf import FONT_URL, LOGO_URL, _own_files
from agency.report_tables import SPECS
from agency.reports_mail import look_of
from tenants.models import Role, Section
from tenants.schemas import entered
from tests.agency.delivery_stage import browser_of, fill, person
from tracking.query.buckets import bounds_of, up_to_now
from tracking.query.model import Condition, Query
from tracking.query.run import run_query
from tracking.reports.periods import Period, Preset, site_today
from tracking.rollups.hours import from_us

PERIOD = "period=7d"


@pytest.fixture(scope="module")
def client(new_client):
    return new_client(timezone_name="America/New_York", locale="en-us")


@pytest.fixture(scope="module")
def site(client):
    return fill(client, timezone.now())


@pytest.fixture(scope="module")
def manager(client):
    return person("exports@people.example", client, Role.MANAGER)


@pytest.fixture
def browser(client, site, manager):
    return browser_of(client, manager)


def week(site):
    return Period.of(Preset.LAST_7_DAYS, site_today(site, timezone.now()))


def asked(client, site, dimension, metrics, filters=None):
    period, k, now = week(site), client.privacy.k_threshold, timezone.now()
    query = Query(metrics, period.starts_on, period.ends_on, (dimension,), filters)
    with entered(client):
        return run_query(site, query, k=k, now=now).rows


def sent(reply):
    """The bytes of a file that is sent in pieces."""
    assert reply.status_code == 200, reply.content
    return b"".join(reply.streaming_content)


def read_csv(reply, separator=","):
    text = sent(reply).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=separator))


def body(rows):
    """The rows below the headings, which follow the empty line."""
    return rows[rows.index([]) + 2 :] if [] in rows else rows[1:]


def number(text):
    return None if text == "" else float(text)


def address(site, table, query=PERIOD):
    return f"/sites/{site.pk}/export/{table}?{query}"


def test_a_csv_file_has_the_numbers_of_the_query(client, site, browser):
    rows = read_csv(browser.get(address(site, "pages.csv")))
    metrics = ("visitors", "visits", "pageviews", "bounce_rate", "time_on_page")
    expected = asked(client, site, "event:page", metrics)
    assert len(expected) > 5
    found = [[row[0], *map(number, row[1:])] for row in body(rows)]
    assert [row[0] for row in found] == [row.dimensions[0] for row in expected]
    for got, row in zip(found, expected, strict=True):
        assert got[1:] == pytest.approx(list(row.metrics), abs=0.0051)


def test_a_file_says_what_it_is_about(client, site, browser):
    rows = dict(row for row in read_csv(browser.get(address(site, "sources.csv"))) if len(row) == 2)
    assert rows["Client"] == client.name
    assert rows["From"] == week(site).starts_on.isoformat()
    assert rows["To"] == week(site).ends_on.isoformat()
    assert rows["Time zone"] == "America/New_York"
    assert rows["Filters"] == "None"
    assert rows["Threshold"].startswith(f"Groups of fewer than {client.privacy.k_threshold}")
    assert "Compared with" in rows


def test_filters_of_the_address_hold_in_the_file_and_are_named(client, site, browser):
    query = f"{PERIOD}&f=is,visit:browser,Firefox"
    rows = read_csv(browser.get(address(site, "countries.csv", query)))
    assert ["Filters", "Browser is Firefox"] in rows
    expected = asked(
        client, site, "visit:country", ("visitors",), Condition("is", "visit:browser", ("Firefox",))
    )
    found = [number(row[1]) for row in body(rows) if len(row) > 2]
    assert found == [row.metrics[0] for row in expected]


def test_a_program_gets_the_table_alone(site, browser):
    rows = read_csv(browser.get(address(site, "days.csv", f"{PERIOD}&head=no")))
    assert rows[0][0] == "Day"
    days = [dt.date.fromisoformat(row[0]) for row in rows[1:]]
    assert days == list(week(site).dates())


def test_a_value_that_a_spreadsheet_would_run_is_defused(site, browser):
    rows = read_csv(browser.get(address(site, "sources.csv")))
    names = [row[0] for row in body(rows)]
    assert "'=HYPERLINK(1)" in names
    assert "=HYPERLINK(1)" not in names


def test_a_spreadsheet_of_a_country_with_decimal_commas_gets_semicolons(new_client):
    client = new_client(locale="de-de", timezone_name="Europe/Berlin")
    site = fill(client, timezone.now(), days=8)
    german = browser_of(client, person("tabellen@people.example", client, Role.VIEWER))
    reply = german.get(address(site, "browsers.csv", f"{PERIOD}&for=spreadsheet&head=no"))
    text = sent(reply)
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig")), delimiter=";"))
    assert {row[0] for row in rows[1:]} == {"Firefox", "Chrome"}
    assert any("," in row[4] for row in rows[1:])


def test_small_groups_of_outcodes_are_in_no_file(client, site, browser):
    rows = body(read_csv(browser.get(address(site, "outcodes.csv"))))
    expected = asked(client, site, "visit:outcode", ("visitors",))
    shown = [(row[0], number(row[1])) for row in rows if len(row) > 2]
    assert [count for _, count in shown] == [row.metrics[0] for row in expected]
    assert all(count is None or count >= client.privacy.k_threshold for _, count in shown)


def test_a_workbook_of_one_table_has_its_numbers(client, site, browser):
    reply = browser.get(address(site, "days.xlsx"))
    assert reply["Content-Disposition"].endswith('.xlsx"')
    book = openpyxl.load_workbook(io.BytesIO(sent(reply)))
    sheet = book["Days"]
    expected = asked(client, site, "time:day", ("visitors",))
    found = {row[0].value.date().isoformat(): row[1].value for row in sheet.iter_rows(min_row=2)}
    assert list(found) == [day.isoformat() for day in week(site).dates()]
    assert {day: count for day, count in found.items() if count} == {
        row.dimensions[0]: row.metrics[0] for row in expected
    }


def test_everything_is_a_sheet_or_a_file_for_each_table(site, browser):
    reply = browser.get(address(site, "report.xlsx"))
    book = openpyxl.load_workbook(io.BytesIO(sent(reply)))
    assert book.sheetnames == ["About", "Summary", *(spec.title for spec in SPECS)]
    reply = browser.get(address(site, "report.zip"))
    with zipfile.ZipFile(io.BytesIO(sent(reply))) as archive:
        names = archive.namelist()
        text = archive.read("pages.csv").decode()
    assert names == ["summary.csv", *(f"{spec.key}.csv" for spec in SPECS)]
    same = read_csv(browser.get(address(site, "pages.csv")))
    zipped = list(csv.reader(io.StringIO(text)))
    assert body(zipped) == body(same)


def test_the_summary_equals_a_query_of_both_periods(client, site, browser):
    reply = browser.get(address(site, "report.zip"))
    with zipfile.ZipFile(io.BytesIO(sent(reply))) as archive:
        rows = body(list(csv.reader(io.StringIO(archive.read("summary.csv").decode()))))
    period, k, now = week(site), client.privacy.k_threshold, timezone.now()
    compared = up_to_now(period.before(), site.timezone, now)
    for column, each in ((1, period), (2, compared)):
        ends_before = from_us(bounds_of(site.timezone, each)[1])
        with entered(client):
            query = Query(
                ("visitors", "visits", "pageviews"),
                each.starts_on,
                each.ends_on,
                ends_before=ends_before,
            )
            (row,) = run_query(site, query, k=k, now=now).rows
        assert [number(line[column]) for line in rows[:3]] == list(row.metrics)


def test_the_pdf_is_one_with_the_clients_name_and_its_own_font(client, site, browser):
    reply = browser.get(address(site, "report.pdf"))
    assert reply["Content-Type"] == "application/pdf"
    assert reply.content.startswith(b"%PDF-")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", reply.content, re.DOTALL)
    inside = b"".join(_inflated(stream) for stream in streams)
    assert b"Figtree" in inside
    assert client.name.encode("utf-16-be").hex() in inside.hex() or client.name.encode() in inside


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/x.png", "https://example.com/x.css", "file:///etc/passwd", "outward:x"],
)
def test_a_pdf_loads_nothing_but_its_own_font_and_logo(client, url):
    fetch = _own_files(weasyprint, look_of(client)).fetch
    assert fetch(FONT_URL).read(4) == b"wOF2"
    with pytest.raises(ValueError, match="nothing but its own"):
        fetch(url)
    with pytest.raises(ValueError, match="nothing but its own"):
        fetch(LOGO_URL)


def _inflated(stream):
    # Not zlib.decompress(): a checksum that ends with what looks like the end of a line is cut off.
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return b""


def test_nobody_gets_a_file_of_a_section_that_is_closed_to_them(client, site):
    sections = [Section.PAGES.value]
    reader = person(
        "pages-only@exports.example", client, Role.VIEWER, all_sections=False, sections=sections
    )
    browser = browser_of(client, reader)
    assert browser.get(address(site, "pages.csv")).status_code == 200
    assert browser.get(address(site, "sources.csv")).status_code == 403
    assert browser.get(address(site, "days.xlsx")).status_code == 403
    reply = browser.get(address(site, "report.zip"))
    with zipfile.ZipFile(io.BytesIO(sent(reply))) as archive:
        assert set(archive.namelist()) == {
            f"{spec.key}.csv" for spec in SPECS if spec.section is Section.PAGES
        }


def test_who_sees_no_tables_gets_no_file(client, site):
    sections = [Section.REALTIME.value]
    reader = person(
        "now@people.example", client, Role.VIEWER, all_sections=False, sections=sections
    )
    browser = browser_of(client, reader)
    for name in ("report.xlsx", "report.zip", "report.pdf"):
        assert browser.get(address(site, name)).status_code == 403


def test_a_table_that_does_not_exist_is_not_found(site, browser):
    assert browser.get(address(site, "secrets.csv")).status_code == 404
