"""The style page: every component in every state, for those who build pages."""

import datetime as dt
import math
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import components as look
from agency import figures
from agency.glossary import GLOSSARY
from tenants.access import access_agency

DAYS = 30
TOKENS = (
    *("paper", "paper-2", "paper-3", "ink", "ink-2", "rule", "edge", "accent", "accent-soft"),
    *("bar", "good", "warning", "bad", "focus"),
)


class SpecimenForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="As it is written on letters.", max_length=80)
    email = forms.EmailField(label="E-mail address")
    site = forms.URLField(label="Website", required=False, assume_scheme="https")
    zone = forms.ChoiceField(
        label="Time zone", choices=[("London", "Europe/London"), ("Paris", "Europe/Paris")]
    )
    mode = forms.ChoiceField(
        label="Network address",
        choices=[
            ("encrypted", "Encrypted for 30 days"),
            ("truncated", "Cut"),
            ("none", "Not kept"),
        ],
        widget=forms.RadioSelect,
        initial="encrypted",
        help_text="Nobody sees it in reports.",
    )
    sections = forms.MultipleChoiceField(
        choices=[("pages", "Pages"), ("sources", "Sources"), ("places", "Places")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    honour = forms.BooleanField(
        label="Honour Global Privacy Control",
        help_text="A browser that asks not to be tracked is not.",
        widget=forms.CheckboxInput(attrs={"class": "switch"}),
        required=False,
        initial=True,
    )
    agreed = forms.BooleanField(label="I have read the contract")
    starts_on = forms.DateField(
        label="From", widget=forms.DateInput(attrs={"type": "date"}), required=False
    )
    smallest = forms.IntegerField(label="Smallest group", min_value=2, initial=5)
    accent = forms.CharField(
        label="Accent colour", widget=forms.TextInput(attrs={"type": "color"}), initial="#0b6b57"
    )
    remark = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    log = forms.FileField(label="Access log", required=False)
    locked = forms.CharField(required=False, disabled=True, initial="Set by the agency")


class RowForm(forms.Form):
    """A short form, its fields side by side."""

    dimension = forms.ChoiceField(choices=[("page", "Page"), ("source", "Source")])
    value = forms.CharField(required=False)


@require_safe
@login_required
@never_cache
def style(request: HttpRequest) -> HttpResponse:
    """All components, with figures made up for the purpose."""
    access_agency(request.user)
    faulty = SpecimenForm({"name": "", "email": "nobody", "mode": "none", "smallest": "1"})
    faulty.is_valid()
    visits = _wave(DAYS)
    return render(
        request,
        "agency/style.html",
        {
            "tokens": TOKENS,
            "themes": ("light", "dark"),
            "script": '<script defer src="https://stats.example.com/outward.js"></script>',
            "terms": sorted(GLOSSARY),
            "figures": _figures(),
            "panel": _panel(request.path),
            "empty_table": look.BarTable(title="Campaign", columns=[], rows=[]),
            "tabs": _tabs(request.path),
            "chips": _chips(request.path),
            "period": _period(request.path),
            "items": _items(request.path),
            "form": SpecimenForm(auto_id="right_%s"),
            "faulty": faulty,
            "row_form": RowForm(auto_id="row_%s"),
            "inline_form": RowForm(auto_id="inline_%s"),
            "values": visits,
            "gap": [*visits[:12], None, None, *visits[14:]],
            "minutes": [max(0, round(v / 40) - 6) for v in visits],
            "minute_words": [f"{30 - at} minutes ago" for at in range(DAYS)],
            "page": Paginator(range(95), 20).page(2),
            "facts": _facts(),
            "entries": _entries(),
            "steps": _steps(request.path),
            "funnel": _funnel(),
            "heat": _heat(),
        },
    )


@require_safe
@login_required
@never_cache
def style_chart(request: HttpRequest, kind: str) -> JsonResponse:
    """JSON of the charts on the style page, in the form of docs/look.md."""
    access_agency(request.user)
    makers = {"several": _several, "minutes": _minutes, "map": _countries, "alone": _alone}
    return JsonResponse(makers.get(kind, _series)())


def _wave(days: int, *, scale: float = 400, phase: float = 0) -> list[int]:
    """Something like visits: a week's rhythm on a slow rise."""
    return [
        round(scale * (1 + 0.35 * math.sin((day + phase) * 2 * math.pi / 7) + day / 60))
        for day in range(days)
    ]


def _days() -> dict[str, list[str]]:
    first = dt.date(2026, 11, 1)
    days = [first + dt.timedelta(days=at) for at in range(DAYS)]
    return {
        "labels": [f"{day.day} {day:%b}" for day in days],
        "titles": [f"{day:%A} {day.day} {day:%B %Y}" for day in days],
    }


def _series() -> dict[str, Any]:
    return {
        **_days(),
        "datasets": [
            {"label": "1–30 Nov 2026", "data": _wave(DAYS)},
            {"label": "2–31 Oct 2026", "data": _wave(DAYS, scale=340, phase=3), "kind": "before"},
        ],
        "unfinished": True,
        "unit": "number",
        "annotations": [
            {"index": 8, "text": "New shop opened"},
            {"index": 21, "text": "Newsletter sent to 12,000"},
        ],
    }


def _several() -> dict[str, Any]:
    names = ("Newsletter", "Booking", "Contact form", "Brochure")
    return {
        **_days(),
        "datasets": [
            {
                "label": name,
                "data": [v / 100 for v in _wave(DAYS, scale=420 - 90 * at, phase=at)],
                "kind": "other" if at else "now",
            }
            for at, name in enumerate(names)
        ],
        "unit": "percent",
    }


def _alone() -> dict[str, Any]:
    return {"labels": ["1 Nov"], "datasets": [{"label": "1 Nov 2026", "data": [12]}]}


def _minutes() -> dict[str, Any]:
    return {
        "labels": [f"{at:02d}:00" for at in range(24)],
        "datasets": [{"label": "Visitors", "data": _wave(24, scale=30)}],
        "unit": "number",
    }


def _countries() -> dict[str, Any]:
    visitors = {"GB": 8421, "IE": 912, "US": 1310, "DE": 402, "FR": 377, "AU": 215, "IN": 98}
    return {
        "labels": list(visitors),
        "datasets": [{"label": "Visitors", "data": list(visitors.values())}],
    }


def _figures() -> list[look.Figure]:
    rows = (
        ("Visitors", 12_408, 11_020, "visitors", "good"),
        ("Visits", 18_733, 17_902, "visits", "good"),
        ("Page views", 52_118, 55_340, "pageviews", "good"),
        ("Bounce rate", 41, 38, "bounce-rate", "bad"),
    )
    made = []
    for at, (name, now, before, term, rising_is) in enumerate(rows):
        change = figures.change(now, before, rising_is=rising_is)
        made.append(
            look.Figure(
                name=name,
                value=_in_words(name, now),
                before=_in_words(name, before),
                change=change.words,
                tone=change.tone,
                term=term,
                url="#figures",
                is_current=at == 0,
            )
        )
    made.append(look.Figure(name="Visit duration", value="3m 05s", change="no change"))
    made.append(look.Figure(name="Engaged time", value="–", change="–", term="engaged-time"))
    return made


def _in_words(name: str, value: int) -> str:
    return figures.share(value / 100) if name == "Bounce rate" else figures.number(value)


def _panel(path: str) -> look.Panel:
    rows = (
        ("/", 6_210, ""),
        ("/stores", 2_115, ""),
        ("/a/rather/long/address/of/a/page/that/does/not/fit/into/its/column", 988, ""),
        ("/tents/ridge-two-person", 640, ""),
        ("/journal/waterproofing-a-tent", 204, ""),
    )
    return look.Panel(
        key="pages",
        title="Pages",
        tabs=_tabs(path),
        more_url=path,
        export_url=path,
        table=look.BarTable(
            title="Page",
            columns=[look.Column(words="Visitors", term="visitors"), look.Column(words="Views")],
            rows=[
                look.BarRow(
                    words=words,
                    tip=words,
                    cells=[figures.number(count), figures.number(count * 2)],
                    share=count / 62.1,
                    url=f"{path}#panel-pages",
                    is_current=at == 1,
                )
                for at, (words, count, _) in enumerate(rows)
            ]
            + [look.BarRow(words="Other", cells=["311", "402"], is_quiet=True)],
            note="Outward codes of fewer than 5 visitors are folded into other.",
        ),
    )


def _tabs(path: str) -> list[look.Tab]:
    return [
        look.Tab(words="All", url=path, is_current=True),
        look.Tab(words="Entry", url=f"{path}?tab=entry"),
        look.Tab(words="Exit", url=f"{path}?tab=exit"),
        look.Tab(words="404", url=f"{path}?tab=404", count="3"),
    ]


def _chips(path: str) -> list[look.Chip]:
    return [
        look.Chip(name="Source is", words="Google", remove_url=path, edit_url=path),
        look.Chip(name="Page contains", words="/tents", remove_url=path),
    ]


def _period(path: str) -> look.PeriodPicker:
    presets = ("Today", "Yesterday", "7 days", "30 days", "90 days", "This month")
    comparisons = ("The period before", "The year before", "Nothing")
    return look.PeriodPicker(
        words="1–30 Nov 2026",
        before_words="2–31 Oct 2026",
        starts_on=dt.date(2026, 11, 1),
        ends_on=dt.date(2026, 11, 30),
        max_on=dt.date(2026, 11, 30),
        presets=[look.Choice(words=w, url=path, is_current=w == "30 days") for w in presets],
        comparisons=[
            look.Choice(words=w, url=path, is_current=not at) for at, w in enumerate(comparisons)
        ],
    )


def _items(path: str) -> list[look.MenuItem]:
    return [
        look.MenuItem(words="CSV", url=path, note="One line a row, for spreadsheets"),
        look.MenuItem(words="XLSX", url=path),
        look.MenuItem(words="Delete", url=path, tone="danger"),
    ]


def _facts() -> list[look.Fact]:
    return [
        look.Fact(name="Network address", value="Encrypted, 30 days", term="ip-mode"),
        look.Fact(name="Smallest group", value="5 visitors", term="k-threshold"),
        look.Fact(name="Time zone", value="Europe/London", note="Days of reports are cut in it."),
    ]


def _entries() -> list[look.Entry]:
    now = timezone.now()
    return [
        look.Entry(
            at=now,
            who="privacy@agency.example",
            what="changed the smallest group from 5 to 10",
            reason="Small villages in the north",
            details=["k_threshold: 5 → 10"],
        ),
        look.Entry(
            at=now - dt.timedelta(days=9), who="owner@agency.example", what="made the client"
        ),
    ]


def _steps(path: str) -> list[look.Step]:
    return [
        look.Step(words="Name", state="done", url=path),
        look.Step(words="Websites", state="done", url=path),
        look.Step(words="Privacy", state="current"),
        look.Step(words="Script"),
    ]


def _funnel() -> list[look.FunnelStep]:
    return [
        look.FunnelStep(words="Saw a tent", value="4,210", share=100),
        look.FunnelStep(
            words="Put it into the basket",
            value="1,322",
            share=31.4,
            step_share="31%",
            lost="2,888 went elsewhere (69%)",
        ),
        look.FunnelStep(
            words="Paid", value="611", share=14.5, step_share="46%", lost="711 left (54%)"
        ),
    ]


def _heat() -> look.Heat:
    weeks = ("2 Nov", "9 Nov", "16 Nov", "23 Nov")
    shares = (100, 42, 31, 24)
    return look.Heat(
        title="Returning visitors by week",
        row_title="First week",
        size_title="Visitors",
        columns=["Week 0", "Week 1", "Week 2", "Week 3"],
        rows=[
            look.HeatRow(
                words=week,
                size=figures.number(900 - 60 * at),
                cells=[
                    look.HeatCell(words=f"{share}%", share=share)
                    if at + step < len(weeks)
                    else None
                    for step, share in enumerate(shares)
                ],
            )
            for at, week in enumerate(weeks)
        ],
        note="Only visitors who agreed to a cookie can be known again.",
    )
