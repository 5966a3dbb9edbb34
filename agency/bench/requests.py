"""Figures of requests: the collector alone, and with writer and PostgreSQL behind it."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import cast

import redis
from django.conf import settings

from agency.bench import stage
from agency.bench.figures import BenchError, Taken
from agency.bench.load import Load, run_wrk, write_requests
from tracking.streams import FIELD, decode_hits, stream_name

BARE = "agency.bench.bare:application"
COLLECTOR = "tracking.collector.app:application"
WARM_S = 2
SLICE_S = 2
ROOM_S = 1.5
"""A backlog of so many seconds' hits is the writer's batch, not a growing stream."""
_PROBES = 3
_DRAIN_S = 120
CONNECTED = 256
"""Requests that were under way when wrk stopped counting."""

Tell = Callable[[str], None]
_Entry = tuple[bytes, dict[bytes, bytes]]


@dataclasses.dataclass(frozen=True)
class _Sustained:
    """A run with writer: what was stored while the load lasted."""

    accepted_rate: float
    stored_rate: float
    backlog_s: float
    """What waited at the end of the load, in seconds of its rate."""

    @property
    def holds(self) -> bool:
        """Whether the stream did not grow."""
        return self.backlog_s <= ROOM_S


class _Sliced:
    """A load in slices."""

    def __init__(self) -> None:
        self._slices: list[Load] = []
        self._cpu_s = 0.0

    def add(self, load: Load, cpu_s: float) -> None:
        """A slice, and the processor time that the server spent on it."""
        self._slices.append(load)
        self._cpu_s += cpu_s

    @property
    def rate(self) -> float:
        """Answered requests a second of all slices."""
        answered = sum(load.requests - load.refused for load in self._slices)
        return answered / sum(load.seconds for load in self._slices)

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's processor time for a request."""
        return self._cpu_s * 1e6 / max(1, sum(load.requests for load in self._slices))

    @property
    def p99_ms(self) -> float:
        """Of the worst slice."""
        return max(load.p99_ms for load in self._slices)


