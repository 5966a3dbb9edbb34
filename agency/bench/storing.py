"""Figures of storing: the writer against COPY, bytes per hit, and the rollup."""

import datetime as dt
import functools
import io
import itertools
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator

import redis
from django.conf import settings
from django.db import connection, transaction

from agency.bench import stage
from agency.bench.figures import BenchError, Taken
from tenants.models import Client, Site
from tenants.schemas import owning
from tracking.hits import Hit, Kind
from tracking.partitions import PARTITIONED
from tracking.rollups.run import RollupResult, roll_up_client
from tracking.simulate import rhythm
from tracking.simulate.history import hits_of
from tracking.simulate.secrets import history_site
from tracking.simulate.visits import Visit, VisitPlanner
from tracking.sizes import RAW_TABLES, table_bytes
from tracking.streams import FIELD, encode_hits, partition_of, stream_name
from tracking.writer.store import site_zones, store_hits

MICRO_BATCH = 32
"""Hits in an entry, as the collector makes them under load."""
BATCH = 5_000
WARM_ENTRIES = 50
"""Entries by which the writer is known to be up; their hits are left out of the rate."""
_SAMPLE = 2_000
_SPARE = 10
"""Visits more than needed on average: a small day is far from the average."""
_DRAIN_S = 300
_COPIES = 3
_COPY_OUT = {
    "visits": "COPY (SELECT * FROM visits) TO STDOUT (FORMAT BINARY)",
    "hits": "COPY (SELECT * FROM hits) TO STDOUT (FORMAT BINARY)",
    "origins": "COPY (SELECT * FROM origins) TO STDOUT (FORMAT BINARY)",
}
_COUNT = {
    "visits": "SELECT count(*) FROM visits",
    "hits": "SELECT count(*) FROM hits",
    "origins": "SELECT count(*) FROM origins",
}

Tell = Callable[[str], None]


def days_of_hits(client: Client, site: Site, count: int, *, days: int) -> Iterator[list[Hit]]:
    """Exactly `count` hits, as many on each of the last `days` days, yesterday the last."""
    yesterday = _yesterday()
    for number in range(days):
        share = count // days + (number < count % days)
        day = yesterday - dt.timedelta(days=days - 1 - number)
        if share:
            yield from day_of_hits(client, site, share, day=day)


def day_of_hits(
    client: Client, site: Site, count: int, *, day: dt.date | None = None
) -> Iterator[list[Hit]]:
    """Exactly `count` hits of a day (yesterday) in order of time, a batch at a time."""
    history = history_site(client, site)
    day = day or _yesterday()
    visits = _visits_of(day, f"{client.slug} {day}", count)
    waiting: list[Hit] = []
    given = 0
    for number, visit in enumerate(visits):
        waiting += hits_of(visit, history)
        if len(waiting) >= 20 * BATCH or number == len(visits) - 1:
            waiting.sort(key=lambda hit: hit.at_us)
            is_last = number == len(visits) - 1
            ends_us = int(visit.starts_at * 1e6)
            # Later visits have no hit before this one's start: what lies before it is complete.
            ready = [hit for hit in waiting if is_last or hit.at_us < ends_us]
            waiting = waiting[len(ready) :]
            for start in range(0, len(ready), BATCH):
                batch = ready[start : start + min(BATCH, count - given)]
                given += len(batch)
                if batch:
                    yield batch
            if given >= count:
                return
    raise BenchError(f"The model gave {given} hits where {count} were asked for.")


def _yesterday() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


@functools.cache
def _hits_per_visit() -> float:
    """Of a sample of the bench website's visits, which is the same for every day."""
    rng = random.Random("sample")
    planner = VisitPlanner(stage.bench_website(_SAMPLE), seed="sample")
    sample = [planner.plan_visit(0, 0, rng) for _ in range(_SAMPLE)]
    return sum(len(visit.steps) for visit in sample) / _SAMPLE


