"""Things of a client that addresses name, so that the walk of `test_isolation` leads somewhere.

Rows, not acts: an act would stand in the audit trail, which the walk reads.
"""

import datetime as dt
from typing import Any

from django.utils import timezone

from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery.alerts import new_salt
from tracking.delivery.links import create_link
from tracking.models import (
    Alert,
    AlertEvent,
    Annotation,
    Funnel,
    FunnelStep,
    Goal,
    Recipient,
    ReportDelivery,
    ScheduledReport,
    Segment,
)
from tracking.models.analysis import GoalKind, StepKind
from tracking.models.delivery import AlertKind


def report_things(client: Client, site: Site, user: User) -> dict[str, Any]:
    """One of each thing of a site's report, by the name that addresses give it."""
    now = timezone.now()
    with entered(client):
        return (
            _definitions(site, now)
            | _links(site, now)
            | _mails(site, user, now)
            | {"table": "pages"}
        )


def _definitions(site: Site, now: dt.datetime) -> dict[str, Any]:
    common: dict[str, Any] = {"site_id": site.pk, "created_at": now}
    goal = Goal.objects.create(name="Walk", kind=GoalKind.PAGE, match="/walk", **common)
    funnel = Funnel.objects.create(name="Walk", **common)
    for position in (0, 1):
        FunnelStep.objects.create(
            funnel=funnel, position=position, kind=StepKind.PAGE, match=f"/walk/{position}"
        )
    segment = Segment.objects.create(
        name="Walk", filters=[["is", "event:page", ["/walk"]]], **common
    )
    note = Annotation.objects.create(on_date=now.date(), text="Walk", **common)
    alert = Alert.objects.create(
        name="Walk",
        kind=AlertKind.NO_HITS,
        webhook_url="https://hooks.alpha.example/",
        webhook_salt=new_salt(),
        **common,
    )
    event = AlertEvent.objects.create(alert=alert, began_at=now, what={"hours": 3})
    return {
        "goal_id": goal.pk,
        "funnel_id": funnel.pk,
        "segment_id": segment.pk,
        "annotation_id": note.pk,
        "alert_id": alert.pk,
        "event_id": event.pk,
    }


def _links(site: Site, now: dt.datetime) -> dict[str, Any]:
    sections = [section.value for section in Section]
    link, token = create_link(site, name="Walk", sections=sections, created_by=None, now=now)
    _, embedded = create_link(
        site, name="Walk too", sections=sections, created_by=None, now=now, is_embed=True
    )
    return {"link_id": link.pk, "link_token": token, "embed_token": embedded}


def _mails(site: Site, user: User, now: dt.datetime) -> dict[str, Any]:
    report = ScheduledReport.objects.create(
        site_id=site.pk, name="Walk", sections=[Section.OVERVIEW.value], created_at=now
    )
    recipient = Recipient.objects.create(report=report, user_id=user.pk, confirmed_at=now)
    day = now.date()
    delivery = ReportDelivery.objects.create(
        report=report,
        recipient=recipient,
        starts_on=day - dt.timedelta(days=7),
        ends_on=day - dt.timedelta(days=1),
        next_try_at=now,
    )
    return {"report_id": report.pk, "mail_token": recipient.token, "delivery_id": delivery.pk}
