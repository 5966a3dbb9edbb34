"""Making, changing and ending scheduled mails, each with its audit entry.

Called outside the client's schema, with the person who acts. An entry follows the change in a
transaction of its own, since a client's role cannot write public tables.
"""

import datetime as dt

from django.conf import settings
from django.core.mail import EmailMessage
from django.http import Http404
from django.template.loader import render_to_string
from django.urls import reverse

from agency.addresses import origin_of
from agency.link_changes import record
from agency.report_sending import CLIENT_URLS, MAIL_ERRORS
from agency.reports_mail import sender_of
from tenants.models import Client, Site, User
from tenants.schemas import entered
from tracking.delivery import schedules, sendings
from tracking.models import Recipient, ReportDelivery, ScheduledReport


def get_report(client: Client, site: Site, report_id: int) -> ScheduledReport:
    """A scheduled mail of the site; Http404."""
    with entered(client):
        report = ScheduledReport.objects.filter(pk=report_id, site_id=site.pk).first()
    if report is None:
        raise Http404("There is no such mail.")
    return report


def keep_report(
    client: Client,
    site: Site,
    report: ScheduledReport,
    *,
    people: list[int],
    addresses: list[str],
    acting_user: User,
    now: dt.datetime,
) -> int:
    """Store a scheduled mail, new or changed; returns how many addresses were asked to agree.

    Its next mail is about the next period: a change never sends an old one once more.
    """
    emails = dict(User.objects.filter(pk__in=people).values_list("pk", "email"))
    is_new = report.pk is None
    with entered(client):
        schedules.skip_to_now(report, site.timezone, now)
        report.save()
        asked = schedules.set_recipients(report, members=emails, addresses=addresses)
    record(
        "schedule.create" if is_new else "schedule.change",
        client,
        acting_user,
        report=report.pk,
        site=site.pk,
        cadence=report.cadence,
        sections=report.sections,
        people=sorted(emails),
        other_addresses=len(addresses),
    )
    return sum(_ask(client, site, report, recipient) for recipient in asked)


def _ask(client: Client, site: Site, report: ScheduledReport, recipient: Recipient) -> bool:
    """Ask the owner of an address whether they want the mail; False: it could not be sent."""
    path = reverse("mail_confirm", args=[recipient.token], urlconf=CLIENT_URLS)
    context = {
        "client": client,
        "site": site,
        "report": report,
        "every": "each week" if report.cadence == "weekly" else "each month",
        "confirm_url": origin_of(None, client) + path,
        "agency_name": settings.AGENCY_NAME,
    }
    mail = EmailMessage(
        f"{client.name}: would you like “{report.name}”?",
        render_to_string("mail/confirm.txt", context).strip() + "\n",
        sender_of(client),
        [recipient.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except MAIL_ERRORS:
        return False
    return True


def pause_report(
    client: Client,
    site: Site,
    report: ScheduledReport,
    *,
    is_paused: bool,
    acting_user: User,
    now: dt.datetime,
) -> None:
    """Pause, or go on with the next period."""
    report.is_paused = is_paused
    schedules.skip_to_now(report, site.timezone, now)
    with entered(client):
        report.save(update_fields=["is_paused", "last_sent_for"])
    act = "schedule.pause" if is_paused else "schedule.resume"
    record(act, client, acting_user, report=report.pk)


def delete_report(client: Client, report: ScheduledReport, *, acting_user: User) -> None:
    """Delete a scheduled mail with its list and its history."""
    number = report.pk
    with entered(client):
        report.delete()
    record("schedule.delete", client, acting_user, report=number)


def send_again(
    client: Client,
    report: ScheduledReport,
    delivery_id: int,
    *,
    acting_user: User,
    now: dt.datetime,
) -> bool:
    """Let a failed or uncertain mail be sent anew; False: it is neither."""
    with entered(client):
        known = ReportDelivery.objects.filter(pk=delivery_id, report=report).exists()
        changed = known and sendings.send_again(ReportDelivery, delivery_id, now)
    if not known:
        raise Http404("There is no such mail.")
    if changed:
        record("schedule.send_again", client, acting_user, report=report.pk)
    return changed
