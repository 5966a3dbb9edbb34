"""Segments: filters kept under a name."""

from typing import Any

import babel
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.filter_words import filter_words
from agency.forms.segments import SegmentForm
from agency.views.analysis import actor
from agency.views.reading import Reading, read_request
from tenants.access import May
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.changes import DefinitionError
from tracking.analysis.segments import (
    create_segment,
    delete_segment,
    load_segments,
    rename_segment,
)
from tracking.models import Segment
from tracking.query.model import Every, Filter
from tracking.query.text import FilterError, filter_json, parse_json


@require_safe
@login_required
@never_cache
def segments(request: HttpRequest, site_id: int) -> HttpResponse:
    """All segments of the site, each leading to the report filtered by it."""
    asked = read_request(request, site_id, section=Section.OVERVIEW)
    with entered(asked.client):
        found = load_segments(asked.site)
    with translation.override(asked.client.locale):
        rows = [_row(asked, segment) for segment in found]
        return render(request, "client/segments.html", {"asked": asked, "rows": rows})


def _row(asked: Reading, segment: Segment) -> dict[str, Any]:
    try:
        filters = parse_json(segment.filters)
    except FilterError:  # kept by a version that knew other dimensions
        filters = None
    return {
        "id": segment.pk,
        "name": segment.name,
        "words": filters_words(filters, asked.locale),
        "url": asked.door.base + asked.with_filters([f"is,segment,{segment.pk}"]),
        "created_at": segment.created_at,
    }


def filters_words(filters: Filter | None, locale: babel.Locale) -> list[str]:
    """Each condition of a filter in words."""
    if filters is None:
        return ["Nothing that can be filtered on any more"]
    parts = filters.parts if isinstance(filters, Every) else (filters,)
    return [" ".join(filter(None, filter_words(part, locale))) for part in parts]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_segment(request: HttpRequest, site_id: int) -> HttpResponse:
    """Keep the filters of the address under a name."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    form = SegmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        who, user_id = actor(request)
        try:
            segment = create_segment(
                asked.client,
                asked.site,
                form.cleaned_data["name"],
                filter_json(asked.filters),
                now=asked.now,
                acting_user=who,
                user_id=user_id,
            )
        except DefinitionError as error:
            form.add_error(error.field or None, str(error))
        else:
            messages.success(request, f"The segment “{segment.name}” is kept.")
            return redirect(asked.url("report"))
    context = {
        "asked": asked,
        "form": form,
        "words": filters_words(asked.filters, asked.locale) if asked.filters else [],
    }
    with translation.override(asked.client.locale):
        status = 422 if form.errors else 200
        return render(request, "client/segments_new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def edit_segment(request: HttpRequest, site_id: int, segment_id: int) -> HttpResponse:
    """Give a segment another name."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    segment = _find(asked, segment_id)
    form = SegmentForm(request.POST or None, initial={"name": segment.name})
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            rename_segment(
                asked.client, asked.site, segment_id, name, acting_user=actor(request)[0]
            )
        except DefinitionError as error:
            form.add_error(error.field or None, str(error))
        else:
            messages.success(request, f"The segment is now called “{name}”.")
            return redirect("segments", site_id=asked.site.pk)
    context = {"asked": asked, "form": form, "row": _row(asked, segment)}
    with translation.override(asked.client.locale):
        status = 422 if form.errors else 200
        return render(request, "client/segments_edit.html", context, status=status)


@require_POST
@login_required
def delete(request: HttpRequest, site_id: int, segment_id: int) -> HttpResponse:
    """Delete a segment; the page has asked."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    segment = _find(asked, segment_id)
    delete_segment(asked.client, asked.site, segment_id, acting_user=actor(request)[0])
    messages.success(request, f"The segment “{segment.name}” is deleted.")
    return redirect("segments", site_id=asked.site.pk)


def _find(asked: Reading, segment_id: int) -> Segment:
    with entered(asked.client):
        found = Segment.objects.filter(pk=segment_id, site_id=asked.site.pk).first()
    if found is None:
        raise Http404("There is no such segment.")
    return found
