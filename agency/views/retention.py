"""Retention: which share of a week's visitors came back in later weeks."""

import datetime as dt

import babel
from babel.dates import format_skeleton
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from agency import figures
from agency.components import Heat, HeatCell, HeatRow
from agency.report_tools import picker_of
from agency.views.analysis import forgives, page_context, visitors_words
from agency.views.reading import Reading, reads
from tenants.models import CookieMode, Section
from tenants.schemas import entered
from tracking.analysis.retention import Cell, Retention, get_retention

MOST_WEEKS = 26
"""Weeks after the first that are shown beside each other."""


@reads()
@forgives
def retention(request: HttpRequest, asked: Reading) -> HttpResponse:
    """A row for each week's newcomers, a column for each week after it."""
    asked.check(Section.RETENTION)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            found = get_retention(asked.scope(), today=asked.today, k=asked.k)
        context = page_context(
            asked,
            heat=_heat(asked, found),
            visitors=visitors_words(found.visitors, asked.k),
            nobody=found.visitors == 0,
            is_short=asked.period.days < 14,
            no_cookies=asked.client.privacy.cookie_mode == CookieMode.NEVER,
            picker=picker_of(asked, compares=False),
        )
        return render(request, "client/retention.html", context)


def _heat(asked: Reading, found: Retention) -> Heat:
    weeks = min(MOST_WEEKS, max((len(cohort.cells) for cohort in found.cohorts), default=0))
    shares = [cell.share or 0.0 for cohort in found.cohorts for cell in cohort.cells[:weeks]]
    most = max(shares, default=0.0)
    rows = []
    for cohort in found.cohorts:
        if not cohort.visitors and not cohort.is_hidden:
            continue
        cells = [_cell(asked, cell, most) for cell in cohort.cells[:weeks]]
        rows.append(
            HeatRow(
                words=_week(cohort.week, asked.locale),
                size=f"< {asked.k}" if cohort.is_hidden else figures.number(cohort.visitors),
                cells=[*cells, *([None] * (weeks - len(cells)))],
            )
        )
    return Heat(
        title="Visitors who came back, by week",
        columns=[f"Week {number}" for number in range(1, weeks + 1)],
        rows=rows,
        row_title="Week from",
        size_title="Visitors",
        note=f"< {asked.k}: fewer than {asked.k} visitors, whose number is not shown. "
        "…: the week is not over. The stronger the tint, the larger the share.",
    )


def _cell(asked: Reading, cell: Cell, most: float) -> HeatCell:
    """The tint is a share of the largest share: few visitors of a shop ever come back."""
    more = "…" if cell.is_unfinished else ""
    if cell.is_hidden:
        return HeatCell(words=f"< {asked.k}{more}", share=0)
    return HeatCell(
        words=f"{figures.share(cell.share)}{more}",
        share=100 * (cell.share or 0) / most if most else 0,
    )


def _week(monday: dt.date, locale: babel.Locale) -> str:
    """2 Nov: the Monday; with the year, since a period may be long."""
    return str(format_skeleton("yMMMd", monday, locale=locale))
