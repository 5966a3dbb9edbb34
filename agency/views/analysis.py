"""What the pages of goals, funnels, journeys and so on have in common."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from agency.components import Figure
from agency.figures import Change
from agency.report_page import tools_context
from agency.views.reading import Reading
from tenants.models import User


def page_context(asked: Reading, **more: Any) -> dict[str, Any]:
    """What every such page prints, and more."""
    texts = [each.text for each in asked.chosen]
    new_segment = reverse("segment_new", args=[asked.site.pk])
    return {
        **tools_context(asked),
        "asked": asked,
        "save_url": f"{new_segment}{asked.with_filters(texts)}" if asked.may_edit else "",
        **more,
    }


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
    """Whether htmx asks for a part of the page; for a page out of its history it asks for all."""
    htmx = HtmxDetails(request)
    return bool(htmx) and not htmx.history_restore_request


def actor(request: HttpRequest) -> tuple[str, int | None]:
    """Who is named in the audit trail, and the id of the account."""
    user = request.user
    return (user.email, user.pk) if isinstance(user, User) else ("nobody", None)
