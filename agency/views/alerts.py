"""Alerts: their list and history, making and changing them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency import alert_changes as changes
from agency.alert_sending import sections_told
from agency.alert_words import event_words, span_words, time_words, watches
from agency.components import Tab
from agency.forms.alerts import MEANINGS, NAMES, AlertForm
from agency.hosts import client_of
from agency.views.links import editor_of
from agency.wording import locale_of
from tenants.access import May, Opened, access_report, sections_of
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery import alerts as delivery
from tracking.models import Alert, AlertEvent, Goal
from tracking.models.delivery import AlertKind, DeliveryState

STATE_TONES = {
    DeliveryState.SENT: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.UNCERTAIN: "warning",
}


def _read(request: HttpRequest, site_id: int) -> tuple[Client, Opened]:
    """Who reads the overview reads alerts, which tell of its figures."""
    client = client_of(request)
    return client, access_report(request.user, client, site_id, section=Section.OVERVIEW)


def _refuse_hidden(kind: str, sections: frozenset[Section]) -> None:
    if not sections_told(kind) <= sections:
        raise PermissionDenied("This alert tells of goals, which are not open to you.")


def _edited(request: HttpRequest, site_id: int, alert_id: int) -> tuple[User, Client, Site, Alert]:
    """An alert for who may change it and sees what it tells of; errors as the access door's."""
    user, client, site = editor_of(request, site_id, section=Section.OVERVIEW)
    found = changes.get_alert(client, site, alert_id)
    _refuse_hidden(found.kind, sections_of(user, client))
    return user, client, site, found


def _goal_names(site: Site) -> dict[int | None, str]:
    """Names of the site's goals; inside the client's schema."""
    return {goal.pk: goal.name for goal in Goal.objects.filter(site_id=site.pk)}


@require_safe
@login_required
@never_cache
def alerts(request: HttpRequest, site_id: int) -> HttpResponse:
    """All alerts, those that hold now on top."""
    client, opened = _read(request, site_id)
    site, may_edit = opened.site, May.EDIT_REPORTS in opened.may
    shown = _kinds_shown(opened.sections)
    with translation.override(client.locale):
        with entered(client):
            goals = _goal_names(site)
            found = list(Alert.objects.filter(site_id=site.pk, kind__in=shown))
            open_now = {event.alert_id: event for event in delivery.open_events(site)}
        rows = [_row(client, site, alert, open_now.get(alert.pk), goals) for alert in found]
        rows.sort(key=lambda row: row["event"] is None)
        kinds = _kinds(site, "", shown)
        context = {"site": site, "rows": rows, "may_edit": may_edit, "kinds": kinds}
        return render(request, "client/alerts.html", context)


def _row(
    client: Client,
    site: Site,
    alert: Alert,
    event: AlertEvent | None,
    goals: dict[int | None, str],
) -> dict[str, Any]:
    goal, locale = goals.get(alert.goal_id, ""), locale_of(client.locale)
    return {
        "alert": alert,
        "watches": watches(alert, goal),
        "event": event,
        "what": event_words(alert, event, goal) if event else "",
        "since": span_words(event.began_at, None, site.timezone, locale) if event else "",
        "told": _told(alert),
    }


def _told(alert: Alert) -> str:
    parts = []
    if alert.user_ids:
        parts.append("1 person" if len(alert.user_ids) == 1 else f"{len(alert.user_ids)} people")
    if alert.webhook_url:
        parts.append("a webhook")
    return " and ".join(parts) or "This page only"


def _kinds_shown(sections: frozenset[Section]) -> list[AlertKind]:
    """Kinds of alert that tell of these sections alone."""
    return [kind for kind in AlertKind if sections_told(kind) <= sections]


def _kinds(site: Site, current: str, shown: list[AlertKind]) -> list[Tab]:
    address = reverse("alert_new", args=[site.pk])
    return [
        Tab(words=NAMES[kind], url=f"{address}?kind={kind.value}", is_current=kind == current)
        for kind in shown
    ]


@require_safe
@login_required
@never_cache
def alert(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """One alert: what it watches for, whom it tells, when it held."""
    client, opened = _read(request, site_id)
    site, may_edit = opened.site, May.EDIT_REPORTS in opened.may
    found = changes.get_alert(client, site, alert_id)
    _refuse_hidden(found.kind, opened.sections)
    locale = locale_of(client.locale)
    with translation.override(client.locale):
        with entered(client):
            goals = _goal_names(site)
            events = delivery.events_of(found)
        names = _names([*found.user_ids, *(one.acknowledged_by for one in events)])
        goal = goals.get(found.goal_id, "")
        context = {
            "site": site,
            "alert": found,
            "watches": watches(found, goal),
            "meaning": MEANINGS[AlertKind(found.kind)],
            "people": [names[pk] for pk in found.user_ids if pk in names],
            "judged": time_words(found.judged_at, site.timezone, locale) if found.judged_at else "",
            "events": [_event(client, site, found, one, goal, names) for one in events],
            "may_edit": may_edit,
        }
        return render(request, "client/alerts_one.html", context)


def _names(ids: list[int | None]) -> dict[int, str]:
    wanted = {number for number in ids if number is not None}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=wanted)}


def _event(
    client: Client,
    site: Site,
    alert: Alert,
    event: AlertEvent,
    goal: str,
    names: dict[int, str],
) -> dict[str, Any]:
    locale = locale_of(client.locale)
    return {
        "event": event,
        "what": event_words(alert, event, goal),
        "span": span_words(event.began_at, event.ended_at, site.timezone, locale),
        "is_open": event.ended_at is None,
        "seen_by": names.get(event.acknowledged_by or 0, "somebody")
        if event.acknowledged_at
        else "",
        "notices": [
            {
                "words": f"{notice.get_channel_display()}, {notice.get_about_display().lower()}",
                "state": notice.get_state_display(),
                "tone": STATE_TONES.get(DeliveryState(notice.state), ""),
                "problem": notice.problem,
            }
            for notice in event.notices.all()
        ],
    }


