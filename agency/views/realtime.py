"""The last half hour, refreshed every few seconds."""

import datetime as dt
import zoneinfo
from collections.abc import Sequence

from babel.dates import format_time
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import figures
from agency.components import BarRow, BarTable, Column, Panel
from agency.hosts import client_of
from agency.wording import locale_of, value_name
from tenants.access import access_site
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.realtime import MINUTES, Now, Realtime, get_realtime
from tracking.models import Dimension

PANELS = (
    ("pages", "Pages", Dimension.PAGE),
    ("sources", "Sources", Dimension.SOURCE),
    ("countries", "Countries", Dimension.COUNTRY),
)


@require_safe
@login_required
@never_cache
def realtime(request: HttpRequest, site_id: int) -> HttpResponse:
    """The page, and for htmx what changes of it."""
    client = client_of(request)
    site = access_site(request.user, client, site_id, section=Section.REALTIME)
    now, locale = timezone.now(), locale_of(client.locale)
    with entered(client):
        found = get_realtime(site, now=now)
    clock = now.astimezone(zoneinfo.ZoneInfo(site.timezone))
    with translation.override(client.locale):
        minutes = [clock - dt.timedelta(minutes=ago) for ago in range(MINUTES - 1, -1, -1)]
        context = {
            "site": site,
            "found": found,
            "live": figures.number(found.live_visitors),
            "visits": figures.number(found.visits),
            "pageviews": figures.number(found.pageviews),
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
                    table=_table(title, dimension, _part(found, key), locale_code=client.locale),
                )
                for key, title, dimension in PANELS
            ],
            "url": reverse("realtime", args=[site.pk]),
            "install_url": reverse("install", args=[site.pk]),
        }
        template = "client/_realtime.html" if request.htmx else "client/realtime.html"  # type: ignore[attr-defined]  # django-htmx sets it
        return render(request, template, context)


def _part(found: Realtime, key: str) -> Sequence[Now]:
    return {"pages": found.pages, "sources": found.sources, "countries": found.countries}[key]


def _table(title: str, dimension: Dimension, rows: Sequence[Now], *, locale_code: str) -> BarTable:
    locale = locale_of(locale_code)
    return BarTable(
        title=title,
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
