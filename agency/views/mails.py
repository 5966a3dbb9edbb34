"""Mails of the embedded default, on a page: what would have been sent. Not in production."""

from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from agency.mail_files import StoredMail, find_mail, list_mails
from tenants.access import May, access_agency

_FRAME_POLICY = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],  # a mail has its styles inside
    "img-src": ["data:"],
    "frame-ancestors": ["'self'"],
    "sandbox": True,
}


def _access(request: HttpRequest) -> None:
    """Owners of the agency, where mail is files: a letter may hold a link to log in with."""
    if settings.PRODUCTION or settings.MAIL.host:
        raise Http404("Mail goes to a server here.")
    access_agency(request.user, may=May.MANAGE_PEOPLE)


def _get(name: str) -> StoredMail:
    found = find_mail(name)
    if found is None:
        raise Http404("There is no such mail.")
    return found


@require_safe
@login_required
@never_cache
def mails(request: HttpRequest) -> HttpResponse:
    """All mails, the newest first."""
    _access(request)
    context = {"mails": list_mails(), "folder": settings.EMAIL_FILE_PATH.name}
    return render(request, "agency/people_mails.html", context)


@csp_update({"frame-src": ["'self'"]})  # type: ignore[arg-type]  # its type knows of no arguments
@require_safe
@login_required
@never_cache
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail: its text, and its HTML in a frame without rights."""
    _access(request)
    return render(request, "agency/people_mail.html", {"mail": _get(name)})


@xframe_options_sameorigin
@require_safe
@login_required
@never_cache
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML of a mail, for the frame: no script, no request, no form, whatever it says."""
    _access(request)
    found = _get(name)
    if not found.html:
        raise Http404("This mail has no HTML.")
    response = HttpResponse(found.html, content_type="text/html; charset=utf-8")
    csp(_FRAME_POLICY)(lambda _request: response)(request)
    return response
