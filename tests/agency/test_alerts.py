"""Alerts from the form to the letter box and to a server of the client's own."""

import datetime as dt
import hashlib
import hmac
import http.server
import json
import re
import threading

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import override_settings

from agency import tasks
from agency.alert_sending import watch_client
from tenants.models import AuditEntry, Client, Role, Section
from tenants.models.usage import ClientState
from tenants.schemas import entered
from tests.agency.delivery_stage import browser_of, person
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tracking.delivery.sendings import ATTEMPTS, PAUSES, STALE_AFTER, claim, for_a_round
from tracking.models import Alert, AlertEvent, AlertNotice, Goal
from tracking.models.delivery import Channel, DeliveryState
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2026, 11, 18, 14, 30, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it gets, answers with `status`."""

    got: list[tuple[dict[str, str], bytes]]
    status = 204


class Receiver(http.server.BaseHTTPRequestHandler):
    """The client's own server."""

    server: Server

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    with Server(("127.0.0.1", 0), Receiver) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(new_client):
    """Ten visits in each hour from 8 to 17 on four Wednesdays, and on this one until 10."""
    client = new_client(timezone_name="UTC")
    site = site_of(client)
    hits = []
    for week in range(5):
        day = dt.datetime(2026, 11, 18, tzinfo=dt.UTC) - dt.timedelta(days=7 * week)
        for hour in range(8, 11 if week == 0 else 18):
            hits += [
                hit(
                    client.pk,
                    site.pk,
                    day + dt.timedelta(hours=hour, seconds=number * 20),
                    (week * 1000 + hour) * 100 + number,
                )
                for number in range(10)
            ]
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=NOW)
    return client


@pytest.fixture
def site(client):
    return site_of(client)


@pytest.fixture
def manager(client):
    return person(f"manager@{client.slug}.example", client, Role.MANAGER)


@pytest.fixture
def browser(client, manager):
    mail.outbox.clear()
    with time_machine.travel(NOW, tick=False):
        yield browser_of(client, manager)


def form(manager, **fields):
    values = {
        "name": "Nothing comes in",
        "hours": "3",
        "minimum": "20",
        "people": [str(manager.pk)],
        "webhook_url": "",
        "tell_end": "on",
        "quiet_from": "",
        "quiet_to": "",
    }
    return values | fields


def make(browser, client, site, manager, kind="no_hits", **fields):
    address = f"/sites/{site.pk}/alerts/new/?kind={kind}"
    reply = browser.post(address, form(manager, **fields))
    assert reply.status_code == 302, reply.content.decode()
    with entered(client):
        return Alert.objects.order_by("-pk")[0]


def come_back(client, site, at):
    store_hits(client, [hit(client.pk, site.pk, at, 42)], zones=site_zones(client))
    roll_up_client(client, now=at)


def open_alerts(client):
    return ClientState.objects.filter(client=client).values_list("open_alerts", flat=True).first()


def test_silence_is_told_once_shown_and_told_when_over(client, site, browser, manager):
    alert = make(browser, client, site, manager)
    for minutes in range(4):
        watch_client(client, now=NOW + minutes * MINUTE)
    (letter,) = mail.outbox
    assert isinstance(letter, EmailMultiAlternatives)
    assert letter.to == [manager.email]
    assert letter.subject == f"Nothing comes in, {site.name}"
    words = "No hit for 3 hours. In these hours of this weekday 30 visits are usual."
    assert words in letter.body
    assert words in str(letter.alternatives[0][0])
    assert open_alerts(client) == 1
    assert words in browser.get(f"/sites/{site.pk}/alerts/").content.decode()
    page = browser.get(f"/sites/{site.pk}/alerts/{alert.pk}/").content.decode()
    assert "Holds now" in page
    end = NOW + 30 * MINUTE
    come_back(client, site, end)
    watch_client(client, now=end + MINUTE)
    watch_client(client, now=end + 2 * MINUTE)
    assert [letter.subject for letter in mail.outbox][1:] == [
        f"Over: Nothing comes in, {site.name}"
    ]
    assert open_alerts(client) == 0
    assert "Holds now" not in browser.get(f"/sites/{site.pk}/alerts/").content.decode()


