"""How a client's web developer puts the script on a website."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from agency.colours import accent_mark, accent_style
from agency.hosts import client_of
from agency.installing import snippet_of
from tenants.access import May, access_site

CALLS = """\
outward("event", "Newsletter", {place: "footer"})
outward("postcode", "SW1A 1AA")     // sends SW1A, nothing more
outward("consent", true)            // after the visitor has agreed
<input name="postcode" data-outward-postcode>
<html data-outward-404>             on the page that says: not found"""


@require_safe
@login_required
def snippet(request: HttpRequest, site_id: int) -> HttpResponse:
    """The lines to put on every page."""
    client = client_of(request)
    site = access_site(request.user, client, site_id, may=May.EDIT_REPORTS)
    base = f"{request.scheme}://{request.get_host()}"
    return render(
        request,
        "client/install.html",
        {
            "site": site,
            "snippet": snippet_of(site, base),
            "calls": CALLS,
            "honour_gpc": client.privacy.honour_gpc,
        },
    )


@require_safe
@cache_control(private=True, max_age=300)
def accent(request: HttpRequest) -> HttpResponse:
    """Style sheet with the client's accent colour; open to all, since the log-in page has it."""
    client = client_of(request)
    return HttpResponse(accent_style(client.accent_colour), content_type="text/css; charset=utf-8")


@require_safe
@cache_control(private=True, max_age=300)
def mark(request: HttpRequest) -> HttpResponse:
    """The client's mark for the browser's tab; open to all, since the log-in page has it."""
    client = client_of(request)
    return HttpResponse(
        accent_mark(client.accent_colour, client.name), content_type="image/svg+xml"
    )
