"""Adding a filter, or changing one: a small form above the report, or a page of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import translation

from agency import figures
from agency.filter_words import DIMENSION_WORDS, filter_words, value_words
from agency.forms.filters import ALL, JOIN, MANY, TYPED, FilterForm
from agency.report_choices import Chosen
from agency.report_page import KEPT, tools_context
from agency.report_tables import SPECS
from agency.views.reading import Reading, reads
from tenants.models import Section
from tenants.schemas import entered
from tracking.query.model import Condition, Either, Filter, Query, QueryError, Row, both
from tracking.query.run import run_query
from tracking.query.text import filter_texts

KNOWN = 24
"""Values of the data that the form offers."""
HOST = "event:hostname"


@reads(kept=KEPT)
def edit_filter(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The form; with `apply` it leads back to the report, filtered."""
    sections = reading.sections - {Section.FUNNELS, Section.JOURNEYS, Section.RETENTION}
    reading.check(*sections)
    offered = offered_dimensions(reading)
    if not offered:
        raise PermissionDenied("Nothing of this report that is open to you can be filtered.")
    edited = _edited(reading, request.GET.get("edit", ""))
    # An alternative is added to what has several parts, which stays.
    is_edit = edited is not None and isinstance(edited.part, Condition)
    others = [each for each in reading.chosen if not is_edit or each != edited]
    data = _data(request, edited, [dimension for dimension, _ in offered])
    known = _known_values(reading, str(data["dimension"]), [each.part for each in others])
    _spread(data, {value for value, _ in known})
    asks = "apply" in request.GET
    form = FilterForm(
        data if asks else None,
        initial={name: data.getlist(name) if name == MANY else data[name] for name in data},
        dimensions=offered,
        known=known,
        joinable=[
            (each.text, f"{each.name} {each.words}".strip()) for each in others if _joins(each)
        ],
        auto_id="filter_%s",
    )
    if asks and form.is_valid():
        texts = _joined(others, form.condition, form.alternative_to)
        return _to_report(request, reading, list(dict.fromkeys(texts)))
    context = {
        "form": form,
        "hidden": [*reading.pairs, *([("edit", edited.text)] if edited else [])],
        "action": reading.door.base + "filter/",
        "back_url": reading.below(""),
        "is_edit": is_edit,
        "alternatives": _alternatives(reading, edited) if edited and not is_edit else [],
    }
    template = "client/_filter_form.html"
    with translation.override(reading.client.locale):
        if not request.headers.get("HX-Request"):
            context |= tools_context(reading)
            template = "client/report_filter.html"
        return render(request, template, context, status=422 if asks else 200)


def _edited(reading: Reading, text: str) -> Chosen | None:
    """The filter in force that is to be changed, or to get an alternative."""
    return next((each for each in reading.chosen if each.text == text), None)


def _joins(chosen: Chosen) -> bool:
    """Whether something may be an alternative to it: a segment stays what it is."""
    return isinstance(chosen.part, Condition | Either) and not chosen.is_segment


def _joined(others: Sequence[Chosen], condition: Condition, alternative_to: str) -> list[str]:
    """Texts of all filters, the new one among them or within one of them."""
    if not alternative_to:
        return [*(each.text for each in others), *filter_texts(condition)]
    texts = []
    for each in others:
        if each.text == alternative_to:
            parts = each.part.parts if isinstance(each.part, Either) else (each.part,)
            texts += filter_texts(Either(tuple(dict.fromkeys([*parts, condition]))))
        else:
            texts.append(each.text)
    return texts


@dataclass(frozen=True)
class Alternative:
    """One part of a filter, as the template prints it."""

    words: str
    remove_url: str


def _alternatives(reading: Reading, chosen: Chosen) -> list[Alternative]:
    """The parts of which at least one has to hold, each with the report without it."""
    if not isinstance(chosen.part, Either):
        return []
    found = []
    for part in chosen.part.parts:
        left = tuple(each for each in chosen.part.parts if each != part)
        rest = filter_texts(left[0] if len(left) == 1 else Either(left)) if left else []
        texts = [
            text for each in reading.chosen for text in (rest if each == chosen else [each.text])
        ]
        words = " ".join(filter_words(part, reading.locale)).strip()
        found.append(Alternative(words, reading.door.base + reading.with_filters(texts)))
    return found


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


def _data(request: HttpRequest, edited: Chosen | None, offered: Sequence[str]) -> QueryDict:
    """What stands in the form: what was sent, else the filter to be changed, else the first."""
    data = QueryDict(mutable=True)
    part = edited.part if edited else None
    if isinstance(part, Condition) and part.dimension in offered:
        data.update({"dimension": part.dimension, "op": part.op})
        data.setlist(MANY, list(part.values))
    data[JOIN] = edited.text if edited and isinstance(part, Either) else ALL
    for name in ("dimension", "op", TYPED, JOIN):
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
