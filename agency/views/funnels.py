"""Funnels of a site: how far visits came, and the making of funnels."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from agency import figures
from agency.components import Figure
from agency.components import FunnelStep as DrawnStep
from agency.forms.funnels import (
    Builder,
    blank_builder,
    changed_builder,
    sent_builder,
    stored_builder,
)
from agency.views.analysis import (
    actor,
    compared_figure,
    forgives,
    is_partial,
    page_context,
)
from agency.views.goals import rule_words
from agency.views.reading import Reading, read_request, reads
from tenants.access import May
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.changes import DefinitionError
from tracking.analysis.definitions import delete_funnel, save_funnel
from tracking.analysis.funnels import (
    FEWEST_STEPS,
    MOST_STEPS,
    FunnelCount,
    FunnelShape,
    StepCount,
    get_funnel,
    load_funnels,
)
from tracking.analysis.goals import Rule, load_goals
from tracking.models import Funnel, GoalKind


@reads()
@forgives
def funnels(request: HttpRequest, asked: Reading) -> HttpResponse:
    """All funnels: who began, who came to the end."""
    asked.check(Section.FUNNELS)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            scope = asked.scope()
            rows = [
                _row(asked, shape, get_funnel(scope, shape.rules, k=asked.k))
                for shape in load_funnels(asked.site)
            ]
        return render(request, "client/funnels.html", page_context(asked, rows=rows))


def _row(asked: Reading, shape: FunnelShape, count: FunnelCount) -> dict[str, Any]:
    first, last = count.steps[0], count.steps[-1]
    return {
        "id": shape.id,
        "name": shape.name,
        "url": asked.below(f"funnels/{shape.id}/"),
        "steps": " → ".join(step_words(rule) for rule in shape.rules),
        "began": _visitors(asked, first),
        "finished": _visitors(asked, last),
        "rate": figures.share(count.rate),
        "share": (count.rate or 0) * 100,
    }


def step_words(rule: Rule) -> str:
    """A step in few words: a goal's name, a path, an event's name."""
    if rule.id:
        return rule.name
    return rule.match if rule.kind == GoalKind.PAGE else rule_words(rule).removeprefix("Event ")


def _visitors(asked: Reading, step: StepCount) -> str:
    return f"fewer than {asked.k}" if step.is_hidden else figures.number(step.visitors)


@reads()
@forgives
def funnel(request: HttpRequest, asked: Reading, funnel_id: int) -> HttpResponse:
    """One funnel, drawn step by step."""
    asked.check(Section.FUNNELS)
    with translation.override(asked.client.locale):
        with entered(asked.client):
            shape = _find(asked, funnel_id)
            now = get_funnel(asked.scope(), shape.rules, k=asked.k)
            before = (
                get_funnel(asked.scope(asked.comparison), shape.rules, k=asked.k)
                if asked.comparison
                else None
            )
        context = page_context(
            asked,
            funnel=shape,
            figures=_figures(asked, now, before),
            steps=[_drawn(asked, step, number) for number, step in enumerate(now.steps)],
            nobody=not now.steps[0].visitors and not now.steps[0].is_hidden,
            funnels_url=asked.below("funnels/"),
        )
        return render(request, "client/funnel.html", context)


def _figures(asked: Reading, now: FunnelCount, before: FunnelCount | None) -> list[Figure]:
    found = []
    for name, at in (("Began", 0), ("Came to the end", -1)):
        step = now.steps[at]
        was = None if before is None or before.steps[at].is_hidden else before.steps[at].visitors
        change = figures.change(None if step.is_hidden else step.visitors, was)
        words = "" if was is None else figures.number(was)
        found.append(compared_figure(name, _visitors(asked, step), words, change))
    rate = before.rate if before else None
    found.append(
        compared_figure(
            "Of those who began",
            figures.share(now.rate),
            "" if rate is None else figures.share(rate),
            figures.change(now.rate, rate),
        )
    )
    return found


def _drawn(asked: Reading, step: StepCount, number: int) -> DrawnStep:
    words = step_words(step.rule)
    if step.is_hidden:
        return DrawnStep(words=words, value=f"fewer than {asked.k}", share=0)
    if number == 0:
        of_all = f"{figures.share(step.of_before)} of all visitors"
        return DrawnStep(
            words=words,
            value=figures.number(step.visitors),
            share=100 if step.visitors else 0,
            step_share=of_all,
        )
    return DrawnStep(
        words=words,
        value=figures.number(step.visitors),
        share=(step.of_first or 0) * 100,
        step_share=f"{figures.share(step.of_before)} of the step before",
        lost=f"{figures.number(step.lost)} went no further" if step.lost else "",
    )


def _find(asked: Reading, funnel_id: int) -> FunnelShape:
    for shape in load_funnels(asked.site):
        if shape.id == funnel_id:
            return shape
    raise Http404("There is no such funnel.")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_funnel(request: HttpRequest, site_id: int) -> HttpResponse:
    """A new funnel."""
    asked = read_request(request, site_id, section=Section.FUNNELS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        goals = load_goals(asked.site)
    if request.method == "POST":
        builder = sent_builder(request.POST, goals)
        if _save(request, asked, builder, None):
            return redirect(asked.url("funnels"))
    else:
        builder = blank_builder(goals)
    return _show(request, asked, builder, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def edit_funnel(request: HttpRequest, site_id: int, funnel_id: int) -> HttpResponse:
    """Change a funnel."""
    asked = read_request(request, site_id, section=Section.FUNNELS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        goals = load_goals(asked.site, with_archived=True)
        stored = Funnel.objects.filter(pk=funnel_id, site_id=asked.site.pk).first()
        if stored is None:
            raise Http404("There is no such funnel.")
        builder = stored_builder(stored.name, list(stored.steps.all()), goals)
    if request.method == "POST":
        builder = sent_builder(request.POST, goals)
        if _save(request, asked, builder, funnel_id):
            return redirect(asked.url("funnel", funnel_id))
    return _show(request, asked, builder, stored)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def steps(request: HttpRequest, site_id: int) -> HttpResponse:
    """The builder with a step added, removed or moved; the whole page where scripts are off."""
    asked = read_request(request, site_id, section=Section.FUNNELS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        goals = load_goals(asked.site, with_archived=True)
        number = request.POST.get("funnel", "")
        pk = int(number) if number.isascii() and number.isdecimal() else 0
        stored = Funnel.objects.filter(pk=pk, site_id=asked.site.pk).first()
    change = request.GET.get("change", "")
    builder = (
        changed_builder(request.POST, change, goals)
        if request.method == "POST"
        else blank_builder(goals)
    )
    return _show(request, asked, builder, stored, changed=change)


def _save(request: HttpRequest, asked: Reading, builder: Builder, pk: int | None) -> bool:
    if not builder.is_valid():
        return False
    name: str = builder.name.cleaned_data["name"]
    try:
        save_funnel(
            asked.client,
            asked.site,
            name,
            builder.drafts(),
            funnel_id=pk,
            now=asked.now,
            acting_user=actor(request)[0],
        )
    except DefinitionError as error:
        builder.name.add_error(error.field or None, str(error))
        return False
    messages.success(request, f"The funnel “{name}” is kept.")
    return True


def _show(
    request: HttpRequest,
    asked: Reading,
    builder: Builder,
    stored: Funnel | None,
    *,
    changed: str = "",
) -> HttpResponse:
    focus_at, focus_on = _focus(changed, len(builder.steps))
    if focus_on == "asks":
        builder.steps[focus_at].fields["asks"].widget.attrs["autofocus"] = True
    context = {
        "asked": asked,
        "site": asked.site,
        "funnel": stored,
        "builder": builder,
        "form": builder.name,
        "may_add": len(builder.steps) < MOST_STEPS,
        "may_remove": len(builder.steps) > FEWEST_STEPS,
        "most": MOST_STEPS,
        "focus_at": focus_at,
        "focus_on": focus_on,
    }
    is_bound = builder.name.is_bound
    with translation.override(asked.client.locale):
        if is_partial(request):
            return render(request, "client/_funnels_steps.html", context)
        return render(request, "client/funnels_edit.html", context, status=422 if is_bound else 200)


def _focus(change: str, count: int) -> tuple[int, str]:
    """Where the keyboard goes on after a change: number of a step, and what of it.

    The step that was added, the one after that removed, the button that moves the step on.
    """
    verb, _, number = change.partition("-")
    at = int(number) if number.isascii() and number.isdecimal() else 0
    match verb:
        case "add":
            return count - 1, "asks"
        case "up":
            return at - 1, "up" if at > 1 else "down"
        case "down":
            return at + 1, "down" if at + 2 < count else "up"
        case "remove":
            return min(at, count - 1), "asks"
    return -1, ""


@require_POST
@login_required
def delete(request: HttpRequest, site_id: int, funnel_id: int) -> HttpResponse:
    """Delete a funnel; the page has asked."""
    asked = read_request(request, site_id, section=Section.FUNNELS, may=May.EDIT_REPORTS)
    with entered(asked.client):
        shape = _find(asked, funnel_id)
    delete_funnel(asked.client, asked.site, funnel_id, acting_user=actor(request)[0])
    messages.success(request, f"The funnel “{shape.name}” is deleted.")
    return redirect(asked.url("funnels"))
