"""Goals, funnels, segments and annotations of the demo's clients."""

import dataclasses
import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

from tenants.models import Client, Site
from tenants.schemas import entered
from tracking.analysis.annotations import load_annotations, save_annotation
from tracking.analysis.definitions import StepDraft, save_funnel, save_goal
from tracking.analysis.goals import Rule, load_goals
from tracking.analysis.segments import create_segment, load_segments
from tracking.models import Funnel, GoalKind, StepKind
from tracking.sources import Channel


@dataclasses.dataclass(frozen=True)
class FunnelPlan:
    """A funnel; a step of kind goal names its goal in `match`."""

    name: str
    steps: tuple[StepDraft, ...]


@dataclasses.dataclass(frozen=True)
class Definitions:
    """What the people of one client have defined."""

    goals: tuple[Rule, ...]
    funnels: tuple[FunnelPlan, ...]
    segments: Mapping[str, list[Any]]
    annotations: tuple[tuple[int, str], ...]
    """Days ago, and what happened."""


def _page(path: str) -> StepDraft:
    return StepDraft(StepKind.PAGE, path)


def _event(name: str) -> StepDraft:
    return StepDraft(StepKind.EVENT, name)


def _goal(name: str) -> StepDraft:
    return StepDraft(StepKind.GOAL, name)


_NEWSLETTER = Rule("Newsletter", GoalKind.EVENT, "Newsletter")
_ENQUIRY = Rule("Enquiry", GoalKind.EVENT, "Enquiry")
_SEARCH_PHONES = [
    ["is", "visit:channel", [Channel.ORGANIC_SEARCH.value]],
    ["is", "visit:device", ["phone"]],
]
_FROM_MAIL = [["is", "visit:utm_medium", ["email"]]]

DEFINITIONS: dict[str, Definitions] = {
    "fellside": Definitions(
        goals=(
            Rule("Added to basket", GoalKind.EVENT, "Add to basket"),
            Rule("Reserved in store", GoalKind.EVENT, "Reserve in store"),
            _NEWSLETTER,
            _ENQUIRY,
            Rule("Read a journal article", GoalKind.SCROLL, "/journal/*", least=75),
            Rule("From the Lakes", GoalKind.OUTCODE, "GB LA*, GB CA*"),
        ),
        funnels=(
            FunnelPlan(
                "Shop to basket", (_page("/shop"), _page("/shop/*"), _event("Add to basket"))
            ),
            FunnelPlan(
                "Journal to shop",
                (_page("/journal/*"), _page("/shop/*"), _goal("Added to basket")),
            ),
        ),
        segments={"Phones from search": _SEARCH_PHONES, "Readers of the letter": _FROM_MAIL},
        annotations=(
            (61, "Winter catalogue posted"),
            (33, "Tarn Fleece back in every size"),
            (12, "Kendal store closed for the flood"),
        ),
    ),
    "harbour": Definitions(
        goals=(
            Rule("Seats chosen", GoalKind.EVENT, "Choose seats"),
            Rule("New friend of the house", GoalKind.EVENT, "Become a friend"),
            _NEWSLETTER,
            _ENQUIRY,
            Rule("Season calendar", GoalKind.EVENT, "*/downloads/season.ics"),
            Rule("Two minutes with us", GoalKind.ENGAGED, least=120),
        ),
        funnels=(
            FunnelPlan("Booking", (_page("/season"), _page("/season/*"), _event("Choose seats"))),
            FunnelPlan(
                "Front door to seats",
                (_page("/"), _page("/season/*"), _goal("Seats chosen")),
            ),
        ),
        segments={"Readers of the mailing": _FROM_MAIL, "Phones from search": _SEARCH_PHONES},
        annotations=(
            (48, "The Lighthouse Keepers: first night"),
            (20, "Review in the Globe"),
            (5, "Fog: Saturday's matinee cancelled"),
        ),
    ),
    "tamarind": Definitions(
        goals=(
            Rule("Trial started", GoalKind.EVENT, "Start trial"),
            Rule("Demo booked", GoalKind.EVENT, "Book demo"),
            Rule("Trial from the price list", GoalKind.EVENT, "Start trial", "from", "pricing"),
            Rule("Saw the prices", GoalKind.PAGE, "/pricing"),
            Rule("Read a guide", GoalKind.SCROLL, "/guides/*", least=75),
            _ENQUIRY,
        ),
        funnels=(
            FunnelPlan(
                "Product to trial",
                (_page("/product/*"), _page("/pricing"), _goal("Trial started")),
            ),
            FunnelPlan("Guide to product", (_page("/guides/*"), _page("/product*"))),
        ),
        segments={
            "Paid search": [["is", "visit:channel", [Channel.PAID_SEARCH.value]]],
            "From India, not on a phone": [
                ["is", "visit:country", ["IN"]],
                ["is_not", "visit:device", ["phone"]],
            ],
        },
        annotations=(
            (70, "Prices in rupees on every page"),
            (26, "Webinar: closing the year"),
            (9, "GST returns, new version"),
        ),
    ),
}


