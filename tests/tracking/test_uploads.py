"""Uploaded weblogs are imported, and neither they nor what they hold stays on the disk."""

import datetime as dt
import gzip
import stat
import threading
import uuid

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from tenants.keys import KeyDestroyedError
from tenants.keystore.models import UploadKey
from tenants.models import LogUpload, UploadState
from tenants.upload_keys import find_upload_key
from tests.conftest import VAR, site_of
from tests.test_promise import forms_of
from tests.tracking.weblog_stage import hits, line
from tracking import uploads
from tracking.tasks import import_upload, sweep_uploads
from tracking.uploads import MAX_PIECE, UploadError, append, begin_upload, path_of
from tracking.weblogs.locks import held_as_parent
from tracking.weblogs.options import Options

MARKED = "203.0.113.77"


def log_of(lines: int, address: str = MARKED) -> bytes:
    return "".join(line(f"/page-{number}", address=address) for number in range(lines)).encode()


def received(client, data: bytes, *, name="access.log", piece=MAX_PIECE, **options) -> LogUpload:
    upload = begin_upload(
        client,
        site_of(client),
        name=name,
        size=len(data),
        options=Options(**options),
        acting_user="tests",
        now=timezone.now(),
    )
    for offset in range(0, len(data), piece):
        upload = append(upload, data[offset : offset + piece], offset=offset)
    return upload


def files_with(address: str) -> list[str]:
    """Files of the test's folder, but for the database's own pages, that name an address."""
    needles = list(forms_of(address).values())
    found = []
    for path in VAR.rglob("*"):
        if path.is_file() and "postgres" not in path.relative_to(VAR).parts:
            content = path.read_bytes()
            found += [path.name for needle in needles if needle in content]
    return found


def test_an_uploaded_log_is_imported_and_its_file_and_key_are_gone(new_client):
    client = new_client()
    upload = received(client, log_of(300), piece=7_000)
    assert upload.state == UploadState.QUEUED
    path = path_of(upload.pk)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files_with(MARKED) == []
    assert import_upload(str(upload.pk)) == "finished"
    upload.refresh_from_db()
    assert hits(client) == upload.stored == 300
    assert upload.lines == upload.stored + sum(upload.skipped.values()) + sum(upload.bad.values())
    assert upload.position == upload.size
    assert not path.exists()
    with pytest.raises(KeyDestroyedError):
        find_upload_key(upload.pk)
    assert files_with(MARKED) == []
    assert import_upload(str(upload.pk)) == ""


def test_the_search_for_addresses_finds_a_file_that_is_not_sealed(new_client):
    leak = settings.UPLOAD_PATH / "leak.txt"
    leak.parent.mkdir(parents=True, exist_ok=True)
    leak.write_bytes(log_of(1))
    try:
        assert files_with(MARKED)
    finally:
        leak.unlink()


def test_a_compressed_log_is_read_in_pieces_of_any_size(new_client):
    client = new_client()
    data = gzip.compress(log_of(500))
    upload = received(client, data, name="C:\\logs\\access.log.gz", piece=13)
    assert upload.name == "access.log.gz"
    assert import_upload(str(upload.pk)) == "finished"
    assert hits(client) == 500


def test_a_piece_that_comes_twice_is_kept_once_and_a_missing_one_is_asked_for(new_client):
    client = new_client()
    data = log_of(20)
    upload = begin_upload(
        client, site_of(client), name="a.log", size=len(data), options=Options(),
        acting_user="tests", now=timezone.now(),
    )  # fmt: skip
    append(upload, data[:500], offset=0)
    assert append(upload, data[:500], offset=0).received == 500
    with pytest.raises(UploadError, match="byte 500") as refused:
        append(upload, data[900:1000], offset=900)
    assert refused.value.status == 409
    with pytest.raises(UploadError, match="larger than announced"):
        append(upload, data[500:] + b"more", offset=500)
    # A process that was killed between file and row has left bytes behind.
    with path_of(upload.pk).open("ab") as file:
        file.write(b"half a piece")
    upload = append(upload, data[500:], offset=500)
    assert import_upload(str(upload.pk)) == "finished"
    assert hits(client) == 20


def test_a_changed_file_is_refused_and_deleted(new_client):
    client = new_client()
    upload = received(client, log_of(50), piece=1_000)
    path = path_of(upload.pk)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    assert import_upload(str(upload.pk)) == "failed"
    upload.refresh_from_db()
    assert "upload it again" in upload.error
    assert not path.exists()