def test_quiet_hours_keep_a_notice_until_they_end_and_tell_both_ends_at_once(
    client, site, browser, manager
):
    make(browser, client, site, manager, quiet_from="14:00", quiet_to="15:30")
    watch_client(client, now=NOW)
    assert mail.outbox == []
    assert open_alerts(client) == 1
    come_back(client, site, NOW + 10 * MINUTE)
    watch_client(client, now=NOW + 11 * MINUTE)
    watch_client(client, now=NOW + 59 * MINUTE)
    assert mail.outbox == []
    watch_client(client, now=NOW + 60 * MINUTE)
    watch_client(client, now=NOW + 61 * MINUTE)
    (letter,) = mail.outbox
    assert letter.subject.startswith("Over: ")


def test_who_lost_access_is_told_nothing(client, site, browser, manager):
    leaver = person(f"leaver@{client.slug}.example", client, Role.VIEWER)
    make(browser, client, site, manager, people=[str(leaver.pk)])
    leaver.memberships.all().delete()
    watch_client(client, now=NOW)
    assert mail.outbox == []
    with entered(client):
        notice = AlertNotice.objects.get()
    assert (notice.state, notice.problem) == (
        DeliveryState.DROPPED,
        "This person may not see the site any more.",
    )


def secret_of(browser, site, alert):
    page = browser.get(f"/sites/{site.pk}/alerts/{alert.pk}/webhook/").content.decode()
    found = re.search(r">([0-9a-f]{64})<", page)
    assert found
    return found[1]


def is_signed(got, secret):
    headers, body = got
    fields = dict(part.split("=") for part in headers["Outward-Signature"].split(","))
    signed = hmac.new(secret.encode(), f"{fields['t']}.".encode() + body, hashlib.sha256)
    return hmac.compare_digest(signed.hexdigest(), fields["v1"])


def test_a_webhook_gets_a_signed_message_at_each_end(client, site, browser, manager, receiver):
    url = f"http://localhost:{receiver.server_port}/hook"
    alert = make(browser, client, site, manager, webhook_url=url, people=[])
    watch_client(client, now=NOW)
    (got,) = receiver.got
    secret = secret_of(browser, site, alert)
    assert is_signed(got, secret)
    assert not is_signed((got[0], got[1] + b" "), secret)
    body = json.loads(got[1])
    assert body["type"] == "alert.began"
    assert body["alert"] == {"id": alert.pk, "name": "Nothing comes in", "kind": "no_hits"}
    assert body["numbers"] == {"hours": 3, "usual": 30.0}
    assert body["began_at"] == "2026-11-18T14:30:00+00:00"
    assert body["url"].endswith(f"/sites/{site.pk}/alerts/{alert.pk}/")
    come_back(client, site, NOW + 5 * MINUTE)
    watch_client(client, now=NOW + 6 * MINUTE)
    assert json.loads(receiver.got[1][1])["type"] == "alert.ended"
    assert receiver.got[0][0]["Outward-Delivery"] != receiver.got[1][0]["Outward-Delivery"]


def test_a_webhook_that_fails_is_tried_with_growing_pauses_under_one_name(
    client, site, browser, manager, receiver
):
    receiver.status = 503
    url = f"http://localhost:{receiver.server_port}/hook"
    alert = make(browser, client, site, manager, webhook_url=url, people=[], tell_end="")
    now = NOW
    for tries in range(1, ATTEMPTS + 1):
        watch_client(client, now=now)
        assert len(receiver.got) == tries
        watch_client(client, now=now)
        assert len(receiver.got) == tries
        if tries < ATTEMPTS:
            now += PAUSES[tries - 1]
    assert len({headers["Outward-Delivery"] for headers, _ in receiver.got}) == 1
    with entered(client):
        notice = AlertNotice.objects.get(channel=Channel.WEBHOOK)
    assert (notice.state, notice.answer) == (DeliveryState.FAILED, 503)
    page = browser.get(f"/sites/{site.pk}/alerts/{alert.pk}/").content.decode()
    assert "The server answered 503." in page


def test_a_webhook_of_a_dead_worker_is_sent_again_a_mail_is_not(
    client, site, browser, manager, receiver
):
    url = f"http://localhost:{receiver.server_port}/hook"
    make(browser, client, site, manager, webhook_url=url, quiet_from="14:00", quiet_to="14:40")
    watch_client(client, now=NOW)
    with entered(client):
        # Two workers that took a notice each and died.
        for notice in AlertNotice.objects.all():
            assert claim(AlertNotice, notice.pk, NOW)
    watch_client(client, now=NOW + STALE_AFTER + MINUTE)
    assert len(receiver.got) == 1
    assert mail.outbox == []
    with entered(client):
        states = dict(AlertNotice.objects.values_list("channel", "state"))
    assert states == {"email": DeliveryState.UNCERTAIN, "webhook": DeliveryState.SENT}


