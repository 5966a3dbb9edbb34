"""Goals of a site: how often each was reached, by what, and their making."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency import figures
from agency.components import Choice, Figure, Tab
from agency.forms.goals import GOAL_FORMS
from agency.views.analysis import (
    actor,
    compared_figure,
    forgives,
    is_partial,
    page_context,
    visitors_words,
)
from agency.views.goal_dimensions import BY, goal_panel
from agency.views.reading import Reading, read_request, reads
from agency.wording import period_words
from tenants.access import May
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.changes import DefinitionError
from tracking.analysis.conversions import Conversion, get_conversions, get_examples
from tracking.analysis.definitions import archive_goal, delete_goal, save_goal, users_of_goal
from tracking.analysis.goals import Rule, load_goals, rule_of
from tracking.analysis.scope import Scope
from tracking.models import Dimension, Goal, GoalKind
from tracking.query.model import QueryError
from tracking.reports.periods import Period, Preset
from tracking.reports.tops import get_top

KIND_WORDS = {
    GoalKind.PAGE: "Page",
    GoalKind.EVENT: "Event",
    GoalKind.SCROLL: "Scroll depth",
    GoalKind.ENGAGED: "Engaged time",
    GoalKind.OUTCODE: "Outcode",
}
SUGGESTIONS = 6


def rule_words(rule: Rule) -> str:
    """What the goal asks for, in words."""
    match rule.kind:
        case GoalKind.PAGE:
            return f"Page {rule.match}"
        case GoalKind.EVENT:
            if not rule.property_name:
                return f"Event {rule.match}"
            value = rule.property_value or "*"
            return f"Event {rule.match}, {rule.property_name} is {value}"
        case GoalKind.SCROLL:
            return f"{rule.least}% of {rule.match or 'any page'}"
        case GoalKind.ENGAGED:
            return f"{figures.duration(rule.least)} of engaged time"
        case GoalKind.OUTCODE:
            return f"Outcode {rule.match}"


@dataclasses.dataclass(frozen=True)
class GoalRow:
    """A line of the list, in words."""

    id: int
    name: str
    asks: str
    visitors: str
    conversions: str
    rate: str
    share: float
    change: figures.Change
    url: str


@reads()
@forgives
def goals(request: HttpRequest, asked: Reading) -> HttpResponse:
    """All goals with conversions and rate, and their change since the period compared."""
    asked.check(Section.GOALS)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            rules = load_goals(asked.site)
            now = get_conversions(asked.scope(), rules, k=asked.k)
            before = _before(asked, rules)
            archived = list(
                Goal.objects.filter(site_id=asked.site.pk, is_archived=True).order_by("name")
            )
            suggested = _suggestions(asked, rules) if asked.may_edit else []
        context = page_context(
            asked,
            rows=[_row(asked, one, then) for one, then in zip(now.goals, before, strict=True)],
            visitors=visitors_words(now.visitors, asked.k),
            archived=[
                {"id": goal.pk, "name": goal.name, "asks": rule_words(rule_of(goal))}
                for goal in archived
            ],
            suggested=suggested,
        )
        return render(request, "client/goals.html", context)


def _before(asked: Reading, rules: Sequence[Rule]) -> Sequence[Conversion | None]:
    """The same goals in the period compared with; None each without one."""
    if asked.comparison is None:
        return [None] * len(rules)
    return get_conversions(asked.scope(asked.comparison), rules, k=asked.k).goals


def _row(asked: Reading, one: Conversion, before: Conversion | None) -> GoalRow:
    hidden = one.is_hidden
    return GoalRow(
        id=one.rule.id,
        name=one.rule.name,
        asks=rule_words(one.rule),
        visitors=f"fewer than {asked.k}" if hidden else figures.number(one.visitors),
        conversions="" if hidden else figures.number(one.conversions),
        rate="" if hidden else figures.share(one.rate),
        share=(one.rate or 0) * 100,
        change=_change(one, before),
        url=asked.below(f"goals/{one.rule.id}/", own=False),
    )


def _change(one: Conversion, before: Conversion | None) -> figures.Change:
    if one.is_hidden or before is None or before.is_hidden:
        return figures.Change(figures.NO_FIGURE)
    return figures.change(one.visitors, before.visitors)


def _suggestions(asked: Reading, rules: Sequence[Rule]) -> list[Choice]:
    """Events that were seen in 30 days and are no goal yet; called inside the client's schema."""
    taken = {rule.match for rule in rules if rule.kind == GoalKind.EVENT}
    period = Period.of(Preset.LAST_30_DAYS, asked.today)
    top = get_top(asked.site, period, Dimension.EVENT, k_threshold=asked.k, limit=20)
    address = reverse("goal_new", args=[asked.site.pk])
    found = []
    for row in top:
        if row.value and row.value not in taken:
            query = {"kind": "event", "match": row.value, "name": row.value[:80]}
            words = f"{row.value} ({figures.number(row.events)})"
            found.append(Choice(words=words, url=f"{address}?{urlencode(query)}"))
    return found[:SUGGESTIONS]


