"""Sending scheduled mails: who may still get them, what they say, and what became of each.

What is promised about repetition is said in tracking.delivery.sendings. Everything here is called
outside a client's schema, and enters it for as long as it reads or writes.
"""

import datetime as dt
import smtplib
from collections.abc import Collection
from dataclasses import dataclass

from django.core.mail import BadHeaderError, EmailMultiAlternatives
from django.urls import reverse

from agency.addresses import origin_of
from agency.report_digest import BRIEF, Sheet, make_sheet
from agency.report_pdf import PdfUnavailableError, render_pdf
from agency.report_tables import Asked
from agency.reports_mail import Letter, Look, look_of, report_mail
from agency.wording import locale_of
from tenants.access import accessible_sites, sections_of
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery import schedules, sendings
from tracking.models import Recipient, ReportDelivery, ScheduledReport
from tracking.query.model import QueryError
from tracking.query.run import filterable_from
from tracking.reports.periods import Period

CLIENT_URLS = "agency.urls_client"
MAIL_ROWS = 5
NO_ACCESS = "This person may not see the report any more."
UNSUBSCRIBED = "Unsubscribed before it was sent."


@dataclass
class Sent:
    """What a round over a client's scheduled mails has done."""

    made_out: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0


def send_due_reports(client: Client, *, now: dt.datetime) -> Sent:
    """Make out what is due and send what waits; safe to be run by several workers at once."""
    sites = {site.pk: site for site in client.sites.filter(is_active=True)}
    sent = Sent()
    with entered(client):
        sendings.settle_stale(ReportDelivery, now)
        for report in schedules.unpaused_reports(list(sites.values())):
            sent.made_out += schedules.make_out(report, sites[report.site_id].timezone, now)
        waiting = sendings.due_ids(ReportDelivery, now)
    if waiting:
        desk = _Desk(client, sites, now)
        for delivery_id in sendings.for_a_round(waiting):
            desk.send(delivery_id, sent)
    return sent


def mail_problem(error: Exception) -> str:
    """Why a mail could not be handed over, without its address."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"The mail server refused it ({error.smtp_code})."
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "The mail server refused the recipient's address."
    if isinstance(error, QueryError | PdfUnavailableError):
        return f"The report could not be made: {error}"
    if isinstance(error, BadHeaderError):
        return "A name in the mail's head has a line break in it: take it out."
    return "The mail server could not be reached."


MAIL_ERRORS = (smtplib.SMTPException, OSError, BadHeaderError)


def is_final(error: Exception) -> bool:
    """Whether another attempt would fail as well."""
    return isinstance(error, BadHeaderError)


class _Desk:
    """Writes a client's mails; what several recipients share is read once."""

    def __init__(self, client: Client, sites: dict[int, Site], now: dt.datetime) -> None:
        self._client = client
        self._sites = sites
        self._now = now
        self._look = look_of(client)
        self._done: dict[tuple[int, Period, frozenset[Section]], tuple[Sheet, bytes]] = {}

    def send(self, delivery_id: int, sent: Sent) -> None:
        """Send one mail, unless somebody else does."""
        with entered(self._client):
            if not sendings.claim(ReportDelivery, delivery_id, self._now):
                return
            found = ReportDelivery.objects.select_related("report", "recipient")
            delivery = found.get(pk=delivery_id)
        site = self._sites.get(delivery.report.site_id)
        sections = sections_for(self._client, site, delivery.report, delivery.recipient)
        if site is None or not sections:
            sent.dropped += 1
            reason = UNSUBSCRIBED if delivery.recipient.unsubscribed_at else NO_ACCESS
            with entered(self._client):
                sendings.record_dropped(ReportDelivery, delivery_id, reason)
            return
        try:
            self._mail(site, delivery, sections).send()
        except (*MAIL_ERRORS, QueryError, PdfUnavailableError) as error:
            sent.failed += 1
            problem = mail_problem(error)
            with entered(self._client):
                if is_final(error):
                    sendings.record_dropped(ReportDelivery, delivery_id, problem)
                else:
                    sendings.record_failure(ReportDelivery, delivery_id, self._now, problem)
            return
        sent.sent += 1
        with entered(self._client):
            sendings.record_sent(ReportDelivery, delivery_id, self._now)

    def _mail(
        self, site: Site, delivery: ReportDelivery, sections: frozenset[Section]
    ) -> EmailMultiAlternatives:
        period = Period(delivery.starts_on, delivery.ends_on)
        key = (delivery.report.pk, period, sections)
        if key not in self._done:
            self._done[key] = make_issue(
                self._client, site, delivery.report, period, sections, self._look, self._now
            )
        sheet, pdf = self._done[key]
        letter = letter_of(self._client, site, delivery.report, period, delivery.recipient)
        return report_mail(
            self._client, sheet, letter, self._look, delivery.recipient.email, pdf=pdf
        )


def sections_for(
    client: Client, site: Site | None, report: ScheduledReport, recipient: Recipient
) -> frozenset[Section]:
    """Sections that the recipient gets; empty: nothing may be sent to them."""
    chosen = sections_of_report(report)
    if site is None or recipient.unsubscribed_at is not None:
        return frozenset()
    if recipient.user_id is None:
        return chosen if recipient.confirmed_at else frozenset()
    user = User.objects.filter(pk=recipient.user_id, is_active=True).first()
    if user is None or site not in accessible_sites(user, client):
        return frozenset()
    return chosen & sections_of(user, client)


def sections_of_report(report: ScheduledReport) -> frozenset[Section]:
    """The sections that a scheduled mail is about."""
    known = {section.value: section for section in Section}
    return frozenset(known[name] for name in report.sections if name in known)


def make_issue(
    client: Client,
    site: Site,
    report: ScheduledReport,
    period: Period,
    sections: Collection[Section],
    look: Look,
    now: dt.datetime,
) -> tuple[Sheet, bytes]:
    """A period's sheet, and its PDF (empty if none is wanted)."""
    asked = Asked(
        client=client,
        site=site,
        period=period,
        before=schedules.comparison_of(period),
        locale=locale_of(client.locale),
        k=client.privacy.k_threshold,
        now=now,
        raw_since=filterable_from(
            site, hits_retention_days=client.privacy.hits_retention_days, now=now
        ),
    )
    pdf = b""
    if report.with_pdf:
        pdf = render_pdf(client, make_sheet(asked, sections), look, text=report.text)
    return make_sheet(asked, sections, keys=BRIEF, rows=MAIL_ROWS), pdf


def letter_of(
    client: Client,
    site: Site,
    report: ScheduledReport,
    period: Period,
    recipient: Recipient | None,
) -> Letter:
    """What the mail says besides its figures; without a recipient it is a test."""
    origin = origin_of(None, client)
    address = reverse("report", args=[site.pk], urlconf=CLIENT_URLS)
    unsubscribe = ""
    if recipient is not None:
        unsubscribe = origin + reverse(
            "mail_unsubscribe", args=[recipient.token], urlconf=CLIENT_URLS
        )
    return Letter(
        name=report.name,
        text=report.text,
        report_url=f"{origin}{address}?from={period.starts_on}&to={period.ends_on}",
        unsubscribe_url=unsubscribe,
        is_test=recipient is None,
    )
