"""Scheduled mails from the form to the letter box: right figures, once, to whom it may concern."""

import datetime as dt
import io
import re
import socket
import socketserver
import threading
from email.mime.image import MIMEImage

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from PIL import Image

from agency import tasks
from agency.report_sending import send_due_reports
from tenants.logos import check_logo, set_logo
from tenants.models import AuditEntry, Client, Role, Section, Site
from tenants.schemas import entered
from tests.agency.delivery_stage import browser_of, fill, person
from tracking.delivery.schedules import newest_deliveries
from tracking.delivery.sendings import STALE_AFTER, claim
from tracking.models import Recipient, ReportDelivery, ScheduledReport
from tracking.models.delivery import DeliveryState
from tracking.query.model import Query
from tracking.query.run import run_query

NOW = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
"""A Wednesday; the newest week that has ended is that of 9 to 15 November."""
MONDAY = dt.datetime(2026, 11, 23, 7, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def client(new_client):
    return new_client(timezone_name="UTC", name="Post & Sons")


@pytest.fixture(scope="module")
def site(client):
    return fill(client, MONDAY, days=20)


@pytest.fixture(scope="module")
def manager(client):
    return person("mails@people.example", client, Role.MANAGER)


@pytest.fixture
def browser(client, site, manager):
    with time_machine.travel(NOW, tick=False):
        yield browser_of(client, manager)


@pytest.fixture(autouse=True)
def _empty(client):
    """No mail of another test."""
    mail.outbox.clear()
    yield
    with entered(client):
        ScheduledReport.objects.all().delete()


def form(manager, **fields):
    values = {
        "name": "The week in figures",
        "cadence": "weekly",
        "weekday": "0",
        "hour": "7",
        "text": "Dear all,\n\n<b>well done</b>.",
        "sections": ["overview", "pages", "sources"],
        "people": [str(manager.pk)],
        "addresses": "",
    }
    return values | fields


def make(browser, client, site, manager, **fields):
    reply = browser.post(f"/sites/{site.pk}/mails/new/", form(manager, **fields))
    assert reply.status_code == 302, reply.content.decode()
    with entered(client):
        return ScheduledReport.objects.order_by("-pk")[0]


def deliveries(client):
    with entered(client):
        rows = ReportDelivery.objects.order_by("pk")
        return [(one.recipient.email, one.state, one.problem) for one in rows]


def html_of(letter):
    return str(letter.alternatives[0][0])


def test_a_week_comes_by_mail_once_with_the_figures_of_the_report(client, site, browser, manager):
    make(browser, client, site, manager)
    assert send_due_reports(client, now=NOW).sent == 0
    assert send_due_reports(client, now=MONDAY).sent == 1
    for minutes in (1, 60, 60 * 24 * 6):
        assert send_due_reports(client, now=MONDAY + dt.timedelta(minutes=minutes)).sent == 0
    (letter,) = mail.outbox
    with entered(client):
        query = Query(("visitors", "visits"), dt.date(2026, 11, 16), dt.date(2026, 11, 22))
        (row,) = run_query(site, query, k=5, now=MONDAY).rows
    assert letter.to == [manager.email]
    assert letter.subject == f"{site.name}, 16–22 Nov 2026: {row.metrics[0]} visitors"
    assert letter.from_email.startswith("Post & Sons reports <")
    for part in (letter.body, html_of(letter)):
        assert "16–22 Nov 2026" in part
        assert "9–15 Nov 2026" in part
        assert f"{row.metrics[1]}" in part
        assert "/p1" in part
    assert "<b>well done</b>" in letter.body
    assert "&lt;b&gt;well done&lt;/b&gt;" in html_of(letter)
    assert deliveries(client) == [(manager.email, DeliveryState.SENT, "")]


def test_a_letter_loads_nothing_from_anywhere(client, site, browser, manager):
    make(browser, client, site, manager)
    send_due_reports(client, now=MONDAY)
    html = html_of(mail.outbox[0])
    assert not re.search(r"\ssrc=[\"'](?!cid:)", html)
    assert "<link" not in html
    assert "<script" not in html
    assert "url(" not in html
    host = f"http://{client.slug}.localhost"
    assert all(url.startswith(host) for url in re.findall(r"href=\"([^\"]+)\"", html))


def test_only_the_sections_that_the_reader_may_see_are_sent(client, site, browser, manager):
    reader = person(
        "only.pages@people.example",
        client,
        Role.VIEWER,
        all_sections=False,
        sections=[Section.PAGES.value],
    )
    make(browser, client, site, manager, people=[str(manager.pk), str(reader.pk)])
    assert send_due_reports(client, now=MONDAY).sent == 2
    letters = {letter.to[0]: html_of(letter) for letter in mail.outbox}
    assert "Bounce rate" in letters[manager.email]
    assert ">Sources<" in letters[manager.email]
    assert "Bounce rate" not in letters[reader.email]
    assert ">Sources<" not in letters[reader.email]
    assert ">Pages<" in letters[reader.email]


def test_who_lost_access_gets_nothing_more_and_the_page_says_so(client, site, browser, manager):
    leaver = person("leaver@people.example", client, Role.VIEWER)
    report = make(browser, client, site, manager, people=[str(leaver.pk)])
    leaver.memberships.all().delete()
    assert send_due_reports(client, now=MONDAY).dropped == 1
    assert mail.outbox == []
    page = browser.get(f"/sites/{site.pk}/mails/{report.pk}/").content.decode()
    assert "may not see the report any more" in page


def test_other_peoples_addresses_are_asked_and_can_stop_it(client, site, browser, manager):
    make(browser, client, site, manager, people=[], addresses="Aunt@Elsewhere.example")
    (question,) = mail.outbox
    assert question.to == ["aunt@elsewhere.example"]
    assert send_due_reports(client, now=MONDAY).sent == 0
    confirm = re.search(r"http://[^/]+(/mails/[\w-]+/confirm/)", str(question.body))
    assert confirm
    aunt = browser_of(client)
    aunt.get(confirm[1])
    assert send_due_reports(client, now=MONDAY + dt.timedelta(days=7)).sent == 0
    assert "You will get" in aunt.post(confirm[1]).content.decode()
    assert send_due_reports(client, now=MONDAY + dt.timedelta(days=14)).sent == 1
    letter = mail.outbox[-1]
    assert letter.to == ["aunt@elsewhere.example"]
    header = str(letter.extra_headers["List-Unsubscribe"])
    stop = re.search(r"<http://[^/]+(/mails/[\w-]+/stop/)>", header)
    assert stop
    assert stop[1] in html_of(letter)
    assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    aunt.get(stop[1])
    with entered(client):
        assert Recipient.objects.get().unsubscribed_at is None
    assert aunt.post(stop[1], {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert send_due_reports(client, now=MONDAY + dt.timedelta(days=21)).sent == 0


def test_a_token_of_another_clients_mail_leads_nowhere(client, site, browser, manager, client_a):
    make(browser, client, site, manager)
    with entered(client):
        token = Recipient.objects.get().token
    for end in ("confirm", "stop"):
        assert browser_of(client_a).get(f"/mails/{token}/{end}/").status_code == 404


def test_a_mail_server_that_is_away_is_tried_again_and_shown(client, site, browser, manager):
    report = make(browser, client, site, manager)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=port,
            EMAIL_HOST_USER="",
            EMAIL_USE_TLS=False,
            EMAIL_USE_SSL=False,
        ):
            assert send_due_reports(client, now=MONDAY).failed == 1
    problem = "The mail server could not be reached."
    assert deliveries(client) == [(manager.email, DeliveryState.WAITING, problem)]
    assert problem in browser.get(f"/sites/{site.pk}/mails/{report.pk}/").content.decode()
    assert send_due_reports(client, now=MONDAY + dt.timedelta(seconds=30)).sent == 0
    assert send_due_reports(client, now=MONDAY + dt.timedelta(minutes=2)).sent == 1
    assert len(mail.outbox) == 1


class Refusing(socketserver.StreamRequestHandler):
    """A mail server that knows nobody."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"550 nobody here\r\n" if word == b"RCPT" else b"250 yes\r\n")


def test_a_refused_address_is_told_without_naming_it(client, site, browser, manager):
    make(browser, client, site, manager)
    with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=server.server_address[1],
            EMAIL_HOST_USER="",
            EMAIL_USE_TLS=False,
            EMAIL_USE_SSL=False,
        ):
            assert send_due_reports(client, now=MONDAY).failed == 1
        server.shutdown()
        thread.join()
    ((_, state, problem),) = deliveries(client)
    assert state == DeliveryState.WAITING
    assert problem == "The mail server refused the recipient's address."


def test_a_worker_that_died_leaves_a_mail_for_a_person_to_repeat(client, site, browser, manager):
    report = make(browser, client, site, manager)
    with time_machine.travel(MONDAY, tick=False):
        send_due_reports(client, now=MONDAY)
        with entered(client):
            # As it stands when a worker dies between the mail server and the database.
            ReportDelivery.objects.update(state=DeliveryState.WAITING, sent_at=None)
            delivery = ReportDelivery.objects.get()
            assert claim(ReportDelivery, delivery.pk, MONDAY)
    later = MONDAY + STALE_AFTER + dt.timedelta(minutes=1)
    assert send_due_reports(client, now=later).sent == 0
    assert len(mail.outbox) == 1
    with time_machine.travel(later, tick=False):
        page = browser_of(client, manager).get(f"/sites/{site.pk}/mails/{report.pk}/")
        assert "Perhaps sent" in page.content.decode()
        again = f"/sites/{site.pk}/mails/{report.pk}/sent/{delivery.pk}/again/"
        browser_of(client, manager).post(again)
    assert send_due_reports(client, now=later).sent == 1
    assert len(mail.outbox) == 2


def test_a_report_as_pdf_is_attached(client, site, browser, manager):
    make(browser, client, site, manager, with_pdf="on")
    send_due_reports(client, now=MONDAY)
    names = [attachment[0] for attachment in mail.outbox[0].attachments]
    assert names == [f"{client.slug}-report.pdf"]
    assert mail.outbox[0].attachments[0][1].startswith(b"%PDF-")


def test_the_clients_logo_is_inside_the_letter_and_on_paper(
    client, site, browser, manager, clean_logo
):
    make(browser, client, site, manager, with_pdf="on")
    send_due_reports(client, now=MONDAY)
    letter = mail.outbox[0]
    assert 'src="cid:logo"' in html_of(letter)
    (image,) = [part for part in letter.attachments if isinstance(part, MIMEImage)]
    assert image["Content-ID"] == "<logo>"
    assert image.get_content_type() == "image/png"
    (pdf,) = [part[1] for part in letter.attachments if not isinstance(part, MIMEImage)]
    assert b"/Subtype /Image" in pdf or b"/Subtype/Image" in pdf


@pytest.fixture
def clean_logo(client, manager):
    """A logo for the time of a test."""
    picture = io.BytesIO()
    Image.new("RGB", (120, 40), "#a3243b").save(picture, "PNG")
    set_logo(client, check_logo(picture.getvalue()), acting_user=manager.email)
    client.refresh_from_db()
    yield
    set_logo(client, None, acting_user=manager.email)
    client.refresh_from_db()


def test_a_test_goes_to_oneself_alone_and_counts_as_nothing(client, site, browser, manager):
    report = make(browser, client, site, manager, people=[], addresses="aunt@elsewhere.example")
    mail.outbox.clear()
    browser.post(f"/sites/{site.pk}/mails/{report.pk}/test/")
    (letter,) = mail.outbox
    assert letter.to == [manager.email]
    assert letter.subject.startswith("Test: ")
    assert "9–15 Nov 2026" in letter.body
    assert "List-Unsubscribe" not in letter.extra_headers
    assert deliveries(client) == []


def test_the_preview_is_the_mail_and_may_stand_in_our_frame_only(client, site, browser, manager):
    report = make(browser, client, site, manager)
    reply = browser.get(f"/sites/{site.pk}/mails/{report.pk}/preview/")
    assert "9–15 Nov 2026" in reply.content.decode()
    assert "script-src" not in reply["Content-Security-Policy"]
    assert "default-src 'none'" in reply["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in reply["Content-Security-Policy"]
    page = browser.get(f"/sites/{site.pk}/mails/{report.pk}/")
    assert "frame-src 'self'" in page["Content-Security-Policy"]


def test_a_paused_mail_waits_and_goes_on_with_the_next_week(client, site, browser, manager):
    report = make(browser, client, site, manager)
    browser.post(f"/sites/{site.pk}/mails/{report.pk}/pause/")
    assert send_due_reports(client, now=MONDAY).sent == 0
    with time_machine.travel(MONDAY + dt.timedelta(days=1), tick=False):
        browser_of(client, manager).post(f"/sites/{site.pk}/mails/{report.pk}/resume/")
    assert send_due_reports(client, now=MONDAY + dt.timedelta(days=1)).sent == 0
    assert send_due_reports(client, now=MONDAY + dt.timedelta(days=7)).sent == 1


def test_a_changed_mail_is_kept_and_written_down(client, site, browser, manager):
    report = make(browser, client, site, manager)
    address = f"/sites/{site.pk}/mails/{report.pk}/change/"
    assert "The week in figures" in browser.get(address).content.decode()
    browser.post(address, form(manager, cadence="monthly", name="The month"))
    page = browser.get(f"/sites/{site.pk}/mails/").content.decode()
    assert "The first of each month at 07:00" in page
    acts = AuditEntry.objects.filter(client_id=client.pk, act__startswith="schedule.")
    assert list(acts.order_by("pk").values_list("act", flat=True))[-2:] == [
        "schedule.create",
        "schedule.change",
    ]
    browser.post(f"/sites/{site.pk}/mails/{report.pk}/delete/")
    assert browser.get(f"/sites/{site.pk}/mails/{report.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "One\r\nBcc: x@example.com"}, "A name is one line of text"),
        ({"people": [], "addresses": ""}, "Choose who gets it"),
        ({"addresses": "no address"}, "is no e-mail address"),
        ({"sections": []}, "Choose at least one section"),
        ({"hour": "24"}, "Select a valid choice"),
    ],
)
def test_the_form_says_what_is_wrong(site, browser, manager, fields, words):
    reply = browser.post(f"/sites/{site.pk}/mails/new/", form(manager, **fields))
    assert reply.status_code == 422
    assert words in reply.content.decode()


def test_the_list_reads_the_newest_sending_alone(client, site, browser, manager):
    report = make(browser, client, site, manager)
    make(browser, client, site, manager, name="Never sent")
    weeks = [MONDAY + dt.timedelta(days=7 * week) for week in range(3)]
    for week in weeks:
        send_due_reports(client, now=week)
    with entered(client):
        newest = ReportDelivery.objects.filter(report=report).latest("pk")
        ReportDelivery.objects.filter(pk=newest.pk).update(state=DeliveryState.UNCERTAIN)
        found = newest_deliveries([report])
        assert [(key, one.pk) for key, one in found.items()] == [(report.pk, newest.pk)]
    with CaptureQueriesContext(connection) as asked:
        page = browser.get(f"/sites/{site.pk}/mails/").content.decode()
    assert "Perhaps sent" in page
    (query,) = [one["sql"] for one in asked.captured_queries if "report_deliveries" in one["sql"]]
    assert "DISTINCT ON" in query


def test_each_client_has_a_job_of_its_own(client, site, browser, manager, valkey):
    make(browser, client, site, manager)
    before = valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE)
    asked = tasks.send_reports()
    assert asked == Client.objects.filter(is_active=True).count()
    assert valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE) == before + asked
    with time_machine.travel(MONDAY, tick=False):
        assert tasks.send_reports_of(client.pk) == 1
        assert tasks.send_reports_of(client.pk) == 0
    assert tasks.send_reports_of(0) == 0
    assert [letter.to for letter in mail.outbox] == [[manager.email]]


def test_a_name_that_breaks_the_mails_head_is_dropped_and_stops_nobody(
    client, site, browser, manager
):
    make(browser, client, site, manager)
    make(browser, client, site, manager)
    Site.objects.filter(pk=site.pk).update(name="Two\nlines")
    try:
        sent = send_due_reports(client, now=MONDAY)
    finally:
        Site.objects.filter(pk=site.pk).update(name=site.name)
    assert (sent.sent, sent.failed) == (0, 2)
    assert {(state, problem) for _, state, problem in deliveries(client)} == {
        (DeliveryState.DROPPED, "A name in the mail's head has a line break in it: take it out.")
    }
