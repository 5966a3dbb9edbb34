"""How the house works now: streams, writers, spool, jobs, refusals. Numbers only, of no visitor.

What crosses clients says so in its name (`unscoped_...`): the pages that show it are for who
reaches every client.
"""

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import redis
from celery.schedules import crontab, schedule
from django.conf import settings

from agency.celery import app
from agency.health import OK, check_health
from agency.job_records import JobRecord, read_job
from tracking.collector.spool import SUFFIX
from tracking.refusals import Reason, refused_name
from tracking.streams import GROUP, lease_name, stream_name
from tracking.writer.dead_letters import count_letters

LATE_S = 10.0
"""A hit that waits longer than this is worth a look: writers store within half a second."""
BACKLOG = 1_000
"""Jobs in the queue beyond which the workers do not keep up."""


@lru_cache(maxsize=1)
def valkey() -> "redis.Redis":
    """The house's Valkey."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


@dataclass(frozen=True)
class Partition:
    """One stream of hits."""

    number: int
    length: int
    """Entries (of one hit or many) that are not stored yet."""
    pending: int
    """Of them, those that a writer has taken and not stored yet."""
    unread: int
    """Of them, those that no writer has taken yet."""
    oldest_s: float | None
    """Seconds that the oldest one has waited; None: nothing waits."""
    unread_s: float | None
    """Seconds that the oldest one that no writer has taken has waited."""
    holder: str
    """Writer that holds the lease; empty: nobody reads this stream."""
    lease_s: float
    """Seconds until the lease runs out if it is not renewed."""
    idle_s: float | None
    """Seconds since it was last read; None: never."""

    @property
    def is_late(self) -> bool:
        """Whether hits wait longer than they should, or nobody would take them."""
        return not self.holder or (self.oldest_s or 0) > LATE_S


@dataclass(frozen=True)
class Writer:
    """A writer that gave a sign of life in the last seconds."""

    name: str
    seen_s: float
    partitions: tuple[int, ...]


@dataclass(frozen=True)
class SpoolFile:
    """A file of hits that Valkey could not take, on this machine."""

    name: str
    size: int
    age_s: float


@dataclass(frozen=True)
class Job:
    """A job of the schedule, or one that is asked for by others (`every` is empty)."""

    name: str
    every: str
    every_s: float | None
    record: JobRecord

    @property
    def is_late(self) -> bool:
        """Whether it should have run by now; never for jobs without a schedule."""
        if self.every_s is None or self.record.ended_at is None:
            return False
        since = dt.datetime.now(dt.UTC) - self.record.ended_at
        return since.total_seconds() > 3 * self.every_s + 60

    @property
    def has_failed(self) -> bool:
        """Whether its last run did."""
        return self.record.state == "FAILURE"


@dataclass(frozen=True)
class Queue:
    """Jobs that are asked for."""

    waiting: int
    running: int
    """Taken by a worker and not ended."""


@dataclass(frozen=True)
class Glance:
    """The house in a few numbers; None where Valkey does not answer."""

    health: Mapping[str, str]
    """Part and "ok", or what is wrong with it."""
    waiting: int | None
    """Entries on all streams."""
    oldest_s: float | None
    writers: int | None
    dead: int | None
    queue: Queue | None
    spool_bytes: int
    refused_today: int | None

    @property
    def is_well(self) -> bool:
        """Whether every part is alive and nothing waits too long."""
        return all(state == OK for state in self.health.values()) and (self.oldest_s or 0) <= LATE_S


def read_partitions(client: "redis.Redis", *, now: float | None = None) -> list[Partition]:
    """Each stream, in order. One round trip a stream, two where hits wait; raises RedisError."""
    now = time.time() if now is None else now
    return [_partition(client, number, now) for number in range(settings.PARTITIONS)]


def _partition(client: "redis.Redis", number: int, now: float) -> Partition:
    name, lease = (of(settings.STREAM_PREFIX, number) for of in (stream_name, lease_name))
    pipe = client.pipeline(transaction=False)
    pipe.xlen(name)
    pipe.xinfo_groups(name)
    pipe.xinfo_consumers(name, GROUP)
    pipe.xrange(name, count=1)
    pipe.get(lease)
    pipe.pttl(lease)
    answers: list[Any] = pipe.execute(raise_on_error=False)
    for answer in answers:
        # A stream or group that is not made yet is no fault: nobody has sent a hit.
        if isinstance(answer, redis.RedisError) and not isinstance(answer, redis.ResponseError):
            raise answer
    length, groups, consumers, oldest, holder, lease_ms = (
        None if isinstance(answer, redis.ResponseError) else answer for answer in answers
    )
    group = next((one for one in groups or () if one["name"] == GROUP.encode()), None)
    pending = int(group["pending"]) if group else 0
    unread: Any = []
    if length and group:
        after = group["last-delivered-id"].decode()
        unread = client.xrange(name, min=f"({after}", count=1)
    idle = [one["idle"] / 1_000 for one in consumers or ()]
    return Partition(
        number=number,
        length=length or 0,
        pending=pending,
        unread=max(0, (length or 0) - pending),
        oldest_s=_age(oldest, now),
        unread_s=_age(unread if group else oldest, now),
        holder=holder.decode() if holder else "",
        lease_s=max(0, lease_ms or 0) / 1_000,
        idle_s=min(idle, default=None),
    )


def _age(entries: Any, now: float) -> float | None:
    """Seconds since the first entry was added, by its id."""
    if not entries:
        return None
    return max(0.0, now - int(entries[0][0].partition(b"-")[0]) / 1_000)


def read_writers(
    client: "redis.Redis", partitions: Iterable[Partition], *, now: float | None = None
) -> list[Writer]:
    """Writers alive, by name. One round trip; raises RedisError."""
    now = time.time() if now is None else now
    # redis-py's answers have types too wide to read
    found: Any = client.zrange(f"{settings.STREAM_PREFIX}:writers", 0, -1, withscores=True)
    held: dict[str, list[int]] = {}
    for partition in partitions:
        held.setdefault(partition.holder, []).append(partition.number)
    return [
        Writer(name.decode(), max(0.0, now - seen), tuple(held.get(name.decode(), ())))
        for name, seen in sorted(found)
    ]


def read_spool(directory: Path, *, now: float | None = None) -> list[SpoolFile]:
    """Spool files of this machine, the oldest first; [] where no collector has spooled."""
    now = time.time() if now is None else now
    files = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            status = path.stat()
        except FileNotFoundError:  # replayed in between
            continue
        files.append(SpoolFile(path.name, status.st_size, max(0.0, now - status.st_mtime)))
    return files


def read_queue(client: "redis.Redis") -> Queue:
    """Jobs asked for. One round trip; raises RedisError."""
    pipe = client.pipeline(transaction=False)
    pipe.llen(settings.CELERY_TASK_DEFAULT_QUEUE)
    pipe.hlen("unacked")  # kombu's name for what workers have taken
    waiting, taken = pipe.execute()
    return Queue(int(waiting), int(taken))


def read_jobs() -> list[Job]:
    """Jobs of the schedule by name, then those that are asked for by others. Raises RedisError."""
    app.loader.import_default_modules()
    app.finalize()  # what `on_after_finalize` puts on the schedule
    scheduled: dict[str, Any] = {
        entry["task"]: entry["schedule"] for entry in (app.conf.beat_schedule or {}).values()
    }
    own = {name for name in app.tasks if not name.startswith("celery.")}
    names = [*sorted(scheduled), *sorted(own - set(scheduled))]
    return [Job(name, *_every(scheduled.get(name)), record=read_job(name)) for name in names]


def _every(when: Any) -> tuple[str, float | None]:
    """In words, and in seconds where it is an interval."""
    if when is None:
        return "", None
    if isinstance(when, crontab):
        # A crontab in Celery's own words, such as <crontab: 5 4 * * * (m/h/dM/MY/d)>.
        return str(when), None
    if isinstance(when, schedule):
        when = getattr(when, "run_every", 0)  # Celery's stubs leave it out
    seconds = when.total_seconds() if isinstance(when, dt.timedelta) else float(when)
    return span_words(seconds), seconds


def span_words(seconds: float) -> str:
    """90 → *1.5 min*, 86400 → *24 h*: short, for tables."""
    for size, unit in ((86_400 * 2, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            per = 86_400 if unit == "d" else size
            return f"{seconds / per:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"


def unscoped_refusals(
    client: "redis.Redis", days: Sequence[dt.date]
) -> dict[Reason, dict[dt.date, int]]:
    """Requests of all clients that were not counted, by reason and UTC day, the most first.

    One round trip; raises RedisError.
    """
    pipe = client.pipeline(transaction=False)
    for day in days:
        pipe.hgetall(refused_name(settings.STREAM_PREFIX, day))
    found: dict[Reason, dict[dt.date, int]] = {}
    for day, counts in zip(days, pipe.execute(), strict=True):
        for field, number in counts.items():
            name = field.decode().partition(":")[2]
            if name in set(Reason):
                by_day = found.setdefault(Reason(name), dict.fromkeys(days, 0))
                by_day[day] += int(number)
    return dict(sorted(found.items(), key=lambda one: -sum(one[1].values())))


def unscoped_glance() -> Glance:
    """The house in a few numbers, also when Valkey is away."""
    client = valkey()
    health = check_health()
    spool_bytes = sum(file.size for file in read_spool(settings.SPOOL_PATH))
    try:
        partitions = read_partitions(client)
        refused = unscoped_refusals(client, [dt.datetime.now(dt.UTC).date()])
        return Glance(
            health=health,
            waiting=sum(one.length for one in partitions),
            oldest_s=max((one.oldest_s or 0.0 for one in partitions), default=0.0),
            writers=len(read_writers(client, partitions)),
            dead=count_letters(client),
            queue=read_queue(client),
            spool_bytes=spool_bytes,
            refused_today=sum(sum(by_day.values()) for by_day in refused.values()),
        )
    except redis.RedisError:
        return Glance(health, None, None, None, None, None, spool_bytes, None)
