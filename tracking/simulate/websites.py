"""What the model must know of a website: its pages, where its visitors come from, its rhythm."""

import dataclasses
import enum
from collections.abc import Mapping

from tracking.hits import Kind


class Rhythm(enum.StrEnum):
    """When a website's visitors come (tracking.simulate.rhythm has the weights)."""

    SHOP = "shop"
    VENUE = "venue"
    OFFICE = "office"


@dataclasses.dataclass(frozen=True)
class Act:
    """Something a visitor may do on a page besides reading it."""

    kind: Kind
    """EVENT, OUTBOUND or DOWNLOAD."""
    name: str
    chance: float
    """0 to 1, for each view of the page."""
    props: Mapping[str, str] | None = None
    interactive: bool = True
    gives_postcode: bool = False
    """The visitor has typed a postcode: the next message carries its outward part."""


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of the website."""

    path: str
    entry: float = 0.0
    """Weight as the first page of a visit; 0 never."""
    pull: float = 1.0
    """Weight as a page gone to through the menu or the search."""
    seconds: float = 30.0
    """Median engaged time."""
    links: tuple[str, ...] = ()
    """Paths that its text leads to: most go on there."""
    acts: tuple[Act, ...] = ()
    missing: bool = False
    """An address that ends on the 404 page."""


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A way to the website."""

    referrer: str
    """URL as browsers send it across sites (origin and "/"), "" for none."""
    weight: float
    query: str = ""
    """Campaign parameters of the landing page's address."""
    lands_on: str = ""
    """Path of the landing page; "" leaves it to the pages' own weights."""
    weekdays: frozenset[int] = frozenset(range(7))
    """Days on which it brings anybody, Monday 0: newsletters come on one day."""


@dataclasses.dataclass(frozen=True)
class Website:
    """A website as the model sees it."""

    host: str
    timezone: str
    rhythm: Rhythm
    visits_per_day: float
    """Mean over the week; the day's own number varies with weekday, season and luck."""
    pages: tuple[Page, ...]
    arrivals: tuple[Arrival, ...]
    countries: Mapping[str, float]
    """ISO 3166-1 alpha-2 and weight."""
    postcodes: Mapping[str, tuple[str, ...]]
    """Country and the outward codes or ZIPs its visitors name; the first ones more often."""
    phone_share: float = 0.55
    consent_share: float = 0.35
    """Visitors who let the website know them again by a cookie."""
