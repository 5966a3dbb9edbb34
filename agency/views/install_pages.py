"""Putting the script on a website, as the agency's staff does it: waits for the first hit."""

import datetime as dt
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agency import figures
from agency.addresses import origin_of
from agency.arriving import (
    SILENT_AFTER,
    Opened,
    find_former_hit,
    find_latest_hit,
    opened_now,
    refusals,
)
from agency.doors import client_named
from agency.installing import Finding, check_page, look_by_itself, snippet_of
from agency.overview import AGENCY_LOCALE
from agency.relative import ago
from agency.wording import date_words, locale_of
from tenants.access import May
from tenants.models import Client, Site

LOCALE = locale_of(AGENCY_LOCALE)
_OPENED = "outward_opened"
"""In the session: how each website stood when its page was opened, by its id."""
VALKEY_AWAY = Finding(
    "warning", "What was refused is not known", "The counters cannot be read at the moment."
)


def _site(request: HttpRequest, slug: str, site_id: int) -> tuple[Client, Site]:
    client = client_named(request, slug, may=May.EDIT_SETTINGS)
    site = Site.objects.filter(client=client, pk=site_id, is_active=True).first()
    if site is None:
        raise Http404("There is no such website.")
    return client, site


@require_safe
@login_required
@never_cache
def install(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """The lines to put on the website, and what has come of it so far."""
    client, site = _site(request, slug, site_id)
    return render(
        request,
        "agency/install.html",
        {
            "object": client,
            "site": site,
            "sites": list(client.sites.filter(is_active=True)),
            "snippet": snippet_of(site, origin_of(request, client)),
            "page_url": first_page_of(site),
            "looks_by_itself": True,
            **_progress(request, client, site),
        },
    )


@require_safe
@login_required
@never_cache
def waiting(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """What has come so far, asked for every two seconds until something has."""
    client, site = _site(request, slug, site_id)
    return render(
        request,
        "agency/_install_waiting.html",
        {"object": client, "site": site, **_progress(request, client, site)},
    )


@require_safe
@login_required
@never_cache
def look(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """What the website's start page says, asked for by itself once the wait gets long."""
    client, site = _site(request, slug, site_id)
    url, checked = first_page_of(site), []
    if find_latest_hit(client, site, now=timezone.now()) is None:
        try:
            checked = look_by_itself(client, site, url)
        except redis.RedisError:
            checked = []
    return render(request, "agency/_install_findings.html", {"checked": checked, "looked_at": url})


@require_POST
@login_required
def check(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """Look at a page of the website, and say what is wrong with it."""
    client, site = _site(request, slug, site_id)
    url = request.POST.get("url", "").strip() or first_page_of(site)
    if "://" not in url:
        url = f"https://{url}"
    context = {
        "object": client,
        "site": site,
        "page_url": url,
        "checked": check_page(client, site, url),
    }
    if request.headers.get("HX-Request"):
        return render(request, "agency/_install_check.html", context)
    context |= {
        "sites": list(client.sites.filter(is_active=True)),
        "snippet": snippet_of(site, origin_of(request, client)),
        **_progress(request, client, site),
    }
    return render(request, "agency/install.html", context)


def _progress(request: HttpRequest, client: Client, site: Site) -> dict[str, object]:
    now = timezone.now()
    try:
        opened = _opened(request, client, site, now)
        former, refused = opened.former_hit_at, refusals(client, opened, now=now)
    except redis.RedisError:
        former, refused = find_former_hit(client, site, now=now), [VALKEY_AWAY]
    latest = find_latest_hit(client, site, now=now) or former
    silent_for = now - latest if latest and now - latest > SILENT_AFTER else None
    return {
        "is_received": latest is not None and silent_for is None,
        "latest": ago(latest, now=now, locale=LOCALE, never=""),
        "silent_for": figures.counted(silent_for.days, "day") if silent_for else "",
        "last_on": date_words(latest.date(), LOCALE) if latest else "",
        "refused": refused,
        "has_others": client.sites.filter(is_active=True).count() > 1,
    }


def _opened(request: HttpRequest, client: Client, site: Site, now: dt.datetime) -> Opened:
    """How it stood when the page was opened; kept in the session, so that it may be reloaded."""
    kept = request.session.get(_OPENED, {})
    name = str(site.pk)
    if name in kept and (opened := Opened.from_json(kept[name])).is_still(site, now):
        return opened
    opened = opened_now(client, site, now=now)
    fresh = {one: was for one, was in kept.items() if Opened.from_json(was).is_fresh(now)}
    request.session[_OPENED] = {**fresh, name: opened.as_json()}
    return opened


def first_page_of(site: Site) -> str:
    """Address of the website's start page; in development, of one on this machine's port."""
    host = site.main_host.removeprefix("*.")
    name = urlsplit(f"//{host}").hostname or host
    if not settings.PRODUCTION and (name == "localhost" or name.endswith(".localhost")):
        return f"http://{host}/" if ":" in host else f"http://{host}:{settings.PORT}/"
    return f"https://{host}/"
