"""The report's tables as they leave it: which there are, what they count, and their files.

Numbers come from `run_query`, as those of the pages and of the API do.
"""

import datetime as dt
import zoneinfo
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import babel
from babel.numbers import get_decimal_symbol

from agency.filter_words import filter_words
from agency.wording import period_words, value_name
from tenants.models import Client, Section, Site
from tenants.schemas import entered
from tracking.delivery.exports import Cell, Column, Dialect, Head, Kind, Table
from tracking.query.buckets import bounds_of
from tracking.query.model import Every, Filter, Query, Row, is_time, source_of
from tracking.query.run import raw_warning, run_query, stored_dimension
from tracking.reports.periods import Period, site_today
from tracking.rollups.hours import from_us

VISITS = ("visitors", "visits", "pageviews", "bounce_rate", "visit_duration")
TOTALS = (
    *("visitors", "visits", "pageviews", "views_per_visit"),
    *("bounce_rate", "visit_duration", "engaged_time"),
)
ROWS_AT_ONCE = 10_000
LONGEST_DAYS = 4_000

METRICS: dict[str, tuple[str, Kind]] = {
    "visitors": ("Visitors", "number"),
    "visits": ("Visits", "number"),
    "pageviews": ("Page views", "number"),
    "events": ("Events", "number"),
    "views_per_visit": ("Views per visit", "decimal"),
    "bounce_rate": ("Bounce rate (%)", "percent"),
    "visit_duration": ("Visit duration (s)", "seconds"),
    "engaged_time": ("Engaged time (s)", "seconds"),
    "time_on_page": ("Time on page (s)", "seconds"),
    "conversion_rate": ("Conversion rate (%)", "percent"),
}
"""Heading and kind of a metric's column."""


@dataclass(frozen=True)
class Spec:
    """A table of the report."""

    key: str
    title: str
    section: Section
    dimension: str
    metrics: tuple[str, ...] = VISITS
    heading: str = ""
    """Of the first column, where it is not the title."""
    needs_goals: bool = False


SPECS = (
    Spec("days", "Days", Section.OVERVIEW, "time:day", TOTALS, "Day"),
    Spec(
        *("pages", "Pages", Section.PAGES, "event:page"),
        ("visitors", "visits", "pageviews", "bounce_rate", "time_on_page"),
        "Page",
    ),
    Spec("entry-pages", "Entry pages", Section.PAGES, "visit:entry_page", heading="Page"),
    Spec("exit-pages", "Exit pages", Section.PAGES, "visit:exit_page", heading="Page"),
    Spec(
        *("not-found", "Pages not found", Section.PAGES, "event:not_found"),
        ("visitors", "pageviews"),
        "Page",
    ),
    Spec(
        *("status-codes", "Status codes", Section.PAGES, "event:status"),
        ("visits", "pageviews"),
        "Status",
    ),
    Spec("sources", "Sources", Section.SOURCES, "visit:source", heading="Source"),
    Spec("channels", "Channels", Section.SOURCES, "visit:channel", heading="Channel"),
    Spec("campaigns", "Campaigns", Section.SOURCES, "visit:utm_campaign", heading="Campaign"),
    Spec("campaign-sources", "Campaign sources", Section.SOURCES, "visit:utm_source"),
    Spec("campaign-mediums", "Campaign mediums", Section.SOURCES, "visit:utm_medium"),
    Spec("campaign-terms", "Campaign terms", Section.SOURCES, "visit:utm_term"),
    Spec("campaign-contents", "Campaign contents", Section.SOURCES, "visit:utm_content"),
    Spec("countries", "Countries", Section.PLACES, "visit:country", heading="Country"),
    Spec("regions", "Regions", Section.PLACES, "visit:region", heading="Region"),
    Spec("outcodes", "Outward codes", Section.PLACES, "visit:outcode", heading="Outward code"),
    Spec("devices", "Devices", Section.DEVICES, "visit:device", heading="Device"),
    Spec("browsers", "Browsers", Section.DEVICES, "visit:browser", heading="Browser"),
    Spec("systems", "Systems", Section.DEVICES, "visit:os", heading="System"),
    Spec("languages", "Languages", Section.DEVICES, "visit:language", heading="Language"),
    Spec(*("events", "Events", Section.EVENTS, "event:name"), ("visitors", "events"), "Event"),
    Spec(
        *("outbound", "Outbound links", Section.EVENTS, "event:outbound"),
        ("visitors", "events"),
        "Address",
    ),
    Spec(
        *("downloads", "Downloads", Section.EVENTS, "event:download"),
        ("visitors", "events"),
        "File",
    ),
    Spec(
        *("goals", "Goals", Section.GOALS, "event:goal"),
        ("visitors", "conversion_rate"),
        "Goal",
        needs_goals=True,
    ),
)
SPEC_OF = {spec.key: spec for spec in SPECS}


