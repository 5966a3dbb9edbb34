"""What the collector remembers between requests: judged senders and read pages, never visitors.

Browsers send the same few headers and pages the same few addresses again and again; judging them
anew costs more than all cryptography of a hit. Nothing here is known by an IP address, a visitor
or a nonce (promise 1), and only what was accepted is kept. Memories are bounded: when one is full
it begins anew.
"""

import msgspec

from consent.permissions import Verdict
from tracking.collector.config import Config, SiteConfig
from tracking.useragents import Agent

MOST_SENDERS = 20_000
MOST_PAGES = 20_000


SenderName = tuple[str, str | None, str | None, str | None, str | None, str | None, str | None]
"""All that a sender is judged by: site key and the headers Origin, Host, User-Agent,
Accept-Language, Sec-GPC and DNT. A plain tuple: it is made for every hit."""


class Sender(msgspec.Struct, frozen=True, gc=False):
    """A browser on a site: who it sends for, and that it may."""

    site: SiteConfig
    agent_field: bytes
    """Its User-Agent, as `tracking.addresses.visitor_hasher` takes it."""
    agent: Agent
    language: str
    """Of the Accept-Language header."""
    verdicts: tuple[Verdict, Verdict]
    """Without and with a cookie."""


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page of a site and where it was come to from: what a hit stores of its addresses."""

    host: str
    path: str
    source: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str


class Memory:
    """Senders and pages under one configuration; another one empties it."""

    def __init__(self) -> None:
        self._generation: object = None
        self.senders: dict[SenderName, Sender] = {}
        self.pages: dict[tuple[int, str, str], Page] = {}
        """By site id, URL and referrer as sent."""

    def turn_to(self, config: Config) -> None:
        """Forget what was judged under another configuration than this."""
        if config.hosts is not self._generation:
            self._generation = config.hosts
            self.senders = {}
            self.pages = {}

    def keep_sender(self, name: SenderName, sender: Sender) -> None:
        """Remember an accepted sender."""
        if len(self.senders) >= MOST_SENDERS:
            self.senders = {}
        self.senders[name] = sender

    def keep_page(self, name: tuple[int, str, str], page: Page) -> None:
        """Remember an accepted page."""
        if len(self.pages) >= MOST_PAGES:
            self.pages = {}
        self.pages[name] = page
