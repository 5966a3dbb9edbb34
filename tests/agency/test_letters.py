"""Mail of the embedded default: readable files, and a page that shows them."""

import re
from pathlib import Path

from django.conf import settings
from django.core import mail
from django.test import override_settings

from agency.mail_files import FileBackend, list_mails
from tenants.models import User
from tests.walking import browser_of

MAIL = {"EMAIL_BACKEND": "agency.mail_files.FileBackend"}
"""Django's test set-up keeps mail in memory; these tests read the files."""


@override_settings(**MAIL)
def test_a_letter_is_a_readable_file_named_by_time_and_subject() -> None:
    letter = mail.EmailMultiAlternatives(
        "Bericht für März", "Grüße: £5 — “so”.\n", "reports@agency.example", ["ann@people.example"]
    )
    letter.attach_alternative("<p>Grüße</p>", "text/html")
    letter.attach("report.csv", "a,b\n1,2\n", "text/csv")
    letter.send()
    (path,) = Path(settings.EMAIL_FILE_PATH).glob("*-bericht-fur-marz-*.eml")
    assert re.fullmatch(r"\d{8}-\d{6}-bericht-fur-marz-[0-9a-f]{4}\.eml", path.name)
    raw = path.read_text()
    assert "Grüße: £5 — “so”." in raw
    assert "<p>Grüße</p>" in raw
    stored = next(one for one in list_mails() if one.name == path.name)
    assert stored.subject == "Bericht für März"
    assert stored.text.strip() == "Grüße: £5 — “so”."
    assert stored.html.strip() == "<p>Grüße</p>"
    assert stored.attachments == ("report.csv",)


def test_letters_are_shown_newest_first_to_owners_and_without_rights(
    agency_owner: User, analyst: User
) -> None:
    for number in (1, 2):
        letter = mail.EmailMultiAlternatives(
            f"Number {number}", "t", "a@b.example", ["c@d.example"]
        )
        letter.attach_alternative("<script>alert(1)</script><p>Hello</p>", "text/html")
        FileBackend().send_messages([letter])
    with override_settings(**MAIL):
        browser = browser_of(agency_owner, settings.AGENCY_HOST)
        page = browser.get("/mail/").content.decode()
        assert page.index("Number 2") < page.index("Number 1")
        name = re.search(r"/mail/([^/]*number-2[^/]*)/", page)
        assert name is not None
        frame = browser.get(f"/mail/{name[1]}/html/")
        assert "sandbox" in frame["Content-Security-Policy"]
        assert "default-src 'none'" in frame["Content-Security-Policy"]
        assert "sandbox" in browser.get(f"/mail/{name[1]}/").content.decode()
        assert browser.get("/mail/..%2F..%2Froot.key/").status_code == 404
        assert browser_of(analyst, settings.AGENCY_HOST).get("/mail/").status_code == 403
        with override_settings(PRODUCTION=True, SECURE_SSL_REDIRECT=False):
            assert browser.get("/mail/").status_code == 404