@reads(kept=(BY,))
@forgives
def goal(request: HttpRequest, asked: Reading, goal_id: int) -> HttpResponse:
    """One goal: its figures, and its conversions by a dimension; htmx asks for the panel alone."""
    asked.check(Section.GOALS)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            rule = _find(asked, goal_id)
            panel = goal_panel(asked, rule, request.GET.get(BY, ""))
            if is_partial(request):
                return render(request, "components/panel.html", {"panel": panel})
            now = get_conversions(asked.scope(), [rule], k=asked.k)
            before = _before(asked, [rule])
        context = page_context(
            asked,
            goal=rule,
            asks=rule_words(rule),
            figures=_figures(asked, now.goals[0], before[0]),
            panel=panel,
            goals_url=asked.below("goals/", own=False),
        )
        return render(request, "client/goal.html", context)


def _figures(asked: Reading, now: Conversion, before: Conversion | None) -> list[Figure]:
    if now.is_hidden:
        return [Figure(name="Visitors", value=f"fewer than {asked.k}")]
    was = None if before is None or before.is_hidden else before
    return [
        compared_figure(
            "Visitors",
            figures.number(now.visitors),
            figures.number(was.visitors) if was else "",
            figures.change(now.visitors, was.visitors if was else None),
            term="visitors",
        ),
        compared_figure(
            "Conversions",
            figures.number(now.conversions),
            figures.number(was.conversions) if was else "",
            figures.change(now.conversions, was.conversions if was else None),
        ),
        compared_figure(
            "Conversion rate",
            figures.share(now.rate),
            figures.share(was.rate) if was else "",
            figures.change(now.rate, was.rate if was else None),
            term="conversion-rate",
        ),
    ]


