"""Adding a filter, or changing one: a small form above the report, or a page of its own."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import translation

from agency import figures
from agency.filter_words import DIMENSION_WORDS, value_words
from agency.forms.filters import MANY, TYPED, FilterForm
from agency.report_page import KEPT, tools_context
from agency.report_tables import SPECS
from agency.views.reading import Reading, reads
from tenants.models import Section
from tenants.schemas import entered
from tracking.query.model import Condition, Filter, Query, QueryError, Row, both
from tracking.query.run import run_query
from tracking.query.text import filter_texts

KNOWN = 24
"""Values of the data that the form offers."""
OWN = ("edit", "dimension", "op", MANY, TYPED, "apply")
"""Parameters of the form, which the report's address does not have."""
HOST = "event:hostname"


@reads(kept=KEPT)
def edit_filter(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The form; with `apply` it leads back to the report, filtered."""
    sections = reading.sections - {Section.FUNNELS, Section.JOURNEYS, Section.RETENTION}
    reading.check(*sections)
    offered = offered_dimensions(reading)
    if not offered:
        raise PermissionDenied("Nothing of this report that is open to you can be filtered.")
    edited = request.GET.get("edit", "")
    others = [each for each in reading.chosen if each.text != edited]
    data = _data(request, reading, [dimension for dimension, _ in offered])
    known = _known_values(reading, str(data["dimension"]), [each.part for each in others])
    _spread(data, {value for value, _ in known})
    asks = "apply" in request.GET
    form = FilterForm(
        data if asks else None,
        initial={name: data.getlist(name) if name == MANY else data[name] for name in data},
        dimensions=offered,
        known=known,
        auto_id="filter_%s",
    )
    if asks and form.is_valid():
        texts = [*(each.text for each in others), *filter_texts(form.condition)]
        return _to_report(request, reading, list(dict.fromkeys(texts)))
    context = {
        "form": form,
        "hidden": [*reading.pairs, *([("edit", edited)] if edited else [])],
        "action": reading.door.base + "filter/",
        "back_url": reading.below(""),
        "is_edit": bool(edited),
    }
    template = "client/_filter_form.html"
    with translation.override(reading.client.locale):
        if not request.headers.get("HX-Request"):
            context |= tools_context(reading)
            template = "client/report_filter.html"
        return render(request, template, context, status=422 if asks else 200)


def _to_report(request: HttpRequest, reading: Reading, texts: list[str]) -> HttpResponse:
    """Back to the page that the form stands on, with these filters."""
    query, base = reading.with_filters(texts), reading.door.base
    if not request.headers.get("HX-Request"):
        return redirect(base + query)
    page = urlsplit(request.headers.get("HX-Current-URL", "")).path
    is_report = page == "/" or (page.startswith(base) and not page.startswith(f"{base}filter/"))
    place = {
        "path": (page if is_report else base) + query,
        "target": "body",
        "swap": "outerMorph show:none",
    }
    return HttpResponse(headers={"HX-Location": json.dumps(place)})


def offered_dimensions(reading: Reading) -> list[tuple[str, str]]:
    """What the reader may filter on: dimensions of the tables that they may see."""
    seen = {spec.dimension for spec in SPECS if spec.section in reading.sections}
    if Section.PAGES in reading.sections:
        seen.add(HOST)
    return [(name, words) for name, words in DIMENSION_WORDS.items() if name in seen]


def _data(request: HttpRequest, reading: Reading, offered: Sequence[str]) -> QueryDict:
    """What stands in the form: what was sent, else the filter to be changed, else the first."""
    data = QueryDict(mutable=True)
    edited = next(
        (each.part for each in reading.chosen if each.text == request.GET.get("edit")), None
    )
    if isinstance(edited, Condition) and edited.dimension in offered:
        data.update({"dimension": edited.dimension, "op": edited.op})
        data.setlist(MANY, list(edited.values))
    for name in ("dimension", "op", TYPED):
        if name in request.GET:
            data[name] = request.GET[name]
    if "op" in request.GET:
        data.setlist(MANY, request.GET.getlist(MANY))
    if data.get("dimension") not in offered:
        data["dimension"] = offered[0]
    data.setdefault("op", "is")
    data.setdefault(TYPED, "")
    return data


def _spread(data: QueryDict, known: set[str]) -> None:
    """Tick values that the form offers, write the others."""
    chosen = data.getlist(MANY)
    data.setlist(MANY, [value for value in chosen if value in known])
    typed = [*str(data[TYPED]).splitlines(), *(value for value in chosen if value not in known)]
    data[TYPED] = "\n".join(dict.fromkeys(typed))


def _known_values(
    reading: Reading, dimension: str, others: Sequence[Filter]
) -> list[tuple[str, str]]:
    """The values most seen under the other filters, with their names and visitors."""
    filters: Filter | None = None
    for part in others:
        filters = both(filters, part)
    query = Query(
        ("visitors",),
        reading.period.starts_on,
        reading.period.ends_on,
        (dimension,),
        filters,
        limit=KNOWN,
    )
    try:
        with entered(reading.client):
            result = run_query(reading.site, query, k=reading.k, now=reading.now)
    except QueryError:
        # The other filters cannot be asked; the report says so, the form offers no values.
        return []
    with translation.override(reading.client.locale):
        return [
            (row.dimensions[0], _value_words(reading, dimension, row))
            for row in result.rows
            if not row.is_other
        ]


def _value_words(reading: Reading, dimension: str, row: Row) -> str:
    """France (1,204)."""
    words = value_words(dimension, row.dimensions[0], reading.locale)
    return f"{words} ({figures.number(int(row.metrics[0] or 0))})"
