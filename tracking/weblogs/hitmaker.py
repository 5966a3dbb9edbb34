"""From an `Entry` to a `Hit`, or to the reason why it is none.

Here the raw address ends: it goes into the visitor hash, the country look-up and the sealed
value, and into this process's memory of the visitors it has just seen, nothing else.
"""

import datetime as dt
import time
from typing import NamedTuple

import msgspec

from tenants.crypto import associated_data, seal
from tenants.keys import Purpose, get_key
from tracking.addresses import Address, network_of, packed, parse_ip, visitor_hash
from tracking.channels import classify
from tracking.geo import GeoReader
from tracking.hits import Hit, Kind, origin_row_id
from tracking.pages import BadUrlError, Utm, clean_target, read_url
from tracking.useragents import Agent, bot_name, read_agent
from tracking.weblogs.formats.entry import Bad, BadLineError, Entry, Skip
from tracking.weblogs.identities import DAY_US, DayKeys, LineIds
from tracking.weblogs.options import Options
from tracking.weblogs.selection import (
    NOT_FOUND,
    PARTIAL,
    TargetKind,
    is_error,
    is_own_host,
    is_redirect,
    target_kind,
)
from tracking.weblogs.tally import Tally

MAX_AHEAD_US = DAY_US
"""A line from further ahead than a day has a broken clock."""
VISIT_GAP_US = 29 * 60 * 1_000_000
"""Less than a visit's gap (tracking.sessions): a hit after it may begin a visit, whose origin
takes the address of its first hit, so only such hits carry one."""
_REMEMBERED = 50_000


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What of client and site the import needs; loaded from public tables once."""

    client_id: int
    site_id: int
    hosts: tuple[str, ...]
    ip_mode: str
    ip_retention_days: int
    geo_path: tuple[str, ...]


class _Page(NamedTuple):
    """A target, read once."""

    host: str
    path: str
    utm: Utm
    click_id: str
    kind: TargetKind
    own: bool
    download: str


class _Visitor(NamedTuple):
    """A visitor of a day: what all hits of an address and user agent share."""

    visitor: int
    address: Address | None
    country: str
    region: str
    agent: Agent


_NO_AGENT = Agent("", "", "")


class HitMaker:
    """Makes hits of one site. Not to be shared between files: it counts equal lines."""

    def __init__(self, settings: Settings, options: Options, now: dt.datetime) -> None:
        self._settings = settings
        self._options = options
        self._methods = frozenset(method.upper().encode() for method in options.methods)
        self._latest_us = int(now.timestamp() * 1_000_000) + MAX_AHEAD_US
        self._keys = DayKeys(
            settings.client_id,
            keeps_ip=settings.ip_mode != "none",
            ip_retention_days=settings.ip_retention_days,
            now=now,
            ephemeral=options.dry_run,
        )
        secret = get_key(settings.client_id, Purpose.BLIND_INDEX, None).secret
        self._ids = LineIds(secret, settings.site_id)
        self._geo = GeoReader(list(settings.geo_path))
        self._bots: dict[bytes, str | None] = {}
        self._pages: dict[tuple[bytes, bytes], _Page] = {}
        self._visitors: dict[tuple[int, bytes, bytes | None], _Visitor] = {}
        self._sources: dict[tuple[bytes, Utm, str], tuple[str, str]] = {}
        self._seen_at: dict[int, int] = {}

    def make(self, entry: Entry, line: bytes, tally: Tally) -> Hit | Skip:
        """The line's hit, without its import's id; or why it is not stored.

        Raises BadLineError for what no format can see: a time ahead, a target that is no URL.
        Adds the line's status, bytes and bot to `tally`, not the line itself.
        """
        if entry.at_us > self._latest_us:
            # A file may be followed for days: only a line from ahead asks for the time again.
            self._latest_us = max(self._latest_us, time.time_ns() // 1000 + MAX_AHEAD_US)
            if entry.at_us > self._latest_us:
                raise BadLineError(Bad.FUTURE)
        statuses = tally.statuses
        status = entry.status
        statuses[status] = statuses.get(status, 0) + 1
        tally.bytes_sent += entry.size
        if entry.method not in self._methods:
            return Skip.METHOD
        page = self._pages.get((entry.host, entry.target)) or self._read_page(entry)
        if not page.own and not self._options.any_host:
            return Skip.OTHER_HOST
        if not self._options.include_bots and entry.agent is not None:
            bot = self._bot(entry.agent)
            if bot is not None:
                tally.name_bot(bot)
                return Skip.BOT
        skip = self._unwanted(page.kind, status)
        return skip or self._hit(entry, page, line)

    def _unwanted(self, kind: TargetKind, status: int) -> Skip | None:
        options = self._options
        if kind is TargetKind.STATIC and not options.include_static:
            return Skip.STATIC
        if status < 300:
            return Skip.PARTIAL if status == PARTIAL else None
        if is_redirect(status):
            return None if options.include_redirects else Skip.REDIRECT
        if is_error(status):
            return None if options.include_errors else Skip.ERROR
        return None

    def _bot(self, agent: bytes) -> str | None:
        try:
            return self._bots[agent]
        except KeyError:
            name = bot_name(agent.decode("utf-8", "replace"))
            if len(self._bots) >= _REMEMBERED:
                self._bots.clear()
            self._bots[agent] = name if name is None else " ".join(name.split())[:60] or "bot"
            return self._bots[agent]

    def _read_page(self, entry: Entry) -> _Page:
        target = entry.target.decode("utf-8", "replace")
        if target.startswith("/"):
            # "//x" would be read as a host; probes send it, and servers take it for "/x".
            target = "/" + target.lstrip("/\\")
            host = entry.host.decode("utf-8", "replace")
            if host:
                target = f"http://{host}{target}"
        hosts = self._settings.hosts
        try:
            address = read_url(target, hosts=hosts)
        except BadUrlError as error:
            raise BadLineError(Bad.REQUEST) from error
        kind = target_kind(address.path)
        host = address.host or (hosts[0] if hosts else "")
        download = ""
        if kind is TargetKind.DOWNLOAD:
            download = clean_target(f"https://{host}{address.path}" if host else address.path)
        page = _Page(
            host=address.host,
            path=address.path,
            utm=address.utm,
            click_id=address.click_id,
            kind=kind,
            own=not address.host or is_own_host(address.host, hosts),
            download=download,
        )
        if len(self._pages) >= _REMEMBERED:
            self._pages.clear()
        self._pages[entry.host, entry.target] = page
        return page

    def _hit(self, entry: Entry, page: _Page, line: bytes) -> Hit:
        at_us, status = entry.at_us, entry.status
        day = at_us // DAY_US
        known = self._visitors.get((day, entry.address, entry.agent))
        who = known or self._read_visitor(day, entry)
        source, channel = self._source(entry.referrer, page)
        hit_id = self._ids.id_of(line, at_us)
        kind = Kind.PAGEVIEW
        if status == NOT_FOUND:
            kind = Kind.NOT_FOUND
        elif page.kind is TargetKind.DOWNLOAD:
            kind = Kind.DOWNLOAD
        visitor = who.visitor
        ip_key_id, ip_sealed = 0, b""
        seen_at = self._seen_at.get(visitor)
        if seen_at is None or not 0 <= at_us - seen_at < VISIT_GAP_US:
            ip_key_id, ip_sealed = self._seal(who.address, day, origin_row_id(hit_id, at_us))
        if len(self._seen_at) >= _REMEMBERED:
            self._seen_at.clear()
        self._seen_at[visitor] = at_us
        agent, utm = who.agent, page.utm
        return Hit(
            hit_id, self._settings.client_id, self._settings.site_id, at_us, kind, visitor,
            False, page.host, page.path, page.download if kind is Kind.DOWNLOAD else "",
            None, True, 0, 0, status, entry.size, source, channel,
            utm.source, utm.medium, utm.campaign, utm.term, utm.content,
            who.country, who.region, "", agent.browser, agent.os, agent.device, "",
            ip_key_id, ip_sealed, 0,
        )  # fmt: skip

    def _source(self, referrer: bytes, page: _Page) -> tuple[str, str]:
        key = (referrer, page.utm, page.click_id)
        found = self._sources.get(key)
        if found is None:
            hosts = (*self._settings.hosts, page.host) if page.host else self._settings.hosts
            text = referrer.decode("utf-8", "replace")
            won = classify(text, hosts, page.utm, click_id=page.click_id)
            found = (won.source, won.channel)
            if len(self._sources) >= _REMEMBERED:
                self._sources.clear()
            if not page.host:
                self._sources[key] = found
        return found

    def _read_visitor(self, day: int, entry: Entry) -> _Visitor:
        text = entry.address.decode("utf-8", "replace")
        agent = (entry.agent or b"").decode("utf-8", "replace")
        address = parse_ip(text)
        # A server that resolves names logs the host name instead: as good for telling visitors
        # apart, of no use for a place, and not kept.
        identity = packed(address) if address else b"host:" + entry.address.lower()
        place = self._geo.locate(address) if address else None
        who = _Visitor(
            visitor=visitor_hash(
                self._keys.visitor_salt(day), self._settings.site_id, identity, agent
            ),
            address=address,
            country=place.country if place else "",
            region=place.region if place else "",
            agent=read_agent(agent) if entry.agent is not None else _NO_AGENT,
        )
        if len(self._visitors) >= _REMEMBERED:
            self._visitors.clear()
        self._visitors[day, entry.address, entry.agent] = who
        return who

    def _seal(self, address: Address | None, day: int, row_id: bytes) -> tuple[int, bytes]:
        if address is None or not self._keys.may_keep_ip(day):
            return 0, b""
        if self._settings.ip_mode == "truncated":
            return 0, network_of(address)
        key = self._keys.ip_key(day)
        if key is None:
            return 0, b""
        place = associated_data(self._settings.client_id, "origins", "ip_sealed", row_id)
        return key.id, seal(key.secret, packed(address), place)
