"""Uploading a weblog through the page: its pieces, its progress, its summary, nothing left."""

import datetime as dt
import re

import pytest
from django.conf import settings
from django.utils import timezone

from tenants.models import LogUpload, UploadState
from tests.conftest import site_of
from tests.tracking.test_uploads import MARKED, files_with, log_of
from tests.tracking.weblog_stage import BOT, hits, line
from tests.walking import browser_of
from tracking.tasks import import_upload
from tracking.uploads import MAX_PIECE, path_of


@pytest.fixture
def client(new_client):
    """Of each test's own: what another has imported would be counted too."""
    return new_client()


@pytest.fixture
def staff(analyst):
    return browser_of(analyst, settings.AGENCY_HOST)


def upload_all(staff, client, data: bytes, piece: int = MAX_PIECE, **fields) -> LogUpload:
    """As the page's script does it."""
    site = site_of(client)
    announced = {"site": site.pk, "name": "access.log", "size": len(data), **fields}
    begun = staff.post(f"/clients/{client.slug}/imports/begin/", announced)
    assert begun.status_code == 201, begun.content
    url = begun.json()["piece_url"]
    offset = 0
    while offset < len(data):
        reply = staff.post(
            f"{url}?offset={offset}", data[offset : offset + piece], "application/octet-stream"
        )
        assert reply.status_code == 200, reply.content
        offset = reply.json()["received"]
    return LogUpload.objects.get(pk=begun.json()["page_url"].split("/")[-2])


def test_a_log_is_uploaded_imported_and_summed_up(client, staff, valkey):
    lines = log_of(40).decode() + line("/bot", agent=BOT) * 3 + "nonsense\n" * 2
    before = valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE)
    upload = upload_all(staff, client, lines.encode(), piece=1_500)
    assert upload.state == UploadState.QUEUED
    assert valkey.llen(settings.CELERY_TASK_DEFAULT_QUEUE) == before + 1
    path = f"/clients/{client.slug}/imports/{upload.pk}/"
    waiting = staff.get(path).content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    assert files_with(MARKED) == []
    import_upload(str(upload.pk))
    page = staff.get(path).content.decode()
    assert 'hx-trigger="every 1s"' not in page
    assert "Deleted, with its key" in page
    figures = dict(re.findall(r"<dt>(\w+[\w ]*)</dt>\s*<dd>(\d+)", page))
    assert figures["Lines"] == "45"
    assert figures["Stored"] == "40" == str(hits(client))
    assert int(figures["Skipped"]) + int(figures["Not understood"]) == 5
    assert "line 44" in page
    assert not path_of(upload.pk).exists()
    assert files_with(MARKED) == []
    assert "access.log" in staff.get(f"/clients/{client.slug}/imports/").content.decode()


def test_the_same_log_again_stores_nothing_twice(client, staff):
    data = log_of(10, "198.51.100.9")
    for _ in range(2):
        upload = upload_all(staff, client, data)
        before = hits(client)
        import_upload(str(upload.pk))
    assert hits(client) == before


def test_wrong_choices_are_refused_by_field(client, client_b, staff):
    begin = f"/clients/{client.slug}/imports/begin/"
    good = {"site": site_of(client).pk, "name": "a.log", "size": 10}
    for changed, field in (
        ({"site": site_of(client_b).pk}, "site"),
        ({"log_format": "$nothing_known"}, "log_format"),
        ({"log_format": "clearly"}, "log_format"),
        ({"size": 0}, "file"),
        ({"size": settings.UPLOAD_BYTES + 1}, "file"),
        ({"include": "everything"}, "include"),
    ):
        reply = staff.post(begin, {**good, **changed})
        assert reply.status_code == 422, changed
        assert list(reply.json()["errors"]) == [field], changed


def test_pieces_are_bounded_and_in_order(client, staff):
    begun = staff.post(
        f"/clients/{client.slug}/imports/begin/",
        {"site": site_of(client).pk, "name": "a.log", "size": 2 * MAX_PIECE},
    ).json()
    url = begun["piece_url"]

    def send(query: str, data: bytes) -> int:
        return int(staff.post(url + query, data, "application/octet-stream").status_code)

    assert send("?offset=0", b"x" * (MAX_PIECE + 1)) == 413
    assert send("", b"x") == 400
    assert send("?offset=9", b"x") == 409
    assert send("?offset=0", b"x") == 200
    cancelled = staff.post(url.replace("piece", "cancel"))
    assert cancelled.status_code == 302
    assert send("?offset=1", b"x") == 409
    assert "Cancelled" in staff.get(begun["page_url"]).content.decode()


def test_only_staff_who_may_import_see_the_page(client, privacy_officer, staff, client_a):
    browser = browser_of(privacy_officer, settings.AGENCY_HOST)
    assert browser.get(f"/clients/{client.slug}/imports/").status_code == 403
    upload = upload_all(staff, client, log_of(1))
    assert staff.get(f"/clients/{client_a.slug}/imports/{upload.pk}/").status_code == 404


def test_progress_tells_rate_and_remaining_time(client, staff):
    upload = upload_all(staff, client, log_of(5))
    now = timezone.now()
    LogUpload.objects.filter(pk=upload.pk).update(
        state=UploadState.RUNNING, position=upload.size // 4, lines=1_200, stored=1_000,
        started_at=now - dt.timedelta(seconds=10), updated_at=now,
    )  # fmt: skip
    page = staff.get(
        f"/clients/{client.slug}/imports/{upload.pk}/", headers={"HX-Request": "true"}
    ).content.decode()
    assert "<html" not in page
    assert "1,200 lines, 1,000 stored" in page
    assert "120 lines a second" in page
    assert re.search(r"about (29|30|31)s left", page)
    LogUpload.objects.filter(pk=upload.pk).update(state=UploadState.QUEUED)
    import_upload(str(upload.pk))
    assert not path_of(upload.pk).exists()
