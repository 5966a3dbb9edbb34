"""API keys of a client, on its host.

Who may make and revoke them: the agency's owners and analysts, and the client's managers who see
the whole report. A manager of some websites or sections only may not, since a key reads every
section of the websites it is for, which would be more than they see themselves.
"""

import datetime as dt
import zoneinfo
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from agency.doors import acting_user
from agency.forms.api_keys import ApiKeyForm
from agency.hosts import client_of
from agency.relative import ago, moment
from agency.wording import locale_of
from tenants.access import May, access_client, accessible_sites, sections_of
from tenants.api_keys import ApiKeyError, create_api_key, revoke_api_key
from tenants.models import ApiKey, Client, Section, Site, User


def _client(request: HttpRequest) -> Client:
    """The client of this host, for those who may handle its keys."""
    client = client_of(request)
    access_client(request.user, client, may=May.EDIT_REPORTS)
    whole = set(Site.objects.filter(client=client, is_active=True).values_list("pk", flat=True))
    seen = {site.pk for site in accessible_sites(request.user, client)}
    if seen != whole or sections_of(request.user, client) != frozenset(Section):
        raise PermissionDenied("A key reads more than is open to you. Ask who invited you.")
    return client


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def api_keys(request: HttpRequest) -> HttpResponse:
    """The keys, and a form for another; its secret is shown in the reply to the form alone."""
    client = _client(request)
    sites = list(Site.objects.filter(client=client, is_active=True).order_by("pk"))
    form = ApiKeyForm(request.POST or None, sites=sites)
    secret = ""
    if request.method == "POST" and form.is_valid():
        try:
            _, secret = create_api_key(
                client,
                name=form.cleaned_data["name"],
                sites=form.site_ids(),
                expires_at=_end_of(form.cleaned_data["expires_on"], client),
                acting_user=acting_user(request),
                created_by=request.user if isinstance(request.user, User) else None,
            )
        except ApiKeyError as error:
            form.add_error(None, str(error))
        else:
            form = ApiKeyForm(sites=sites)
    return render(
        request,
        "client/api_keys.html",
        {
            "form": form,
            "secret": secret,
            "keys": _rows(client, sites),
        },
        status=422 if form.errors else 200,
    )


def _end_of(day: dt.date | None, client: Client) -> dt.datetime | None:
    """The last moment of a day on the client's clock."""
    if day is None:
        return None
    zone = zoneinfo.ZoneInfo(client.timezone)
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)


def _rows(client: Client, sites: list[Site]) -> list[dict[str, Any]]:
    now, locale = timezone.now(), locale_of(client.locale)
    zone = zoneinfo.ZoneInfo(client.timezone)
    names = {site.pk: site.name for site in sites}
    rows = []
    for key in ApiKey.objects.filter(client=client).select_related("created_by"):
        is_over = key.expires_at is not None and key.expires_at <= now
        state = "Revoked" if key.revoked_at else ("Expired" if is_over else "")
        rows.append(
            {
                "id": key.pk,
                "name": key.name,
                "prefix": key.prefix,
                "state": state,
                "sites": ", ".join(names.get(one, "Not in use") for one in key.sites)
                or "All websites",
                "made": moment(key.created_at, timezone=zone, locale=locale),
                "by": str(key.created_by) if key.created_by else "",
                "used": ago(key.last_used_at, now=now, locale=locale, never="Never"),
                "ends": moment(key.expires_at, timezone=zone, locale=locale)
                if key.expires_at
                else "Never",
            }
        )
    return sorted(rows, key=lambda row: bool(row["state"]))


@require_POST
@login_required
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """End a key at once."""
    client = _client(request)
    key = get_object_or_404(ApiKey, pk=key_id, client=client)
    if revoke_api_key(key, acting_user=acting_user(request)):
        messages.success(
            request, f"{key.name} is revoked: requests with it are refused from now on."
        )
    else:
        messages.info(request, f"{key.name} was revoked before.")
    return redirect("api_keys")
