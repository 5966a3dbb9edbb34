"""Importing a weblog through the pages: upload, progress, summary."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agency import figures
from agency.components import Fact
from agency.doors import acting_user, client_named
from agency.forms.imports import ImportForm
from agency.overview import AGENCY_LOCALE
from agency.relative import moment
from agency.wording import locale_of
from tenants.access import May
from tenants.keys import KeyDestroyedError
from tenants.models import Client, LogUpload, Site, UploadState
from tracking.tasks import import_upload
from tracking.uploads import MAX_PIECE, UploadError, append, begin_upload
from tracking.uploads import cancel as cancel_upload
from tracking.weblogs.formats.logformat import LogFormatError

LOCALE = locale_of(AGENCY_LOCALE)
SHOWN = 50
"""Latest uploads on the page."""
_TONES = {
    UploadState.FINISHED: "good",
    UploadState.FAILED: "bad",
    UploadState.CANCELLED: "quiet",
}


@dataclass(frozen=True)
class Progress:
    """How far an upload or its import is, in words."""

    words: str
    value: int
    maximum: int
    note: str


def _client(request: HttpRequest, slug: str) -> Client:
    return client_named(request, slug, may=May.IMPORT)


def _sites(client: Client) -> list[Site]:
    return list(Site.objects.filter(client=client, is_active=True).order_by("pk"))


@require_safe
@login_required
@never_cache
def imports(request: HttpRequest, slug: str) -> HttpResponse:
    """The form, and what was imported before."""
    client = _client(request, slug)
    uploads = LogUpload.objects.filter(client=client).select_related("site")[:SHOWN]
    return render(
        request,
        "agency/imports.html",
        {
            "object": client,
            "form": ImportForm(sites=_sites(client)),
            "piece_bytes": MAX_PIECE,
            "limit": filesizeformat(settings.UPLOAD_BYTES),
            "limit_bytes": settings.UPLOAD_BYTES,
            "uploads": [_row(one) for one in uploads],
        },
    )


@require_POST
@login_required
def begin(request: HttpRequest, slug: str) -> HttpResponse:
    """Announce a file; answers where its pieces go. 422 with errors by field."""
    client = _client(request, slug)
    form = ImportForm(request.POST, sites=_sites(client))
    size = request.POST.get("size", "")
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=422)
    try:
        found = begin_upload(
            client,
            form.site_chosen(),
            name=request.POST.get("name", "log"),
            size=int(size) if size.isascii() and size.isdecimal() else 0,
            options=form.options(),
            acting_user=acting_user(request),
            now=timezone.now(),
        )
    except LogFormatError as error:
        return JsonResponse({"errors": {"log_format": [str(error)]}}, status=422)
    except UploadError as error:
        return JsonResponse({"errors": {"file": [str(error)]}}, status=422)
    return JsonResponse(
        {
            "piece_url": reverse("import_piece", args=[slug, found.pk]),
            "page_url": reverse("import", args=[slug, found.pk]),
        },
        status=201,
    )


def _upload(client: Client, upload_id: uuid.UUID) -> LogUpload:
    return get_object_or_404(LogUpload.objects.select_related("site"), pk=upload_id, client=client)


@require_POST
@login_required
def piece(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> HttpResponse:
    """Take a piece; its place in the file is in the query. The last one starts the import."""
    client = _client(request, slug)
    found = _upload(client, upload_id)
    length, offset = request.headers.get("Content-Length", ""), request.GET.get("offset", "")
    if not length.isdecimal() or int(length) > MAX_PIECE:
        return JsonResponse({"error": f"Send pieces of at most {MAX_PIECE} bytes."}, status=413)
    if not offset.isdecimal():
        return JsonResponse({"error": "offset: say at which byte the piece begins."}, status=400)
    try:
        found = append(found, request.body, offset=int(offset))
    except UploadError as error:
        return JsonResponse({"error": str(error), "received": found.received}, status=error.status)
    except KeyDestroyedError as error:
        return JsonResponse({"error": str(error)}, status=409)
    if found.state == UploadState.QUEUED:
        import_upload.delay(str(found.pk))
    return JsonResponse({"received": found.received})


@require_safe
@login_required
@never_cache
def upload(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> HttpResponse:
    """How far it is, and its summary in the end; htmx asks for the middle of the page alone."""
    client = _client(request, slug)
    found = _upload(client, upload_id)
    is_partial = bool(request.headers.get("HX-Request"))
    return render(
        request,
        "agency/_import_state.html" if is_partial else "agency/imports_one.html",
        {"object": client, "upload": found, **_state(found)},
    )


@require_POST
@login_required
def cancel(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> HttpResponse:
    """Stop it; what was stored by then stays."""
    client = _client(request, slug)
    found = _upload(client, upload_id)
    cancel_upload(found, acting_user=acting_user(request), now=timezone.now())
    messages.info(request, "It stops within seconds; the file is deleted.")
    return redirect("import", slug=slug, upload_id=upload_id)


def _row(one: LogUpload) -> dict[str, Any]:
    return {
        "upload": one,
        "at": moment(one.created_at, timezone=dt.UTC, locale=LOCALE),
        "size": filesizeformat(one.size),
        "stored": figures.number(one.stored),
        "tone": _TONES.get(UploadState(one.state), "accent"),
    }


def _state(one: LogUpload) -> dict[str, Any]:
    state = UploadState(one.state)
    return {
        "tone": _TONES.get(state, "accent"),
        "progress": None if one.has_ended else _progress(one),
        "facts": _facts(one) if one.has_ended else [],
        "skipped": _reasons(one.skipped),
        "bad": _reasons(one.bad),
        "bad_lines": [
            f"line {figures.number(number)}: {reason}"
            for number, reason in one.details.get("bad_lines", [])
        ],
        "bots": _reasons(one.details.get("bots", {}))[:10],
    }


def _progress(one: LogUpload) -> Progress:
    if one.state == UploadState.RECEIVING:
        return Progress(f"Receiving {one.name}", one.received, one.size, "Leave the page open.")
    if one.state == UploadState.QUEUED or one.started_at is None:
        return Progress(f"{one.name} waits for its turn", 0, one.size, "It begins by itself.")
    lines = f"{figures.number(one.lines)} lines, {figures.number(one.stored)} stored"
    passed = (one.updated_at - one.started_at).total_seconds()
    if passed <= 0 or one.position <= 0:
        return Progress(f"Reading {one.name}", one.position, one.size, lines)
    left = (one.size - one.position) * passed / one.position
    rate = figures.number(round(one.lines / passed))
    return Progress(
        f"Reading {one.name}",
        one.position,
        one.size,
        f"{lines}, {rate} lines a second, about {figures.duration(left)} left",
    )


def _facts(one: LogUpload) -> list[Fact]:
    skipped, bad = sum(one.skipped.values()), sum(one.bad.values())
    facts = [
        Fact(name="Lines", value=figures.number(one.lines)),
        Fact(name="Stored", value=figures.number(one.stored)),
        Fact(name="Skipped", value=figures.number(skipped)),
        Fact(name="Not understood", value=figures.number(bad)),
    ]
    if one.details.get("format"):
        facts.append(Fact(name="Format", value=str(one.details["format"])))
    if one.started_at and one.finished_at:
        seconds = (one.finished_at - one.started_at).total_seconds()
        facts.append(Fact(name="Took", value=figures.duration(seconds)))
    facts.append(Fact(name="File", value="Deleted, with its key"))
    return facts


def _reasons(counts: dict[str, int]) -> list[tuple[str, str]]:
    """(reason, count), the most frequent first."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(reason.replace("_", " "), figures.number(count)) for reason, count in ranked]
