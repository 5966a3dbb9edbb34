"""Making, changing and ending alerts, each with its audit entry; and trying their webhooks.

Called outside the client's schema, with the person who acts. An entry follows the change in a
transaction of its own, since a client's role cannot write public tables.
"""

import datetime as dt
import json
from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils import timezone

from agency.alert_sending import Story, record_open_alerts, webhook_body
from agency.link_changes import record
from tenants.models import Client, Site, User
from tenants.schemas import entered
from tracking.delivery import alerts, webhooks
from tracking.models import Alert, AlertEvent
from tracking.models.delivery import About, AlertKind

EXAMPLES: dict[AlertKind, dict[str, Any]] = {
    AlertKind.NO_HITS: {"hours": 3, "usual": 42.5},
    AlertKind.FALL: {"visits": 90, "usual": 210.0, "percent": -57.1, "until": "14:00"},
    AlertKind.RISE: {"visits": 900, "usual": 210.0, "percent": 328.6, "until": "14:00"},
    AlertKind.NOT_FOUND_BURST: {"views": 64, "usual": 1.5},
    AlertKind.GOAL_REACHED: {"conversions": 10, "wanted": 10},
}
"""Numbers of the message by which a webhook is tried out."""


def get_alert(client: Client, site: Site, alert_id: int) -> Alert:
    """An alert of the site; Http404."""
    with entered(client):
        alert = Alert.objects.filter(pk=alert_id, site_id=site.pk).first()
    if alert is None:
        raise Http404("There is no such alert.")
    return alert


def keep_alert(client: Client, alert: Alert, *, acting_user: User) -> None:
    """Store an alert, new or changed."""
    is_new = alert.pk is None
    if alert.webhook_url and not alert.webhook_salt:
        alert.webhook_salt = alerts.new_salt()
    with entered(client):
        alert.save()
    record(
        "alert.create" if is_new else "alert.change",
        client,
        acting_user,
        alert=alert.pk,
        site=alert.site_id,
        kind=alert.kind,
        people=alert.user_ids,
        has_webhook=bool(alert.webhook_url),
    )


def pause_alert(
    client: Client, alert: Alert, *, is_paused: bool, acting_user: User, now: dt.datetime
) -> None:
    """Pause (what lasts is over) or go on."""
    with entered(client):
        alerts.pause_alert(alert, now, is_paused=is_paused)
        open_now = alerts.count_open_events()
    record_open_alerts(client, open_now)
    record("alert.pause" if is_paused else "alert.resume", client, acting_user, alert=alert.pk)


def delete_alert(client: Client, alert: Alert, *, acting_user: User) -> None:
    """Delete an alert with its history."""
    number = alert.pk
    with entered(client):
        alert.delete()
        open_now = alerts.count_open_events()
    record_open_alerts(client, open_now)
    record("alert.delete", client, acting_user, alert=number)


def renew_secret(client: Client, alert: Alert, *, acting_user: User) -> None:
    """Another secret for the alert's webhook; the old one signs nothing more."""
    alert.webhook_salt = alerts.new_salt()
    with entered(client):
        alert.save(update_fields=["webhook_salt"])
    record("alert.renew_secret", client, acting_user, alert=alert.pk)


def webhook_secret(client: Client, alert: Alert) -> str:
    """With which the receiver checks the signatures of the alert's webhook."""
    return webhooks.secret_of(client.pk, alert.webhook_salt)


def webhook_example(client: Client, site: Site, alert: Alert) -> str:
    """A message as the webhook would get it, with made-up numbers."""
    return json.dumps(_example(client, site, alert, timezone.now()), indent=2)


def _example(client: Client, site: Site, alert: Alert, now: dt.datetime) -> dict[str, Any]:
    event = AlertEvent(pk=0, alert=alert, began_at=now, what=EXAMPLES[AlertKind(alert.kind)])
    return webhook_body(Story(client, site, event, About.BEGAN)) | {"is_example": True}


def try_webhook(
    client: Client, site: Site, alert: Alert, *, acting_user: User, now: dt.datetime
) -> str:
    """Send the example; what went wrong, or an empty text."""
    if not alert.webhook_url:
        raise Http404("This alert has no webhook.")
    body = json.dumps(_example(client, site, alert, now), separators=(",", ":")).encode()
    headers = webhooks.headers_of(webhook_secret(client, alert), body, "example", now)
    record("alert.try_webhook", client, acting_user, alert=alert.pk)
    try:
        answer = webhooks.post(
            alert.webhook_url, body, headers, allow_local=not settings.PRODUCTION
        )
    except webhooks.WebhookError as error:
        return str(error)
    return "" if 200 <= answer < 300 else f"The server answered {answer}."


def acknowledge(
    client: Client, alert: Alert, event_id: int, *, acting_user: User, now: dt.datetime
) -> None:
    """Note that somebody has seen to an event; Http404 for another alert's."""
    with entered(client):
        event = AlertEvent.objects.filter(pk=event_id, alert=alert).first()
        changed = event is not None and alerts.acknowledge(event, user_id=acting_user.pk, now=now)
    if event is None:
        raise Http404("There is no such event.")
    if changed:
        record("alert.acknowledge", client, acting_user, alert=alert.pk, event=event_id)
