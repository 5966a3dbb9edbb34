"""Putting the script on a website, as the agency's staff does it: waits for the first hit."""

from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agency.addresses import origin_of
from agency.doors import client_named
from agency.installing import (
    Finding,
    check_page,
    find_latest_hit,
    has_days,
    refusals,
    snippet_of,
)
from agency.overview import AGENCY_LOCALE
from agency.relative import ago
from agency.wording import locale_of
from tenants.access import May
from tenants.models import Client, Site

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
            **_progress(client, site),
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
        {"object": client, "site": site, **_progress(client, site)},
    )


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
        **_progress(client, site),
    }
    return render(request, "agency/install.html", context)


def _progress(client: Client, site: Site) -> dict[str, object]:
    now = timezone.now()
    latest = find_latest_hit(client, site, now=now)
    try:
        refused = refusals(client, now=now)
    except redis.RedisError:
        refused = [VALKEY_AWAY]
    return {
        "is_received": latest is not None or has_days(site),
        "latest": ago(latest, now=now, locale=locale_of(AGENCY_LOCALE), never="over a day ago"),
        "refused": refused,
    }


def first_page_of(site: Site) -> str:
    """Address of the website's start page; in development, of one on this machine's port."""
    host = site.main_host.removeprefix("*.")
    name = urlsplit(f"//{host}").hostname or host
    if not settings.PRODUCTION and (name == "localhost" or name.endswith(".localhost")):
        return f"http://{host}/" if ":" in host else f"http://{host}:{settings.PORT}/"
    return f"https://{host}/"
