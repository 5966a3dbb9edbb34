"""Journeys: columns of pages, each of which leads to the next column."""

import dataclasses
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from agency import figures
from agency.report_tools import picker_of
from agency.views.analysis import forgives, is_partial, page_context
from agency.views.reading import Reading, reads
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.journeys import LEFT, MOST_STEPS, Column, Journey, PathCount, get_journey
from tracking.models import Dimension
from tracking.query.model import is_stored_text
from tracking.reports.tops import get_top

START, STEP = "start", "step"
"""Names in the address: the page that is begun from, and each page taken after it."""
ROWS = 8
SUGGESTED_PAGES = 60
_NO_PAGE = "no page has a NUL in its address. Choose a page on this one."


@dataclasses.dataclass(frozen=True)
class PageRow:
    """A page of a column, in words."""

    words: str
    visits: str
    share: float
    share_words: str
    url: str
    """Of the same page with this page taken; "" where nothing follows."""
    is_taken: bool = False
    is_end: bool = False
    is_quiet: bool = False


@reads(kept=(START,))
@forgives
def journeys(request: HttpRequest, asked: Reading) -> HttpResponse:
    """Where visits went from their entry, or from a page; htmx asks for the columns alone."""
    asked.check(Section.JOURNEYS)
    asked, start, taken = _ways(request, asked)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            journey = get_journey(asked.scope(), start, taken, k=asked.k, limit=ROWS)
            pages = get_top(
                asked.site,
                asked.period,
                Dimension.PAGE,
                k_threshold=asked.k,
                limit=SUGGESTED_PAGES,
            )
        context = page_context(
            asked,
            start=start,
            pages=[row.value for row in pages if row.value],
            columns=_columns(asked, journey, start, taken),
            paths=[_path(path) for path in journey.paths],
            other_paths=figures.counted(journey.other_paths_visits, "visit"),
            has_other_paths=bool(journey.other_paths_visits and journey.paths),
            nobody=not journey.columns[0].visits and not journey.columns[0].is_hidden,
            is_way=bool(taken),
            is_first=not taken and start is None,
            start_url=_address(asked, start, []),
            start_hidden=asked.without(START),
            picker=picker_of(asked, compares=False),
        )
        template = "client/_journeys.html" if is_partial(request) else "client/journeys.html"
        return render(request, template, context)


def _ways(request: HttpRequest, asked: Reading) -> tuple[Reading, str | None, list[str]]:
    """The page that is begun from and those taken; what no page is called is left out and told."""
    start = request.GET.get(START, "").strip() or None
    taken = request.GET.getlist(STEP)[: MOST_STEPS + (start is None)]
    errors = list(asked.errors)
    if start is not None and not is_stored_text(start):
        errors.append(f"Start left out: {_NO_PAGE}")
        start, taken = None, []
    elif not all(map(is_stored_text, taken)):
        errors.append(f"Steps left out: {_NO_PAGE}")
        taken = []
    kept = tuple(pair for pair in asked.kept if pair[0] != START or start is not None)
    return dataclasses.replace(asked, errors=tuple(errors), kept=kept), start, taken


def _address(asked: Reading, start: str | None, taken: list[str]) -> str:
    own = ([(START, start)] if start else []) + [(STEP, page) for page in taken]
    return f"{asked.path}?{urlencode([*asked.without(START), *own])}"


def _columns(
    asked: Reading, journey: Journey, start: str | None, taken: list[str]
) -> list[dict[str, Any]]:
    found = []
    for number, column in enumerate(journey.columns):
        # With a start page the first column is that page alone.
        chosen = taken[: number - (start is not None)] if number else []
        found.append(
            {
                "title": _title(number, start),
                "visits": figures.counted(column.visits, "visit"),
                "is_hidden": column.is_hidden,
                "rows": _rows(asked, column, number, start, chosen),
                "k": asked.k,
            }
        )
    return found


def _title(number: int, start: str | None) -> str:
    if number == 0:
        return "Start" if start else "Entry page"
    return "Next page" if number == 1 else f"{number} pages on"


def _rows(
    asked: Reading, column: Column, number: int, start: str | None, chosen: list[str]
) -> list[PageRow]:
    rows = []
    for page in column.pages:
        is_end = page.path is LEFT
        leads = not is_end and number < MOST_STEPS and not (start and number == 0)
        rows.append(
            PageRow(
                words="Left the site" if page.path is LEFT else page.path,
                visits=figures.number(page.visits),
                share=page.share * 100,
                share_words=figures.share(page.share),
                url=_address(asked, start, [*chosen, page.path or ""]) if leads else "",
                is_taken=page.is_taken,
                is_end=is_end,
            )
        )
    if column.other_visits:
        share = column.other_visits / column.visits
        rows.append(
            PageRow(
                words="Other pages",
                visits=figures.number(column.other_visits),
                share=share * 100,
                share_words=figures.share(share),
                url="",
                is_quiet=True,
            )
        )
    return rows


def _path(path: PathCount) -> dict[str, Any]:
    return {
        "pages": path.pages,
        "visits": figures.number(path.visits),
        "share": path.share * 100,
        "share_words": figures.share(path.share),
    }
