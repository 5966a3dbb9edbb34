"""Judging a client's alerts and telling of them: e-mail, webhook, and the agency's overview.

Called outside a client's schema. What is promised about repetition: tracking.delivery.sendings.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from agency.addresses import origin_of
from agency.alert_words import event_words, span_words
from agency.report_sending import CLIENT_URLS, MAIL_ERRORS, is_final, mail_problem
from agency.reports_mail import Look, look_of, sender_of
from agency.wording import locale_of
from tenants.access import accessible_sites, sections_of
from tenants.models import Client, Section, Site, User
from tenants.models.usage import ClientState
from tenants.schemas import entered
from tracking.delivery import alerts, sendings, webhooks
from tracking.models import Alert, AlertEvent, AlertNotice, Goal
from tracking.models.delivery import About, AlertKind, Channel

NO_ACCESS = "This person may not see the site any more."
NO_FIGURES = "This person may not see these figures any more."


def sections_told(kind: str) -> frozenset[Section]:
    """Sections of the report whose figures an alert of the kind tells of."""
    is_goal = kind == AlertKind.GOAL_REACHED
    return frozenset({Section.OVERVIEW, Section.GOALS} if is_goal else {Section.OVERVIEW})


@dataclass
class Told:
    """What a round over a client's alerts has done."""

    judged: int = 0
    began: int = 0
    ended: int = 0
    sent: int = 0
    failed: int = 0


def watch_client(client: Client, *, now: dt.datetime) -> Told:
    """Judge the client's alerts, count the open ones for the agency, send what waits."""
    sites = {site.pk: site for site in client.sites.filter(is_active=True)}
    k = client.privacy.k_threshold
    with entered(client):
        judged = alerts.judge_alerts(list(sites.values()), k=k, now=now)
        open_now = alerts.count_open_events()
        sendings.settle_stale(AlertNotice, now, repeat=alerts.REPEAT_WEBHOOKS)
        waiting = sendings.due_ids(AlertNotice, now)
    record_open_alerts(client, open_now)
    told = Told(judged.alerts, judged.began, judged.ended)
    if waiting:
        look = look_of(client)
        for notice_id in sendings.for_a_round(waiting):
            _send(client, sites, notice_id, look, now, told)
    return told


def record_open_alerts(client: Client, count: int) -> None:
    """Copy the number of open events to where the agency's overview reads it. One query or two."""
    changed = ClientState.objects.filter(client=client).update(open_alerts=count)
    if not changed and count:
        ClientState.objects.update_or_create(client=client, defaults={"open_alerts": count})


def _send(
    client: Client,
    sites: dict[int, Site],
    notice_id: int,
    look: Look,
    now: dt.datetime,
    told: Told,
) -> None:
    with entered(client):
        if not sendings.claim(AlertNotice, notice_id, now):
            return
        notice = AlertNotice.objects.select_related("event__alert").get(pk=notice_id)
        goal = Goal.objects.filter(pk=notice.event.alert.goal_id or 0).first()
    site = sites.get(notice.event.alert.site_id)
    if site is None:
        with entered(client):
            sendings.record_dropped(AlertNotice, notice_id, "The site is not active.")
        return
    story = Story(client, site, notice.event, About(notice.about), goal.name if goal else "")
    if notice.channel == Channel.EMAIL:
        outcome = _mail(story, notice.user_id, look)
    else:
        outcome = _call(story, notice, now)
    with entered(client):
        outcome.record(notice_id, now)
        if outcome.is_sent:
            AlertEvent.objects.filter(pk=notice.event_id, notified_at__isnull=True).update(
                notified_at=now
            )
    told.sent += outcome.is_sent
    told.failed += not outcome.is_sent


