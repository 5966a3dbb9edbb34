"""All clients at a glance, for the agency's staff."""

import datetime as dt
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import figures
from agency.wording import locale_of, period_words
from tenants.access import access_agency, accessible_clients
from tenants.models import Client
from tenants.schemas import entered
from tracking.reports.live import count_live_visitors
from tracking.reports.periods import Period, Preset, site_today
from tracking.reports.totals import compare


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Visits of the last 30 days, change, who is there now."""
    access_agency(request.user)
    now = timezone.now()
    scheme = request.scheme or "http"
    port = f":{request.get_port()}" if request.get_port() not in {"80", "443"} else ""
    rows = [_row(client, now, scheme, port) for client in accessible_clients(request.user)]
    period = Period.of(Preset.LAST_30_DAYS, now.date())
    locale = locale_of("en-gb")
    return render(
        request,
        "agency/clients.html",
        {
            "rows": rows,
            "period": {"words": period_words(period, locale)},
            "before": {"words": period_words(period.before(), locale)},
        },
    )


def _row(client: Client, now: dt.datetime, scheme: str, port: str) -> dict[str, Any]:
    """Sums over the client's sites; visitors of two sites are never joined."""
    sites = list(client.sites.filter(is_active=True))
    host = client.domains.filter(is_primary=True).values_list("domain", flat=True)[0]
    visits = before = pageviews = live = 0
    with entered(client):
        for site in sites:
            found = compare(site, Period.of(Preset.LAST_30_DAYS, site_today(site, now)))
            visits += found.totals.visits
            before += found.before.visits
            pageviews += found.totals.pageviews
            live += count_live_visitors(site, now=now)
    change = figures.change(visits, before)
    return {
        "name": client.name,
        "accent": client.accent_colour,
        "host": host,
        "url": f"{scheme}://{host}{port}/",
        "live": figures.number(live),
        "visits": figures.number(visits),
        "pageviews": figures.number(pageviews),
        "change": change.words,
        "tone": change.tone,
    }
