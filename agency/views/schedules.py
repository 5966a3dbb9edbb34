"""Scheduled mails: their list, making and changing them, preview, test, history; and leaving."""

import datetime as dt
from typing import Any

from csp.decorators import csp, csp_update
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency import schedule_changes as changes
from agency.alert_words import time_words
from agency.forms.schedules import WEEKDAYS, ScheduleForm
from agency.hosts import client_of
from agency.report_digest import SECTIONS
from agency.report_pdf import PdfUnavailableError
from agency.report_sending import (
    MAIL_ERRORS,
    letter_of,
    mail_problem,
    make_issue,
    sections_of_report,
)
from agency.reports_mail import look_of, report_html, report_mail
from agency.views.links import delivery_tabs, editor_of, section_words
from agency.wording import locale_of, period_words
from tenants.access import sections_of
from tenants.models import Client, Site, User
from tenants.schemas import entered
from tracking.delivery import schedules
from tracking.models import Recipient, ReportDelivery, ScheduledReport
from tracking.models.delivery import Cadence, DeliveryState
from tracking.query.model import QueryError
from tracking.reports.periods import Period

TONES = {
    DeliveryState.SENT: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.UNCERTAIN: "warning",
}


def when_words(report: ScheduledReport) -> str:
    """Mondays at 07:00; The first of each month at 07:00."""
    clock = f"{report.hour:02d}:00"
    if report.cadence == Cadence.MONTHLY:
        return f"The first of each month at {clock}"
    return f"{WEEKDAYS[report.weekday]}s at {clock}"


@require_safe
@login_required
@never_cache
def schedules_list(request: HttpRequest, site_id: int) -> HttpResponse:
    """All scheduled mails of the site."""
    _user, client, site = editor_of(request, site_id)
    now = timezone.now()
    with entered(client):
        reports = list(ScheduledReport.objects.filter(site_id=site.pk))
        recipients = list(Recipient.objects.filter(report__in=reports))
        newest = schedules.newest_deliveries(reports)
    rows = [
        _row(client, site, report, recipients, newest.get(report.pk), now) for report in reports
    ]
    context = {"site": site, "tabs": delivery_tabs(site, "schedules"), "rows": rows}
    return render(request, "client/schedules.html", context)


def _row(
    client: Client,
    site: Site,
    report: ScheduledReport,
    recipients: list[Recipient],
    newest: ReportDelivery | None,
    now: dt.datetime,
) -> dict[str, Any]:
    own = [one for one in recipients if one.report_id == report.pk]
    active = [one for one in own if not one.unsubscribed_at and (one.user_id or one.confirmed_at)]
    due = schedules.next_due(report, site.timezone, now)
    return {
        "report": report,
        "when": when_words(report),
        "sections": section_words(report.sections, SECTIONS),
        "active": len(active),
        "asked": sum(not (one.user_id or one.confirmed_at) for one in own),
        "next": time_words(due.at, site.timezone, locale_of(client.locale)),
        "state": newest.get_state_display() if newest else "",
        "tone": TONES.get(DeliveryState(newest.state), "") if newest else "",
    }


def _form(
    request: HttpRequest, user: User, client: Client, site: Site, report: ScheduledReport | None
) -> ScheduleForm:
    people: list[int] = []
    initial: dict[str, Any] = {
        "people": [str(user.pk)],
        "sections": [section.value for section in sections_of(user, client)],
    }
    if report is not None:
        with entered(client):
            recipients = list(report.recipients.all())
        people = [one.user_id for one in recipients if one.user_id is not None]
        others = [one.email for one in recipients if one.user_id is None]
        initial = ScheduleForm.initial_of(report, people, others)
    data = request.POST if request.method == "POST" else None
    return ScheduleForm(data, client=client, site=site, user=user, people=people, initial=initial)


