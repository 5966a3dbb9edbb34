"""The client's overview: totals, series, panels; one panel's tab; the live counter."""

from dataclasses import replace
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django_htmx.middleware import HtmxDetails

from agency.navigation import navigation_of
from agency.report_numbers import load_goals_of, load_numbers, load_table
from agency.report_page import (
    KEPT,
    SECTIONS,
    chart_data,
    checked,
    open_panels,
    page_context,
    panel_view,
)
from agency.report_panels import PANEL_OF, PANELS
from agency.report_tables import SPEC_OF
from agency.report_ways import first_way
from agency.views.reading import Reading, reads
from tenants.models import Section
from tenants.schemas import entered
from tracking.query.model import QueryError
from tracking.reports.live import count_live_visitors

TABS = tuple(panel.key for panel in PANELS)


@reads(kept=KEPT)
def home(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The report of the first site, or the first page of it that is open to the reader."""
    if not reading.sections & SECTIONS:
        links = navigation_of(request).main
        if links:
            return redirect(links[0].url)
    return _page(request, reading)


@reads(kept=KEPT)
def overview(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The whole page, its charts' data included."""
    address = first_way(reading) if reading.door.link is not None else ""
    if address and not reading.sections & SECTIONS:
        return redirect(address)
    return _page(request, reading)


def _page(request: HttpRequest, reading: Reading) -> HttpResponse:
    reading.check(*SECTIONS)
    reading = checked(_as_open(request, reading))
    goals = load_goals_of(reading)
    specs = [spec for _, spec in open_panels(reading, has_goals=bool(goals))]
    try:
        numbers = load_numbers(reading, specs, goals)
    except QueryError as error:
        problem = str(error).removeprefix("filters: ")
        reading = replace(
            reading, chosen=(), errors=(*reading.errors, f"Filters left out: {problem}")
        )
        numbers = load_numbers(reading, specs, goals)
    with translation.override(reading.client.locale):
        context = page_context(reading, numbers, goals=goals)
        context |= chart_data(reading, numbers)
        response = render(request, "client/report.html", context)
    if _htmx(request).boosted:
        response["HX-Push-Url"] = reading.path + reading.query()
    return response


def _htmx(request: HttpRequest) -> HtmxDetails:
    details: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # its middleware adds it
    return details


def _as_open(request: HttpRequest, reading: Reading) -> Reading:
    """The reading with the tabs that are open on the reader's page.

    A tab is changed without the rest of the page, whose links still name the one before.
    """
    htmx = _htmx(request)
    if not htmx or htmx.history_restore_request or not htmx.current_url:
        return reading
    page = urlsplit(htmx.current_url)
    if page.path != reading.path:
        return reading
    values = QueryDict(page.query)
    others = [pair for pair in reading.kept if pair[0] not in TABS]
    tabs = [(name, values[name]) for name in TABS if values.get(name)]
    return replace(reading, kept=(*others, *tabs))


@reads(kept=KEPT)
def panel(request: HttpRequest, reading: Reading, table: str) -> HttpResponse:
    """A panel with another of its tables open; the reader's address then names it."""
    spec = SPEC_OF.get(table)
    if spec is None or table not in PANEL_OF:
        raise Http404("There is no such table.")
    reading.check(spec.section)
    goals = load_goals_of(reading) if spec.needs_goals else ()
    within = PANEL_OF[table].within(reading.sections, goals=bool(goals))
    if within is None:
        raise Http404("There is no such panel.")
    reading = checked(_on_page(request, reading, within.key, table))
    with translation.override(reading.client.locale):
        try:
            with entered(reading.client):
                result = load_table(reading, spec, goals)
        except QueryError as error:
            return render(request, "client/_panel_refused.html", {"problem": error}, status=422)
        view = panel_view(reading, within, spec, result)
        context = {"panel": view, "reading": reading, **chart_data(reading, None, result, spec)}
        response = render(request, "client/_panel.html", context)
    if _htmx(request):
        response["HX-Replace-Url"] = reading.path + reading.query()
    return response


def _on_page(request: HttpRequest, reading: Reading, name: str, key: str) -> Reading:
    """The reading as of the page that the panel is on, so that its rows lead back there."""
    current = _htmx(request).current_url or ""
    path = urlsplit(current).path or reading.door.base
    on_page = _as_open(request, replace(reading, path=path))
    panel = PANEL_OF[key]
    tabs = [pair for pair in on_page.kept if pair[0] != name]
    chosen = [(name, key)] if key != panel.keys[0] else []
    return replace(on_page, kept=(*tabs, *chosen))


@reads()
def live(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The live counter."""
    reading.check(*SECTIONS, Section.REALTIME)
    with entered(reading.client):
        now = count_live_visitors(reading.site, now=timezone.now())
    live_url = reading.below("live/", own=False)
    return render(request, "client/_live.html", {"live": now, "live_url": live_url})