def test_an_example_can_be_sent_and_another_secret_made(client, site, browser, manager, receiver):
    url = f"http://localhost:{receiver.server_port}/hook"
    alert = make(browser, client, site, manager, webhook_url=url)
    address = f"/sites/{site.pk}/alerts/{alert.pk}/webhook/"
    first = secret_of(browser, site, alert)
    reply = browser.post(f"{address}try/", follow=True).content.decode()
    assert "The example arrived." in reply
    assert is_signed(receiver.got[0], first)
    assert json.loads(receiver.got[0][1])["is_example"] is True
    browser.post(f"{address}secret/")
    second = secret_of(browser, site, alert)
    assert second != first
    browser.post(f"{address}try/")
    assert is_signed(receiver.got[1], second)
    receiver.status = 404
    reply = browser.post(f"{address}try/", follow=True).content.decode()
    assert "The server answered 404." in reply


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://localhost/"])
@override_settings(PRODUCTION=True)
def test_in_production_a_webhook_is_https_to_the_public_internet(site, browser, manager, url):
    address = f"/sites/{site.pk}/alerts/new/?kind=no_hits"
    reply = browser.post(address, form(manager, webhook_url=url))
    assert reply.status_code == 422


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("fall", {"percent": "30", "minimum": "20"}, "30% or more below"),
        ("rise", {"percent": "30", "minimum": "20"}, "30% or more above"),
        ("not_found_burst", {"count": "30", "factor": "3"}, "30 pages not found in an hour"),
        ("no_hits", {"hours": "1"}, "No hit for an hour"),
    ],
)
def test_each_kind_has_its_own_numbers_and_words(
    client, site, browser, manager, kind, fields, words
):
    alert = make(browser, client, site, manager, kind=kind, name="Mine", **fields)
    assert words in browser.get(f"/sites/{site.pk}/alerts/").content.decode()
    assert alert.kind == kind
    assert browser.get(f"/sites/{site.pk}/alerts/{alert.pk}/change/").status_code == 200


def test_a_fall_says_what_it_is_compared_with(client, site, browser, manager):
    make(browser, client, site, manager, kind="fall", percent="40", minimum="20")
    watch_client(client, now=NOW)
    assert "30 visits by 2:00" in mail.outbox[0].body or "30 visits by 14:00" in mail.outbox[0].body
    assert "where 60 are usual by then on this weekday: −50%." in mail.outbox[0].body


def test_a_goal_that_is_reached_is_told_with_its_name(client, site, browser, manager):
    goal = goal_of(client, site)
    make(browser, client, site, manager, kind="goal_reached", goal_id=str(goal.pk), count="25")
    watch_client(client, now=NOW)
    assert "30 visits of the day reached Looked; 25 were asked for." in mail.outbox[0].body


def test_an_alert_on_a_district_is_of_k_visitors_at_least(client, site, browser, manager):
    with entered(client):
        goal = Goal.objects.create(
            site_id=site.pk, name="Westminster", kind="outcode", match="SW1A", created_at=NOW
        )
    address = f"/sites/{site.pk}/alerts/new/?kind=goal_reached"
    reply = browser.post(address, form(manager, goal_id=str(goal.pk), count="4"))
    assert reply.status_code == 422
    assert "is told of from 5 visitors on" in reply.content.decode()
    make(browser, client, site, manager, kind="goal_reached", goal_id=str(goal.pk), count="5")


def test_an_alert_on_goals_needs_a_goal(site, browser):
    page = browser.get(f"/sites/{site.pk}/alerts/new/?kind=goal_reached").content.decode()
    assert "No goals yet" in page


def test_an_event_is_seen_to_paused_and_deleted_with_entries(client, site, browser, manager):
    alert = make(browser, client, site, manager)
    watch_client(client, now=NOW)
    with entered(client):
        event = AlertEvent.objects.get()
    address = f"/sites/{site.pk}/alerts/{alert.pk}/"
    browser.post(f"{address}events/{event.pk}/seen/")
    assert str(manager) in browser.get(address).content.decode()
    browser.post(f"{address}pause/")
    assert open_alerts(client) == 0
    browser.post(f"{address}resume/")
    watch_client(client, now=NOW + MINUTE)
    assert open_alerts(client) == 1
    browser.post(f"{address}delete/")
    assert open_alerts(client) == 0
    assert browser.get(address).status_code == 404
    acts = AuditEntry.objects.filter(client_id=client.pk, actor=manager.email).order_by("pk")
    assert list(acts.values_list("act", flat=True)) == [
        "alert.create",
        "alert.acknowledge",
        "alert.pause",
        "alert.resume",
        "alert.delete",
    ]