class Requests:
    """Takes both figures with the same load and the same baseline."""

    def __init__(self, *, runs: int, seconds: int, tell: Tell) -> None:
        self._runs = runs
        self._seconds = seconds
        self._tell = tell
        self._valkey = stage.stream()
        self.client, site = stage.bench_client("bench-requests")
        self._requests = settings.VAR / "requests.txt"
        write_requests(
            self._requests,
            client_host=f"{self.client.slug}.{settings.BASE_DOMAIN}",
            site_key=site.key,
        )

    def collector_ratio(self) -> Taken:
        """Bare application and collector in turn, a slice of each load at a time.

        The machine's own speed drifts by half within seconds: two loads one after the other would
        be taken on two different machines.
        """
        ours, bare, worst, spent, spent_bare = [], [], [], [], []
        for number in range(self._runs):
            self._tell(f"collector and bare application, run {number + 1} of {self._runs}")
            with (
                stage.serving(BARE, "asgi") as baseline,
                stage.serving(COLLECTOR, "rsgi") as collector,
            ):
                plain, hits = self._loaded_in_turn(baseline, collector)
            bare.append(plain.rate)
            ours.append(hits.rate)
            worst.append(hits.p99_ms)
            spent_bare.append(plain.cpu_us)
            spent.append(hits.cpu_us)
        return Taken(
            "collector_ratio",
            [rate / base for rate, base in zip(ours, bare, strict=True)],
            f"{_mid(ours):,.0f}/s against {_mid(bare):,.0f}/s, durable 202, p99 "
            f"{_mid(worst):.0f} ms; processor time of a request {_mid(spent):.0f} us against "
            f"{_mid(spent_bare):.0f}; one worker each, wrk on the same cores.",
            {
                "collector_per_s": ours,
                "bare_per_s": bare,
                "collector_cpu_us": spent,
                "bare_cpu_us": spent_bare,
            },
        )

    def end_to_end_ratio(self) -> Taken:
        """Bare application in turn with collector, writer and PostgreSQL at the rate they hold."""
        seconds = max(20, self._seconds)
        ours = []
        bare = [self._bare_rate()]
        rate: float | None = None
        for number in range(self._runs):
            self._tell(f"end to end, run {number + 1} of {self._runs}")
            with stage.serving(COLLECTOR, "rsgi") as server, stage.writing():
                if number == 0:
                    rate = self._search(server.url)
                ours.append(self._sustained(server.url, seconds, rate))
            stage.empty_tables(self.client)
            bare.append(self._bare_rate())
        # In a stream that grew all the same, what was stored is what was sustained.
        stored = [run.stored_rate for run in ours]
        return Taken(
            "end_to_end_ratio",
            _ratios(stored, bare),
            f"{_mid(stored):,.0f}/s stored over {seconds} s against {_mid(bare):,.0f}/s; "
            f"left waiting at the end: {_mid([run.backlog_s for run in ours]):.1f} s of traffic.",
            {
                "stored_per_s": stored,
                "bare_per_s": bare,
                "accepted_per_s": [run.accepted_rate for run in ours],
                "backlog_s": [run.backlog_s for run in ours],
                "sent_at_rate": rate,
            },
        )

    def _bare_rate(self) -> float:
        """Requests/s of the bare application."""
        self._tell("bare application")
        with stage.serving(BARE, "asgi") as server:
            run_wrk(server.url, self._requests, seconds=WARM_S)
            return run_wrk(server.url, self._requests, seconds=self._seconds).rate

    def _loaded_in_turn(
        self, baseline: stage.Server, collector: stage.Server
    ) -> tuple[_Sliced, _Sliced]:
        """`seconds` of load on each, in whole slices. Every slice of the collector is checked."""
        for server in (baseline, collector):
            run_wrk(server.url, self._requests, seconds=WARM_S)
        bare, ours = _Sliced(), _Sliced()
        for _ in range(max(1, self._seconds // SLICE_S)):
            self._load_slice(baseline, bare)
            stage.empty_stream(self._valkey)
            self._check(self._load_slice(collector, ours))
        stage.empty_stream(self._valkey)
        return bare, ours

    def _load_slice(self, server: stage.Server, into: _Sliced) -> Load:
        before = server.cpu_s()
        load = run_wrk(server.url, self._requests, seconds=SLICE_S)
        into.add(load, server.cpu_s() - before)
        return load

    def _check(self, load: Load) -> None:
        """Every 202 must be a hit in the stream, and nothing may be refused."""
        if load.refused or load.failed:
            raise BenchError(
                f"The collector refused {load.refused} and failed {load.failed} of "
                f"{load.requests} requests: the figure would not be one of accepted hits."
            )
        hits = _hits_in_stream(self._valkey)
        if not load.requests <= hits <= load.requests + CONNECTED:
            raise BenchError(f"{load.requests} requests were answered 202, {hits} are stored.")

    def _search(self, url: str) -> float | None:
        """The highest rate at which the stream does not grow; None: as fast as it takes them."""
        self._tell("end to end: as fast as it takes them")
        run = self._sustained(url, 12, None)
        if run.holds:
            return None
        low, high = run.stored_rate * 0.9, run.accepted_rate
        best = low
        for _ in range(_PROBES):
            rate = (low + high) / 2
            self._tell(f"end to end: {rate:,.0f} a second")
            if self._sustained(url, 10, rate).holds:
                low = best = rate
            else:
                high = rate
        return best

    def _sustained(self, url: str, seconds: int, rate: float | None) -> _Sustained:
        """One load with the writer at work. Waits until the stream is empty, and counts."""
        before = self._stored()
        seen: list[Load] = []
        worker = threading.Thread(
            target=lambda: seen.append(
                run_wrk(url, self._requests, seconds=seconds + WARM_S, rate=rate)
            )
        )
        worker.start()
        time.sleep(WARM_S)
        first_at, first = time.monotonic(), self._stored()
        worker.join()
        last_at, last = time.monotonic(), self._stored()
        if not seen:
            raise BenchError("wrk failed; see above.")
        load = seen[0]
        total = self._drained(before + load.requests)
        if load.refused or load.failed:
            raise BenchError(f"{load.refused} requests were refused, {load.failed} failed.")
        if not load.requests <= total - before <= load.requests + CONNECTED:
            raise BenchError(f"{load.requests} requests were accepted, {total - before} stored.")
        return _Sustained(
            accepted_rate=load.rate,
            stored_rate=(last - first) / (last_at - first_at),
            backlog_s=(total - last) / load.rate,
        )

    def _stored(self) -> int:
        return stage.stored_hits(self.client)

    def _drained(self, at_least: int) -> int:
        """Wait until the writer has stored all; returns the rows."""
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline:
            if stage.backlog(self._valkey) == 0 and self._stored() >= at_least:
                return self._stored()
            time.sleep(0.2)
        raise BenchError(f"The writer has not stored all within {_DRAIN_S} s.")


def _hits_in_stream(valkey: "redis.Redis") -> int:
    hits = 0
    for partition in range(settings.PARTITIONS):
        name, after = stream_name(settings.STREAM_PREFIX, partition), "-"
        while entries := cast(list[_Entry], valkey.xrange(name, after, count=1_000)):
            hits += sum(len(decode_hits(fields[FIELD])) for _, fields in entries)
            after = "(" + entries[-1][0].decode()
    return hits


def _ratios(ours: list[float], bare: list[float]) -> list[float]:
    """Each of ours to the mean of the baselines before and after it: a machine drifts."""
    return [2 * rate / (bare[i] + bare[i + 1]) for i, rate in enumerate(ours)]


def _mid(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
