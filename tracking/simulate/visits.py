"""Visits as planned: who comes, from where, what they look at and for how long.

Pure but for the random source that is passed in: the same source gives the same visits.
"""

import dataclasses
import datetime as dt
import math
import random
import zoneinfo
from collections.abc import Mapping

from tracking.hits import Kind
from tracking.simulate import rhythm
from tracking.simulate.agents import pick_agent
from tracking.simulate.websites import Arrival, Page, Website

_LEAVES_FIRST = 0.44
_LEAVES_LATER = 0.27
_FOLLOWS_LINK = 0.68
_RETURNING = 0.27
_PINGS = 0.88
"""Page views whose end the script manages to report."""
_MOST_PAGES = 25
_LANGUAGES: Mapping[str, tuple[str, ...]] = {
    # The first is three times as likely as each of the others.
    "GB": ("en-GB", "en-US", "pl", "cy"),
    "IE": ("en-IE", "en-GB"),
    "US": ("en-US", "es-US"),
    "CA": ("en-CA", "fr-CA", "en-US"),
    "IN": ("en-IN", "en-GB", "hi", "en-US"),
    "AU": ("en-AU", "en-GB"),
    "NZ": ("en-NZ", "en-GB"),
    "SG": ("en-SG", "zh-CN"),
    "DE": ("de-DE", "de", "en-GB"),
    "FR": ("fr-FR", "fr"),
    "NL": ("nl-NL", "en-GB"),
    "ES": ("es-ES", "ca"),
    "IT": ("it-IT",),
    "SE": ("sv-SE", "en-GB"),
    "AE": ("en-GB", "ar-AE"),
    "JP": ("ja-JP",),
    "MX": ("es-MX",),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """A made-up visitor."""

    number: int
    """Random, 64 bits: names the person; addresses are derived from it."""
    country: str
    language: str
    agent: str
    cookie: str
    """32 hex digits when the person has consented, else ""."""
    area: str
    """Outward code or ZIP of the home, "" when the website knows none in the country."""


@dataclasses.dataclass(slots=True)
class Step:
    """One message of a visit."""

    after_s: float
    """Seconds after the visit's beginning."""
    kind: Kind
    path: str
    query: str = ""
    referrer: str = ""
    name: str = ""
    props: Mapping[str, str] | None = None
    interactive: bool = True
    engaged_s: int = 0
    scroll: int = 0
    area: str = ""
    """Outward code or ZIP typed before this message, "" mostly."""


@dataclasses.dataclass(slots=True)
class Visit:
    """A planned visit; its steps are in order of time and never empty."""

    starts_at: float
    """Seconds since 1970."""
    person: Person
    steps: list[Step]


class VisitPlanner:
    """Plans a website's visits. `seed` tells apart worlds in which other people live."""

    def __init__(self, website: Website, *, seed: str = "") -> None:
        self.website = website
        self.seed = seed or website.host
        self._by_path = {page.path: page for page in website.pages}
        self._entries = [page for page in website.pages if page.entry > 0]
        self._entry_weights = [page.entry for page in self._entries]
        self._pulls = [page.pull for page in website.pages]
        self._arrivals = [_arrivals_on(website, weekday) for weekday in range(7)]
        self._countries = list(website.countries)
        self._country_weights = list(website.countries.values())
        self._zone = zoneinfo.ZoneInfo(website.timezone)
        rng = random.Random(f"{self.seed}:people")
        self._regulars = [self.new_person(rng) for _ in range(int(website.visits_per_day * 9) + 5)]
        if not self._entries:
            raise ValueError("a website needs a page with an entry weight")

    def new_person(self, rng: random.Random) -> Person:
        """Somebody who has not been there before."""
        website = self.website
        country = rng.choices(self._countries, self._country_weights)[0]
        languages = _LANGUAGES.get(country, ("en-US",))
        language = rng.choices(languages, [3.0, *([1.0] * (len(languages) - 1))])[0]
        areas = website.postcodes.get(country, ())
        # Squared: most live near the first areas of the list, few in the last.
        area = areas[int(rng.random() ** 2 * len(areas))] if areas else ""
        consents = rng.random() < website.consent_share
        return Person(
            number=rng.getrandbits(64),
            country=country,
            language=language,
            agent=pick_agent(rng, phone_share=website.phone_share),
            cookie=f"{rng.getrandbits(128):032x}" if consents else "",
            area=area,
        )

    def pick_person(self, rng: random.Random) -> Person:
        """A newcomer, or one of those who come again and again."""
        if rng.random() < _RETURNING:
            return self._regulars[int(rng.random() ** 2 * len(self._regulars))]
        return self.new_person(rng)

    def plan_day(self, day: dt.date, *, share: float = 1.0) -> list[Visit]:
        """All visits that begin on a local day, in order of their beginning.

        `share` makes the day busier or calmer than the website's own number. Follows from seed,
        website and date only.
        """
        rng = random.Random(f"{self.seed}:{day.isoformat()}")
        mean = self.website.visits_per_day * share
        mean *= rhythm.day_weight(self.website.rhythm, day, rng)
        count = max(0, round(rng.gauss(mean, math.sqrt(mean))))
        midnight = dt.datetime.combine(day, dt.time(), self._zone).timestamp()
        starts = sorted(rhythm.second_of_day(self.website.rhythm, rng) for _ in range(count))
        return [self.plan_visit(midnight + start, day.weekday(), rng) for start in starts]

    def plan_visit(
        self, starts_at: float, weekday: int, rng: random.Random, person: Person | None = None
    ) -> Visit:
        """One visit, beginning at `starts_at`."""
        arrival = rng.choices(*self._arrivals[weekday])[0]
        person = person or self.pick_person(rng)
        page = self._landing(arrival, rng)
        visit = Visit(starts_at, person, [])
        after_s, referrer, query = 0.0, arrival.referrer, arrival.query
        for number in range(_MOST_PAGES):
            after_s = self._look_at(page, visit, after_s, referrer, query, rng)
            if rng.random() < (_LEAVES_LATER if number else _LEAVES_FIRST):
                break
            referrer, query = f"https://{self.website.host}{page.path}", ""
            page = self._next_page(page, rng)
        return visit

    def _landing(self, arrival: Arrival, rng: random.Random) -> Page:
        if arrival.lands_on:
            return self._by_path[arrival.lands_on]
        return rng.choices(self._entries, self._entry_weights)[0]

    def _next_page(self, page: Page, rng: random.Random) -> Page:
        if page.links and rng.random() < _FOLLOWS_LINK:
            return self._by_path[rng.choice(page.links)]
        return rng.choices(self.website.pages, self._pulls)[0]

    def _look_at(
        self,
        page: Page,
        visit: Visit,
        after_s: float,
        referrer: str,
        query: str,
        rng: random.Random,
    ) -> float:
        """Append the messages of one page view; returns when the visitor has done with it."""
        engaged = min(600.0, page.seconds * math.exp(rng.gauss(0, 0.85)))
        stays = engaged * rng.uniform(1.02, 1.7) + 0.6
        kind = Kind.NOT_FOUND if page.missing else Kind.PAGEVIEW
        visit.steps.append(Step(after_s, kind, page.path, query=query, referrer=referrer))
        for act in page.acts:
            if rng.random() >= act.chance:
                continue
            visit.steps.append(
                Step(
                    after_s + stays * rng.uniform(0.3, 0.95),
                    act.kind,
                    page.path,
                    name=act.name,
                    props=act.props,
                    interactive=act.interactive,
                    area=visit.person.area if act.gives_postcode else "",
                )
            )
        if rng.random() < _PINGS and engaged >= 1:
            depth = min(100, round(35 + 65 * rng.random() ** (25 / (engaged + 10))))
            visit.steps.append(
                Step(
                    after_s + stays,
                    Kind.ENGAGEMENT,
                    page.path,
                    engaged_s=round(engaged),
                    scroll=depth,
                )
            )
        visit.steps.sort(key=lambda step: step.after_s)
        return after_s + stays + 0.3


def _arrivals_on(website: Website, weekday: int) -> tuple[list[Arrival], list[float]]:
    todays = [arrival for arrival in website.arrivals if weekday in arrival.weekdays]
    return todays, [arrival.weight for arrival in todays]