def _form(
    request: HttpRequest, kind: AlertKind, user: User, client: Client, site: Site, found: Alert
) -> AlertForm:
    with entered(client):
        goals = list(
            Goal.objects.filter(site_id=site.pk, is_archived=False)
            .order_by("name")
            .values_list("pk", "name", "kind")
        )
    initial = AlertForm.initial_of(found) if found.pk else {"people": [str(user.pk)]}
    return AlertForm(
        request.POST if request.method == "POST" else None,
        kind=kind,
        client=client,
        site=site,
        user=user,
        goals=goals,
        people=found.user_ids,
        initial=initial,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def alert_new(request: HttpRequest, site_id: int) -> HttpResponse:
    """Make an alert of the kind that the address names."""
    user, client, site = editor_of(request, site_id, section=Section.OVERVIEW)
    name = request.GET.get("kind", AlertKind.NO_HITS.value)
    if name not in AlertKind.values:
        raise Http404("There is no such kind of alert.")
    kind, sections = AlertKind(name), sections_of(user, client)
    _refuse_hidden(kind, sections)
    found = Alert(site_id=site.pk, kind=kind, created_at=timezone.now(), created_by=user.pk)
    form = _form(request, kind, user, client, site, found)
    if request.method == "POST" and form.is_valid():
        return _keep(request, form, user, client, found)
    context = {
        "site": site,
        "form": form,
        "title": "New alert",
        "kinds": _kinds(site, kind, _kinds_shown(sections)),
        "meaning": MEANINGS[kind],
        "needs_goal": kind is AlertKind.GOAL_REACHED and not form.fields["goal_id"].choices,  # type: ignore[attr-defined]  # a choice field
    }
    return render(request, "client/alerts_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def alert_edit(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Change an alert."""
    user, client, site, found = _edited(request, site_id, alert_id)
    form = _form(request, AlertKind(found.kind), user, client, site, found)
    if request.method == "POST" and form.is_valid():
        return _keep(request, form, user, client, found)
    context = {
        "site": site,
        "form": form,
        "title": f"Change {found.name}",
        "meaning": MEANINGS[AlertKind(found.kind)],
    }
    return render(request, "client/alerts_form.html", context, status=422 if form.errors else 200)


def _keep(
    request: HttpRequest, form: AlertForm, user: User, client: Client, found: Alert
) -> HttpResponse:
    for name, value in form.values().items():
        setattr(found, name, value)
    changes.keep_alert(client, found, acting_user=user)
    messages.success(request, "Saved. It is judged every minute.")
    return redirect("alert", site_id=found.site_id, alert_id=found.pk)


@require_safe
@login_required
@never_cache
def alert_webhook(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """The webhook's secret and an example of what it gets; for who may edit."""
    _user, client, site, found = _edited(request, site_id, alert_id)
    if not found.webhook_url:
        raise Http404("This alert has no webhook.")
    context = {
        "site": site,
        "alert": found,
        "secret": changes.webhook_secret(client, found),
        "example": changes.webhook_example(client, site, found),
    }
    return render(request, "client/alerts_webhook.html", context)


@require_POST
@login_required
def alert_secret(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Another secret for the webhook."""
    user, client, site, found = _edited(request, site_id, alert_id)
    changes.renew_secret(client, found, acting_user=user)
    messages.success(request, "The webhook has a new secret. The old one signs nothing more.")
    return redirect("alert_webhook", site_id=site.pk, alert_id=found.pk)


@require_POST
@login_required
def alert_try(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Send the webhook an example, now."""
    user, client, site, found = _edited(request, site_id, alert_id)
    problem = changes.try_webhook(client, site, found, acting_user=user, now=timezone.now())
    if problem:
        messages.error(request, f"The example did not arrive. {problem}")
    else:
        messages.success(request, "The example arrived.")
    return redirect("alert_webhook", site_id=site.pk, alert_id=found.pk)


@require_POST
@login_required
def alert_pause(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Pause an alert."""
    return _set_paused(request, site_id, alert_id, is_paused=True)


@require_POST
@login_required
def alert_resume(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Watch again."""
    return _set_paused(request, site_id, alert_id, is_paused=False)


def _set_paused(
    request: HttpRequest, site_id: int, alert_id: int, *, is_paused: bool
) -> HttpResponse:
    user, client, site, found = _edited(request, site_id, alert_id)
    changes.pause_alert(client, found, is_paused=is_paused, acting_user=user, now=timezone.now())
    messages.success(request, "Paused." if is_paused else "It watches again.")
    return redirect("alert", site_id=site.pk, alert_id=found.pk)


@require_POST
@login_required
def alert_delete(request: HttpRequest, site_id: int, alert_id: int) -> HttpResponse:
    """Delete an alert with its history."""
    user, client, site, found = _edited(request, site_id, alert_id)
    name = found.name
    changes.delete_alert(client, found, acting_user=user)
    messages.success(request, f"“{name}” is deleted.")
    return redirect("alerts", site_id=site.pk)


@require_POST
@login_required
def alert_acknowledge(
    request: HttpRequest, site_id: int, alert_id: int, event_id: int
) -> HttpResponse:
    """Note that somebody has seen to an event."""
    user, client, site, found = _edited(request, site_id, alert_id)
    changes.acknowledge(client, found, event_id, acting_user=user, now=timezone.now())
    return redirect("alert", site_id=site.pk, alert_id=found.pk)
