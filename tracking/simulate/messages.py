"""A planned step as the script would send it to the collector."""

import random
from urllib.parse import urlencode

import msgspec

from tracking.hits import Kind
from tracking.simulate.visits import Person, Step

KIND_NAMES = {
    Kind.PAGEVIEW: "pageview",
    Kind.EVENT: "event",
    Kind.ENGAGEMENT: "engagement",
    Kind.OUTBOUND: "outbound",
    Kind.DOWNLOAD: "download",
    Kind.NOT_FOUND: "not_found",
}
"""Kinds by their name in the wire format."""


class Message(msgspec.Struct, omit_defaults=True):
    """Body of POST /collect."""

    site: str
    kind: str
    url: str
    nonce: str
    referrer: str = ""
    name: str = ""
    props: dict[str, str] | None = None
    engaged_s: int = 0
    scroll: int = 0
    outcode: str = ""
    language: str = ""
    cookie: str = ""
    interactive: bool = True


_encoder = msgspec.json.Encoder()


def message_of(step: Step, person: Person, *, site_key: str, host: str, nonce: str) -> Message:
    """The step's message. `nonce` is 16 hex digits, the same on a retry."""
    query = f"?{step.query}" if step.query else ""
    return Message(
        site=site_key,
        kind=KIND_NAMES[step.kind],
        url=f"https://{host}{step.path}{query}",
        nonce=nonce,
        referrer=step.referrer,
        name=step.name,
        props=dict(step.props) if step.props else None,
        engaged_s=step.engaged_s,
        scroll=step.scroll,
        outcode=step.area,
        language=person.language,
        cookie=person.cookie,
        interactive=step.interactive,
    )


def new_nonce(rng: random.Random) -> str:
    """16 hex digits."""
    return f"{rng.getrandbits(64):016x}"


def encode_message(message: Message) -> bytes:
    """JSON, as `JSON.stringify` gives it: without spaces."""
    return _encoder.encode(message)


def pixel_query(message: Message) -> str:
    """Query string of GET /pixel.gif, which a browser without JavaScript asks for."""
    return urlencode({"site": message.site, "kind": message.kind, "url": message.url})
