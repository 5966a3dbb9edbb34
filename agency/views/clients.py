"""All clients at a glance, and one client's page, for the agency's staff."""

import datetime as dt
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency import figures
from agency import overview as glance
from agency.alert_words import time_words
from agency.components import Choice, Column, Fact, Figure, Tab
from agency.doors import client_named
from agency.relative import ago, moment
from agency.report_sending import CLIENT_URLS
from agency.wording import locale_of, period_words
from tenants.access import May, access_agency, accessible_clients, allows
from tenants.models import Client, ClientGroup, ClientState, Membership, Site
from tenants.schemas import entered
from tenants.usage import SERIES_DAYS, ClientUsage, client_today, site_usage, total_of, usage_of
from tracking.delivery.alerts import open_events
from tracking.reports.periods import Period

LOCALE = locale_of(glance.AGENCY_LOCALE)
_COLUMNS = (
    ("name", "Client", "", "name"),
    ("visits", "Visits", "visits", "-visits"),
    ("change", "Change", "change", "-change"),
    ("", f"{SERIES_DAYS} days", "", ""),
    ("live", "Now", "live", "-live"),
    ("last", "Last hit", "last-hit", "-last"),
    ("consent", "Consent", "consent-rate", "-consent"),
    ("alerts", "Alerts", "open-alerts", "-alerts"),
)
"""Key, words, glossary term, order at the first click."""


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Visits, change, who is there now, of every client in the user's scope."""
    access_agency(request.user)
    now = timezone.now()
    choice = glance.Choice.of(request.GET)
    clients = accessible_clients(request.user)
    known = glance.known_clients(clients, days=choice.days, now=now)
    groups = list(ClientGroup.objects.all())
    group = _group(groups, choice)
    found = glance.chosen(known, choice, members=glance.members_of(group))
    total = total_of({one.client.pk: one.usage for one in found})
    context = {
        "figures": _totals(total, sum(one.live_now for one in found), days=choice.days),
        "rows": [glance.row_of(one, now=now) for one in found],
        "columns": [_column(choice, *column) for column in _COLUMNS],
        "choice": choice,
        "period": _period(choice.days, now),
        "search_url": reverse("home") + choice.address(q=""),
        "search_hidden": choice.kept(),
        "is_searched": bool(choice.search or group),
        "all_url": reverse("home") + choice.address(q="", group=0),
        "live_url": reverse("clients_live") + choice.address(),
    }
    if request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request"):
        return render(request, "agency/_clients_table.html", context)
    return render(
        request,
        "agency/clients.html",
        {
            **context,
            "has_clients": bool(clients),
            "periods": [
                Choice(
                    words=words,
                    url=choice.address(period=key),
                    is_current=key == choice.period,
                )
                for key, words in glance.PERIOD_WORDS.items()
            ],
            "groups": _group_tabs(groups, choice),
            "can_create": allows(request.user, None, May.CREATE_CLIENTS),
            "can_group": allows(request.user, None, May.EDIT_SETTINGS),
        },
    )


