"""Of the demo: a scheduled mail, alerts with an event, a shared link. A rerun doubles nothing."""

import datetime as dt

from agency.report_digest import SECTIONS
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery.alerts import apply_verdict
from tracking.delivery.judging import State, Verdict
from tracking.delivery.links import create_link, hash_token
from tracking.delivery.schedules import set_recipients, skip_to_now
from tracking.models import Alert, AlertNotice, ScheduledReport, SharedLink
from tracking.models.delivery import AlertKind, Cadence

SLUG = "harbour"
"""The demo client that has these things."""
LINK_TOKEN = "a-link-of-the-demo-for-the-board"  # noqa: S105 - the demo's reports are made up, and the demo says so
LINK_PASSWORD = "on the pier at seven"  # noqa: S105 - as above


def seed_delivery(client: Client, *, now: dt.datetime) -> int:
    """Make what is missing; returns how many things were made."""
    site = client.sites.order_by("pk")[0]
    email = f"manager@{client.slug}.example"
    people = dict(User.objects.filter(email=email).values_list("pk", "email"))
    with entered(client):
        return (
            _seed_link(site, now) + _seed_report(site, people, now) + _seed_alert(site, people, now)
        )


def _seed_link(site: Site, now: dt.datetime) -> int:
    if SharedLink.objects.filter(token_hash=hash_token(LINK_TOKEN)).exists():
        return 0
    create_link(
        site,
        name="Board of trustees",
        sections=[Section.OVERVIEW.value, Section.PAGES.value, Section.SOURCES.value],
        created_by=None,
        now=now,
        password=LINK_PASSWORD,
        expires_at=now + dt.timedelta(days=90),
        token=LINK_TOKEN,
    )
    return 1


def _seed_report(site: Site, people: dict[int, str], now: dt.datetime) -> int:
    if ScheduledReport.objects.filter(site_id=site.pk).exists():
        return 0
    report = ScheduledReport(
        site_id=site.pk,
        name="The week at the Playhouse",
        cadence=Cadence.WEEKLY,
        weekday=0,
        hour=7,
        text="Good morning,\n\nhere is how last week went on the website.",
        sections=[section.value for section in SECTIONS],
        with_pdf=True,
        created_at=now,
    )
    # One mail is due at once, so that there is something to read in var/mail.
    skip_to_now(report, site.timezone, now)
    if report.last_sent_for is not None:
        report.last_sent_for -= dt.timedelta(days=7)
    report.save()
    set_recipients(report, members=people, addresses=[])
    return 1


def _seed_alert(site: Site, people: dict[int, str], now: dt.datetime) -> int:
    if Alert.objects.filter(site_id=site.pk).exists():
        return 0
    alert = Alert.objects.create(
        site_id=site.pk,
        name="Many pages not found",
        kind=AlertKind.NOT_FOUND_BURST,
        count=40,
        factor=3.0,
        user_ids=list(people),
        quiet_from=dt.time(22),
        quiet_to=dt.time(7),
        created_at=now,
    )
    Alert.objects.create(
        site_id=site.pk,
        name="Nothing comes in",
        kind=AlertKind.NO_HITS,
        hours=3,
        minimum=20,
        user_ids=list(people),
        created_at=now,
    )
    began = now - dt.timedelta(days=2, hours=3)
    apply_verdict(alert, site, Verdict(State.HOLDS, {"views": 64, "usual": 1.4}), began)
    apply_verdict(alert, site, Verdict(State.OVER), began + dt.timedelta(minutes=48))
    # It lies two days back: nobody is told of it now.
    AlertNotice.objects.filter(event__alert=alert).delete()
    return 2
