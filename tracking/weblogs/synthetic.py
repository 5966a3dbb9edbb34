"""A made-up access log of any size, for benchmarks and tests: the same for the same seed.

Shaped like a small company's website: visits of some pages each, the files those pages load, a
tenth of bots, some errors and redirects. Addresses are from the ranges kept for benchmarks and
documentation (RFC 2544, 5737, 3849), so a log of it names nobody.
"""

import bisect
import datetime as dt
import gzip
import heapq
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO

VISIT_PAGES = 4
ADDRESSES = 20_000
PAGES = 3_000
LINES_PER_DAY = 50_000
"""So 500,000 lines span ten days."""
_START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
_ASSETS = 1.1
"""Static files loaded for each page view, most of them on the first page of a visit."""
_BOT_SHARE = 0.14

_SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
)
_BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.5.0",
    "UptimeRobot/2.0",
)
_REFERRERS = (
    ("-", 50),
    ("https://www.google.com/", 22),
    ("https://www.bing.com/", 4),
    ("https://duckduckgo.com/", 3),
    ("https://www.facebook.com/", 5),
    ("https://chatgpt.com/", 2),
    ("https://news.example.org/article", 3),
    ("https://blog.example.net/links", 2),
)
_SECTIONS = ("products", "services", "blog", "guides", "about", "cases", "shop", "help")
_WORD_LIST = (
    "garden oak table kitchen winter repair local family service solar window stone bakery "
    "bicycle lantern harbour willow cotton copper meadow orchard cellar timber market"
)
_WORDS = _WORD_LIST.split()
_FILES = (
    "/static/site.css", "/static/app.js", "/static/fonts/inter.woff2", "/static/logo.svg",
    "/media/hero.webp", "/media/team.jpg", "/favicon.ico",
)  # fmt: skip


def _agents(rng: random.Random) -> list[str]:
    chrome = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 {}"
    agents = [
        chrome.format(system, version, f"{'Mobile ' if 'Android' in system else ''}Safari/537.36")
        for system in _SYSTEMS
        for version in range(110, 150)
    ]
    agents += [
        f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        for system in _SYSTEMS[:3]
        for version in range(115, 150)
    ]
    agents += [
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) AppleWebKit/605.1.15 "
        f"(KHTML, like Gecko) Version/{major}.{minor} Mobile/15E148 Safari/604.1"
        for major in (16, 17, 18)
        for minor in range(8)
    ]
    rng.shuffle(agents)
    return agents


def _address(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.85:
        return f"198.{rng.choice((18, 19))}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    if kind < 0.90:
        net = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{net}.{rng.randrange(1, 255)}"
    return (
        f"2001:db8:{rng.randrange(65536):x}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
    )


class _World:
    """What visits draw from."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        agents = _agents(rng)
        self.people = [(_address(rng), rng.choice(agents)) for _ in range(ADDRESSES)]
        self.crawlers = [(_address(rng), rng.choice(_BOTS)) for _ in range(60)]
        self.pages = ["/"] + [
            f"/{rng.choice(_SECTIONS)}/{rng.choice(_WORDS)}-{rng.choice(_WORDS)}-{number}"
            for number in range(1, PAGES)
        ]
        self._zipf = list(itertools.accumulate(1 / rank for rank in range(1, PAGES + 1)))
        self._sources = list(itertools.accumulate(weight for _, weight in _REFERRERS))

    def page(self) -> str:
        """A page, the first ones oftener (Zipf)."""
        return self.pages[bisect.bisect(self._zipf, self.rng.random() * self._zipf[-1])]

    def referrer(self) -> str:
        """Where a visit came from."""
        at = bisect.bisect_right(self._sources, self.rng.random() * self._sources[-1])
        return _REFERRERS[min(at, len(_REFERRERS) - 1)][0]


Event = tuple[int, int, str]
"""Second, a number that keeps equal seconds in order, and the line without its time."""


def _visit(world: _World, at: int, numbers: Iterator[int], *, assets: bool) -> Iterator[Event]:
    rng = world.rng
    address, agent = rng.choice(world.people)
    referrer = world.referrer()
    for view in range(min(1 + int(rng.expovariate(1 / (VISIT_PAGES - 1))), 40)):
        page = world.page()
        if view == 0 and rng.random() < 0.06:
            page += (
                f"?utm_source=newsletter&utm_medium=email&utm_campaign=spring-{rng.randrange(9)}"
            )
        status = 200
        if assets:
            status = rng.choices((200, 304, 301, 404), (92, 3, 2, 3))[0]
        size = rng.randrange(2_000, 60_000) if status == 200 else rng.randrange(300)
        yield at, next(numbers), _line(address, page, status, size, referrer, agent)
        referrer = f"https://www.synthetic.example{page}"
        if assets:
            for _ in range(int(rng.expovariate(1 / (_ASSETS * (2.5 if view == 0 else 0.5))))):
                size = rng.randrange(500, 200_000)
                yield (
                    at,
                    next(numbers),
                    _line(address, rng.choice(_FILES), 200, size, referrer, agent),
                )
        at += 5 + int(rng.expovariate(1 / 60))


def _line(address: str, page: str, status: int, size: int, referrer: str, agent: str) -> str:
    return f'{address} - - [%s] "GET {page} HTTP/1.1" {status} {size} "{referrer}" "{agent}"'


def _events(world: _World, *, assets: bool) -> Iterator[Event]:
    """Lines in order of time, without end."""
    rng = world.rng
    numbers = itertools.count()
    lines_a_visit = VISIT_PAGES * (1 + _ASSETS if assets else 1)
    pause = 86_400 / LINES_PER_DAY * lines_a_visit
    bot_share = _BOT_SHARE * lines_a_visit if assets else 0.0
    waiting: list[Event] = []
    clock = 0.0
    while True:
        clock += rng.expovariate(1 / pause)
        for event in _visit(world, int(clock), numbers, assets=assets):
            heapq.heappush(waiting, event)
        for _ in range(int(bot_share) + (rng.random() < bot_share % 1)):
            address, agent = rng.choice(world.crawlers)
            line = _line(address, world.page(), 200, rng.randrange(9_000), "-", agent)
            heapq.heappush(waiting, (int(clock), next(numbers), line))
        while waiting and waiting[0][0] <= clock:
            yield heapq.heappop(waiting)


def _written(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "wt", compresslevel=1, encoding="ascii")
    return path.open("w", encoding="ascii")


def write_log(path: str | Path, lines: int, seed: int = 1, *, assets: bool = True) -> None:
    """Write `lines` lines in combined format, gzipped when the name ends with .gz.

    `assets=False` leaves out all that an import skips, so that every line is a page view to
    store: the dearest log there is.
    """
    path = Path(path)
    world = _World(random.Random(seed))
    stamps: dict[int, str] = {}
    with _written(path) as file:
        for at, _, line in itertools.islice(_events(world, assets=assets), lines):
            if at not in stamps:
                stamps = {
                    at: (_START + dt.timedelta(seconds=at)).strftime("%d/%b/%Y:%H:%M:%S +0000")
                }
            file.write(line.replace("%s", stamps[at], 1) + "\n")
