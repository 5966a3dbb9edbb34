"""The report of one site: totals, series, the top of each dimension, the live counter."""

import dataclasses
from typing import Any
from urllib.parse import urlencode

import babel
from chartjs.views.lines import BaseLineChartView
from django import forms
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import figures
from agency.hosts import client_of
from agency.wording import (
    EMPTY,
    PANELS,
    PRESETS,
    TAB_WORDS,
    dimension_of,
    locale_of,
    period_words,
    point_words,
    slug_of,
    value_words,
)
from tenants.access import access_site
from tenants.models import Client, Site
from tenants.schemas import entered
from tracking.models import Dimension
from tracking.reports.live import count_live_visitors
from tracking.reports.periods import Period, Preset, site_today
from tracking.reports.tops import TopRow, get_top
from tracking.reports.totals import (
    Comparison,
    Point,
    find_first_day,
    get_overview,
    get_series,
)

ROWS = 9
HOURLY_UP_TO_DAYS = 2
LONGEST_DAYS = 3700


class DatesForm(forms.Form):
    """Two dates, both included."""

    starts_on = forms.DateField(label="From")
    ends_on = forms.DateField(label="To")

    def clean(self) -> dict[str, Any]:
        """The first may not come after the second, nor a decade before."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("starts_on"), cleaned.get("ends_on")
        if start and end and start > end:
            raise forms.ValidationError("From comes after To: exchange the two dates.")
        if start and end and (end - start).days > LONGEST_DAYS:
            raise forms.ValidationError("Choose ten years at most.")
        return cleaned


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which site and period a request asks for."""

    client: Client
    site: Site
    period: Period
    preset: Preset | None
    locale: babel.Locale
    errors: list[str]

    @property
    def by_hour(self) -> bool:
        """Whether the series has hours instead of days."""
        return self.period.days <= HOURLY_UP_TO_DAYS

    @property
    def query(self) -> str:
        """The period as a query string."""
        if self.preset:
            return urlencode({"period": self.preset.value})
        return urlencode({"from": self.period.starts_on, "to": self.period.ends_on})


def read_request(request: HttpRequest, site_id: int | None) -> Asked:
    """Site (through the access door) and period; a period that makes no sense is 30 days."""
    client = client_of(request)
    site = access_site(request.user, client, site_id)
    today = site_today(site, timezone.now())
    preset: Preset | None = Preset.LAST_30_DAYS
    errors: list[str] = []
    period = Period.of(Preset.LAST_30_DAYS, today)
    if "from" in request.GET or "to" in request.GET:
        form = DatesForm({"starts_on": request.GET.get("from"), "ends_on": request.GET.get("to")})
        if form.is_valid():
            preset = None
            period = Period(form.cleaned_data["starts_on"], form.cleaned_data["ends_on"])
        else:
            errors = [
                f"{form.fields[name].label}: {text}" if name in form.fields else str(text)
                for name, texts in form.errors.items()
                for text in texts
            ]
    elif request.GET.get("period") in {choice.value for choice in Preset}:
        preset = Preset(request.GET["period"])
        period = Period.of(preset, today)
    return Asked(client, site, period, preset, locale_of(client.locale), errors)


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest, site_id: int | None = None) -> HttpResponse:
    """The whole page; charts are drawn after it, from the addresses it names."""
    asked = read_request(request, site_id)
    client, site = asked.client, asked.site
    k = client.privacy.k_threshold
    sites = list(client.sites.filter(is_active=True))
    with translation.override(client.locale):
        with entered(client):
            found = get_overview(site, asked.period)
            first_day = find_first_day(site)
            live_now = count_live_visitors(site, now=timezone.now())
            totals = found.comparison.totals
            panels = (
                [_panel(asked, panel, k) for panel in PANELS]
                if totals.visits or totals.pageviews or totals.events
                else []
            )
        context = {
            "site": site,
            "sites": sites,
            "period": _words(asked),
            "before": {"words": period_words(asked.period.before(), asked.locale)},
            "choices": [{"key": p.value, "words": words} for p, words in PRESETS.items()],
            "chosen": asked.preset.value if asked.preset else "",
            "errors": asked.errors,
            "figures": _figures(found.comparison),
            "has_hits": bool(panels),
            "ever": first_day is not None,
            "step": "hour" if asked.by_hour else "day",
            "panels": panels,
            "live": live_now,
            "k": k,
            "minutes": "a minute and a half",
        }
        return render(request, "agency/report.html", context)


