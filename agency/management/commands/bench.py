"""manage.py bench: the figures, each against a baseline of the same run."""

import dataclasses
import os
import platform
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from agency.bench import stage
from agency.bench.clients import new_client_s
from agency.bench.figures import NAMES, BenchError, Taken, show, write_json
from agency.bench.logs import weblog_ratio
from agency.bench.pages import AGENCY_CLIENTS, AgencyPages, Pages
from agency.bench.requests import Requests
from agency.bench.storing import Million, writer_ratio
from agency.postgres_account import EmbeddedError

BUSY = 0.7
"""Load average of one minute from which others' work shows in the figures."""

Tell = Callable[[str], None]


class Command(BaseCommand):
    """Take the figures in `var/bench`, print a table, write `var/bench.json`."""

    help = "Measure collector, writer, import, rollup and storage; exit 1 when a bound fails."
    requires_system_checks: list[str] = []  # its databases are not there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which figures, how carefully."""
        parser.add_argument(
            "--only", action="append", choices=NAMES, metavar="NAME", help="this figure alone"
        )
        parser.add_argument("--runs", type=int, default=3, help="runs of each ratio (3)")
        parser.add_argument("--seconds", type=int, default=10, help="of each load (10)")
        parser.add_argument(
            "--quick", action="store_true", help="one short run on a tenth of the data: no verdict"
        )
        parser.add_argument(
            "--clients", type=int, default=0, help="also create so many clients in parallel"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure; the first call starts itself again with settings that point at the stage."""
        if os.environ.get(stage.MARK) != "1":
            os.execve(sys.executable, [sys.executable, *sys.argv], stage.stage_environment())  # noqa: S606 - this very command
        # Stopped by either signal, it stops its servers and processes too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        console = Console(width=None if sys.stdout.isatty() else 160)
        wanted = set(options["only"] or NAMES)
        taken: list[Taken] = []
        path = Path(os.environ[stage.RESULT])
        busy = os.getloadavg()[0]
        if busy > BUSY:
            console.print(
                f"[yellow]The machine is busy (load {busy:.1f}): figures will mislead.[/]"
            )
        try:
            _require(wanted)
            with stage.servers():
                for each in _figures(wanted, options, lambda line: _tell(console, line)):
                    taken.append(each)
                    write_json(path, taken, _machine(options))
        except (BenchError, EmbeddedError) as error:
            if taken:
                show(console, taken)
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            console.print("Stopped.")
            sys.exit(130)
        passed = show(console, taken)
        console.print(f"Written to {path}")
        if options["quick"]:
            console.print("A quick run: figures of so little data prove nothing.")
        elif not passed:
            sys.exit(1)


def _require(wanted: set[str]) -> None:
    needed = []
    if wanted & {"collector_ratio", "end_to_end_ratio"}:
        needed.append("wrk")
    if "weblog_ratio" in wanted:
        needed.append("goaccess")
    stage.require_programs(*needed)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What is wanted, and how carefully."""

    wanted: set[str]
    runs: int
    seconds: int
    scale: int
    """A tenth of the data is enough for a quick run."""
    clients: int
    tell: Tell


def _figures(wanted: set[str], options: dict[str, Any], tell: Tell) -> Iterator[Taken]:
    quick = options["quick"]
    plan = _Plan(
        wanted=wanted,
        runs=1 if quick else options["runs"],
        seconds=3 if quick else options["seconds"],
        scale=10 if quick else 1,
        clients=options["clients"],
        tell=tell,
    )
    if "new_client_s" in wanted:
        yield new_client_s(tell=tell, many=plan.clients)
    yield from _of_requests(plan)
    yield from _of_storing(plan)
    yield from _of_pages(plan)


def _of_requests(plan: _Plan) -> Iterator[Taken]:
    if plan.wanted & {"collector_ratio", "end_to_end_ratio"}:
        requests = Requests(runs=plan.runs, seconds=plan.seconds, tell=plan.tell)
        if "collector_ratio" in plan.wanted:
            yield requests.collector_ratio()
        if "end_to_end_ratio" in plan.wanted:
            yield requests.end_to_end_ratio()


def _of_storing(plan: _Plan) -> Iterator[Taken]:
    if "writer_ratio" in plan.wanted:
        yield writer_ratio(runs=plan.runs, hits=600_000 // plan.scale, tell=plan.tell)
    if "weblog_ratio" in plan.wanted:
        yield weblog_ratio(runs=plan.runs, lines=500_000 // plan.scale, tell=plan.tell)
    if plan.wanted & {"bytes_per_hit", "rollup_s_per_million"}:
        million = Million(hits=1_000_000 // plan.scale, tell=plan.tell)
        if "bytes_per_hit" in plan.wanted:
            yield million.bytes_per_hit()
        if "rollup_s_per_million" in plan.wanted:
            yield million.rollup()


def _of_pages(plan: _Plan) -> Iterator[Taken]:
    if "agency_ms_200" in plan.wanted:
        clients = AGENCY_CLIENTS // plan.scale
        yield AgencyPages(clients=clients, runs=plan.runs, tell=plan.tell).overview()
    if plan.wanted & {"overview_ms_1m", "overview_growth_10m", "filtered_ms_1m"}:
        pages = Pages(hits=1_000_000 // plan.scale, runs=plan.runs, tell=plan.tell)
        if "overview_ms_1m" in plan.wanted:
            yield pages.overview()
        if "filtered_ms_1m" in plan.wanted:
            yield pages.filtered()
        if "overview_growth_10m" in plan.wanted:
            yield pages.growth()


def _tell(console: Console, line: str) -> None:
    console.print(f"[dim]{line}[/]", highlight=False)


def _machine(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "quick": options["quick"],
        "load_average": os.getloadavg(),
    }
