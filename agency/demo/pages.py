"""What a demo website is made of, for the templates and for the model of its visitors alike."""

import dataclasses
import json
from collections.abc import Mapping

from tracking.hits import Kind
from tracking.simulate.websites import Act, Arrival, Page, Rhythm, Website


@dataclasses.dataclass(frozen=True)
class Button:
    """Something to press on a page."""

    label: str
    chance: float
    """Of being pressed by a simulated visitor."""
    event: str = ""
    """Name of the custom event it sends; "" for a plain link."""
    props: Mapping[str, str] | None = None
    href: str = ""
    """Target of an outbound link, or path of a download."""
    says: str = ""
    """What the page answers to an event."""

    @property
    def props_json(self) -> str:
        """Properties of the event as JSON."""
        return json.dumps(dict(self.props or {}))

    @property
    def kind(self) -> Kind:
        """What pressing it counts as."""
        if self.event:
            return Kind.EVENT
        return Kind.OUTBOUND if self.href.startswith("https://") else Kind.DOWNLOAD


@dataclasses.dataclass(frozen=True)
class DemoPage:
    """A page: its words, and how much it is visited."""

    path: str
    layout: str
    """Name of its template: home, list, item, article or contact."""
    title: str
    lead: str
    body: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    price: str = ""
    cards: tuple[str, ...] = ()
    """Paths of the pages it shows as cards."""
    buttons: tuple[Button, ...] = ()
    entry: float = 1.0
    pull: float = 1.0
    seconds: float = 30.0


@dataclasses.dataclass(frozen=True)
class Download:
    """A small text file offered by the website."""

    path: str
    content_type: str
    text: str


@dataclasses.dataclass(frozen=True)
class DemoClient:
    """A made-up client of the agency and its website."""

    slug: str
    name: str
    tagline: str
    timezone: str
    locale: str
    language: str
    """Language tag of the website's pages."""
    currency: str
    accent_colour: str
    zip_mode: str
    menu: tuple[tuple[str, str], ...]
    """(path, words)"""
    pages: tuple[DemoPage, ...]
    downloads: tuple[Download, ...]
    postcode_label: str
    postcode_example: str
    people: tuple[tuple[str, str], ...]
    """(name, what they are) of the manager and the viewer."""
    rhythm: Rhythm
    visits_per_day: float
    arrivals: tuple[Arrival, ...]
    countries: Mapping[str, float]
    postcodes: Mapping[str, tuple[str, ...]]
    lost_paths: tuple[str, ...]
    """Addresses that old links still lead to."""
    phone_share: float
    consent_share: float

    def site_host(self, base_domain: str) -> str:
        """Host of the demo website."""
        return f"{self.slug}-demo.{base_domain}"

    def page_at(self, path: str) -> DemoPage | None:
        """The page of a path, None when there is none."""
        return next((page for page in self.pages if page.path == path), None)

    def website(self, base_domain: str) -> Website:
        """The website as the model of visitors sees it."""
        host = self.site_host(base_domain)
        menu = tuple(path for path, _ in self.menu)
        return Website(
            host=host,
            timezone=self.timezone,
            rhythm=self.rhythm,
            visits_per_day=self.visits_per_day,
            pages=(
                *(_modelled(page, host, menu) for page in self.pages),
                *(
                    Page(path, entry=0.6, pull=0.05, seconds=5, links=("/",), missing=True)
                    for path in self.lost_paths
                ),
            ),
            arrivals=self.arrivals,
            countries=self.countries,
            postcodes=self.postcodes,
            phone_share=self.phone_share,
            consent_share=self.consent_share,
        )


def _modelled(page: DemoPage, host: str, menu: tuple[str, ...]) -> Page:
    acts = [_act_of(button, host) for button in page.buttons]
    if page.layout == "contact":
        acts.append(Act(Kind.EVENT, "Enquiry", 0.22, gives_postcode=True))
    acts.append(Act(Kind.EVENT, "Newsletter", 0.004, props={"place": "footer"}))
    return Page(
        page.path,
        entry=page.entry,
        pull=page.pull,
        seconds=page.seconds,
        links=page.cards or menu,
        acts=tuple(acts),
    )


def _act_of(button: Button, host: str) -> Act:
    name = button.event or button.href
    if button.kind is Kind.DOWNLOAD:
        name = f"https://{host}{button.href}"
    gives_postcode = button.event in {"Reserve in store", "Delivery check"}
    return Act(button.kind, name, button.chance, props=button.props, gives_postcode=gives_postcode)
