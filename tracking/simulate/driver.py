"""Drives a running collector with planned visits, as their browsers would.

Every message is accounted for: sent = accepted + dropped + refused + failed.
"""

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import itertools
import logging
import random
import time
import zoneinfo
from collections.abc import Callable, Iterator

import httpx

from tracking.addresses import Address
from tracking.hits import PAGE_KINDS
from tracking.simulate import rhythm
from tracking.simulate.agents import pick_bot
from tracking.simulate.messages import Message, encode_message, message_of, new_nonce, pixel_query
from tracking.simulate.visits import Person, Step, Visit, VisitPlanner

_BOTS = 0.01
_OPTED_OUT = 0.015
"""Visits whose browser sends `Sec-GPC: 1`, and whose page carries an older script."""
_NO_SCRIPT = 0.01
_SAMPLE = 2_000
_LONG_VISITS = 0.98
"""Visits longer than this share of all are not among those under way at the start."""
_RETRY_S = 1.0
_TIMEOUT_S = 10.0
_CONNECTIONS = 64
_TICK_S = 0.05


@dataclasses.dataclass
class Account:
    """What became of the messages."""

    sent: int = 0
    """Messages; a retry is the same message."""
    accepted: int = 0
    dropped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """By the collector's reason: taken, and on purpose not counted."""
    refused: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """By HTTP status; `pixel` for those to which the pixel, always an image, said no."""
    failed: int = 0
    """No answer: the collector is not there, or took longer than ten seconds."""
    retried: int = 0
    visits: int = 0
    seconds: float = 0.0

    @property
    def adds_up(self) -> bool:
        """Whether every message sent has been accounted for."""
        known = self.accepted + self.dropped.total() + self.refused.total() + self.failed
        return known == self.sent

    def line(self) -> str:
        """The one line that a command prints at its end."""
        rate = self.sent / self.seconds if self.seconds else 0.0
        parts = [
            f"sent {self.sent:,} in {self.seconds:.1f} s ({rate:.1f}/s, {self.visits:,} visits)",
            f"accepted {self.accepted:,}",
            f"dropped {self.dropped.total():,}{_by_reason(self.dropped)}",
            f"refused {self.refused.total():,}{_by_reason(self.refused)}",
            f"failed {self.failed:,}",
        ]
        return "; ".join(parts) + "."


def _by_reason(counts: collections.Counter[str]) -> str:
    parts = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    return f" ({parts})" if parts else ""


@dataclasses.dataclass(frozen=True)
class Target:
    """Where the messages go."""

    url: str
    """Base address to connect to, e.g. http://127.0.0.1:8000."""
    client_host: str
    """The client's own host, sent as Host header, e.g. fellside.localhost:8000."""
    site_key: str
    site_host: str


@dataclasses.dataclass(slots=True)
class _Browser:
    """A visit on its way, with what its browser is like."""

    visit: Visit
    agent: str
    opted_out: bool
    scripted: bool


