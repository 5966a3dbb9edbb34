"""What the pages of goals, funnels, journeys and so on have in common."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agency import figures
from agency.components import Figure
from agency.figures import Change
from agency.report_page import tools_context
from agency.views.reading import Reading
from tenants.models import User
from tracking.query.model import QueryError

AnyView = Callable[..., HttpResponse]


def page_context(asked: Reading, **more: Any) -> dict[str, Any]:
    """What every such page prints, and more."""
    return {**tools_context(asked, of_visits=True), "asked": asked, **more}


def forgives(view: AnyView) -> AnyView:
    """Ask again without filters, and say so, where they cannot be asked: a goal that is gone.

    What cannot be asked without filters either is told instead of the page.
    """

    @functools.wraps(view)
    def inner(request: HttpRequest, asked: Reading, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, asked, **kwargs)
        except QueryError as error:
            words = f"Filters left out: {str(error).removeprefix('filters: ')}"
        plain = dataclasses.replace(asked, chosen=(), errors=(*asked.errors, words))
        try:
            return view(request, plain, **kwargs)
        except QueryError as error:
            context = page_context(asked, problem=str(error))
            template = "client/analysis_refused.html"
            if is_partial(request):
                template = "client/_panel_refused.html"
            return render(request, template, context, status=422)

    return inner


def visitors_words(visitors: int | None, k: int) -> str:
    """1,204 visitors; None: fewer than k."""
    if visitors is None:
        return f"{figures.fewer_than(k)} visitors".capitalize()
    return figures.counted(visitors, "visitor")


def compared_figure(
    name: str, value: str, before: str, change: Change, *, term: str = ""
) -> Figure:
    """A total and what it is compared with; `before` is empty without a comparison."""
    return Figure(
        name=name,
        value=value,
        before=before,
        change=change.words if before else "",
        tone=change.tone if before else "",
        term=term,
    )


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; with links that it boosts it asks for all."""
    return request.headers.get("HX-Request-Type") == "partial"


def actor(request: HttpRequest) -> tuple[str, int | None]:
    """Who is named in the audit trail, and the id of the account."""
    user = request.user
    return (user.email, user.pk) if isinstance(user, User) else ("nobody", None)