def seed_definitions(client: Client, *, now: dt.datetime, acting_user: str) -> int:
    """Make what is missing of the client's definitions; returns how many. A rerun makes none."""
    plan = DEFINITIONS.get(client.slug)
    if plan is None:
        return 0
    site = client.sites.order_by("pk")[0]
    return (
        _seed_goals(client, site, plan, now, acting_user)
        + _seed_funnels(client, site, plan, now, acting_user)
        + _seed_segments(client, site, plan, now, acting_user)
        + _seed_annotations(client, site, plan, now, acting_user)
    )


def _seed_goals(
    client: Client, site: Site, plan: Definitions, now: dt.datetime, acting_user: str
) -> int:
    with entered(client):
        known = {rule.name for rule in load_goals(site, with_archived=True)}
    missing = [rule for rule in plan.goals if rule.name not in known]
    for rule in missing:
        save_goal(client, site, rule, now=now, acting_user=acting_user)
    return len(missing)


def _seed_funnels(
    client: Client, site: Site, plan: Definitions, now: dt.datetime, acting_user: str
) -> int:
    with entered(client):
        known = set(Funnel.objects.filter(site_id=site.pk).values_list("name", flat=True))
        goals = {rule.name: rule.id for rule in load_goals(site, with_archived=True)}
    missing = [funnel for funnel in plan.funnels if funnel.name not in known]
    for funnel in missing:
        steps = [
            StepDraft(StepKind.GOAL, goal_id=goals[step.match])
            if step.kind == StepKind.GOAL
            else step
            for step in funnel.steps
        ]
        save_funnel(client, site, funnel.name, steps, now=now, acting_user=acting_user)
    return len(missing)


def _seed_segments(
    client: Client, site: Site, plan: Definitions, now: dt.datetime, acting_user: str
) -> int:
    with entered(client):
        known = {segment.name for segment in load_segments(site)}
    missing = {name: filters for name, filters in plan.segments.items() if name not in known}
    for name, filters in missing.items():
        create_segment(client, site, name, filters, now=now, acting_user=acting_user, user_id=None)
    return len(missing)


def _seed_annotations(
    client: Client, site: Site, plan: Definitions, now: dt.datetime, acting_user: str
) -> int:
    with entered(client):
        known = {annotation.text for annotation in load_annotations(site)}
    today = now.astimezone(zoneinfo.ZoneInfo(site.timezone)).date()
    missing = [(ago, text) for ago, text in plan.annotations if text not in known]
    for ago, text in missing:
        save_annotation(
            client,
            site,
            today - dt.timedelta(days=ago),
            text,
            now=now,
            acting_user=acting_user,
            user_id=None,
        )
    return len(missing)
