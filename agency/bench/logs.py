"""The figure of weblog import, against GoAccess on the same file."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from agency.bench import stage
from agency.bench.figures import BenchError, Taken
from tracking.weblogs.synthetic import write_log

Tell = Callable[[str], None]


def weblog_ratio(*, runs: int, lines: int, tell: Tell) -> Taken:
    """Import and GoAccess in turn, on a usual log; once more on one whose every line is stored.

    Both are timed as whole commands, start included. Each import goes to a client of its own,
    since a second one into the same would store nothing.
    """
    usual, dear = settings.VAR / "usual.log", settings.VAR / "dear.log"
    tell(f"weblog: writing {lines:,} lines")
    write_log(usual, lines)
    write_log(dear, lines, assets=False)
    values, ours, theirs = [], [], []
    for number in range(runs):
        tell(f"weblog, run {number + 1} of {runs}")
        theirs.append(lines / _goaccess_s(usual))
        ours.append(lines / _import_s(usual, lines, f"bench-log-{number}"))
        values.append(ours[-1] / theirs[-1])
    dear_ratio = _goaccess_s(dear) / _import_s(dear, lines, "bench-log-dear")
    return Taken(
        "weblog_ratio",
        values,
        f"{sorted(ours)[runs // 2]:,.0f} lines/s against {sorted(theirs)[runs // 2]:,.0f}; "
        f"two processes and PostgreSQL against one process; where every line is stored: "
        f"{dear_ratio:.2f}.",
        {
            "import_lines_per_s": ours,
            "goaccess_lines_per_s": theirs,
            "every_line_stored_ratio": dear_ratio,
            "lines": lines,
        },
    )


def _goaccess_s(path: Path) -> float:
    out = settings.VAR / "goaccess.json"
    command = ["goaccess", str(path), "--log-format=COMBINED", "--no-progress", "-o", str(out)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found by require_programs
    seconds = time.monotonic() - began
    if done.returncode != 0 or not out.exists():
        raise BenchError(f"goaccess failed: {done.stderr.strip()[-200:]}")
    return seconds


def _import_s(path: Path, lines: int, slug: str) -> float:
    client, site = stage.bench_client(slug)
    command = [sys.executable, "manage.py", "import_weblog", client.slug, str(site.pk), str(path)]
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--quiet"], capture_output=True, text=True, check=False, cwd=stage.ROOT
    )
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise BenchError(f"import_weblog failed: {done.stderr.strip()[-300:]}")
    if stage.stored_hits(client) < lines // 5:
        raise BenchError("import_weblog stored next to nothing of the log.")
    return seconds