def _save(
    form: ScheduleForm, user: User, client: Client, site: Site, report: ScheduledReport
) -> int:
    for name in ("name", "cadence", "weekday", "hour", "text", "sections", "with_pdf"):
        setattr(report, name, form.cleaned_data[name])
    return changes.keep_report(
        client,
        site,
        report,
        people=form.people,
        addresses=form.cleaned_data["addresses"],
        acting_user=user,
        now=timezone.now(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def schedule_new(request: HttpRequest, site_id: int) -> HttpResponse:
    """Make a scheduled mail."""
    user, client, site = editor_of(request, site_id)
    form = _form(request, user, client, site, None)
    if request.method == "POST" and form.is_valid():
        report = ScheduledReport(site_id=site.pk, created_at=timezone.now(), created_by=user.pk)
        _tell_asked(request, _save(form, user, client, site, report))
        return redirect("schedule", site_id=site.pk, report_id=report.pk)
    return _form_page(request, site, form, "New scheduled mail")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def schedule_edit(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """Change a scheduled mail."""
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    form = _form(request, user, client, site, report)
    if request.method == "POST" and form.is_valid():
        _tell_asked(request, _save(form, user, client, site, report))
        return redirect("schedule", site_id=site.pk, report_id=report.pk)
    return _form_page(request, site, form, f"Change {report.name}")


def _form_page(request: HttpRequest, site: Site, form: ScheduleForm, title: str) -> HttpResponse:
    context = {"site": site, "form": form, "title": title}
    return render(
        request, "client/schedules_form.html", context, status=422 if form.errors else 200
    )


def _tell_asked(request: HttpRequest, asked: int) -> None:
    messages.success(request, "Saved.")
    if asked:
        words = "1 address was" if asked == 1 else f"{asked} addresses were"
        messages.info(request, f"{words} asked by mail, and will get it once they agree.")


@csp_update({"frame-src": ["'self'"]})  # type: ignore[arg-type]  # as below; the preview
@require_safe
@login_required
@never_cache
def schedule(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """One scheduled mail: who gets it, what it looks like, what was sent."""
    _user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    locale, now = locale_of(client.locale), timezone.now()
    with entered(client):
        recipients = list(report.recipients.all())
        deliveries = schedules.deliveries_of(report)
    due = schedules.next_due(report, site.timezone, now)
    context = {
        "site": site,
        "report": report,
        "when": when_words(report),
        "sections": section_words(report.sections, SECTIONS),
        "next_at": time_words(due.at, site.timezone, locale),
        "next_period": period_words(due.period, locale),
        "recipients": recipients,
        "deliveries": [
            {
                "delivery": one,
                "period": period_words(Period(one.starts_on, one.ends_on), locale),
                "tone": TONES.get(DeliveryState(one.state), ""),
                "at": time_words(one.sent_at, site.timezone, locale) if one.sent_at else "",
                "is_repeatable": one.state in {DeliveryState.FAILED, DeliveryState.UNCERTAIN},
            }
            for one in deliveries
        ],
    }
    return render(request, "client/schedules_one.html", context)


# The mail's own inline styles, and nothing else, in a frame of our own page.
@csp(  # type: ignore[arg-type]  # its types know only views without arguments
    {"default-src": ["'none'"], "style-src": ["'unsafe-inline'"], "frame-ancestors": ["'self'"]}
)
@xframe_options_sameorigin
@require_safe
@login_required
@never_cache
def schedule_preview(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """The mail as it would be sent now, about the newest period that has ended."""
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    now = timezone.now()
    period = schedules.newest_due(report, site.timezone, now).period
    look = look_of(client)
    report.with_pdf = False
    sections = sections_of_report(report) & sections_of(user, client)
    try:
        sheet, _pdf = make_issue(client, site, report, period, sections, look, now)
    except QueryError as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    letter = letter_of(client, site, report, period, None)
    # In a preview there is no part that `cid:` could name.
    return HttpResponse(report_html(client, sheet, letter, look.without_logo()))


@require_POST
@login_required
def schedule_test(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """Send the mail to oneself, now."""
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    now = timezone.now()
    period = schedules.newest_due(report, site.timezone, now).period
    look = look_of(client)
    sections = sections_of_report(report) & sections_of(user, client)
    try:
        sheet, pdf = make_issue(client, site, report, period, sections, look, now)
        letter = letter_of(client, site, report, period, None)
        report_mail(client, sheet, letter, look, user.email, pdf=pdf).send()
    except (*MAIL_ERRORS, QueryError, PdfUnavailableError) as error:
        messages.error(request, f"The test was not sent. {mail_problem(error)}")
    else:
        messages.success(request, "A test is on its way to you, and to nobody else.")
    return redirect("schedule", site_id=site.pk, report_id=report.pk)


@require_POST
@login_required
def schedule_pause(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """Pause a scheduled mail."""
    return _set_paused(request, site_id, report_id, is_paused=True)


@require_POST
@login_required
def schedule_resume(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """Go on with a paused mail, from its next period."""
    return _set_paused(request, site_id, report_id, is_paused=False)


def _set_paused(
    request: HttpRequest, site_id: int, report_id: int, *, is_paused: bool
) -> HttpResponse:
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    changes.pause_report(
        client, site, report, is_paused=is_paused, acting_user=user, now=timezone.now()
    )
    messages.success(request, "Paused." if is_paused else "It goes out again.")
    return redirect("schedule", site_id=site.pk, report_id=report.pk)


@require_POST
@login_required
def schedule_delete(request: HttpRequest, site_id: int, report_id: int) -> HttpResponse:
    """Delete a scheduled mail."""
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    changes.delete_report(client, report, acting_user=user)
    messages.success(request, f"“{report.name}” is deleted.")
    return redirect("schedules", site_id=site.pk)


@require_POST
@login_required
def schedule_again(
    request: HttpRequest, site_id: int, report_id: int, delivery_id: int
) -> HttpResponse:
    """Send a failed or uncertain mail once more."""
    user, client, site = editor_of(request, site_id)
    report = changes.get_report(client, site, report_id)
    if changes.send_again(client, report, delivery_id, acting_user=user, now=timezone.now()):
        messages.success(request, "It will be sent within five minutes.")
    else:
        messages.info(request, "It was sent meanwhile, or waits already.")
    return redirect("schedule", site_id=site.pk, report_id=report.pk)


# --- people who get mails, without an account


def _recipient(client: Client, token: str) -> Recipient | None:
    with entered(client):
        return schedules.find_recipient(token)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def mail_confirm(request: HttpRequest, mail_token: str) -> HttpResponse:
    """Agree to get a scheduled mail. By a button, since programs open links in mails too."""
    client = client_of(request)
    recipient = _recipient(client, mail_token)
    if recipient is None:
        return render(request, "client/shared_mail_gone.html", status=404)
    if request.method == "POST":
        with entered(client):
            schedules.confirm_recipient(recipient, timezone.now())
    context = {"report": recipient.report, "is_done": request.method == "POST"}
    return render(request, "client/shared_mail_confirm.html", context)


@csrf_exempt  # mail programs post here by themselves (RFC 8058); the token in the address counts
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def mail_unsubscribe(request: HttpRequest, mail_token: str) -> HttpResponse:
    """Stop a scheduled mail to oneself."""
    client = client_of(request)
    recipient = _recipient(client, mail_token)
    if recipient is None:
        return render(request, "client/shared_mail_gone.html", status=404)
    is_done = recipient.unsubscribed_at is not None
    if request.method == "POST":
        with entered(client):
            schedules.unsubscribe(recipient, timezone.now())
        is_done = True
    context = {"report": recipient.report, "is_done": is_done, "token": mail_token}
    return render(request, "client/shared_mail_unsubscribe.html", context)
