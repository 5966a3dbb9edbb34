"""The load: requests of planned visits, sent by wrk as fast as they are answered, or at a rate.

Requests are made beforehand; wrk puts in a nonce of each request's own, and an octet of the
address that changes with each round through the file and each load, so visitors do not repeat.
"""

import dataclasses
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from agency.bench.figures import BenchError
from agency.bench.stage import SITE_HOST, bench_website
from tracking.simulate.messages import encode_message, message_of
from tracking.simulate.visits import Person, Step, VisitPlanner

REQUESTS = 30_000
"""Different requests, by about 6,000 visitors a round."""
CONNECTIONS = 64
SPREAD_S = 1_800
"""The visits of a round begin within so long, so that their hits lie among each other."""
_NONCE = "n" * 16
_OCTET = "ooo"

# wrk's own interpreter is LuaJIT (Lua 5.1). DELAY_MS 0: no pause.
_SCRIPT = """
local before, between, after = {}, {}, {}
local count, at, round, number = 0, 0, 0, 0
local run = RUN_ID
for line in io.lines("REQUESTS_PATH") do
  count = count + 1
  line = line:gsub("\\1", "\\r\\n")
  before[count], between[count], after[count] = line:match("^(.-)\\2(.-)\\2(.*)$")
end
function request()
  at = at + 1
  if at > count then at, round = 1, round + 1 end
  number = number + 1
  return before[at] .. (100 + (7 * run + round) % 150) .. between[at]
      .. string.format("%06x%010x", run, number) .. after[at]
end
DELAY
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "duration_us": %d, "refused": %d, "failed": %d, ' ..
    '"p50_us": %d, "p99_us": %d}\\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
_runs = iter(range(1, 1 << 24))


@dataclasses.dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    refused: int
    """Answers that are no 2xx or 3xx."""
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answered requests a second, refused ones left out."""
        return (self.requests - self.refused) / self.seconds


def write_requests(path: Path, *, client_host: str, site_key: str) -> None:
    """Write the requests, one on a line, for the Lua script."""
    with path.open("w", encoding="latin-1", newline="") as file:
        for line in _requests(client_host, site_key):
            file.write(line + "\n")


def _requests(client_host: str, site_key: str) -> Iterator[str]:
    rng = random.Random(2)
    planner = VisitPlanner(bench_website(3_000), seed="bench")
    steps: list[tuple[float, Step, Person, str]] = []
    while len(steps) < REQUESTS:
        visit = planner.plan_visit(rng.random() * SPREAD_S, rng.randrange(7), rng)
        address = f"{rng.randrange(11, 99)}.{_OCTET}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        steps += [(visit.starts_at + s.after_s, s, visit.person, address) for s in visit.steps]
    steps.sort(key=lambda each: each[0])
    for _, step, person, address in steps[:REQUESTS]:
        message = message_of(step, person, site_key=site_key, host=SITE_HOST, nonce=_NONCE)
        body = encode_message(message).decode("ascii")
        head = "\r\n".join(
            (
                "POST /collect HTTP/1.1",
                f"Host: {client_host}",
                f"User-Agent: {person.agent}",
                f"X-Forwarded-For: {address}",
                "Content-Type: text/plain;charset=UTF-8",
                f"Accept-Language: {person.language}",
                f"Origin: https://{SITE_HOST}",
                f"Referer: https://{SITE_HOST}/",
                f"Content-Length: {len(body)}",
                "",
                "",
            )
        )
        before, after = (head + body).split(_OCTET, 1)
        between, after = after.split(_NONCE, 1)
        yield f"{before}\2{between}\2{after}".replace("\r\n", "\1")


def run_wrk(url: str, requests: Path, *, seconds: int, rate: float | None = None) -> Load:
    """Send for so many seconds; with `rate`, about so many a second. Raises BenchError."""
    connections = CONNECTIONS if rate is None else CONNECTIONS * 4
    pause = "" if rate is None else f"function delay() return {1000 * connections / rate:.3f} end"
    script = requests.with_suffix(".lua")
    script.write_text(
        _SCRIPT.replace("REQUESTS_PATH", str(requests))
        .replace("RUN_ID", str(next(_runs)))
        .replace("DELAY", pause)
    )
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    done = subprocess.run(  # noqa: S603 - wrk, found by require_programs
        command, capture_output=True, text=True, check=False, cwd=settings.VAR
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not found:
        raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    seen = json.loads(found[-1])
    return Load(
        requests=seen["requests"],
        seconds=seen["duration_us"] / 1e6,
        refused=seen["refused"],
        failed=seen["failed"],
        p50_ms=seen["p50_us"] / 1000,
        p99_ms=seen["p99_us"] / 1000,
    )
