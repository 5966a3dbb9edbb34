"""Scheduled mails: what is due when, made out once, claimed once."""

import datetime as dt
import threading

import pytest
from django.db import connections

from tenants.schemas import entered
from tests.conftest import site_of
from tracking.delivery.schedules import (
    active_recipients,
    comparison_of,
    confirm_recipient,
    deliveries_of,
    find_recipient,
    make_out,
    newest_due,
    next_due,
    set_recipients,
    skip_to_now,
    unsubscribe,
)
from tracking.delivery.sendings import (
    ATTEMPTS,
    STALE_AFTER,
    claim,
    due_ids,
    record_dropped,
    record_failure,
    record_sent,
    send_again,
    settle_stale,
)
from tracking.models import ReportDelivery, ScheduledReport
from tracking.models.delivery import Cadence, DeliveryState
from tracking.reports.periods import Period

UTC = dt.UTC


def report_of(cadence, **fields):
    return ScheduledReport(cadence=cadence, **{"weekday": 0, "hour": 7, **fields})


def test_a_weekly_mail_is_about_the_seven_days_before_its_day():
    report = report_of(Cadence.WEEKLY, weekday=0)
    monday = dt.datetime(2026, 11, 16, 7, tzinfo=UTC)
    due = newest_due(report, "Europe/London", monday)
    assert due.period == Period(dt.date(2026, 11, 9), dt.date(2026, 11, 15))
    assert due.before == Period(dt.date(2026, 11, 2), dt.date(2026, 11, 8))
    assert due.at == monday
    a_second_before = newest_due(report, "Europe/London", monday - dt.timedelta(seconds=1))
    assert a_second_before.period.starts_on == dt.date(2026, 11, 2)


@pytest.mark.parametrize("weekday", range(7))
def test_a_weekly_mail_goes_out_on_its_weekday(weekday):
    report = report_of(Cadence.WEEKLY, weekday=weekday)
    now = dt.datetime(2026, 11, 18, 12, tzinfo=UTC)
    newest, following = newest_due(report, "UTC", now), next_due(report, "UTC", now)
    assert newest.at.weekday() == following.at.weekday() == weekday
    assert newest.at <= now < following.at
    assert following.at - newest.at == dt.timedelta(days=7)


def test_the_hour_is_the_sites_clock_over_a_change_of_clocks():
    report = report_of(Cadence.WEEKLY)
    in_summer = newest_due(report, "Europe/London", dt.datetime(2026, 10, 20, tzinfo=UTC))
    in_winter = newest_due(report, "Europe/London", dt.datetime(2026, 10, 27, tzinfo=UTC))
    assert in_summer.at == dt.datetime(2026, 10, 19, 6, tzinfo=UTC)
    assert in_winter.at == dt.datetime(2026, 10, 26, 7, tzinfo=UTC)


def test_a_monthly_mail_is_about_the_month_before_and_compared_with_a_month():
    report = report_of(Cadence.MONTHLY, hour=9)
    now = dt.datetime(2026, 3, 1, 9, tzinfo=UTC)
    due = newest_due(report, "UTC", now)
    assert due.period == Period(dt.date(2026, 2, 1), dt.date(2026, 2, 28))
    assert due.before == Period(dt.date(2026, 1, 1), dt.date(2026, 1, 31))
    assert comparison_of(due.period) == due.before
    earlier = newest_due(report, "UTC", now - dt.timedelta(minutes=1))
    assert earlier.period == Period(dt.date(2026, 1, 1), dt.date(2026, 1, 31))
    assert next_due(report, "UTC", now).at == dt.datetime(2026, 4, 1, 9, tzinfo=UTC)


def test_seven_days_are_compared_with_the_seven_before():
    week = Period(dt.date(2026, 11, 9), dt.date(2026, 11, 15))
    assert comparison_of(week) == week.before()


NOW = dt.datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(new_client):
    return new_client(timezone_name="UTC")


@pytest.fixture(scope="module")
def site(client):
    return site_of(client)


def stored_report(site, *, members=None, **fields):
    report = ScheduledReport.objects.create(
        site_id=site.pk, name="Weekly", created_at=NOW, sections=["overview"], **fields
    )
    set_recipients(report, members=members or {1: "one@alpha.example"}, addresses=[])
    return report


def test_a_periods_mails_are_made_out_once(client, site):
    with entered(client):
        report = stored_report(site, members={1: "One@alpha.example", 2: "two@alpha.example"})
        assert make_out(report, "UTC", NOW) == 2
        assert make_out(report, "UTC", NOW) == 0
        assert make_out(report, "UTC", NOW + dt.timedelta(days=4)) == 0
        assert make_out(report, "UTC", NOW + dt.timedelta(days=5)) == 2
        starts = [each.starts_on for each in deliveries_of(report)]
    assert starts == [dt.date(2026, 11, 16)] * 2 + [dt.date(2026, 11, 9)] * 2


