"""All clients together: sums by day, and each client's share. Nobody is joined over clients."""

import datetime as dt
from typing import Any

from chartjs.views.base import JSONView
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import figures
from agency.components import BarRow, BarTable, Choice, Column, Figure, Tab
from agency.overview import AGENCY_LOCALE, change_of, compared_words
from agency.wording import locale_of, period_words, point_words
from tenants.access import access_agency, accessible_clients
from tenants.models import Client
from tenants.usage import daily_totals, total_of, usage_of
from tracking.reports.periods import Period

LOCALE = locale_of(AGENCY_LOCALE)
PERIODS = {"7d": (7, "7 days"), "30d": (30, "30 days"), "90d": (90, "90 days")}
MEASURES = {"visits": "Visits", "pageviews": "Page views", "events": "Events"}
DEFAULT = "30d"


def _chosen(request: HttpRequest) -> tuple[str, int, str]:
    """Key and days of the period, and the measure; the defaults for anything else."""
    key = request.GET.get("period", DEFAULT)
    key = key if key in PERIODS else DEFAULT
    measure = request.GET.get("measure", "visits")
    return key, PERIODS[key][0], measure if measure in MEASURES else "visits"


def _period(days: int) -> Period:
    today = timezone.now().date()
    return Period(today - dt.timedelta(days=days - 1), today)


@require_safe
@login_required
@never_cache
def rollup(request: HttpRequest) -> HttpResponse:
    """Totals, a series by day, and the clients by their share."""
    access_agency(request.user)
    key, days, measure = _chosen(request)
    clients = accessible_clients(request.user)
    usages = usage_of(clients, days=days, now=timezone.now())
    total = total_of(usages)
    period = _period(days)
    values = {one.pk: getattr(usages[one.pk].now, measure) for one in clients}
    return render(
        request,
        "agency/rollup.html",
        {
            "clients": clients,
            "period": {"words": period_words(period, LOCALE), "compared": compared_words(period)},
            "periods": [
                Choice(
                    words=words,
                    url=f"?period={one}&measure={measure}",
                    is_current=one == key,
                )
                for one, (_, words) in PERIODS.items()
            ],
            "figures": [
                Figure(
                    name=words,
                    value=figures.number(getattr(total.now, name)),
                    change=change_of(total, name, days=days).words,
                    tone=change_of(total, name, days=days).tone,
                    url=f"?period={key}&measure={name}",
                    is_current=name == measure,
                )
                for name, words in MEASURES.items()
            ],
            "chart_url": f"{reverse('rollup_series', args=[measure])}?period={key}",
            "chart_title": f"{MEASURES[measure]} by day, all clients",
            "table": _table(clients, values, MEASURES[measure]),
            "tabs": [
                Tab(
                    words=words,
                    url=f"?period={key}&measure={name}",
                    is_current=name == measure,
                )
                for name, words in MEASURES.items()
            ],
        },
    )


def _table(clients: list[Client], values: dict[int, int], words: str) -> BarTable:
    whole, largest = sum(values.values()), max(values.values(), default=0)
    ranked = sorted(clients, key=lambda one: (-values[one.pk], one.name.casefold()))
    return BarTable(
        title="Client",
        columns=[Column(words=words), Column(words="Share")],
        rows=[
            BarRow(
                words=one.name,
                cells=[
                    figures.number(values[one.pk]),
                    figures.share(values[one.pk] / whole if whole else None),
                ],
                share=100 * values[one.pk] / largest if largest else 0,
                url=reverse("client", args=[one.slug]),
            )
            for one in ranked
        ],
        empty="There is no client yet.",
    )


class SeriesJson(JSONView):  # type: ignore[misc]  # django-chartjs has no types
    """Sums by day over all the clients that the user may see."""

    def get_context_data(self, measure: str, **kwargs: Any) -> dict[str, Any]:
        """As docs/look.md says; zeros where nothing was seen."""
        if measure not in MEASURES:
            raise Http404("There is no such measure.")
        _, days, _ = _chosen(self.request)
        period = _period(days)
        before = period.before()
        sums = daily_totals(
            accessible_clients(self.request.user), days=2 * days, now=timezone.now()
        )
        values = [getattr(usage, measure) for usage in sums]
        starts = [dt.datetime.combine(day, dt.time(), dt.UTC) for day in period.dates()]
        words = [point_words(at, step="day", locale=LOCALE) for at in starts]
        return {
            "labels": [short for short, _ in words],
            "titles": [long for _, long in words],
            "datasets": [
                {"label": period_words(period, LOCALE), "data": values[days:]},
                {"label": period_words(before, LOCALE), "data": values[:days], "kind": "before"},
            ],
            "unfinished": True,
            "unit": "number",
        }


@require_safe
@login_required
@never_cache
def series(request: HttpRequest, measure: str) -> HttpResponse:
    """JSON of the chart."""
    access_agency(request.user)
    return SeriesJson.as_view()(request, measure=measure)  # type: ignore[no-any-return]  # as above