@dataclass(frozen=True)
class Story:
    """An event, and which end of it is told."""

    client: Client
    site: Site
    event: AlertEvent
    about: About
    goal_name: str = ""

    @property
    def alert(self) -> Alert:
        """Whose event it is."""
        return self.event.alert

    @property
    def url(self) -> str:
        """The alert's page."""
        path = reverse("alert", args=[self.site.pk, self.alert.pk], urlconf=CLIENT_URLS)
        return origin_of(None, self.client) + path

    @property
    def title(self) -> str:
        """One line: what, where, and whether it is over."""
        over = self.about is About.ENDED or self.event.ended_at is not None
        # Names of before line breaks were refused would break the mail's head.
        return " ".join(f"{'Over: ' if over else ''}{self.alert.name}, {self.site.name}".split())

    @property
    def words(self) -> str:
        """What happened, in numbers."""
        return event_words(self.alert, self.event, self.goal_name)

    @property
    def span(self) -> str:
        """When it was."""
        locale = locale_of(self.client.locale)
        return span_words(self.event.began_at, self.event.ended_at, self.site.timezone, locale)


@dataclass(frozen=True)
class _Outcome:
    """How a sending went."""

    is_sent: bool
    problem: str = ""
    is_final: bool = False
    answer: int | None = None

    def record(self, notice_id: int, now: dt.datetime) -> None:
        """Write it down; inside the client's schema."""
        more: dict[str, Any] = {} if self.answer is None else {"answer": self.answer}
        if self.is_sent:
            sendings.record_sent(AlertNotice, notice_id, now, **more)
        elif self.is_final:
            sendings.record_dropped(AlertNotice, notice_id, self.problem)
        else:
            sendings.record_failure(AlertNotice, notice_id, now, self.problem, **more)


def _mail(story: Story, user_id: int | None, look: Look) -> _Outcome:
    user = User.objects.filter(pk=user_id or 0, is_active=True).first()
    if user is None or story.site not in accessible_sites(user, story.client):
        return _Outcome(False, NO_ACCESS, is_final=True)
    if not sections_told(story.alert.kind) <= sections_of(user, story.client):
        return _Outcome(False, NO_FIGURES, is_final=True)
    try:
        alert_mail(story, look, user.email).send()
    except MAIL_ERRORS as error:
        return _Outcome(False, mail_problem(error), is_final=is_final(error))
    return _Outcome(True)


def alert_mail(story: Story, look: Look, to: str) -> EmailMultiAlternatives:
    """The mail about an event."""
    context = {"story": story, "look": look, "agency_name": settings.AGENCY_NAME}
    with translation.override(story.client.locale):
        text = render_to_string("mail/alert.txt", context).strip() + "\n"
        html = render_to_string("mail/alert.html", context)
    mail = EmailMultiAlternatives(
        story.title,
        text,
        sender_of(story.client),
        [to],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html, "text/html")
    return mail


def _call(story: Story, notice: AlertNotice, now: dt.datetime) -> _Outcome:
    alert = story.alert
    if not alert.webhook_url or not alert.webhook_salt:
        return _Outcome(False, "The alert has no webhook any more.", is_final=True)
    body = json.dumps(webhook_body(story), separators=(",", ":")).encode()
    secret = webhooks.secret_of(story.client.pk, alert.webhook_salt)
    headers = webhooks.headers_of(secret, body, f"{story.client.pk}-{notice.pk}", now)
    try:
        answer = webhooks.post(
            alert.webhook_url, body, headers, allow_local=not settings.PRODUCTION
        )
    except webhooks.WebhookError as error:
        return _Outcome(False, str(error))
    if 200 <= answer < 300:
        return _Outcome(True, answer=answer)
    return _Outcome(False, f"The server answered {answer}.", answer=answer)


def webhook_body(story: Story) -> dict[str, Any]:
    """What a webhook gets (docs/webhooks.md); numbers only, nothing about visitors."""
    event = story.event
    with translation.override("en-gb"):
        text = story.words
    return {
        "type": f"alert.{story.about.value}",
        "event_id": event.pk,
        "began_at": event.began_at.astimezone(dt.UTC).isoformat(),
        "ended_at": event.ended_at and event.ended_at.astimezone(dt.UTC).isoformat(),
        "client": story.client.slug,
        "site": {"id": story.site.pk, "name": story.site.name, "timezone": story.site.timezone},
        "alert": {"id": story.alert.pk, "name": story.alert.name, "kind": story.alert.kind},
        "numbers": event.what,
        "text": text,
        "url": story.url,
    }
