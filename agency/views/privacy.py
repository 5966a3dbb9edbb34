"""What is collected of a client's visitors, why, and the switches."""

import datetime as dt
import zoneinfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agency import figures
from agency.components import Entry
from agency.doors import acting_user
from agency.forms.privacy import PrivacyForm
from agency.hosts import client_of
from agency.privacy_words import LABELS, days, statements, value_words
from tenants.access import May, access_client, allows
from tenants.models import Client, PrivacySettings
from tenants.privacy import (
    Losses,
    PrivacyChange,
    Value,
    change_privacy,
    changed_settings,
    history_of,
    losses_of,
)


@require_safe
@login_required
@never_cache
def privacy(request: HttpRequest) -> HttpResponse:
    """What is collected now, and how that came to be; for all members."""
    client = client_of(request)
    access_client(request.user, client)
    may_edit = allows(request.user, client, May.EDIT_PRIVACY)
    settings = PrivacySettings.objects.get(client=client)
    return _page(request, client, PrivacyForm(instance=settings) if may_edit else None)


@require_POST
@login_required
@never_cache
def change(request: HttpRequest) -> HttpResponse:
    """Change settings with a reason; asks once more where something would be destroyed."""
    client = client_of(request)
    access_client(request.user, client, may=May.EDIT_PRIVACY)
    settings = PrivacySettings.objects.get(client=client)
    form = PrivacyForm(request.POST, instance=settings)
    if not form.is_valid():
        return _page(request, client, form)
    wanted = form.wanted()
    now = timezone.now()
    losses = losses_of(client, wanted, now=now)
    if losses and request.POST.get("confirmed") != _mark(losses):
        return _ask(request, client, settings, form, losses)
    try:
        changed = change_privacy(
            client,
            wanted,
            reason=form.cleaned_data["reason"],
            acting_user=acting_user(request),
            now=now,
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, client, form)
    if changed is None:
        messages.info(request, "Nothing was changed.")
    else:
        messages.success(request, "In force now. The change is in the history below.")
    return redirect("privacy")


def _page(request: HttpRequest, client: Client, form: PrivacyForm | None) -> HttpResponse:
    settings = PrivacySettings.objects.get(client=client)
    zone = zoneinfo.ZoneInfo(client.timezone)
    return render(
        request,
        "client/privacy.html",
        {
            "statements": statements(settings),
            "form": form,
            "history": [_entry(one, zone) for one in history_of(client)],
        },
        status=422 if form is not None and form.errors else 200,
    )


def _entry(change: PrivacyChange, zone: zoneinfo.ZoneInfo) -> Entry:
    return Entry(
        at=change.at.astimezone(zone),
        who=change.who,
        what="changed the privacy settings",
        reason=change.reason,
        details=[_change_words(*one) for one in change.changes],
    )


def _change_words(name: str, before: Value, to: Value) -> str:
    return f"{LABELS[name]}: {value_words(name, before)} → {value_words(name, to)}"


def _ask(
    request: HttpRequest,
    client: Client,
    settings: PrivacySettings,
    form: PrivacyForm,
    losses: Losses,
) -> HttpResponse:
    """A page that says what would be lost, and sends the same form again."""
    return render(
        request,
        "client/privacy_confirm.html",
        {
            "changes": [_change_words(*one) for one in changed_settings(settings, form.wanted())],
            "losses": loss_words(losses),
            "entered": [
                (name, value) for name in [*form.fields] for value in request.POST.getlist(name)
            ],
            "mark": _mark(losses),
        },
    )


def loss_words(losses: Losses) -> list[str]:
    """What would be destroyed, in words."""
    found = []
    if losses.ip_days:
        first, last = losses.ip_days[0], losses.ip_days[-1]
        span = f"{first:%-d %B %Y}" if first == last else f"{first:%-d %B} to {last:%-d %B %Y}"
        found.append(
            f"The encrypted addresses of {days(len(losses.ip_days))} ({span}): their keys are "
            "destroyed within ten minutes. Nobody can bring them back."
        )
    if losses.hits_before is not None:
        found.append(
            f"Single hits before {losses.hits_before:%-d %B %Y} are destroyed within a day, and "
            "nobody can bring them back: reports cannot be filtered before that day any more. "
            "Sums of days and hours stay."
        )
    return found


def _mark(losses: Losses) -> str:
    """Ties a confirmation to just these losses: a page left open confirms nothing newer."""
    hits: dt.date | None = losses.hits_before
    return f"{figures.number(len(losses.ip_days))}:{hits.isoformat() if hits else ''}"
