"""Alerts: one event while a condition lasts, and the notices that tell of it.

Called inside `entered(client)`. A judgement may be repeated at will: the alert's row is locked
while its event is opened or closed, so two workers open one event, not two.
"""

import datetime as dt
import secrets
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from tenants.models import Site
from tracking.delivery.judging import State, Verdict, judge
from tracking.models.delivery import (
    About,
    Alert,
    AlertEvent,
    AlertKind,
    AlertNotice,
    Channel,
    DeliveryState,
)

REPEAT_WEBHOOKS = Q(channel=Channel.WEBHOOK)
"""Which notices of a dead worker are sent again: a webhook's receiver knows them by their id."""


@dataclass(frozen=True)
class Judged:
    """What a round over a client's alerts has done."""

    alerts: int = 0
    began: int = 0
    ended: int = 0


def new_salt() -> str:
    """A salt for a webhook's secret; another salt is another secret."""
    return secrets.token_hex(16)


def judge_alerts(sites: Sequence[Site], *, k: int, now: dt.datetime) -> Judged:
    """Judge every alert of the client's sites; `k` as of judging.judge.

    One query for a client without alerts.
    """
    by_id = {site.pk: site for site in sites}
    alerts = Alert.objects.filter(site_id__in=list(by_id), is_paused=False).order_by("pk")
    judged = began = ended = 0
    for alert in alerts:
        site = by_id[alert.site_id]
        changes = apply_verdict(alert, site, judge(alert, site, now, k=k), now)
        judged += 1
        began += About.BEGAN in changes
        ended += About.ENDED in changes
    return Judged(judged, began, ended)


def apply_verdict(
    alert: Alert, site: Site, verdict: Verdict, now: dt.datetime
) -> tuple[About, ...]:
    """Open or close the alert's event and make out its notices; returns what changed."""
    with transaction.atomic():
        locked = Alert.objects.select_for_update().filter(pk=alert.pk, is_paused=False).first()
        if locked is None:
            return ()
        Alert.objects.filter(pk=alert.pk).update(judged_at=now)
        event = AlertEvent.objects.filter(alert=locked, ended_at__isnull=True).first()
        changes: list[About] = []
        if event is not None and _is_over(locked, event, verdict):
            _close(event, locked, site, now)
            changes.append(About.ENDED)
            event = None
        if event is None and verdict.state is State.HOLDS:
            event = AlertEvent.objects.create(alert=locked, began_at=now, what=verdict.numbers)
            _make_notices(event, locked, site, About.BEGAN, now)
            changes.append(About.BEGAN)
    return tuple(changes)


def _is_over(alert: Alert, event: AlertEvent, verdict: Verdict) -> bool:
    if verdict.state is State.OVER:
        return True
    # A goal is reached each day anew, also on the day after.
    of_today = event.what.get("day") == verdict.numbers.get("day")
    return alert.kind == AlertKind.GOAL_REACHED and not of_today


def _close(event: AlertEvent, alert: Alert, site: Site, now: dt.datetime) -> None:
    event.ended_at = now
    event.save(update_fields=["ended_at"])
    # That a day's goal is over with the day is no news.
    if alert.tell_end and alert.kind != AlertKind.GOAL_REACHED:
        _make_notices(event, alert, site, About.ENDED, now)


def _make_notices(
    event: AlertEvent, alert: Alert, site: Site, about: About, now: dt.datetime
) -> None:
    """One for each person and for the webhook; in quiet hours they wait.

    Of an end, only to those who were told of the beginning: a notice that is still waiting will
    tell of both.
    """
    targets: list[tuple[Channel, int | None]] = [
        (Channel.EMAIL, int(user_id)) for user_id in alert.user_ids
    ]
    if alert.webhook_url:
        targets.append((Channel.WEBHOOK, None))
    if about is About.ENDED:
        untold = event.notices.filter(about=About.BEGAN, state=DeliveryState.WAITING, attempts=0)
        waiting = set(untold.values_list("channel", "user_id"))
        targets = [target for target in targets if (target[0].value, target[1]) not in waiting]
    when = loud_from(alert, site.timezone, now)
    AlertNotice.objects.bulk_create(
        [
            AlertNotice(
                event=event, channel=channel, about=about, user_id=user_id, next_try_at=when
            )
            for channel, user_id in targets
        ]
    )


def loud_from(alert: Alert, timezone: str, now: dt.datetime) -> dt.datetime:
    """When a notice of now may go out: now, or when the quiet hours end. Pure."""
    begin, end = alert.quiet_from, alert.quiet_to
    if begin is None or end is None or begin == end:
        return now
    zone = zoneinfo.ZoneInfo(timezone)
    local = now.astimezone(zone)
    time, day = local.time().replace(tzinfo=None), local.date()
    if begin < end:
        if not begin <= time < end:
            return now
    elif time >= begin:
        day += dt.timedelta(days=1)
    elif time >= end:
        return now
    return dt.datetime.combine(day, end, zone).astimezone(dt.UTC)


def pause_alert(alert: Alert, now: dt.datetime, *, is_paused: bool) -> None:
    """Pause (its event ends, and waiting notices with it) or go on."""
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(is_paused=is_paused)
        if is_paused:
            AlertEvent.objects.filter(alert=alert, ended_at__isnull=True).update(ended_at=now)
            AlertNotice.objects.filter(event__alert=alert, state=DeliveryState.WAITING).update(
                state=DeliveryState.DROPPED, problem="The alert was paused."
            )


def acknowledge(event: AlertEvent, *, user_id: int, now: dt.datetime) -> bool:
    """Note that somebody has seen to it; False when somebody had before."""
    return bool(
        AlertEvent.objects.filter(pk=event.pk, acknowledged_at__isnull=True).update(
            acknowledged_at=now, acknowledged_by=user_id
        )
    )


def open_events(site: Site | None = None) -> list[AlertEvent]:
    """Events that last, of one site or of all the client's, newest first, with their alerts."""
    events = AlertEvent.objects.select_related("alert").filter(ended_at__isnull=True)
    if site is not None:
        events = events.filter(alert__site_id=site.pk)
    return list(events)


def count_open_events() -> int:
    """How many events of the client last. One query."""
    return AlertEvent.objects.filter(ended_at__isnull=True).count()


def events_of(alert: Alert, *, limit: int = 50) -> list[AlertEvent]:
    """The alert's newest events, with their notices. Two queries."""
    return list(AlertEvent.objects.filter(alert=alert).prefetch_related("notices")[:limit])