@dataclass(frozen=True)
class Asked:
    """What a file or a mail is about. `k`: read before the client is entered."""

    client: Client
    site: Site
    period: Period
    before: Period | None
    locale: babel.Locale
    k: int
    now: dt.datetime
    filters: Filter | None = None
    raw_since: dt.date | None = None
    """First day whose single visits still live; None: nobody is told of days before it."""


def specs_for(sections: Collection[Section]) -> list[Spec]:
    """The tables of these sections, in the order of the report."""
    return [spec for spec in SPECS if spec.section in sections]


def read_rows(asked: Asked, spec: Spec, *, limit: int, offset: int = 0) -> tuple[list[Row], str]:
    """A table's rows, and what must be said of them. Called outside the client's schema."""
    query = Query(
        spec.metrics,
        asked.period.starts_on,
        asked.period.ends_on,
        (spec.dimension,),
        asked.filters,
        limit=limit,
        offset=offset,
    )
    with entered(asked.client):
        result = run_query(asked.site, query, k=asked.k, now=asked.now, raw_since=asked.raw_since)
    return list(result.rows), " ".join(result.warnings)


def export_table(asked: Asked, spec: Spec) -> Table:
    """The whole table, read a portion at a time while it is written."""
    words = [METRICS[name] for name in spec.metrics]
    first = Column(spec.heading or spec.title, "date" if is_time(spec.dimension) else "text")
    return Table(
        spec.key,
        spec.title,
        (first, *(Column(heading, kind) for heading, kind in words)),
        _rows(asked, spec),
        note=_note(asked, spec),
    )


def _rows(asked: Asked, spec: Spec) -> Iterator[tuple[Cell, ...]]:
    if is_time(spec.dimension):
        yield from _day_rows(asked, spec)
        return
    offset = 0
    while True:
        rows, _warnings = read_rows(asked, spec, limit=ROWS_AT_ONCE, offset=offset)
        for row in rows:
            yield (row_name(asked, spec, row), *row.metrics)
        if len(rows) < ROWS_AT_ONCE:
            return
        offset += ROWS_AT_ONCE


def _day_rows(asked: Asked, spec: Spec) -> Iterator[tuple[Cell, ...]]:
    """Every day up to today: a query leaves out those on which nothing was."""
    rows, _warnings = read_rows(asked, spec, limit=LONGEST_DAYS)
    # A hidden day has no numbers: its cells are empty, those of a day without visitors are 0.
    found = {_day_of(row): row.metrics for row in rows}
    nothing = tuple(0 if METRICS[name][1] == "number" else None for name in spec.metrics)
    today = site_today(asked.site, asked.now)
    for day in asked.period.dates():
        if day <= today:
            yield (day, *found.get(day, nothing))


def row_name(asked: Asked, spec: Spec, row: Row) -> str | dt.date:
    """What stands in a row's first cell."""
    if is_time(spec.dimension):
        return _day_of(row)
    value = row.dimensions[0]
    if row.is_hidden and not value:
        return f"Fewer than {asked.k} visitors"
    if row.is_other:
        return "Other"
    source = source_of(spec.dimension)
    return value_name(source.stored if source else None, value, asked.locale)


def _day_of(row: Row) -> dt.date:
    return dt.date.fromisoformat(row.dimensions[0][:10])