def test_a_file_of_no_known_format_fails_with_a_remedy(new_client):
    upload = received(new_client(), b"nothing that a web server writes\n" * 30)
    assert import_upload(str(upload.pk)) == "failed"
    upload.refresh_from_db()
    assert "first lines fit none of" in upload.error
    assert not path_of(upload.pk).exists()


def test_a_cancelled_upload_leaves_nothing(new_client):
    upload = received(new_client(), log_of(10))
    uploads.cancel(upload, acting_user="tests", now=timezone.now())
    upload.refresh_from_db()
    assert upload.state == UploadState.CANCELLED
    assert not path_of(upload.pk).exists()
    assert not UploadKey.objects.filter(pk=upload.pk).exists()
    with pytest.raises(UploadError, match="has ended"):
        append(upload, b"x", offset=upload.received)


def test_an_import_that_is_cancelled_on_the_way_stops(new_client):
    client = new_client()
    upload = received(client, log_of(30))
    LogUpload.objects.filter(pk=upload.pk).update(is_cancel_asked=True)
    assert import_upload(str(upload.pk)) == "cancelled"
    assert not path_of(upload.pk).exists()


def test_a_worker_that_ends_gives_the_upload_back_and_another_resumes_it(new_client):
    client = new_client()
    upload = received(client, log_of(30))
    assert uploads.import_upload(upload.pk, now=timezone.now(), is_stopping=lambda: True) is None
    upload.refresh_from_db()
    assert upload.state == UploadState.QUEUED
    assert upload.pk in uploads.sweep(timezone.now())
    assert import_upload(str(upload.pk)) == "finished"
    assert hits(client) == 30


def test_an_import_waits_while_another_runs_into_the_site(new_client):
    client = new_client()
    upload = received(client, log_of(5))
    LogUpload.objects.filter(pk=upload.pk).update(state=UploadState.QUEUED)
    site_id, ready, leave = site_of(client).pk, threading.Event(), threading.Event()

    def hold() -> None:
        with held_as_parent(site_id):
            ready.set()
            leave.wait(20)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert ready.wait(20)
    try:
        assert import_upload(str(upload.pk)) == ""
    finally:
        leave.set()
        holder.join()
    upload.refresh_from_db()
    assert (upload.state, upload.attempts) == (UploadState.QUEUED, 0)
    assert import_upload(str(upload.pk)) == "finished"


def test_what_killed_processes_left_is_swept(new_client):
    client = new_client()
    lost = received(client, log_of(5))
    long_ago = timezone.now() - dt.timedelta(hours=1)
    LogUpload.objects.filter(pk=lost.pk).update(state=UploadState.RUNNING, attempts=1)
    LogUpload.objects.filter(pk=lost.pk).update(updated_at=long_ago)
    broken = received(client, log_of(5))
    LogUpload.objects.filter(pk=broken.pk).update(
        state=UploadState.RUNNING, attempts=3, updated_at=long_ago
    )
    half = begin_upload(
        client, site_of(client), name="half.log", size=99, options=Options(),
        acting_user="tests", now=long_ago,
    )  # fmt: skip
    append(half, b"x", offset=0)
    LogUpload.objects.filter(pk=half.pk).update(updated_at=long_ago)
    orphan = path_of(uuid.uuid4())
    orphan.write_bytes(b"sealed")
    assert sweep_uploads() >= 1
    states = dict(LogUpload.objects.filter(client=client).values_list("pk", "state"))
    assert states[lost.pk] == UploadState.QUEUED
    assert states[broken.pk] == UploadState.FAILED
    assert states[half.pk] == UploadState.CANCELLED
    assert not orphan.exists()
    assert not path_of(half.pk).exists()
    assert path_of(lost.pk).exists()
    assert import_upload(str(lost.pk)) == "finished"
    own = {path_of(upload.pk) for upload in (lost, broken, half)}
    assert own.isdisjoint(settings.UPLOAD_PATH.iterdir())


def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(new_client):
    client = new_client()
    with pytest.raises(UploadError, match="Compress it") as refused:
        begin_upload(
            client, site_of(client), name="a.log", size=settings.UPLOAD_BYTES + 1,
            options=Options(), acting_user="tests", now=timezone.now(),
        )  # fmt: skip
    assert refused.value.status == 413