def _words(asked: Asked) -> dict[str, Any]:
    return {
        "words": period_words(asked.period, asked.locale),
        "query": asked.query,
        "starts_on": asked.period.starts_on,
        "ends_on": asked.period.ends_on,
    }


def _figures(comparison: Comparison) -> list[dict[str, str]]:
    now, before = comparison.totals, comparison.before
    rows = (
        (
            "Visitors",
            "Distinct visitors: those who consented once, all others once a day.",
            figures.number(now.visitors),
            figures.change(now.visitors, before.visitors),
        ),
        (
            "Visits",
            "Hits of one visitor with gaps of at most 30 minutes.",
            figures.number(now.visits),
            figures.change(now.visits, before.visits),
        ),
        (
            "Page views",
            "Pages shown, reloads included.",
            figures.number(now.pageviews),
            figures.change(now.pageviews, before.pageviews),
        ),
        (
            "Views per visit",
            "Page views divided by visits.",
            _decimal(now.views_per_visit),
            figures.change(now.views_per_visit, before.views_per_visit),
        ),
        (
            "Bounce rate",
            "Share of visits with one page view and no interactive event.",
            figures.share(now.bounce_rate),
            figures.change(now.bounce_rate, before.bounce_rate, rising_is="bad"),
        ),
        (
            "Visit duration",
            "Last activity minus first, on average.",
            figures.duration(now.mean_duration_s),
            figures.change(now.mean_duration_s, before.mean_duration_s),
        ),
        (
            "Engaged time",
            "Seconds in which a page was visible and focused, per visit.",
            figures.duration(now.mean_engaged_s),
            figures.change(now.mean_engaged_s, before.mean_engaged_s),
        ),
    )
    return [
        {
            "name": name,
            "meaning": meaning,
            "value": value,
            "change": change.words,
            "tone": change.tone,
        }
        for name, meaning, value, change in rows
    ]


def _decimal(value: float | None) -> str:
    return figures.NO_FIGURE if value is None else figures.decimal(value)


def _panel(asked: Asked, panel: Any, k: int) -> dict[str, Any]:
    return {
        "key": panel.key,
        "title": panel.title,
        "tabs": [{"key": slug_of(d), "words": TAB_WORDS.get(d, d.label)} for d in panel.dimensions],
        "top": _top(asked, panel.dimensions[0], k),
    }


COLUMNS = {
    Dimension.EVENT: ("Visitors", "Events"),
    Dimension.OUTBOUND: ("Visitors", "Clicks"),
    Dimension.DOWNLOAD: ("Visitors", "Downloads"),
    Dimension.PAGE: ("Visitors", "Views"),
    Dimension.STATUS: ("Visits", "Views"),
    Dimension.NOT_FOUND: ("Visitors", "Views"),
}
"""Two columns of a table; other dimensions have visitors and visits."""


def _cells(dimension: Dimension, row: TopRow, k: int) -> tuple[str, str]:
    if row.is_hidden:
        return f"fewer than {k}", ""
    second = {
        "Events": row.events,
        "Clicks": row.events,
        "Downloads": row.events,
        "Views": row.pageviews,
        "Visits": row.visits,
    }[COLUMNS.get(dimension, ("", "Visits"))[1]]
    first = row.visits if dimension == Dimension.STATUS else row.visitors
    return figures.number(first), figures.number(second)


def _top(asked: Asked, dimension: Dimension, k: int) -> dict[str, Any]:
    """A panel's table; called inside the client's schema."""
    rows = get_top(asked.site, asked.period, dimension, k_threshold=k, limit=ROWS)
    address = reverse("top_chart", args=[asked.site.pk, slug_of(dimension)])
    folded = any(row.is_other for row in rows)
    return {
        "title": dimension.label,
        "columns": COLUMNS.get(dimension, ("Visitors", "Visits")),
        "rows": [
            {
                "words": value_words(dimension, row, asked.locale),
                "cells": _cells(dimension, row, k),
                "folded": row.is_other,
            }
            for row in rows
        ],
        "note": (
            f"Outward codes of fewer than {k} visitors are folded into other."
            if dimension == Dimension.OUTCODE and folded
            else ""
        ),
        "empty": EMPTY.get(dimension, "Nothing in this period."),
        "chart_url": f"{address}?{asked.query}",
    }