def test_viewers_read_alerts_and_change_none(client, site, browser, manager):
    alert = make(browser, client, site, manager)
    viewer = browser_of(client, person(f"viewer@{client.slug}.example", client, Role.VIEWER))
    page = viewer.get(f"/sites/{site.pk}/alerts/{alert.pk}/").content.decode()
    assert "Delete" not in page
    for end in ("pause/", "delete/", "webhook/try/"):
        assert viewer.post(f"/sites/{site.pk}/alerts/{alert.pk}/{end}").status_code == 403
    assert viewer.get(f"/sites/{site.pk}/alerts/new/").status_code == 403


def test_alerts_tell_of_the_overview_and_are_closed_to_who_may_not_see_it(
    client, site, browser, manager
):
    sections = [Section.PAGES.value]
    reader = person(
        f"pages@{client.slug}.example", client, Role.VIEWER, all_sections=False, sections=sections
    )
    assert browser_of(client, reader).get(f"/sites/{site.pk}/alerts/").status_code == 403


ENDS = (
    *("change/", "pause/", "resume/", "delete/"),
    *("webhook/", "webhook/secret/", "webhook/try/"),
)


def goal_of(client, site):
    with entered(client):
        return Goal.objects.create(
            site_id=site.pk, name="Looked", kind="page", match="/", created_at=NOW
        )


def narrow(client, *sections, role=Role.MANAGER):
    email = f"{'-'.join(sections)}.{role}@{client.slug}.example"
    return person(email, client, role, all_sections=False, sections=[*sections])


@pytest.mark.parametrize(
    ("sections", "kind"), [(["pages"], "no_hits"), (["overview"], "goal_reached")]
)
def test_who_may_not_see_the_figures_changes_no_alert_on_them(
    client, site, browser, manager, receiver, sections, kind
):
    goal = goal_of(client, site)
    alert = make(
        browser, client, site, manager, kind=kind, goal_id=str(goal.pk), count="5",
        webhook_url=f"http://localhost:{receiver.server_port}/hook",
    )  # fmt: skip
    watch_client(client, now=NOW)
    with entered(client):
        event = AlertEvent.objects.get()
    sent = len(receiver.got)
    other = browser_of(client, narrow(client, *sections))
    address = f"/sites/{site.pk}/alerts/{alert.pk}/"
    for end in (*ENDS, f"events/{event.pk}/seen/"):
        assert other.post(f"{address}{end}", form(manager)).status_code in {403, 405}, end
    for path in ("", "change/", "webhook/"):
        assert other.get(f"{address}{path}").status_code == 403, path
    for reply in (
        other.get(f"/sites/{site.pk}/alerts/new/?kind={kind}"),
        other.post(
            f"/sites/{site.pk}/alerts/new/?kind={kind}",
            form(manager, goal_id=str(goal.pk), count="5"),
        ),
    ):
        assert reply.status_code == 403
    assert len(receiver.got) == sent
    with entered(client):
        assert Alert.objects.get().is_paused is False
        assert AlertEvent.objects.get().acknowledged_at is None


def test_the_list_is_without_alerts_on_goals_for_who_may_not_see_goals(
    client, site, browser, manager
):
    goal = goal_of(client, site)
    make(
        browser, client, site, manager, kind="goal_reached", name="Goals of the day",
        goal_id=str(goal.pk), count="5",
    )  # fmt: skip
    make(browser, client, site, manager, name="Silence")
    other = browser_of(client, narrow(client, "overview"))
    page = other.get(f"/sites/{site.pk}/alerts/").content.decode()
    assert "Silence" in page
    assert "Goals of the day" not in page
    assert "kind=goal_reached" not in page
    assert "Goals of the day" in browser.get(f"/sites/{site.pk}/alerts/").content.decode()