def _visits_of(day: dt.date, seed: str, count: int) -> list[Visit]:
    """Visits of a day with a little more than `count` hits before midnight, by their start."""
    website = stage.bench_website(count / 50)  # its regulars come about five times in the day
    planner = VisitPlanner(website, seed=seed)
    rng = random.Random(seed)
    per_visit = _hits_per_visit()
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
    visits: list[Visit] = []
    # Visits differ widely in length: what a sample says of a small day may be a tenth too little.
    while (missing := count - sum(len(visit.steps) for visit in visits)) > 0:
        more = int(missing * 1.03 / per_visit) + _SPARE
        starts = sorted(rhythm.second_of_day(website.rhythm, rng) for _ in range(more))
        visits += [planner.plan_visit(midnight + start, 0, rng) for start in starts]
    return sorted(visits, key=lambda visit: visit.starts_at)


def writer_ratio(*, runs: int, hits: int, tell: Tell) -> Taken:
    """Writer processes off a full stream, and COPY of the rows it stored, in turn."""
    client, site = stage.bench_client("bench-writer")
    tell(f"writer: planning {hits:,} hits")
    entries = list(_entries(itertools.chain.from_iterable(day_of_hits(client, site, hits))))
    values, ours, raw = [], [], []
    rows = 0
    for number in range(runs):
        tell(f"writer, run {number + 1} of {runs}")
        stage.empty_tables(client)
        hits_per_s = _writer_rate(entries, hits)
        if stage.stored_hits(client) != hits:
            raise BenchError(f"{hits} hits were given, {stage.stored_hits(client)} are stored.")
        content, rows = _copied_out(client)
        tell(f"COPY, run {number + 1} of {runs}")
        # A second or two, in which the machine is faster or slower than it was for the writers.
        raw.append(rows / statistics.median(_copied_in(client, content) for _ in range(_COPIES)))
        ours.append(hits_per_s * rows / hits)
        values.append(ours[-1] / raw[-1])
    return Taken(
        "writer_ratio",
        values,
        f"{sorted(ours)[len(ours) // 2]:,.0f} rows/s against {sorted(raw)[len(raw) // 2]:,.0f}; "
        f"{hits:,} hits in {rows:,} rows of hits, visits and origins; "
        f"{stage.WRITERS_TOLD}.",
        {"writer_rows_per_s": ours, "copy_rows_per_s": raw},
    )


def _entries(hits: Iterator[Hit]) -> Iterator[tuple[str, bytes]]:
    """Stream entries as the collector would have made them."""
    waiting: dict[int, list[Hit]] = {}
    for hit in hits:
        partition = partition_of(hit.visitor, settings.PARTITIONS)
        group = waiting.setdefault(partition, [])
        group.append(hit)
        if len(group) == MICRO_BATCH:
            yield stream_name(settings.STREAM_PREFIX, partition), encode_hits(group)
            group.clear()
    for partition, group in waiting.items():
        if group:
            yield stream_name(settings.STREAM_PREFIX, partition), encode_hits(group)


def _writer_rate(entries: list[tuple[str, bytes]], hits: int) -> float:
    """Hits/s of `stage.WRITERS` writer processes that are up when the stream fills at a blow.

    They are held while the stream is filled, so that neither their start nor the filling counts,
    and their leases must outlast it: time runs from when all have work until all is stored.
    """
    valkey = stage.stream()
    first, rest = entries[:WARM_ENTRIES], entries[WARM_ENTRIES:]
    with stage.writing() as writers:
        _fill(valkey, first)
        _wait_until_stored(valkey)
        try:
            for writer in writers:
                writer.send_signal(signal.SIGSTOP)
            _fill(valkey, rest)
            if not stage.is_shared_out(valkey):
                raise BenchError("The stream took longer to fill than a lease lasts: give less.")
            began = time.monotonic()
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGCONT)
        _wait_until_stored(valkey)
        seconds = time.monotonic() - began
    return hits * len(rest) / len(entries) / seconds


