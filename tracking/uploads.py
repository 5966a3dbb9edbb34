"""Weblogs uploaded through the pages: received in pieces, sealed, imported, and gone.

A raw log holds visitors' IP addresses (promise 1: no raw address reaches a file). So each piece is
sealed in memory before it is written: AES-256-GCM with a key of this upload alone, which lies
wrapped in the keys database. File (mode 0600) and key are deleted as soon as the import has
finished, failed or been cancelled; `sweep` does it for what a killed process left, when a worker
starts and every minute. The browser sends pieces of 512 kB, which the server holds in memory: a
body that is larger would be spooled to a temporary file in the clear before this code sees it.
"""

import datetime as dt
import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from tenants.audit import record_act
from tenants.keys import KeyDestroyedError
from tenants.models import Client, LogUpload, Site, UploadState
from tenants.models.uploads import ENDED
from tenants.upload_keys import destroy_upload_keys, find_upload_key, make_upload_key
from tracking.models import ImportState
from tracking.weblogs.formats.detect import parser_named
from tracking.weblogs.formats.logformat import LogFormatError
from tracking.weblogs.imports import Progress, import_files
from tracking.weblogs.locks import ImportBusyError
from tracking.weblogs.options import Options
from tracking.weblogs.sealed import append_piece, opened_sealed
from tracking.weblogs.summary import FileResult

logger = logging.getLogger(__name__)

MAX_PIECE = 512 * 1024
"""Bytes of a piece."""
NOTE_S = 1.0
"""Seconds between two notes of an import's progress, which are its signs of life."""
STALE_AFTER = dt.timedelta(minutes=2)
"""An import without a sign of life for so long has lost its worker."""
ABANDONED_AFTER = dt.timedelta(minutes=30)
"""An upload of which no piece has come for so long is given up."""
MAX_ATTEMPTS = 3


class UploadError(Exception):
    """An upload cannot go on; `status` is that of HTTP."""

    code = "upload"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def path_of(upload_id: uuid.UUID) -> Path:
    """The sealed file."""
    return Path(settings.UPLOAD_PATH) / f"{upload_id.hex}.sealed"


def begin_upload(
    client: Client, site: Site, *, name: str, size: int, options: Options, acting_user: str,
    now: dt.datetime,
) -> LogUpload:  # fmt: skip
    """Announce a file; raises UploadError when it is too large, LogFormatError for the format."""
    if options.log_format:
        parser_named(options.log_format)
    if not 0 < size <= settings.UPLOAD_BYTES:
        raise UploadError(
            f"A log may have 1 byte to {settings.UPLOAD_BYTES // 1_048_576:,} MB. Compress it "
            "(gzip, xz, zstd), split it, or import it on the server with manage.py import_weblog.",
            413,
        )
    upload = LogUpload.objects.create(
        client=client,
        site=site,
        name=Path(name.replace("\\", "/")).name[:255] or "log",
        size=size,
        options=msgspec.to_builtins(options),
        requested_by=acting_user,
    )
    make_upload_key(upload.pk, client.pk, now=now)
    record_act(
        "weblog.upload",
        acting_user=acting_user,
        client_id=client.pk,
        details={"upload": str(upload.pk), "site": site.pk, "bytes": size},
    )
    return upload


def append(upload: LogUpload, piece: bytes, *, offset: int) -> LogUpload:
    """Add the piece that begins at `offset`; a piece that is there already is passed over.

    Raises UploadError: 409 where a piece is missing before it or the upload has ended, 413 for a
    piece or a file that is larger than announced.
    """
    if not piece or len(piece) > MAX_PIECE:
        raise UploadError(f"Send pieces of 1 to {MAX_PIECE} bytes.", 413)
    with transaction.atomic():
        held = LogUpload.objects.select_for_update().get(pk=upload.pk)
        if held.state != UploadState.RECEIVING:
            raise UploadError("This upload has ended: begin a new one.", 409)
        if offset + len(piece) == held.received:
            return held
        if offset != held.received:
            raise UploadError(f"The next piece begins at byte {held.received}.", 409)
        if offset + len(piece) > held.size:
            raise UploadError("The file is larger than announced: begin a new upload.", 413)
        append_piece(
            path_of(held.pk),
            find_upload_key(held.pk),
            piece,
            client_id=held.client_id,
            upload_id=held.pk,
            number=held.chunks,
            received=held.received,
        )
        held.received += len(piece)
        held.chunks += 1
        if held.received == held.size:
            held.state = UploadState.QUEUED
        held.save(update_fields=["received", "chunks", "state", "updated_at"])
    return held


