"""Importing weblogs: the one function that the command and the pages call.

For each file: find its format, take up an import of it that was interrupted, hand its blocks to
the workers, and keep its row. Stopping, by Ctrl-C or `stop`, stores what was read and leaves an
import that the next call resumes; so does a kill, from the last checkpoints.
"""

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from django.conf import settings as django_settings

from tenants.keys import Purpose, get_key
from tenants.models import Client, PrivacySettings, Site
from tracking.models import ImportState
from tracking.partitions import gather_statistics
from tracking.weblogs import records
from tracking.weblogs.blocks import Block, Cutter, blocks_of, lines_of
from tracking.weblogs.engine import Checkpoint, Job
from tracking.weblogs.follow import Follower, FollowError
from tracking.weblogs.formats.detect import UnknownFormatError, detect, parser_named
from tracking.weblogs.hitmaker import Settings
from tracking.weblogs.locks import held_as_parent
from tracking.weblogs.options import Options
from tracking.weblogs.pools import InlinePool, Pool, ProcessPool, WorkerFailedError
from tracking.weblogs.sources import STDIN, DamagedFileError, Source, opened
from tracking.weblogs.summary import FileResult, Summary
from tracking.weblogs.tally import Tally, united

SAMPLE_BYTES = 1 << 17
MANY = 1_000
"""Rows that change what the planner must know of a client's tables."""
SMALL_BYTES = 2 << 20
"""A plain file below it, or a compressed one below an eighth of it, is read in this process."""
WARM_BYTES = 32 << 20
"""How far before its checkpoint a resumed import reads again, to count equal lines (far more than
`occurrences.GENERATION` lines)."""
_NOTE_SECONDS = 2.0
_PROGRESS_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is, for a bar. Bytes are those of the file on the disk."""

    name: str
    number: int
    """Of the file, counted from 1."""
    files: int
    position: int
    size: int | None
    """None: not known (stdin, a followed file)."""
    tally: Tally
    """Of this file, so far."""


OnProgress = Callable[[Progress], None]
Opening = Callable[[str], AbstractContextManager[Source]]
"""Opens a file by its name, from the beginning; an import may open it twice."""


def _silent(_: Progress) -> None:
    """Nobody watches."""


def _never() -> bool:
    """Nobody stops."""
    return False


def import_files(
    client: Client,
    site: Site,
    files: Sequence[str],
    options: Options | None = None,
    *,
    progress: OnProgress = _silent,
    stop: Callable[[], bool] = _never,
    follow: bool = False,
    opening: Opening = opened,
) -> Summary:
    """Import files ("-": stdin) into a site, in their order; see `FileResult.error` for failures.

    `follow` keeps reading the one file, through its rotation, until `stop`. `progress` is called
    at most ten times a second, in the calling thread. Raises LogFormatError for an unusable
    `options.log_format`, FollowError, ImportBusyError when another import into the site runs.
    `opening` reads from elsewhere than the disk; a followed file is always one of the disk.
    """
    options = options or Options()
    if options.log_format:
        parser_named(options.log_format)
    if follow and (len(files) != 1 or files[0] == STDIN or options.dry_run):
        raise FollowError("--follow takes one file, neither stdin nor with --dry-run")
    run = _Run(client, site, options, progress, stop, len(files), opening)
    started = time.monotonic()
    results: list[FileResult] = []
    with held_as_parent(site.pk):
        for number, name in enumerate(files, start=1):
            results += run.follow(name) if follow else [run.file(name, number)]
            if results[-1].state is ImportState.INTERRUPTED:
                break
    if not options.dry_run and sum(result.tally.stored for result in results) >= MANY:
        gather_statistics(client)
    summary = Summary(results, time.monotonic() - started, options.dry_run)
    for result in results:
        result.tally.check()
    return summary


def _settings_of(client: Client, site: Site) -> Settings:
    privacy = PrivacySettings.objects.get(client=client)
    return Settings(
        client_id=client.pk,
        site_id=site.pk,
        hosts=tuple(str(host).lower() for host in site.hosts),
        ip_mode=privacy.ip_mode,
        ip_retention_days=privacy.ip_retention_days,
        geo_path=(str(django_settings.GEO_PATH),),
    )


@dataclasses.dataclass(slots=True)
class _Plan:
    """What was decided for a file before its lines are read."""

    format: str
    import_id: int
    starts: list[Checkpoint]
    """Of each share."""

    @property
    def resumed_at(self) -> int:
        """Line from which stored work is taken up; 0 when there is none."""
        done = sum(start.tally.lines for start in self.starts)
        return done + 1 if done else 0


class _Run:
    """One call of `import_files`."""

    def __init__(
        self, client: Client, site: Site, options: Options, progress: OnProgress,
        stop: Callable[[], bool], files: int, opening: Opening,
    ) -> None:  # fmt: skip
        self._opening = opening
        self._client = client
        self._site_id = site.pk
        self._options = options
        self._progress = progress
        self._stop = stop
        self._files = files
        self._settings = _settings_of(client, site)
        self._key = get_key(client.pk, Purpose.BLIND_INDEX, None).secret

    def file(self, name: str, number: int) -> FileResult:
        """Import one file to its end."""
        shown = _shown(name)
        try:
            with self._opening(name) as source:
                head, damage = _sample(source)
                plan = self._plan(shown, name, head, source)
                read = _reader(source, head, damage)
                cuts = [start.position for start in plan.starts]
                blocks: Iterator[Block | None] = blocks_of(read, key=self._key, cuts=cuts)
                return self._pump(shown, number, source, plan, blocks, is_stopped=self._stop)
        except (OSError, UnknownFormatError) as error:
            text = error.strerror if isinstance(error, OSError) else None
            return FileResult(shown, Tally(), ImportState.FAILED, error=text or str(error))

    def follow(self, name: str) -> list[FileResult]:
        """Import a file and what is appended to it, generation after generation, until stopped."""
        path = Path(name)
        shown = _shown(name)
        results: list[FileResult] = []
        while True:
            try:
                with opened(name) as source:
                    follower = Follower(path, source, self._stop)
                    head = follower.first_lines()
                    if not head:
                        return results or [FileResult(shown, Tally(), ImportState.INTERRUPTED)]
                    plan = self._plan(shown, name, head, source)
                    cutter = Cutter(self._key, [start.position for start in plan.starts])
                    blocks = follower.blocks(head, cutter)
                    results.append(
                        self._pump(shown, 1, source, plan, blocks, is_stopped=follower.is_stopped)
                    )
            except FileNotFoundError:
                if self._stop():
                    return results or [FileResult(shown, Tally(), ImportState.INTERRUPTED)]
                time.sleep(0.2)
                continue
            except (OSError, UnknownFormatError) as error:
                return [*results, FileResult(shown, Tally(), ImportState.FAILED, error=str(error))]
            if results[-1].state is not ImportState.FINISHED:
                return results

    def _plan(self, shown: str, name: str, head: bytes, source: Source) -> _Plan:
        """Format, row and starting points of a file; raises UnknownFormatError."""
        whole = head[: head.rfind(b"\n") + 1] or head
        chosen = self._options.log_format or detect(lines_of(whole))
        if self._options.dry_run:
            return _Plan(chosen, 0, [Checkpoint() for _ in range(self._shares(source))])
        first_line = whole.partition(b"\n")[0]
        mark = records.fingerprint(self._key, self._options, chosen, first_line)
        if name != STDIN:
            for record in records.find_unfinished(self._client, self._site_id, mark):
                starts = records.checkpoints_of(record)
                if self._is_same_file(name, starts):
                    return _Plan(chosen, record.pk, starts)
        shares = self._shares(source)
        row = records.begin(
            self._client, self._site_id, name=shown, mark=mark, format_name=chosen, shares=shares
        )
        return _Plan(chosen, row.pk, [Checkpoint() for _ in range(shares)])

    def _shares(self, source: Source) -> int:
        limit = SMALL_BYTES if source.compression == "plain" else SMALL_BYTES // 8
        if source.size is not None and source.size < limit:
            return 1
        return max(1, self._options.workers)

    def _is_same_file(self, name: str, starts: Sequence[Checkpoint]) -> bool:
        """Whether the file begins, up to every checkpoint, with the bytes that were imported."""
        wanted = {start.position: start.digest for start in starts if start.position}
        if not wanted:
            return False
        try:
            with self._opening(name) as source:
                for block in blocks_of(source.read, key=self._key, cuts=list(wanted)):
                    expected = wanted.pop(block.ends_at, None)
                    if expected is not None and expected != block.digest.hex():
                        return False
                    if not wanted:
                        return True
        except DamagedFileError:
            return False
        return False

    def _pool(self, plan: _Plan) -> Pool:
        now = dt.datetime.now(dt.UTC)
        jobs = [
            Job(
                settings=self._settings,
                options=self._options,
                format=plan.format,
                import_id=plan.import_id,
                share=share,
                shares=len(plan.starts),
                start=start,
                now=now,
            )
            for share, start in enumerate(plan.starts)
        ]
        return InlinePool(jobs[0], self._client) if len(jobs) == 1 else ProcessPool(jobs)

    def _pump(
        self, shown: str, number: int, source: Source, plan: _Plan,
        blocks: Iterator[Block | None], *, is_stopped: Callable[[], bool],
    ) -> FileResult:  # fmt: skip
        """Feed the workers and keep the row, whatever ends the reading."""
        pool = self._pool(plan)
        feed = _Feed(
            pool, plan, lambda position: self._tell(shown, number, source, plan, pool, position)
        )
        error, state = "", ImportState.FINISHED
        try:
            for block in blocks:
                feed.give(block)
                if is_stopped():
                    state = ImportState.INTERRUPTED
                    break
            if is_stopped():
                state = ImportState.INTERRUPTED
            tally = pool.finish() if state is ImportState.FINISHED else pool.stop()
        except KeyboardInterrupt:
            tally, state = pool.stop(), ImportState.INTERRUPTED
        except (DamagedFileError, OSError) as broken:
            tally, state, error = pool.finish(), ImportState.FAILED, str(broken)
        except WorkerFailedError as failed:
            tally, state, error = self._salvaged(plan), ImportState.FAILED, str(failed)
        self._tell(shown, number, source, plan, pool, feed.position, at_end=True)
        if plan.import_id:
            records.close(self._client, plan.import_id, state, tally, feed.position)
        return FileResult(shown, tally, state, plan.format, plan.import_id, plan.resumed_at, error)

    def _salvaged(self, plan: _Plan) -> Tally:
        """The account as far as it is stored, after a worker's death."""
        if not plan.import_id:
            return Tally()
        return united([start.tally for start in records.saved(self._client, plan.import_id)])

    def _tell(
        self, shown: str, number: int, source: Source, plan: _Plan, pool: Pool, position: int,
        *, at_end: bool = False,
    ) -> None:  # fmt: skip
        tally = pool.tally()
        self._progress(Progress(shown, number, self._files, source.position, source.size, tally))
        if plan.import_id and not at_end:
            records.note_progress(self._client, plan.import_id, tally, position)