def _note(asked: Asked, spec: Spec) -> str:
    return " ".join(each for each in (_fold_note(asked, spec), raw_note(asked, spec)) if each)


def raw_note(asked: Asked, spec: Spec) -> str:
    """That days are missing, where single visits are counted and do not reach back so far."""
    if stored_dimension((spec.dimension,), asked.filters, spec.metrics) is not None:
        return ""
    return raw_warning(asked.raw_since, asked.period.starts_on)


def _fold_note(asked: Asked, spec: Spec) -> str:
    if is_time(spec.dimension) and asked.filters is not None:
        return f"Days of fewer than {asked.k} visitors may be left empty."
    if spec.dimension == "visit:outcode" or asked.filters is not None:
        return f"Groups of fewer than {asked.k} visitors are folded into other."
    return ""


def head_of(asked: Asked) -> Head:
    """What a file says of itself: site, period, comparison, filters, time zone, threshold."""
    zone = zoneinfo.ZoneInfo(asked.site.timezone)
    made = asked.now.astimezone(zone)
    head = [
        ("Client", asked.client.name),
        ("Site", f"{asked.site.name} ({asked.site.main_host})"),
        ("Period", period_words(asked.period, asked.locale)),
        ("From", asked.period.starts_on.isoformat()),
        ("To", asked.period.ends_on.isoformat()),
    ]
    if asked.before is not None:
        head.append(("Compared with", period_words(asked.before, asked.locale)))
    head += [
        ("Filters", "; ".join(filters_in_words(asked)) or "None"),
        ("Time zone", asked.site.timezone),
        ("Threshold", f"Groups of fewer than {asked.k} visitors are folded into other."),
        ("Made", made.strftime("%Y-%m-%d %H:%M")),
    ]
    return head


def filters_in_words(asked: Asked) -> list[str]:
    """The filters in force, each in words; all of them hold."""
    if asked.filters is None:
        return []
    parts = asked.filters.parts if isinstance(asked.filters, Every) else (asked.filters,)
    return [" ".join(filter_words(part, asked.locale)) for part in parts]


def dialect_of(locale: babel.Locale, *, for_spreadsheet: bool) -> Dialect:
    """Plain CSV, or what a spreadsheet of the locale's language opens without questions."""
    if not for_spreadsheet:
        return Dialect()
    sign = get_decimal_symbol(locale)
    return Dialect(has_bom=True, separator=";" if sign == "," else ",", decimal_sign=sign)


def summary_table(asked: Asked) -> Table:
    """The totals, beside those of the period compared with."""
    columns = [Column("Figure"), Column(period_words(asked.period, asked.locale), "decimal")]
    periods = [asked.period]
    if asked.before is not None:
        columns.append(Column(period_words(asked.before, asked.locale), "decimal"))
        periods.append(asked.before)

    def rows() -> Iterator[tuple[Cell, ...]]:
        found = [read_totals(asked, period) for period in periods]
        for number, name in enumerate(TOTALS):
            yield (METRICS[name][0], *(each[number] for each in found))

    warning = raw_warning(asked.raw_since, asked.period.starts_on) if asked.filters else ""
    return Table("summary", "Summary", tuple(columns), rows(), note=warning)


def read_totals(asked: Asked, period: Period) -> tuple[int | float | None, ...]:
    """`TOTALS` of a period."""
    _, after = bounds_of(asked.site.timezone, period)
    query = Query(
        TOTALS,
        period.starts_on,
        period.ends_on,
        filters=asked.filters,
        ends_before=from_us(after),
    )
    with entered(asked.client):
        result = run_query(asked.site, query, k=asked.k, now=asked.now)
    return result.rows[0].metrics if result.rows else (None,) * len(TOTALS)


def all_tables(asked: Asked, sections: Collection[Section]) -> Iterator[Table]:
    """The summary and every table of the sections, one after the other."""
    if Section.OVERVIEW in sections:
        yield summary_table(asked)
    for spec in specs_for(sections):
        yield export_table(asked, spec)