def test_workers_at_the_same_time_make_out_one_set(client, site):
    with entered(client):
        report = stored_report(site)
    barrier, made = threading.Barrier(4), []

    def work():
        barrier.wait()
        with entered(client):
            made.append(make_out(report, "UTC", NOW))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 1]
    with entered(client):
        assert ReportDelivery.objects.filter(report=report).count() == 1


def test_a_new_report_waits_for_the_next_period(client, site):
    with entered(client):
        report = stored_report(site)
        skip_to_now(report, "UTC", NOW)
        report.save()
        assert make_out(report, "UTC", NOW) == 0
        assert make_out(report, "UTC", NOW + dt.timedelta(days=5)) == 1


def test_a_paused_report_makes_out_nothing(client, site):
    with entered(client):
        report = stored_report(site)
        ScheduledReport.objects.filter(pk=report.pk).update(is_paused=True)
        assert make_out(report, "UTC", NOW) == 0


def test_other_peoples_addresses_get_nothing_before_they_agree(client, site):
    with entered(client):
        report = stored_report(site)
        asked = set_recipients(
            report, members={1: "one@alpha.example"}, addresses=[" Else@Else.example ", ""]
        )
        assert [each.email for each in asked] == ["else@else.example"]
        assert [each.user_id for each in active_recipients(report)] == [1]
        found = find_recipient(asked[0].token)
        assert found == asked[0]
        confirm_recipient(found, NOW)
        assert len(active_recipients(report)) == 2
        again = set_recipients(
            report, members={1: "one@alpha.example"}, addresses=["else@else.example"]
        )
        assert again == []
        assert len(active_recipients(report)) == 2


def test_who_unsubscribes_gets_no_more_even_if_the_list_is_saved_again(client, site):
    with entered(client):
        report = stored_report(site)
        one = active_recipients(report)[0]
        assert unsubscribe(one, NOW)
        assert not unsubscribe(one, NOW)
        set_recipients(report, members={1: "one@alpha.example"}, addresses=[])
        assert active_recipients(report) == []
        assert make_out(report, "UTC", NOW) == 0
        set_recipients(report, members={}, addresses=[])
        assert find_recipient(one.token) is None


def waiting(site):
    report = stored_report(site)
    make_out(report, "UTC", NOW)
    return ReportDelivery.objects.get(report=report)


def test_a_sending_is_claimed_once_and_sent_once(client, site):
    with entered(client):
        sending = waiting(site)
        assert sending.pk in due_ids(ReportDelivery, NOW)
        assert claim(ReportDelivery, sending.pk, NOW)
        assert not claim(ReportDelivery, sending.pk, NOW)
        assert sending.pk not in due_ids(ReportDelivery, NOW)
        record_sent(ReportDelivery, sending.pk, NOW)
        sending.refresh_from_db()
        assert (sending.state, sending.sent_at, sending.attempts) == (DeliveryState.SENT, NOW, 1)
        assert not send_again(ReportDelivery, sending.pk, NOW)


def test_a_failure_is_tried_again_with_growing_pauses_and_then_shown(client, site):
    with entered(client):
        sending = waiting(site)
        now, pauses = NOW, []
        for _ in range(ATTEMPTS):
            assert claim(ReportDelivery, sending.pk, now)
            record_failure(ReportDelivery, sending.pk, now, "The mail server refused it.")
            sending.refresh_from_db()
            pauses.append(sending.next_try_at - now)
            assert sending.pk not in due_ids(ReportDelivery, now)
            now = sending.next_try_at
        assert pauses[:-1] == sorted(set(pauses[:-1]))
        assert sending.state == DeliveryState.FAILED
        assert sending.problem == "The mail server refused it."
        assert send_again(ReportDelivery, sending.pk, now)
        assert sending.pk in due_ids(ReportDelivery, now)


def test_what_a_dead_worker_left_is_uncertain_and_not_sent_by_itself(client, site):
    with entered(client):
        sending = waiting(site)
        claim(ReportDelivery, sending.pk, NOW)
        assert settle_stale(ReportDelivery, NOW + STALE_AFTER) == 0
        later = NOW + STALE_AFTER + dt.timedelta(seconds=1)
        assert settle_stale(ReportDelivery, later) >= 1
        sending.refresh_from_db()
        assert sending.state == DeliveryState.UNCERTAIN
        assert sending.pk not in due_ids(ReportDelivery, later)
        # The worker was only slow: what it writes now comes too late to be believed.
        record_sent(ReportDelivery, sending.pk, later)
        sending.refresh_from_db()
        assert sending.state == DeliveryState.UNCERTAIN


def test_what_is_dropped_says_why(client, site):
    with entered(client):
        sending = waiting(site)
        claim(ReportDelivery, sending.pk, NOW)
        record_dropped(ReportDelivery, sending.pk, "No access any more.")
        sending.refresh_from_db()
    assert (sending.state, sending.problem) == (DeliveryState.DROPPED, "No access any more.")
