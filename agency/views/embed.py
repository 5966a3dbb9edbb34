"""The embedded view of a shared link: one page without cookies, in a frame of another website.

It is on pages that anybody may open any number of times: it is drawn once a minute, and its use is
counted once a minute. Whether the link still lives is asked each time.
"""

import datetime as dt

from csp.decorators import csp_replace
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from agency.hosts import client_of
from agency.report_digest import BRIEF, make_sheet
from agency.report_pdf import chart_of
from agency.report_tables import Asked
from agency.reports_mail import look_of
from agency.shared import SharedReport, report_of
from agency.wording import locale_of
from tenants.schemas import entered
from tracking.delivery.links import find_link, record_use
from tracking.query.buckets import up_to_now
from tracking.query.run import filterable_from
from tracking.reports.periods import Period, Preset, site_today

ROWS = 5
KEPT_S = 60
"""How long a view that was drawn is shown again; figures are fresh to a minute and a half."""


@require_safe
@never_cache
@xframe_options_exempt
def embed(request: HttpRequest, embed_token: str) -> HttpResponseBase:
    """The last 30 days of the chosen sections; frames of other websites are refused by the CSP."""
    client, now = client_of(request), timezone.now()
    with entered(client):
        link = find_link(embed_token, now)
    report = report_of(client, link) if link is not None and link.is_embed else None
    if link is None or report is None:
        return _framed(request, render(request, "client/embed_gone.html", status=404), [])
    if cache.add(f"embed-used:{client.pk}:{link.pk}", 1, KEPT_S):
        with entered(client):
            record_use(link, now)
    period = Period.of(Preset.LAST_30_DAYS, site_today(report.site, now))
    drawn_as = f"embed:{client.pk}:{link.pk}:{link.prefix}:{period.ends_on}"
    page = cache.get(drawn_as)
    if page is None:
        page = _draw(request, report, period, now).content
        cache.set(drawn_as, page, KEPT_S)
    return _framed(request, HttpResponse(page), link.frame_hosts)


def _draw(
    request: HttpRequest, report: SharedReport, period: Period, now: dt.datetime
) -> HttpResponse:
    """The page; nothing of it is the reader's own."""
    client = report.client
    asked = Asked(
        client=client,
        site=report.site,
        period=period,
        before=up_to_now(period.before(), report.site.timezone, now),
        locale=locale_of(client.locale),
        k=client.privacy.k_threshold,
        now=now,
        raw_since=filterable_from(
            report.site, hits_retention_days=client.privacy.hits_retention_days, now=now
        ),
    )
    sheet = make_sheet(asked, report.sections, keys=BRIEF, rows=ROWS)
    context = {
        "sheet": sheet,
        "site": report.site,
        "chart": chart_of(sheet, look_of(client)),
    }
    return render(request, "client/embed.html", context)


def _framed(request: HttpRequest, response: HttpResponse, hosts: list[str]) -> HttpResponseBase:
    """The response, which only these websites may put into a frame; none named: any."""
    in_frames = csp_replace({"frame-ancestors": hosts or ["*"]})
    return in_frames(lambda _request: response)(request)
