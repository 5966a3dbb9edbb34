"""Making, changing and deleting goals and funnels."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from tenants.models import Client, Site
from tracking.analysis.changes import DefinitionError, recorded
from tracking.analysis.funnels import FEWEST_STEPS, MOST_STEPS
from tracking.analysis.goals import Rule
from tracking.models import Alert, Funnel, FunnelStep, Goal, StepKind

_TAKEN = "The site has a {} of this name already: choose another."


@dataclass(frozen=True)
class StepDraft:
    """A step to be stored; `goal_id` for a step of kind goal, the rest for the others."""

    kind: StepKind
    match: str = ""
    property_name: str = ""
    property_value: str = ""
    goal_id: int | None = None


class InUseError(DefinitionError):
    """A goal that funnels or alerts need."""

    code = "goal-in-use"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "",
            f"It is used by {', '.join(names)}. Take it out there first, or archive it: "
            "then it is out of the way and nothing breaks.",
        )


def save_goal(
    client: Client,
    site: Site,
    rule: Rule,
    *,
    goal_id: int | None = None,
    now: dt.datetime,
    acting_user: str,
) -> Goal:
    """Store a new goal, or change the one of the id; raises DefinitionError, Goal.DoesNotExist."""
    act = "goal.create" if goal_id is None else "goal.change"
    with recorded(client, act, acting_user=acting_user, site=site.pk) as details:
        goal = (
            Goal(site_id=site.pk, created_at=now)
            if goal_id is None
            else Goal.objects.get(pk=goal_id, site_id=site.pk)
        )
        goal.name, goal.kind, goal.least = rule.name, rule.kind, rule.least
        goal.match, goal.property_name = rule.match, rule.property_name
        goal.property_value = rule.property_value
        _store(goal, "goal")
        details |= {"goal": goal.pk, "name": goal.name, "kind": str(goal.kind)}
    return goal


def archive_goal(
    client: Client, site: Site, goal_id: int, *, archived: bool, acting_user: str
) -> bool:
    """Hide the goal from reports, or show it again; False if it was so already."""
    act = "goal.archive" if archived else "goal.restore"
    with recorded(client, act, acting_user=acting_user, site=site.pk, goal=goal_id):
        changed = Goal.objects.filter(pk=goal_id, site_id=site.pk, is_archived=not archived)
        return bool(changed.update(is_archived=archived))


def users_of_goal(goal_id: int) -> list[str]:
    """What needs the goal, in words: funnels and alerts. Two queries, in the client's schema."""
    funnels = Funnel.objects.filter(steps__goal=goal_id).distinct().order_by("name")
    alerts = Alert.objects.filter(goal_id=goal_id).order_by("name")
    return [
        *(f"the funnel “{name}”" for name in funnels.values_list("name", flat=True)),
        *(f"the alert “{name}”" for name in alerts.values_list("name", flat=True)),
    ]


def delete_goal(client: Client, site: Site, goal_id: int, *, acting_user: str) -> None:
    """Delete the goal; raises InUseError, Goal.DoesNotExist. Hits stay as they are."""
    with recorded(client, "goal.delete", acting_user=acting_user, site=site.pk) as details:
        goal = Goal.objects.select_for_update().get(pk=goal_id, site_id=site.pk)
        if users := users_of_goal(goal_id):
            raise InUseError(users)
        details |= {"goal": goal_id, "name": goal.name}
        goal.delete()


def save_funnel(
    client: Client,
    site: Site,
    name: str,
    steps: Sequence[StepDraft],
    *,
    funnel_id: int | None = None,
    now: dt.datetime,
    acting_user: str,
) -> Funnel:
    """Store a new funnel, or change the one of the id.

    Raises DefinitionError (too few or many steps, a goal of another site, a name taken) and
    Funnel.DoesNotExist.
    """
    if not FEWEST_STEPS <= len(steps) <= MOST_STEPS:
        raise DefinitionError("", f"A funnel has {FEWEST_STEPS} to {MOST_STEPS} steps.")
    act = "funnel.create" if funnel_id is None else "funnel.change"
    with recorded(client, act, acting_user=acting_user, site=site.pk) as details:
        goals = {step.goal_id or 0 for step in steps if step.kind == StepKind.GOAL}
        if Goal.objects.filter(site_id=site.pk, pk__in=goals).count() != len(goals):
            raise DefinitionError("", "A step names a goal that is not there: choose another.")
        funnel = (
            Funnel(site_id=site.pk, created_at=now)
            if funnel_id is None
            else Funnel.objects.select_for_update().get(pk=funnel_id, site_id=site.pk)
        )
        funnel.name = name
        _store(funnel, "funnel")
        funnel.steps.all().delete()
        FunnelStep.objects.bulk_create(
            _step(funnel, number, draft) for number, draft in enumerate(steps)
        )
        details |= {"funnel": funnel.pk, "name": name, "steps": len(steps)}
    return funnel


def delete_funnel(client: Client, site: Site, funnel_id: int, *, acting_user: str) -> None:
    """Delete the funnel and its steps; raises Funnel.DoesNotExist."""
    with recorded(client, "funnel.delete", acting_user=acting_user, site=site.pk) as details:
        funnel = Funnel.objects.get(pk=funnel_id, site_id=site.pk)
        details |= {"funnel": funnel_id, "name": funnel.name}
        funnel.delete()


def _step(funnel: Funnel, number: int, draft: StepDraft) -> FunnelStep:
    is_goal = draft.kind == StepKind.GOAL
    return FunnelStep(
        funnel=funnel,
        position=number,
        kind=draft.kind,
        match="" if is_goal else draft.match,
        property_name="" if is_goal else draft.property_name,
        property_value="" if is_goal else draft.property_value,
        goal_id=draft.goal_id if is_goal else None,
    )


def _store(thing: Any, what: str) -> None:
    """Save; the only thing that a constraint can refuse here is a name that is taken."""
    try:
        with transaction.atomic():
            thing.save()
    except IntegrityError:
        raise DefinitionError("name", _TAKEN.format(what)) from None