def _fill(valkey: "redis.Redis", entries: list[tuple[str, bytes]]) -> None:
    for start in range(0, len(entries), 1_000):
        pipeline = valkey.pipeline(transaction=False)
        for name, payload in entries[start : start + 1_000]:
            pipeline.xadd(name, {FIELD: payload})
        pipeline.execute()


def _wait_until_stored(valkey: "redis.Redis") -> None:
    deadline = time.monotonic() + _DRAIN_S
    while stage.backlog(valkey):
        if time.monotonic() > deadline:
            raise BenchError(f"The writers have not stored all within {_DRAIN_S} s.")
        time.sleep(0.02)


def _copied_out(client: Client) -> tuple[dict[str, bytes], int]:
    """All rows in binary COPY format by table, and their number."""
    content, rows = {}, 0
    with owning(client), connection.cursor() as cursor:
        for table in PARTITIONED:
            buffer = io.BytesIO()
            with cursor.copy(_COPY_OUT[table]) as copy:
                for chunk in copy:
                    buffer.write(chunk)
            content[table] = buffer.getvalue()
            cursor.execute(_COUNT[table])
            rows += int(cursor.fetchone()[0])
    return content, rows


def _copied_in(client: Client, content: dict[str, bytes]) -> float:
    """Seconds that COPY takes for the rows, into the emptied tables, committed."""
    stage.empty_tables(client)
    began = time.monotonic()
    with owning(client), transaction.atomic(), connection.cursor() as cursor:
        for table, rows in content.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                for start in range(0, len(rows), 1 << 20):
                    copy.write(rows[start : start + (1 << 20)])
    return time.monotonic() - began


class Million:
    """A client with a day of (by default) a million hits, stored through the writer's path."""

    def __init__(self, *, hits: int, tell: Tell) -> None:
        self.hits = hits
        self._tell = tell
        self.client, site = stage.bench_client("bench-million")
        zones = site_zones(self.client)
        self.stored = told = 0
        self.of_kind = dict.fromkeys(Kind, 0)
        self._rollup: tuple[float, RollupResult] | None = None
        for batch in day_of_hits(self.client, site, hits):
            self.stored += store_hits(self.client, batch, zones=zones).stored
            for hit in batch:
                self.of_kind[Kind(hit.kind)] += 1
            if self.stored >= told + hits // 5:
                told = self.stored
                tell(f"a day of {hits:,} hits: {self.stored:,} stored")

    def bytes_per_hit(self) -> Taken:
        """Tables and indexes as they are once all is rolled up and copied, nothing vacuumed.

        For each page view or event, which alone are hits by the design's words; what is accepted
        of pings takes its room too.
        """
        self._rolled_up()
        sizes = table_bytes(self.client, RAW_TABLES)
        total = sum(sizes.values())
        views = self.stored - self.of_kind[Kind.ENGAGEMENT]
        parts = ", ".join(f"{table} {size / views:.0f}" for table, size in sizes.items())
        return Taken(
            "bytes_per_hit",
            [total / views],
            f"{views:,} page views and events ({parts}), and {self.of_kind[Kind.ENGAGEMENT]:,} "
            f"pings of engaged time beside them; {total / self.stored:.0f} for each accepted hit.",
            {"bytes": sizes, "accepted": self.stored, "per_accepted": total / self.stored},
        )

    def rollup(self) -> Taken:
        """All hours and the day, from raw rows."""
        seconds, result = self._rolled_up()
        return Taken(
            "rollup_s_per_million",
            [seconds * 1_000_000 / self.stored],
            f"{self.stored:,} hits, {result.hours} hours into {result.rows:,} rows in one process.",
            {"seconds": seconds, "rows": result.rows},
        )

    def _rolled_up(self) -> tuple[float, RollupResult]:
        """How long it took; done once."""
        if self._rollup is None:
            self._tell("rollup")
            began = time.monotonic()
            result = roll_up_client(self.client, now=dt.datetime.now(dt.UTC))
            self._rollup = time.monotonic() - began, result
        return self._rollup
