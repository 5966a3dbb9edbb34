"""The `imports` row of a file: found again, begun, kept up to date, closed."""

import datetime as dt
import hashlib

import msgspec

from tenants.models import Client
from tenants.schemas import entered
from tracking.models import Import, ImportState
from tracking.weblogs.engine import Checkpoint
from tracking.weblogs.options import Options
from tracking.weblogs.tally import Tally

MAX_CANDIDATES = 5


def fingerprint(key: bytes, options: Options, format_name: str, first_line: bytes) -> str:
    """Keyed hash by which an interrupted import of the same file is looked up.

    Of the first line only, so that a file that has grown since is found as well; whether it is
    the same file is then proved by its whole beginning (`Checkpoint.digest`).
    """
    hashed = hashlib.blake2b(key=key, digest_size=32)
    for part in (options.fingerprint(), format_name.encode(), first_line):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()


def find_unfinished(client: Client, site_id: int, mark: str) -> list[Import]:
    """Imports that were begun and not finished, the newest first. Call with the site locked."""
    with entered(client):
        return list(
            Import.objects.filter(site_id=site_id, fingerprint=mark)
            .exclude(state=ImportState.FINISHED)
            .order_by("-pk")[:MAX_CANDIDATES]
        )


def checkpoints_of(record: Import) -> list[Checkpoint]:
    """How far each share had come; shares that stored nothing start from the beginning."""
    found = record.details.get("shares", {})
    return [
        msgspec.convert(found[str(share)], Checkpoint, strict=False)
        if str(share) in found
        else Checkpoint()
        for share in range(record.details.get("of", 1))
    ]


def saved(client: Client, import_id: int) -> list[Checkpoint]:
    """The checkpoints as committed."""
    with entered(client):
        return checkpoints_of(Import.objects.get(pk=import_id))


def begin(
    client: Client, site_id: int, *, name: str, mark: str, format_name: str, shares: int
) -> Import:
    """A new row, running."""
    now = dt.datetime.now(dt.UTC)
    with entered(client):
        return Import.objects.create(
            site_id=site_id,
            name=name[:255],
            fingerprint=mark,
            format=format_name[:64],
            state=ImportState.RUNNING,
            details={"of": shares, "shares": {}},
            started_at=now,
            updated_at=now,
        )


def note_progress(client: Client, import_id: int, tally: Tally, position: int) -> None:
    """Show how far it is; leaves `details`, which the workers write, alone."""
    with entered(client):
        Import.objects.filter(pk=import_id).update(
            state=ImportState.RUNNING,
            updated_at=dt.datetime.now(dt.UTC),
            **_counts(tally, position),
        )


def close(client: Client, import_id: int, state: ImportState, tally: Tally, position: int) -> None:
    """The last word, once no worker writes any more. Finished imports need no checkpoints."""
    now = dt.datetime.now(dt.UTC)
    shown = {
        "bots": tally.bots,
        "bad_lines": [list(pair) for pair in tally.bad_lines],
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
    }
    with entered(client):
        record = Import.objects.get(pk=import_id)
        record.details = {**record.details, **shown}
        finished = state is ImportState.FINISHED
        if finished:
            record.details.pop("shares", None)
        record.state = state
        record.updated_at = now
        record.finished_at = now if finished else None
        for field, value in _counts(tally, position).items():
            setattr(record, field, value)
        record.save()


def _counts(tally: Tally, position: int) -> dict[str, object]:
    return {
        "position": position,
        "lines": tally.lines - tally.pending,
        "stored": tally.stored,
        "skipped": tally.skipped,
        "bad": tally.bad,
        "bytes_sent": tally.bytes_sent,
    }
