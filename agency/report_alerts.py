"""Alerts that hold now, told on the report's page."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from agency.alert_sending import sections_told
from agency.alert_words import event_words, span_words
from agency.views.reading import Reading
from tenants.models import Section
from tracking.analysis.goals import Rule
from tracking.delivery.alerts import open_events
from tracking.models import AlertEvent
from tracking.models.delivery import AlertKind


@dataclass(frozen=True)
class AlertLine:
    """An alert that holds, as the template prints it."""

    title: str
    words: str
    url: str
    tone: str


def load_alerts(reading: Reading) -> list[AlertEvent]:
    """What holds at the site and nobody has seen to; called inside the client's schema.

    Nothing for the reader of a shared link: alerts are for members.
    """
    if reading.door.link is not None or Section.OVERVIEW not in reading.sections:
        return []
    return [event for event in open_events(reading.site) if event.acknowledged_at is None]


def alert_lines(
    reading: Reading, events: Sequence[AlertEvent], goals: Sequence[Rule]
) -> list[AlertLine]:
    """Those of them that tell of sections which are open to the reader."""
    names = {goal.id: goal.name for goal in goals}
    site = reading.site
    return [
        AlertLine(
            title=f"{event.alert.name}, "
            + span_words(event.began_at, None, site.timezone, reading.locale),
            words=event_words(event.alert, event, names.get(event.alert.goal_id or 0, "")),
            url=reverse("alert", args=[site.pk, event.alert_id]),
            tone="good" if event.alert.kind == AlertKind.GOAL_REACHED else "warning",
        )
        for event in events
        if sections_told(event.alert.kind) <= reading.sections
    ]