def cancel(upload: LogUpload, *, acting_user: str, now: dt.datetime) -> None:
    """Stop it: at once when it is not being imported, else within about a second."""
    LogUpload.objects.filter(pk=upload.pk).exclude(state__in=ENDED).update(is_cancel_asked=True)
    waiting = LogUpload.objects.filter(
        pk=upload.pk, state__in=[UploadState.RECEIVING, UploadState.QUEUED]
    )
    if waiting.update(state=UploadState.CANCELLED, finished_at=now, updated_at=now):
        _forget(upload.pk)
    record_act(
        "weblog.cancel",
        acting_user=acting_user,
        client_id=upload.client_id,
        details={"upload": str(upload.pk)},
    )


def import_upload(
    upload_id: uuid.UUID, *, now: dt.datetime, is_stopping: Callable[[], bool] = lambda: False
) -> LogUpload | None:
    """Import a complete upload and delete its file; None when there is nothing to do.

    Only one worker has an upload at a time. When the worker is asked to stop, or another import
    runs into the site, the upload goes back into the queue; the import resumes where it was.
    """
    claimed = LogUpload.objects.filter(pk=upload_id, state=UploadState.QUEUED).update(
        state=UploadState.RUNNING, started_at=now, updated_at=now, attempts=F("attempts") + 1
    )
    if not claimed:
        return None
    upload = LogUpload.objects.select_related("client", "site").get(pk=upload_id)
    watch = _Watch(upload_id, is_stopping)
    try:
        result = _import(upload, watch)
    except ImportBusyError:
        LogUpload.objects.filter(pk=upload_id).update(
            state=UploadState.QUEUED, attempts=F("attempts") - 1, updated_at=now
        )
        return None
    except (LogFormatError, KeyDestroyedError, UploadError) as error:
        _end(upload, UploadState.FAILED, {"error": str(error)[:400]})
        return upload
    if result.state is ImportState.INTERRUPTED and not watch.is_cancelled:
        LogUpload.objects.filter(pk=upload_id).update(state=UploadState.QUEUED, updated_at=now)
        return None
    state = {
        ImportState.FINISHED: UploadState.FINISHED,
        ImportState.INTERRUPTED: UploadState.CANCELLED,
    }.get(result.state, UploadState.FAILED)
    _end(upload, state, _outcome(result))
    return upload


def sweep(now: dt.datetime) -> list[uuid.UUID]:
    """Tidy up what killed processes left; returns the uploads that are to be imported (again)."""
    stale = LogUpload.objects.filter(state=UploadState.RUNNING, updated_at__lt=now - STALE_AFTER)
    for upload in stale.filter(Q(attempts__gte=MAX_ATTEMPTS) | Q(is_cancel_asked=True)):
        state = UploadState.CANCELLED if upload.is_cancel_asked else UploadState.FAILED
        error = "" if upload.is_cancel_asked else "The import was broken off three times."
        _end(upload, state, {"error": error})
    stale.update(state=UploadState.QUEUED, updated_at=now)
    abandoned = LogUpload.objects.filter(
        state=UploadState.RECEIVING, updated_at__lt=now - ABANDONED_AFTER
    )
    for upload in abandoned:
        _end(upload, UploadState.CANCELLED, {"error": "The file did not arrive whole."})
    _delete_orphans()
    queued = LogUpload.objects.filter(state=UploadState.QUEUED)
    return list(queued.order_by("created_at").values_list("pk", flat=True))