class _Feed:
    """Gives blocks to a pool; leaves out what every worker has, but for what they must re-read."""

    def __init__(self, pool: Pool, plan: _Plan, tell: Callable[[int], None]) -> None:
        self._pool = pool
        self._tell = tell
        self._warm_from = min(start.position for start in plan.starts) - WARM_BYTES
        self._directives = plan.format in ("w3c", "iis")
        self._told_at = 0.0
        self.position = 0

    def give(self, block: Block | None) -> None:
        """A block, or None at a pause: then what is pending is stored."""
        if block is None:
            self._pool.flush()
        elif block.ends_at > self._warm_from:
            self._pool.send(block)
        elif self._directives and (fields := _directives(block.data)):
            self._pool.send(block._replace(data=fields))
        if block is not None:
            self.position = block.ends_at
        if block is None or time.monotonic() - self._told_at > _PROGRESS_SECONDS:
            self._tell(self.position)
            self._told_at = time.monotonic()


def _directives(data: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines_of(data) if line.startswith(b"#"))


def _shown(name: str) -> str:
    return "stdin" if name == STDIN else Path(name).name


def _sample(source: Source) -> tuple[bytes, DamagedFileError | None]:
    """The first lines, and what broke the file within them."""
    data = b""
    try:
        while len(data) < SAMPLE_BYTES and (more := source.read()):
            data += more
    except DamagedFileError as damage:
        return data, damage
    return data, None


def _reader(source: Source, head: bytes, damage: DamagedFileError | None) -> Callable[[], bytes]:
    """Reads the source from its beginning, `head` having been taken from it."""
    waiting = [head] if head else []

    def read() -> bytes:
        if waiting:
            return waiting.pop()
        if damage is not None:
            raise damage
        return source.read()

    return read
