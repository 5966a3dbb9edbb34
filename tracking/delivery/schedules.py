"""Scheduled mails: which period is due, and one delivery per recipient and period.

A weekly mail is about the seven days before the day it is sent on; a monthly one, sent on the
first, about the month before. A period's deliveries are made out once, by whoever moves
`last_sent_for` forward; a mail that was missed for long is not sent late, but for the newest.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from tenants.models import Site
from tracking.models.delivery import (
    Cadence,
    Recipient,
    ReportDelivery,
    ScheduledReport,
)
from tracking.reports.periods import Period

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Due:
    """A period to be sent, the one it is compared with, and since when it is due."""

    period: Period
    before: Period
    at: dt.datetime


def newest_due(report: ScheduledReport, timezone: str, now: dt.datetime) -> Due:
    """The newest period whose time of sending has come. Pure."""
    return _due_on(report, _sending_day(report, timezone, now, ahead=False), timezone)


def next_due(report: ScheduledReport, timezone: str, now: dt.datetime) -> Due:
    """The period that is sent next. Pure."""
    return _due_on(report, _sending_day(report, timezone, now, ahead=True), timezone)


def _sending_day(
    report: ScheduledReport, timezone: str, now: dt.datetime, *, ahead: bool
) -> dt.date:
    """The last day of sending whose hour has come on the site's clock, or the one after it."""
    today = now.astimezone(zoneinfo.ZoneInfo(timezone)).date()
    if report.cadence == Cadence.MONTHLY:
        day = today.replace(day=1)
        if _sends_at(report, day, timezone) > now:
            day = (day - _DAY).replace(day=1)
        return (day + 31 * _DAY).replace(day=1) if ahead else day
    day = today - (today.weekday() - report.weekday) % 7 * _DAY
    if _sends_at(report, day, timezone) > now:
        day -= 7 * _DAY
    return day + 7 * _DAY if ahead else day


def _sends_at(report: ScheduledReport, day: dt.date, timezone: str) -> dt.datetime:
    zone = zoneinfo.ZoneInfo(timezone)
    # By way of UTC, so that two instants are compared and not two clocks of the same zone.
    return dt.datetime.combine(day, dt.time(report.hour), zone).astimezone(dt.UTC)


def _due_on(report: ScheduledReport, day: dt.date, timezone: str) -> Due:
    at = _sends_at(report, day, timezone)
    if report.cadence == Cadence.MONTHLY:
        period = month_before(day)
        return Due(period, month_before(period.starts_on), at)
    period = Period(day - 7 * _DAY, day - _DAY)
    return Due(period, period.before(), at)


def month_before(first: dt.date) -> Period:
    """The calendar month that ends on the day before `first`."""
    last = first - _DAY
    return Period(last.replace(day=1), last)


def comparison_of(period: Period) -> Period:
    """What a mail's period is compared with: a month with the one before, else as many days."""
    is_month = period == month_before(period.ends_on + _DAY)
    return month_before(period.starts_on) if is_month else period.before()


def skip_to_now(report: ScheduledReport, timezone: str, now: dt.datetime) -> None:
    """Let the next mail be about the next period: for a report just made, changed or resumed.

    Sets `last_sent_for`, which the caller saves.
    """
    report.last_sent_for = newest_due(report, timezone, now).period.starts_on


def make_out(report: ScheduledReport, timezone: str, now: dt.datetime) -> int:
    """Make out the newest due period's deliveries, once; returns how many.

    0 too when another worker was faster, or nobody is to get them. Three queries.
    """
    due = newest_due(report, timezone, now)
    unsent = Q(last_sent_for__isnull=True) | Q(last_sent_for__lt=due.period.starts_on)
    with transaction.atomic():
        won = ScheduledReport.objects.filter(unsent, pk=report.pk, is_paused=False).update(
            last_sent_for=due.period.starts_on
        )
        if not won:
            return 0
        made = ReportDelivery.objects.bulk_create(
            [
                ReportDelivery(
                    report_id=report.pk,
                    recipient=recipient,
                    starts_on=due.period.starts_on,
                    ends_on=due.period.ends_on,
                    next_try_at=now,
                )
                for recipient in active_recipients(report)
            ],
            ignore_conflicts=True,
        )
    return len(made)


def active_recipients(report: ScheduledReport) -> list[Recipient]:
    """Who gets the next mail: not unsubscribed, and a member or confirmed. One query.

    Whether a member may still see the site is asked when the mail is sent.
    """
    return list(
        Recipient.objects.filter(
            Q(user_id__isnull=False) | Q(confirmed_at__isnull=False),
            report=report,
            unsubscribed_at__isnull=True,
        )
    )


def unpaused_reports(sites: Sequence[Site]) -> list[ScheduledReport]:
    """Reports of these sites that are not paused. One query."""
    return list(
        ScheduledReport.objects.filter(site_id__in=[site.pk for site in sites], is_paused=False)
    )


def set_recipients(
    report: ScheduledReport, *, members: dict[int, str], addresses: Sequence[str]
) -> list[Recipient]:
    """Make these the report's recipients; returns other people's addresses that are new.

    `members`: e-mail addresses by user id. A new address of somebody else gets nothing before
    its owner has confirmed it. One who unsubscribed stays so. A handful of queries.
    """
    wanted: dict[str, int | None] = dict.fromkeys(
        (address.strip().lower() for address in addresses if address.strip()), None
    )
    wanted |= {email.lower(): user_id for user_id, email in members.items()}
    with transaction.atomic():
        known = {recipient.email: recipient for recipient in report.recipients.all()}
        for email, recipient in known.items():
            if email not in wanted:
                recipient.delete()
            elif recipient.user_id != wanted[email]:
                recipient.user_id = wanted[email]
                recipient.save(update_fields=["user_id"])
        new = [
            Recipient(report=report, email=email, user_id=user_id)
            for email, user_id in wanted.items()
            if email not in known
        ]
        Recipient.objects.bulk_create(new)
    return [recipient for recipient in new if recipient.user_id is None]


def find_recipient(token: str) -> Recipient | None:
    """The recipient whose mails hold this token. One query."""
    return Recipient.objects.select_related("report").filter(token=token).first()


def confirm_recipient(recipient: Recipient, now: dt.datetime) -> None:
    """Note that the owner of the address wants the mails (again)."""
    Recipient.objects.filter(pk=recipient.pk).update(confirmed_at=now, unsubscribed_at=None)


def unsubscribe(recipient: Recipient, now: dt.datetime) -> bool:
    """End the mails to this recipient; False when they had ended before."""
    return bool(
        Recipient.objects.filter(pk=recipient.pk, unsubscribed_at__isnull=True).update(
            unsubscribed_at=now
        )
    )


def deliveries_of(report: ScheduledReport, *, limit: int = 50) -> list[ReportDelivery]:
    """The newest deliveries, with their recipients. One query."""
    rows = ReportDelivery.objects.select_related("recipient").filter(report=report)
    return list(rows[:limit])


def newest_deliveries(reports: Sequence[ScheduledReport]) -> dict[int, ReportDelivery]:
    """The delivery made out last of each report that has any. One query, one row a report."""
    rows = ReportDelivery.objects.filter(report__in=reports).order_by("report_id", "-pk")
    return {row.report_id: row for row in rows.distinct("report_id")}