class Driver:
    """Sends visits at a rate. `address_of` gives the visitor's address, for X-Forwarded-For."""

    def __init__(
        self,
        planner: VisitPlanner,
        target: Target,
        *,
        address_of: Callable[[Person], Address],
        seed: int | None = None,
    ) -> None:
        self.planner = planner
        self.target = target
        self.account = Account()
        self._address_of = address_of
        self._rng = random.Random(seed)
        self._zone = zoneinfo.ZoneInfo(planner.website.timezone)
        self._turn = itertools.count()
        self._sending: set[asyncio.Task[None]] = set()

    async def run(
        self, rate: float, *, seconds: float | None, keeps_rhythm: bool = False
    ) -> Account:
        """Send `rate` messages a second on average, until `seconds` are over or it is cancelled.

        With `keeps_rhythm` the rate is that of the mean hour of the week, and the present hour has
        its own share of it. Visits last as long as they would, so at the start some are already
        under way. Returns the account; what is on its way at the end is waited for.
        """
        queue: asyncio.PriorityQueue[tuple[float, int, _Browser, int]] = asyncio.PriorityQueue()
        arrivals = self._arrivals(rate, keeps_rhythm)
        due_s, browser = next(arrivals)
        while due_s <= 0:
            self._enter(queue, browser, due_s)
            due_s, browser = next(arrivals)
        # Its INFO lines hold whole URLs, which no log of ours may.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        limits = httpx.Limits(max_connections=_CONNECTIONS)
        async with httpx.AsyncClient(
            base_url=self.target.url, limits=limits, timeout=_TIMEOUT_S, trust_env=False
        ) as http:
            began = time.monotonic()
            try:
                while seconds is None or time.monotonic() - began < seconds:
                    now_s = time.monotonic() - began
                    while due_s <= now_s:
                        self._enter(queue, browser, due_s)
                        due_s, browser = next(arrivals)
                    self._send_due(http, queue, now_s)
                    await asyncio.sleep(_TICK_S)
            finally:
                if self._sending:
                    await asyncio.wait(self._sending)
                self.account.seconds = time.monotonic() - began
        return self.account

    def _arrivals(self, rate: float, keeps_rhythm: bool) -> Iterator[tuple[float, _Browser]]:
        """Visits with the time of their beginning in seconds from now, the past ones first."""
        sample = [self._new_browser().visit for _ in range(_SAMPLE)]
        steps = sum(len(visit.steps) for visit in sample) / len(sample)
        lengths = sorted(visit.steps[-1].after_s for visit in sample)
        at_s = -lengths[int(_SAMPLE * _LONG_VISITS)]
        while True:
            share = self._share_of_now() if keeps_rhythm else 1.0
            at_s += self._rng.expovariate(rate * share / steps)
            yield at_s, self._new_browser()

    def _share_of_now(self) -> float:
        return rhythm.hour_weight(self.planner.website.rhythm, dt.datetime.now(self._zone))

    def _new_browser(self) -> _Browser:
        weekday = dt.datetime.now(self._zone).weekday()
        visit = self.planner.plan_visit(0.0, weekday, self._rng)
        is_bot = self._rng.random() < _BOTS
        return _Browser(
            visit,
            agent=pick_bot(self._rng) if is_bot else visit.person.agent,
            opted_out=self._rng.random() < _OPTED_OUT,
            scripted=self._rng.random() >= _NO_SCRIPT,
        )

    def _enter(
        self,
        queue: asyncio.PriorityQueue[tuple[float, int, _Browser, int]],
        browser: _Browser,
        starts_s: float,
    ) -> None:
        """Queue the visit's first message that is not past.

        Of a visit under way at the start, the landing page is sent in place of the first one due,
        for a visit without it would come from nowhere.
        """
        steps = browser.visit.steps
        left = [step for step in steps if starts_s + step.after_s >= 0] if starts_s < 0 else steps
        if not left:
            return
        if left[0] is not steps[0]:
            landing = dataclasses.replace(steps[0], after_s=left[0].after_s)
            left = [landing, *left[1:]]
        browser.visit = Visit(starts_s, browser.visit.person, left)
        self.account.visits += 1
        queue.put_nowait((starts_s + left[0].after_s, next(self._turn), browser, 0))

    def _send_due(
        self,
        http: httpx.AsyncClient,
        queue: asyncio.PriorityQueue[tuple[float, int, _Browser, int]],
        now_s: float,
    ) -> None:
        while not queue.empty():
            due_s, turn, browser, number = queue.get_nowait()
            if due_s > now_s:
                queue.put_nowait((due_s, turn, browser, number))
                return
            steps = browser.visit.steps
            task = asyncio.create_task(self._send(http, browser, steps[number]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            if number + 1 < len(steps):
                next_s = browser.visit.starts_at + steps[number + 1].after_s
                queue.put_nowait((next_s, turn, browser, number + 1))

    async def _send(self, http: httpx.AsyncClient, browser: _Browser, step: Step) -> None:
        if not browser.scripted and step.kind not in PAGE_KINDS:
            return
        person = browser.visit.person
        message = message_of(
            step,
            person,
            site_key=self.target.site_key,
            host=self.target.site_host,
            nonce=new_nonce(self._rng),
        )
        headers = {
            "Host": self.target.client_host,
            "User-Agent": browser.agent,
            "X-Forwarded-For": str(self._address_of(person)),
            "Accept-Language": person.language,
            "Origin": f"https://{self.target.site_host}",
        }
        if browser.opted_out:
            headers["Sec-GPC"] = "1"
        self.account.sent += 1
        reply = await self._ask(http, browser, message, headers)
        if reply is not None and reply.status_code in (429, 503):
            self.account.retried += 1
            await asyncio.sleep(_RETRY_S)
            reply = await self._ask(http, browser, message, headers)
        self._enter_reply(reply)

    async def _ask(
        self, http: httpx.AsyncClient, browser: _Browser, message: Message, headers: dict[str, str]
    ) -> httpx.Response | None:
        with contextlib.suppress(httpx.HTTPError):
            if browser.scripted:
                body = encode_message(message)
                plain = headers | {"Content-Type": "text/plain;charset=UTF-8"}
                return await http.post("/collect", content=body, headers=plain)
            return await http.get(f"/pixel.gif?{pixel_query(message)}", headers=headers)
        return None

    def _enter_reply(self, reply: httpx.Response | None) -> None:
        if reply is None:
            self.account.failed += 1
        elif not reply.is_success:
            self.account.refused[str(reply.status_code)] += 1
        elif "X-Outward-Error" in reply.headers:
            self.account.refused["pixel"] += 1
        elif reason := reply.headers.get("X-Outward-Dropped"):
            self.account.dropped[reason.partition("=")[0]] += 1
        else:
            self.account.accepted += 1