def _find(asked: Reading, goal_id: int) -> Rule:
    found = Goal.objects.filter(pk=goal_id, site_id=asked.site.pk).first()
    if found is None:
        raise Http404("There is no such goal.")
    return rule_of(found)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_goal(request: HttpRequest, site_id: int) -> HttpResponse:
    """A new goal of the kind that the address names."""
    asked = read_request(request, site_id, section=Section.GOALS, may=May.EDIT_REPORTS)
    return _edit(request, asked, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def edit_goal(request: HttpRequest, site_id: int, goal_id: int) -> HttpResponse:
    """Change a goal, its kind too."""
    asked = read_request(request, site_id, section=Section.GOALS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        rule = _find(asked, goal_id)
    return _edit(request, asked, rule)


def _edit(request: HttpRequest, asked: Reading, rule: Rule | None) -> HttpResponse:
    kind = _kind(request, rule.kind if rule else GoalKind.PAGE)
    form_class = GOAL_FORMS[kind]
    if request.method == "POST":
        form = form_class(request.POST)
        if form.is_valid():
            try:
                save_goal(
                    asked.client,
                    asked.site,
                    form.rule(),
                    goal_id=rule.id if rule else None,
                    now=asked.now,
                    acting_user=actor(request)[0],
                )
            except DefinitionError as error:
                form.add_error(error.field or None, str(error))
            else:
                messages.success(request, f"The goal “{form.rule().name}” is kept.")
                return redirect(asked.url("goals"))
    else:
        given = {name: request.GET[name] for name in ("name", "match") if name in request.GET}
        form = form_class(initial=(form_class.initial_of(rule) if rule else {}) | given)
    address = reverse("goal_edit", args=[asked.site.pk, rule.id]) if rule else request.path
    context = {
        "asked": asked,
        "site": asked.site,
        "goal": rule,
        "form": form,
        "kind": kind,
        "tabs": [
            Tab(words=words, url=f"{address}?kind={each.value}", is_current=each == kind)
            for each, words in KIND_WORDS.items()
        ],
        "preview_url": f"{reverse('goal_preview', args=[asked.site.pk])}?kind={kind.value}",
    }
    status = 422 if form.errors else 200
    with translation.override(asked.client.locale):
        return render(request, "client/goals_edit.html", context, status=status)


def _kind(request: HttpRequest, otherwise: GoalKind) -> GoalKind:
    name = request.GET.get("kind", "")
    return GoalKind(name) if name in set(GoalKind) else otherwise


@require_safe
@login_required
@never_cache
def preview(request: HttpRequest, site_id: int) -> HttpResponse:
    """What the goal in the form would have counted in the last 30 days, while it is written."""
    asked = read_request(request, site_id, section=Section.GOALS, may=May.EDIT_REPORTS)
    form = GOAL_FORMS[_kind(request, GoalKind.PAGE)](request.GET)
    # The name may still be missing.
    if set(form.errors) - {"name"}:
        return render(request, "client/_goals_preview.html", {"ready": False})
    context: dict[str, Any]
    rule, period = form.rule(), Period.of(Preset.LAST_30_DAYS, asked.today)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            scope = Scope(asked.site, period)
            try:
                found = get_conversions(scope, [rule], k=asked.k).goals[0]
                examples = get_examples(scope, rule)
            except QueryError as error:
                context = {"ready": False, "problem": str(error)}
                return render(request, "client/_goals_preview.html", context)
        context = {
            "ready": True,
            "hidden": found.is_hidden,
            "k": asked.k,
            "nobody": not found.visitors,
            "visitors": figures.number(found.visitors),
            "conversions": figures.number(found.conversions),
            "rate": figures.share(found.rate),
            "period": period_words(period, asked.locale),
            "examples": [(value, figures.number(times)) for value, times in examples],
        }
        return render(request, "client/_goals_preview.html", context)


@require_POST
@login_required
def archive(request: HttpRequest, site_id: int, goal_id: int) -> HttpResponse:
    """Hide a goal from the reports."""
    return _archive(request, site_id, goal_id, archived=True)


@require_POST
@login_required
def restore(request: HttpRequest, site_id: int, goal_id: int) -> HttpResponse:
    """Show a goal again."""
    return _archive(request, site_id, goal_id, archived=False)


def _archive(request: HttpRequest, site_id: int, goal_id: int, *, archived: bool) -> HttpResponse:
    asked = read_request(request, site_id, section=Section.GOALS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        rule = _find(asked, goal_id)
    archive_goal(
        asked.client, asked.site, goal_id, archived=archived, acting_user=actor(request)[0]
    )
    state = "archived" if archived else "in the reports again"
    messages.success(request, f"The goal “{rule.name}” is {state}.")
    return redirect(asked.url("goals"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def delete(request: HttpRequest, site_id: int, goal_id: int) -> HttpResponse:
    """Ask, then delete a goal; one that funnels or alerts need is named with them instead."""
    asked = read_request(request, site_id, section=Section.GOALS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        rule, users = _find(asked, goal_id), users_of_goal(goal_id)
    if request.method == "POST" and not users:
        try:
            delete_goal(asked.client, asked.site, goal_id, acting_user=actor(request)[0])
        except DefinitionError as error:  # somebody has begun to use it meanwhile
            messages.error(request, str(error))
        else:
            messages.success(request, f"The goal “{rule.name}” is deleted.")
        return redirect(asked.url("goals"))
    context = {"asked": asked, "goal": rule, "asks": rule_words(rule), "users": users}
    return render(request, "client/goals_delete.html", context)
