"""Planned visits as hits, for the writer: what the collector would have made of them.

Uses the collector's own pure functions for agent, address, channel and outcode, so that history
and live traffic look alike in a report.
"""

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

import msgspec

from tracking.addresses import RawIp, cookie_hash, seal_address, visitor_hash
from tracking.channels import classify
from tracking.hits import Hit, Kind, origin_row_id, uuid7_bytes
from tracking.outcode import outcode
from tracking.pages import Utm, clean_target, read_url
from tracking.simulate.addresses import synthetic_address
from tracking.simulate.visits import Person, Step, Visit
from tracking.useragents import read_agent

_NO_UTM = Utm()


@dataclasses.dataclass(frozen=True)
class DaySecrets:
    """What a UTC day's hits are anonymised with."""

    visitor: bytes
    ip_key_id: int
    seal: Callable[[bytes, bytes], bytes]
    """Encrypts a packed address for the client, bound to its row (origin_row_id). Returns b"" when
    the day's key is past its retention, for then nothing of the address would be readable."""


@dataclasses.dataclass(frozen=True)
class HistorySite:
    """The site whose history is made, and its client's settings."""

    client_id: int
    site_id: int
    hosts: Sequence[str]
    ip_mode: Literal["encrypted", "truncated", "none"]
    keep_outcode: bool
    zip_mode: Literal["zip5", "zip3", "none"]
    cookie_secret: bytes
    secrets_of: Callable[[dt.date], DaySecrets]
    """By UTC day; asked for once a visit, so it should remember."""


def hits_of(visit: Visit, site: HistorySite) -> Iterator[Hit]:
    """Hits of a visit, in order of time. The same visit gives the same ids."""
    person = visit.person
    agent = read_agent(person.agent)
    address = synthetic_address(person.number)
    landing = visit.steps[0]
    entry = read_url(f"https://{site.hosts[0]}{landing.path}?{landing.query}", hosts=site.hosts)
    won = classify(landing.referrer, site.hosts, entry.utm, click_id=entry.click_id)
    day, secrets, visitor = None, None, 0
    for number, step in enumerate(visit.steps):
        at_us = int((visit.starts_at + step.after_s) * 1_000_000)
        today = dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC).date()
        if today != day or secrets is None:
            day, secrets = today, site.secrets_of(today)
            visitor = _visitor(person, site, secrets, address.packed)
        first = number == 0
        utm = entry.utm if first else _NO_UTM
        what = Hit(
            id=uuid7_bytes(at_us, _id_bits(person, at_us, number)),
            client_id=site.client_id,
            site_id=site.site_id,
            at_us=at_us,
            kind=int(step.kind),
            visitor=visitor,
            consented=bool(person.cookie),
            host="",
            path=step.path,
            name=_name(step),
            props=dict(step.props) if step.props else None,
            interactive=step.interactive,
            engaged_s=step.engaged_s,
            scroll=step.scroll,
        )
        code = _outcode(step, person, site)
        if step.kind == Kind.ENGAGEMENT and not code:
            yield what  # as the collector makes it: all else is its visit's
            continue
        place = origin_row_id(what.id, at_us)
        sealed = seal_address(address, site.ip_mode, partial(_sealed, secrets, place))
        yield msgspec.structs.replace(
            what,
            source=won.source if first else "",
            channel=str(won.channel) if first else "Direct",
            utm_source=utm.source,
            utm_medium=utm.medium,
            utm_campaign=utm.campaign,
            utm_term=utm.term,
            utm_content=utm.content,
            country=person.country,
            language=person.language,
            browser=agent.browser,
            os=agent.os,
            device=agent.device,
            outcode=code,
            ip_key_id=secrets.ip_key_id if site.ip_mode == "encrypted" and sealed else 0,
            ip_sealed=sealed,
        )


def _visitor(person: Person, site: HistorySite, secrets: DaySecrets, packed: bytes) -> int:
    if person.cookie:
        return cookie_hash(site.cookie_secret, site.site_id, person.cookie)
    return visitor_hash(secrets.visitor, site.site_id, packed, person.agent)


def _sealed(secrets: DaySecrets, row_id: bytes, raw_ip: RawIp) -> bytes:
    return secrets.seal(raw_ip, row_id)


def _id_bits(person: Person, at_us: int, number: int) -> bytes:
    seed = f"{person.number}:{at_us}:{number}"
    return hashlib.blake2b(seed.encode(), digest_size=10).digest()


def _name(step: Step) -> str:
    return clean_target(step.name) if step.kind in (Kind.OUTBOUND, Kind.DOWNLOAD) else step.name


def _outcode(step: Step, person: Person, site: HistorySite) -> str:
    if not step.area:
        return ""
    return outcode(
        step.area,
        keep_outcode=site.keep_outcode,
        zip_mode=site.zip_mode,
        country=person.country,
    )
