"""Annotations: what happened on a day."""

from babel.dates import format_date
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.forms.annotations import AnnotationForm
from agency.views.analysis import actor
from agency.views.reading import Reading, read_request
from tenants.access import May
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.annotations import delete_annotation, load_annotations, save_annotation
from tracking.models import Annotation


@require_safe
@login_required
@never_cache
def annotations(request: HttpRequest, site_id: int) -> HttpResponse:
    """All annotations of the site, the latest day first."""
    asked = read_request(request, site_id, section=Section.OVERVIEW)
    with entered(asked.client):
        found = load_annotations(asked.site)
    rows = [(one, format_date(one.on_date, "medium", asked.locale)) for one in found]
    return render(request, "client/annotations.html", {"asked": asked, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_annotation(request: HttpRequest, site_id: int) -> HttpResponse:
    """A new remark; the address may name the day."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    return _edit(request, asked, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def edit_annotation(request: HttpRequest, site_id: int, annotation_id: int) -> HttpResponse:
    """Change a remark or its day."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    return _edit(request, asked, _find(asked, annotation_id))


def _edit(request: HttpRequest, asked: Reading, annotation: Annotation | None) -> HttpResponse:
    initial = (
        {"on_date": annotation.on_date, "text": annotation.text}
        if annotation
        else {"on_date": request.GET.get("on") or asked.today}
    )
    form = AnnotationForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        who, user_id = actor(request)
        save_annotation(
            asked.client,
            asked.site,
            form.cleaned_data["on_date"],
            form.cleaned_data["text"],
            annotation_id=annotation.pk if annotation else None,
            now=asked.now,
            acting_user=who,
            user_id=user_id,
        )
        messages.success(request, "The annotation is kept.")
        return redirect("annotations", site_id=asked.site.pk)
    with translation.override(asked.client.locale):
        return render(
            request,
            "client/annotations_edit.html",
            {"asked": asked, "form": form, "annotation": annotation},
            status=422 if form.errors else 200,
        )


@require_POST
@login_required
def delete(request: HttpRequest, site_id: int, annotation_id: int) -> HttpResponse:
    """Delete a remark; the page has asked."""
    asked = read_request(request, site_id, section=Section.OVERVIEW, may=May.EDIT_REPORTS)
    _find(asked, annotation_id)
    delete_annotation(asked.client, asked.site, annotation_id, acting_user=actor(request)[0])
    messages.success(request, "The annotation is deleted.")
    return redirect("annotations", site_id=asked.site.pk)


def _find(asked: Reading, annotation_id: int) -> Annotation:
    with entered(asked.client):
        found = Annotation.objects.filter(pk=annotation_id, site_id=asked.site.pk).first()
    if found is None:
        raise Http404("There is no such annotation.")
    return found