def _import(upload: LogUpload, watch: "_Watch") -> FileResult:
    secret = find_upload_key(upload.pk)
    if upload.received != upload.size:
        raise UploadError("The file did not arrive whole: upload it again.")
    summary = import_files(
        upload.client,
        upload.site,
        [upload.name],
        msgspec.convert(upload.options, Options),
        progress=watch.note,
        stop=watch.is_to_stop,
        opening=lambda _: opened_sealed(
            path_of(upload.pk),
            secret,
            client_id=upload.client_id,
            upload_id=upload.pk,
            size=upload.size,
        ),
    )
    return summary.files[0]


class _Watch:
    """Notes an import's progress in its row, and reads there whether it is to stop."""

    def __init__(self, upload_id: uuid.UUID, is_stopping: Callable[[], bool]) -> None:
        self._upload_id = upload_id
        self._is_stopping = is_stopping
        self._noted_at = 0.0
        self._asked_at = 0.0
        self.is_cancelled = False

    def note(self, progress: Progress) -> None:
        """Called with every step; writes once a second."""
        if time.monotonic() - self._noted_at < NOTE_S:
            return
        self._noted_at = time.monotonic()
        tally = progress.tally
        LogUpload.objects.filter(pk=self._upload_id).update(
            position=progress.position,
            lines=tally.lines - tally.pending,
            stored=tally.stored,
            skipped=tally.skipped,
            bad=tally.bad,
            updated_at=dt.datetime.now(dt.UTC),
        )

    def is_to_stop(self) -> bool:
        """Whether somebody has cancelled it, or the worker ends. Asks once a second."""
        if time.monotonic() - self._asked_at >= NOTE_S:
            self._asked_at = time.monotonic()
            asked = LogUpload.objects.filter(pk=self._upload_id, is_cancel_asked=True)
            gone = not LogUpload.objects.filter(pk=self._upload_id).exists()
            self.is_cancelled = gone or asked.exists()
        return self.is_cancelled or self._is_stopping()


def _outcome(result: FileResult) -> dict[str, Any]:
    tally = result.tally
    return {
        "lines": tally.lines,
        "stored": tally.stored,
        "skipped": tally.skipped,
        "bad": tally.bad,
        "error": result.error[:400],
        "details": {
            "format": result.format,
            "import": result.import_id,
            "resumed_at": result.resumed_at,
            "bots": tally.bots,
            "bad_lines": [list(pair) for pair in tally.bad_lines],
            "bytes_sent": tally.bytes_sent,
        },
    }


def _end(upload: LogUpload, state: UploadState, fields: dict[str, Any]) -> None:
    """The last word on an upload: what became of it is kept, file and key are not."""
    _forget(upload.pk)
    now = dt.datetime.now(dt.UTC)
    if state == UploadState.FINISHED:
        fields["position"] = upload.size
    for name, value in {"state": state, "finished_at": now, **fields}.items():
        setattr(upload, name, value)
    LogUpload.objects.filter(pk=upload.pk).update(
        state=state, finished_at=now, updated_at=now, **fields
    )


def _forget(upload_id: uuid.UUID) -> None:
    path_of(upload_id).unlink(missing_ok=True)
    destroy_upload_keys(only=[upload_id])


def _delete_orphans() -> None:
    """Files and keys of no upload that is under way."""
    # Files first: one that appears after the question belongs to an upload the answer lacks.
    folder = Path(settings.UPLOAD_PATH)
    files = list(folder.glob("*.sealed")) if folder.is_dir() else []
    live = set(LogUpload.objects.exclude(state__in=ENDED).values_list("pk", flat=True))
    names = {path_of(upload_id).name for upload_id in live}
    for path in files:
        if path.name not in names:
            path.unlink(missing_ok=True)
            logger.warning("A sealed upload without a purpose was deleted.")
    destroy_upload_keys(keep=live)