def test_the_report_tells_what_holds_until_somebody_has_seen_to_it(client, site, browser, manager):
    alert = make(browser, client, site, manager)
    words = "No hit for 3 hours. In these hours of this weekday 30 visits are usual."
    address = f"/sites/{site.pk}/alerts/{alert.pk}/"

    def report(reader=browser):
        return reader.get(f"/sites/{site.pk}/").content.decode()

    assert words not in report()
    watch_client(client, now=NOW)
    page = report()
    assert words in page
    assert f'href="{address}"' in page
    viewer = browser_of(client, person(f"reads@{client.slug}.example", client, Role.VIEWER))
    assert words in report(viewer)
    assert words not in report(browser_of(client, narrow(client, Section.PAGES.value)))
    with entered(client):
        event = AlertEvent.objects.get()
    browser.post(f"{address}events/{event.pk}/seen/")
    assert words not in report()


def test_the_report_tells_of_a_goal_to_who_may_see_goals(client, site, browser, manager):
    goal = goal_of(client, site)
    make(browser, client, site, manager, kind="goal_reached", goal_id=str(goal.pk), count="25")
    watch_client(client, now=NOW)
    words = "30 visits of the day reached Looked; 25 were asked for."
    assert words in browser.get(f"/sites/{site.pk}/").content.decode()
    reader = browser_of(client, narrow(client, Section.OVERVIEW.value))
    page = reader.get(f"/sites/{site.pk}/")
    assert page.status_code == 200
    assert "reached Looked" not in page.content.decode()


def test_who_lost_the_section_gets_no_more_numbers(client, site, browser, manager):
    reader = person(f"reader@{client.slug}.example", client, Role.VIEWER)
    make(browser, client, site, manager, people=[str(reader.pk)])
    reader.memberships.update(all_sections=False, sections=[Section.PAGES.value])
    watch_client(client, now=NOW)
    assert mail.outbox == []
    with entered(client):
        notice = AlertNotice.objects.get()
    assert (notice.state, notice.problem) == (
        DeliveryState.DROPPED,
        "This person may not see these figures any more.",
    )


def test_the_form_offers_only_people_who_see_the_figures(client, site, browser, manager):
    reader = narrow(client, "pages", role=Role.VIEWER)
    address = f"/sites/{site.pk}/alerts/new/?kind=no_hits"
    assert reader.email not in browser.get(address).content.decode()
    reply = browser.post(address, form(manager, people=[str(reader.pk)]))
    assert reply.status_code == 422


def test_quiet_hours_need_both_ends(site, browser, manager):
    address = f"/sites/{site.pk}/alerts/new/?kind=no_hits"
    reply = browser.post(address, form(manager, quiet_from="22:00"))
    assert reply.status_code == 422
    assert "Quiet hours need both ends" in reply.content.decode()


def test_each_client_has_a_job_of_its_own(client, site, browser, manager, valkey):
    make(browser, client, site, manager)
    before = valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE)
    asked = tasks.watch_alerts()
    assert asked == Client.objects.filter(is_active=True).count()
    assert valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE) == before + asked
    assert tasks.watch_alerts_of(client.pk) == 1
    assert tasks.watch_alerts_of(client.pk) == 0
    assert tasks.watch_alerts_of(0) == 0
    assert [letter.to for letter in mail.outbox].count([manager.email]) == 1


def test_a_job_of_one_client_has_an_end(client, site):
    assert list(for_a_round([1, 2, 3], seconds=0)) == [1]
    assert list(for_a_round([1, 2, 3])) == [1, 2, 3]
    for task in (tasks.watch_alerts_of, tasks.send_reports_of):
        limits = [task.soft_time_limit, task.time_limit]
        assert limits == [tasks.SOFT_LIMIT_S, tasks.HARD_LIMIT_S]
    assert tasks.SOFT_LIMIT_S < tasks.HARD_LIMIT_S < STALE_AFTER.total_seconds()


def test_a_name_with_a_line_break_is_refused_and_an_old_one_stops_nobody(
    client, site, browser, manager
):
    address = f"/sites/{site.pk}/alerts/new/?kind=no_hits"
    reply = browser.post(address, form(manager, name="One\r\nBcc: x@example.com"))
    assert reply.status_code == 422
    assert "A name is one line of text" in reply.content.decode()
    for _ in range(2):
        make(browser, client, site, manager)
    with entered(client):
        Alert.objects.filter(pk=Alert.objects.earliest("pk").pk).update(name="One\nBcc: x")
    watch_client(client, now=NOW)
    subjects = [letter.subject for letter in mail.outbox]
    assert subjects == [f"One Bcc: x, {site.name}", f"Nothing comes in, {site.name}"]
