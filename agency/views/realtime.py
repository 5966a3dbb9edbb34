"""The last half hour, refreshed every few seconds."""

import datetime as dt
import zoneinfo
from collections.abc import Sequence

import babel
from babel.dates import format_time
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation

from agency import figures
from agency.components import BarRow, BarTable, Column, Panel
from agency.report_page import base_template
from agency.report_ways import ways_of
from agency.views.analysis import is_partial
from agency.views.reading import Reading, reads
from agency.wording import value_name
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.realtime import MINUTES, Now, Realtime, get_realtime
from tracking.models import Dimension

PANELS = (
    ("pages", "Pages", "Page", Dimension.PAGE),
    ("sources", "Sources", "Source", Dimension.SOURCE),
    ("countries", "Countries", "Country", Dimension.COUNTRY),
)
"""Key, title, heading of the first column, dimension."""


@reads()
def realtime(request: HttpRequest, asked: Reading) -> HttpResponse:
    """The page, and for htmx what changes of it."""
    asked.check(Section.REALTIME)
    client, site, now, locale = asked.client, asked.site, asked.now, asked.locale
    with entered(client):
        found = get_realtime(site, now=now)
    clock = now.astimezone(zoneinfo.ZoneInfo(site.timezone))
    with translation.override(client.locale):
        minutes = [clock - dt.timedelta(minutes=ago) for ago in range(MINUTES - 1, -1, -1)]
        context = {
            "site": site,
            "base": base_template(asked),
            "ways": ways_of(asked),
            "found": found,
            "live": figures.number(found.live_visitors),
            "live_words": "visitor now" if found.live_visitors == 1 else "visitors now",
            "visits": figures.counted(found.visits, "visit"),
            "pageviews": figures.counted(found.pageviews, "page view"),
            "minutes": found.minutes,
            "labels": [
                f"{format_time(at, 'short', locale=locale)}: {figures.number(count)}"
                for at, count in zip(minutes, found.minutes, strict=True)
            ],
            "from": format_time(minutes[0], "short", locale=locale),
            "to": format_time(minutes[-1], "short", locale=locale),
            "panels": [
                Panel(
                    key=key,
                    title=title,
                    table=_table(heading, dimension, _part(found, key), locale),
                )
                for key, title, heading, dimension in PANELS
            ],
            "url": asked.path,
            "install_url": reverse("install", args=[site.pk]) if not asked.door.link else "",
        }
        template = "client/_realtime.html" if is_partial(request) else "client/realtime.html"
        return render(request, template, context)


def _part(found: Realtime, key: str) -> Sequence[Now]:
    return {"pages": found.pages, "sources": found.sources, "countries": found.countries}[key]


def _table(
    heading: str, dimension: Dimension, rows: Sequence[Now], locale: babel.Locale
) -> BarTable:
    return BarTable(
        title=heading,
        columns=[Column(words="Visits")],
        rows=[
            BarRow(
                words=value_name(dimension, row.value, locale),
                cells=[figures.number(row.visits)],
                share=min(100.0, row.share * 100),
            )
            for row in rows
        ],
        empty="Nobody in the last half hour.",
    )