@require_safe
@login_required
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Who is there now, of each client that the list of the same address shows."""
    access_agency(request.user)
    choice = glance.Choice.of(request.GET)
    group = _group(list(ClientGroup.objects.all()), choice)
    counts = glance.live_counts(
        accessible_clients(request.user),
        choice,
        members=glance.members_of(group),
        now=timezone.now(),
    )
    return render(request, "agency/_clients_live.html", {"counts": counts})


def _group(groups: list[ClientGroup], choice: glance.Choice) -> ClientGroup | None:
    return next((one for one in groups if one.pk == choice.group_id), None)


def _column(choice: glance.Choice, key: str, words: str, term: str, first: str) -> Column:
    if not key:
        return Column(words=words)
    is_sorted = choice.sort.removeprefix("-") == key
    turned = key if choice.sort.startswith("-") else f"-{key}"
    return Column(
        words=words,
        term=term,
        sort_url=choice.address(sort=turned if is_sorted else first),
        sorted=("descending" if choice.sort.startswith("-") else "ascending") if is_sorted else "",
    )


def _period(days: int, now: dt.datetime) -> dict[str, str]:
    """The period in words, on the agency's calendar; a client's days are those of its clock."""
    today = now.date()
    return _words(Period(today - dt.timedelta(days=days - 1), today))


def _words(period: Period) -> dict[str, str]:
    return {"words": period_words(period, LOCALE), "compared": glance.compared_words(period)}


def _totals(total: ClientUsage, live: int, *, days: int) -> list[Figure]:
    """Sums over the clients shown."""

    def figure(name: str, attribute: str, term: str) -> Figure:
        change = glance.change_of(total, attribute, days=days)
        return Figure(
            name=name,
            value=figures.number(getattr(total.now, attribute)),
            change=change.words if days > 1 else "",
            tone=change.tone,
            term=term,
        )

    return [
        figure("Visits", "visits", "visits"),
        figure("Page views", "pageviews", "pageviews"),
        figure("Visitors, summed by day", "visitors", "visitors-by-day"),
        Figure(name="Consent", value=figures.share(total.now.consent_rate), term="consent-rate"),
        Figure(name="Live now", value=figures.number(live), term="live", id=glance.TOTAL_LIVE_ID),
    ]


def _group_tabs(groups: list[ClientGroup], choice: glance.Choice) -> list[Tab]:
    if not groups:
        return []
    return [
        Tab(words="All clients", url=choice.address(group=0), is_current=not choice.group_id),
        *(
            Tab(
                words=group.name,
                url=choice.address(group=group.pk),
                is_current=group.pk == choice.group_id,
            )
            for group in groups
        ),
    ]


@require_safe
@login_required
@never_cache
def client(request: HttpRequest, slug: str) -> HttpResponse:
    """One client: its websites, how it stands, its people."""
    found = client_named(request, slug)
    now = timezone.now()
    usage = usage_of([found], days=SERIES_DAYS, now=now)[found.pk]
    state = ClientState.objects.filter(client=found).first()
    today = client_today(found, now)
    period = Period(today - dt.timedelta(days=SERIES_DAYS - 1), today)
    return render(
        request,
        "agency/client.html",
        {
            "object": found,
            "figures": _totals(usage, glance.live_now(state, now), days=SERIES_DAYS),
            "series": usage.series,
            "period": _words(period),
            "sites": _sites(found, period),
            "alerts": _alerts(found),
            "facts": _facts(found, state, now),
            "groups": list(found.groups.all()),
            "people": _people(found),
            "may": _rights(request, found),
        },
    )


def _alerts(client: Client) -> list[dict[str, str]]:
    """The client's alerts that hold now, newest first; their pages are on its own host."""
    sites = {site.pk: site for site in client.sites.filter(is_active=True)}
    with entered(client):
        events = open_events()
    return [
        {
            "name": event.alert.name,
            "site": site.name,
            "since": time_words(event.began_at, site.timezone, LOCALE),
            "path": reverse("alert", args=[site.pk, event.alert_id], urlconf=CLIENT_URLS),
        }
        for event in events
        if (site := sites.get(event.alert.site_id))
    ]


def _sites(client: Client, period: Period) -> list[dict[str, Any]]:
    sums = site_usage(client, starts_on=period.starts_on, ends_on=period.ends_on)
    sites = Site.objects.filter(client=client).order_by("-is_active", "pk")
    return [
        {
            "site": site,
            "hosts": ", ".join(site.hosts),
            "visits": figures.number(sums[site.pk].visits if site.pk in sums else 0),
            "pageviews": figures.number(sums[site.pk].pageviews if site.pk in sums else 0),
            "install_url": reverse("client_install", args=[client.slug, site.pk]),
        }
        for site in sites
    ]


def _facts(client: Client, state: ClientState | None, now: dt.datetime) -> list[Fact]:
    last = state.last_hit_at if state else None
    domains = list(
        client.domains.order_by("-is_primary", "domain").values_list("domain", flat=True)
    )
    return [
        Fact(
            name="Last hit",
            value=ago(last, now=now, locale=LOCALE, never="None yet"),
            note="" if last else "The script is not on the website, or its hits are refused.",
        ),
        Fact(name="Served at", value=", ".join(domains)),
        Fact(name="Time zone", value=client.timezone),
        Fact(name="Client since", value=moment(client.created_at, timezone=dt.UTC, locale=LOCALE)),
    ]


def _people(client: Client) -> list[dict[str, str]]:
    members = Membership.objects.filter(client=client).select_related("user").order_by("pk")
    return [
        {"name": str(one.user), "email": one.user.email, "role": one.get_role_display()}
        for one in members
    ]


def _rights(request: HttpRequest, client: Client) -> dict[str, bool]:
    """What the page offers, by what the user may do."""
    return {
        "settings": allows(request.user, client, May.EDIT_SETTINGS),
        "imports": allows(request.user, client, May.IMPORT),
        "people": allows(request.user, client, May.MANAGE_PEOPLE),
    }
