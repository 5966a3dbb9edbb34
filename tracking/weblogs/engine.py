"""Reads blocks, keeps the account, and stores hits in batches: one share of one file.

A share is the lines of some of the visitors: every engine is given every block and takes the
lines whose visitor falls to it, so each visitor's hits are stored in order by one engine.
"""

import copy
import datetime as dt
import json
import time
from zlib import crc32

import msgspec
from django.db import connection

from tenants.models import Client
from tenants.schemas import entered
from tracking.hits import Hit, tag_of
from tracking.partitions import ensure_months, month_of
from tracking.weblogs.blocks import Block, lines_of
from tracking.weblogs.formats.detect import parser_named
from tracking.weblogs.formats.entry import (
    MAX_LINE_BYTES,
    Bad,
    BadLineError,
    Skip,
    SkippedLineError,
)
from tracking.weblogs.hitmaker import HitMaker, Settings
from tracking.weblogs.identities import DAY_US, day_of
from tracking.weblogs.options import Options
from tracking.weblogs.tally import Tally
from tracking.writer.store import StoreResult, site_zones, store_hits

BATCH_HITS = 20_000
BATCH_SECONDS = 10.0
"""Stored earlier when this long has passed: where little is stored, a resume still loses little."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told. Holds no secrets and no lines."""

    settings: Settings
    options: Options
    format: str
    """A name of formats.detect.FORMATS or a log_format."""
    import_id: int
    share: int
    shares: int
    start: "Checkpoint"
    now: dt.datetime


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a share has been stored; committed together with the hits it speaks of."""

    position: int = 0
    digest: str = ""
    """Hex of the stream's keyed hash up to `position`."""
    tally: Tally = msgspec.field(default_factory=Tally)


class Engine:
    """See the module. Call `take` for blocks in order, `flush` before leaving."""

    def __init__(self, job: Job, client: Client) -> None:
        self._job = job
        self._client = client
        # A copy: the checkpoint stays what it was.
        self.tally = copy.deepcopy(job.start.tally)
        self._parser = parser_named(job.format)
        self._maker = HitMaker(job.settings, job.options, job.now)
        self._hits: list[Hit] = []
        self.position = job.start.position
        self._digest = bytes.fromhex(job.start.digest)
        self._saved_at = time.monotonic()
        self._months: set[dt.date] = set()
        self._zones = site_zones(client)
        self._maybe_stored = False

    def warm(self, block: Block) -> None:
        """Read a block that is already stored: for #Fields, and for counting equal lines."""
        scratch = Tally()
        self._read(block, scratch)

    def take(self, block: Block) -> None:
        """Read a block; store when enough has come together."""
        if block.ends_at <= self._job.start.position:
            self.warm(block)
            return
        self._hits += self._read(block, self.tally)
        self.position, self._digest = block.ends_at, block.digest
        if len(self._hits) >= BATCH_HITS or time.monotonic() - self._saved_at > BATCH_SECONDS:
            self.flush()

    def _read(self, block: Block, tally: Tally) -> list[Hit]:
        """Hits of this share's lines in the block; all of its lines accounted for in `tally`."""
        hits: list[Hit] = []
        parse, make = self._parser.parse, self._maker.make
        key, share, shares = self._parser.visitor_key, self._job.share, self._job.shares
        lines = 0
        for number, line in enumerate(lines_of(block.data), start=block.first_line):
            if shares > 1 and crc32(key(line)) % shares != share:
                continue
            lines += 1
            if not line.strip():
                tally.skip(Skip.EMPTY)
                continue
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise BadLineError(Bad.TOO_LONG)
                made = make(parse(line), line, tally)
            except SkippedLineError as skipped:
                tally.skip(skipped.reason)
            except BadLineError as error:
                tally.refuse(number, error.reason)
            else:
                if isinstance(made, Skip):
                    tally.skip(made)
                else:
                    hits.append(made)
        tally.lines += lines
        tally.pending += len(hits)
        return hits

    def flush(self) -> None:
        """Store what is pending and, in the same transaction, the checkpoint."""
        hits, self._hits = self._hits, []
        self._saved_at = time.monotonic()
        if self._job.options.dry_run:
            known = self._count_known(hits)
            self._settle(self.tally, len(hits) - known, known)
            return
        for hit in hits:
            hit.import_id = self._job.import_id
        self._ensure_months(hits)
        result = store_hits(
            self._client,
            hits,
            zones=self._zones,
            maybe_stored=self._maybe_stored,
            also=self._save_checkpoint,
        )
        # Where some were known already more will be: a file read again, or one that overlaps.
        self._maybe_stored = result.duplicates > 0
        self._settle(self.tally, result.stored, result.duplicates)

    @staticmethod
    def _settle(tally: Tally, stored: int, known: int) -> None:
        tally.settle(stored, known, Skip.KNOWN)
        tally.check()

    def _ensure_months(self, hits: list[Hit]) -> None:
        months = {month_of(day_of(day)) for day in {hit.at_us // DAY_US for hit in hits}}
        missing = months - self._months
        if missing:
            ensure_months(self._client, missing)
            self._months |= missing

    def _save_checkpoint(self, result: StoreResult) -> None:
        """Write this share's key only; the other shares write theirs meanwhile.

        Runs in the transaction that stores the hits, so the account it saves is the one that
        holds when they are: on a copy, for the transaction may yet be tried again.
        """
        tally = copy.deepcopy(self.tally)
        self._settle(tally, result.stored, result.duplicates)
        checkpoint = Checkpoint(position=self.position, digest=self._digest.hex(), tally=tally)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE imports SET details = jsonb_set(details, %s, %s::jsonb), updated_at = %s "
                "WHERE id = %s",
                [
                    ["shares", str(self._job.share)],
                    json.dumps(msgspec.to_builtins(checkpoint, str_keys=True)),
                    dt.datetime.now(dt.UTC),
                    self._job.import_id,
                ],
            )

    def _count_known(self, hits: list[Hit]) -> int:
        """How many of the hits are stored already, or come twice in the list."""
        if not hits:
            return 0
        with entered(self._client), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM hits WHERE at BETWEEN %s AND %s AND tag = ANY(%s::int8[])",
                [
                    _time(min(hit.at_us for hit in hits)),
                    _time(max(hit.at_us for hit in hits)),
                    [tag_of(hit.id) for hit in hits],
                ],
            )
            return int(cursor.fetchone()[0])


def _time(at_us: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at_us)