@require_safe
@login_required
@never_cache
def top(request: HttpRequest, site_id: int, dimension: str) -> HttpResponse:
    """One dimension's table, for a tab."""
    asked, found = read_request(request, site_id), _find_dimension(dimension)
    k = asked.client.privacy.k_threshold
    with translation.override(asked.client.locale):
        with entered(asked.client):
            table = _top(asked, found, k)
        return render(request, "agency/_top.html", {"top": table})


def _find_dimension(slug: str) -> Dimension:
    found = dimension_of(slug)
    if found is None:
        raise Http404("There is no such dimension.")
    return found


@require_safe
@login_required
@never_cache
def live(request: HttpRequest, site_id: int) -> HttpResponse:
    """The live counter's inside."""
    client = client_of(request)
    site = access_site(request.user, client, site_id)
    with entered(client):
        now = count_live_visitors(site, now=timezone.now())
    return render(request, "agency/_live.html", {"live": now})


class _ChartView(BaseLineChartView):  # type: ignore[misc]  # django-chartjs has no types
    """JSON for Chart.js, of the site and period that the request asks for."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Read the request and the client's figures, then answer as the library does."""
        self.asked = read_request(request, kwargs["site_id"])
        k = self.asked.client.privacy.k_threshold
        with translation.override(self.asked.client.locale), entered(self.asked.client):
            self.read(k)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def read(self, k: int) -> None:
        """Query what the chart shows; called inside the client's schema."""
        raise NotImplementedError

    def get_dataset_options(self, index: int, color: Any) -> dict[str, Any]:
        """Colours are the page's own."""
        return {}


@method_decorator([require_safe, login_required, never_cache], name="dispatch")
class SeriesView(_ChartView):
    """Visitors by hour or day, and those of the period before."""

    points: list[Point]
    points_before: list[Point]

    def read(self, k: int) -> None:
        """Two series of the same length, but for days on which clocks change."""
        by = "hour" if self.asked.by_hour else "day"
        self.points = get_series(self.asked.site, self.asked.period, by)  # type: ignore[arg-type]  # one of the two literals
        self.points_before = get_series(self.asked.site, self.asked.period.before(), by)  # type: ignore[arg-type]  # as above

    def _words(self) -> list[tuple[str, str]]:
        return [
            point_words(p.starts_at, by_hour=self.asked.by_hour, locale=self.asked.locale)
            for p in self.points
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Labels, data, and the titles of tips. The view object itself stays out of the JSON."""
        context = super().get_context_data(**kwargs)
        context["titles"] = [title for _, title in self._words()]
        today = site_today(self.asked.site, timezone.now())
        context["unfinished"] = self.asked.period.starts_on <= today <= self.asked.period.ends_on
        return {key: context[key] for key in ("labels", "datasets", "titles", "unfinished")}

    def get_labels(self) -> list[str]:
        """Words under the axis."""
        return [label for label, _ in self._words()]

    def get_providers(self) -> list[str]:
        """Names of the series."""
        before = self.asked.period.before()
        return [period_words(period, self.asked.locale) for period in (self.asked.period, before)]

    def get_data(self) -> list[list[int]]:
        """Visitors of each point; hours that have not come yet are left out."""
        now = timezone.now()
        come = [p.totals.visitors for p in self.points if p.starts_at <= now]
        return [come, [p.totals.visitors for p in self.points_before]]


@method_decorator([require_safe, login_required, never_cache], name="dispatch")
class TopChartView(_ChartView):
    """The bars behind a panel's rows."""

    rows: list[TopRow]

    def read(self, k: int) -> None:
        """The same rows as the table's."""
        self.dimension = _find_dimension(self.kwargs["dimension"])
        self.rows = get_top(
            self.asked.site, self.asked.period, self.dimension, k_threshold=k, limit=ROWS
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Labels and data. The view object itself stays out of the JSON."""
        context = super().get_context_data(**kwargs)
        return {key: context[key] for key in ("labels", "datasets")}

    def get_labels(self) -> list[str]:
        """The values' names."""
        return [value_words(self.dimension, row, self.asked.locale) for row in self.rows]

    def get_providers(self) -> list[str]:
        """What the bars are as long as."""
        return ["Visitors"]

    def get_data(self) -> list[list[int]]:
        """Visitors; no bar for what is folded together."""
        return [[0 if row.is_other else row.visitors for row in self.rows]]


series = SeriesView.as_view()
top_chart = TopChartView.as_view()
