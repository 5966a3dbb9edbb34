"""From a request to a hit: the only place where a raw IP address is known, and forgotten.

No address is cached, logged, or put into an exception's message here or in what is called.
"""

import functools
import os
import re
from collections.abc import Sequence
from socket import AF_INET, inet_pton

from consent.permissions import Verdict, says_dnt, says_gpc
from tenants.crypto import NONCE_BYTES
from tracking.addresses import (
    Address,
    Network,
    RawIp,
    agent_field,
    client_ip,
    cookie_hash,
    network_of_packed,
    packed,
    parse_ip,
)
from tracking.channels import classify
from tracking.collector.config import DAY_S, ClientConfig, Config, DayKeys, SiteConfig
from tracking.collector.hosts import host_name
from tracking.collector.limits import RETRY_S, RateLimit, Retries, Sent
from tracking.collector.memory import Memory, Page, Sender
from tracking.collector.requests import (
    MAX_KEY_BYTES,
    MAX_NAME_BYTES,
    MAX_VALUE_BYTES,
    Headers,
    RawHit,
    RefusedError,
    malformed,
)
from tracking.geo import NOWHERE, GeoReader
from tracking.hits import MAX_ENGAGED_S, Hit, Kind, origin_row_id, uuid7_bytes
from tracking.outcode import outcode
from tracking.pages import BadUrlError, clean_target, clean_text, read_url
from tracking.refusals import Reason
from tracking.useragents import bot_name, read_agent

KINDS = {
    "pageview": Kind.PAGEVIEW,
    "event": Kind.EVENT,
    "engagement": Kind.ENGAGEMENT,
    "outbound": Kind.OUTBOUND,
    "download": Kind.DOWNLOAD,
    "not_found": Kind.NOT_FOUND,
}
# Looked up once, not for every hit: in Python 3.11 a member is no plain attribute of its class.
_PAGEVIEW, _EVENT, _ENGAGEMENT = Kind.PAGEVIEW, Kind.EVENT, Kind.ENGAGEMENT
_RECOGNISED = Verdict.KEEP_RECOGNISED
_MOST_PROXIES = 100
_VOUCHES_FOR_NOTHING = (None, "null")
"""Values of `Origin` with which the Referer or the URL must say where a hit comes from."""

_RANDOM_BYTES = NONCE_BYTES + 10
"""Of each hit: the nonce of its sealed address, then the random part of its id."""
_COOKIE = re.compile(r"[0-9a-f]{32}")
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?\b")
_NOT_A_HEADER = re.compile(r"[^\x21-\x7e]+")


class RandomBytes:
    """os.urandom in larger portions; each byte is given once.

    For its system call os.urandom lets go of the interpreter lock, which the server's threads
    then take: twice a hit that costs more than all cryptography together.
    """

    _PORTION = 4_096

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        """So many bytes, at most 4,096."""
        ends = self._used + count
        if ends > len(self._bytes):
            self._bytes = os.urandom(self._PORTION)
            self._used, ends = 0, count
        taken = self._bytes[self._used : ends]
        self._used = ends
        return taken


class Enricher:
    """Makes hits of requests. One per process; holds no request beyond its call, but its nonce."""

    def __init__(self, *, trusted: Sequence[Network], geo: GeoReader, most_hits: int) -> None:
        self._trusted = trusted
        self._geo = geo
        self._rate = RateLimit(most_hits)
        self._retries = Retries()
        self._random = RandomBytes()
        self._memory = Memory()
        self._trusted_octets = _first_octets(trusted)
        self._proxies: set[str] = set()

    def hit_of(self, config: Config, headers: Headers, peer: str, raw: RawHit, now_us: int) -> Hit:
        """The hit of a request; raises RefusedError."""
        self._memory.turn_to(config)
        sender = self._sender_of(config, headers, raw)
        site = sender.site
        client = site.client
        now_s = now_us // 1_000_000
        today = now_s // DAY_S
        keys = client.days.get(today)
        if keys is None or (client.ip_mode == "encrypted" and keys.ip_cipher is None):
            raise RefusedError(503, Reason.NOT_STORED, retry_after_s=1, client_id=client.client_id)
        raw_ip = self._raw_ip_of(peer, headers)
        key = site.visitors[today](raw_ip, sender.agent_field)
        if not self._rate.admit(key, now_s):
            raise RefusedError(
                429,
                Reason.RATE,
                error="rate: send fewer hits a minute",
                retry_after_s=self._rate.retry_after_s(now_s),
                client_id=client.client_id,
            )
        page = self._page_of(site, raw)
        visitor, consented = key, False
        if raw.cookie and _COOKIE.fullmatch(raw.cookie):
            consented = sender.verdicts[1] is _RECOGNISED
            if consented:
                visitor = cookie_hash(client.cookie_secret, site.site_id, raw.cookie)
        kind = KINDS[raw.kind]
        name = "" if kind is _PAGEVIEW else _name(kind, raw, client.client_id)
        random = self._random.take(_RANDOM_BYTES)
        hit_id, at_us = uuid7_bytes(now_us, random[NONCE_BYTES:]), now_us
        if raw.nonce:
            sent = self._retries.find(key, raw.nonce)
            if sent is None and now_s % DAY_S < RETRY_S:
                sent = self._sent_yesterday(raw.nonce, sender, raw_ip, now_s)
            if sent is None:
                self._retries.record(key, raw.nonce, Sent(hit_id, at_us, visitor))
            else:
                hit_id, at_us, visitor = sent.id, sent.at_us, sent.visitor
        # In the order of the fields: by name takes three times as long.
        what = (
            hit_id,
            client.client_id,
            site.site_id,
            at_us,
            kind,
            visitor,
            consented,
            page.host,
            page.path,
            name,
            clean_props(raw) if raw.props else None,
            raw.interactive or kind is not _EVENT,
            min(int(raw.engaged_s), MAX_ENGAGED_S) if raw.engaged_s else 0,
            min(int(raw.scroll), 100) if raw.scroll else 0,
        )
        if kind is _ENGAGEMENT and not raw.outcode:
            # All else is its visit's, which it cannot begin: not even the address is kept.
            return Hit(*what)
        place = self._geo.locate_packed(raw_ip) if raw_ip else NOWHERE
        browser, system, device = sender.agent
        key_id, sealed = _seal(raw_ip, client, keys, (hit_id, at_us), random)
        return Hit(
            *what,
            0,  # status
            0,  # bytes_sent
            page.source,
            page.channel,
            page.utm_source,
            page.utm_medium,
            page.utm_campaign,
            page.utm_term,
            page.utm_content,
            place.country,
            place.region,
            _language(raw.language) if raw.language else sender.language,
            browser,
            system,
            device,
            _outcode(raw.outcode, client, place.country) if raw.outcode else "",
            key_id,
            sealed,
        )

    def _sender_of(self, config: Config, headers: Headers, raw: RawHit) -> Sender:
        """Who sends, judged once for all requests that look alike. Raises RefusedError."""
        get = headers.get
        origin = get("origin")
        if origin in _VOUCHES_FOR_NOTHING or "sec-purpose" in headers or "x-moz" in headers:
            # The Referer or the URL must vouch for the page, and they are new each time.
            return _judge_sender(config, headers, raw)
        name = (
            raw.site,
            origin,
            get("host"),
            get("user-agent"),
            get("accept-language"),
            get("sec-gpc"),
            get("dnt"),
        )
        sender = self._memory.senders.get(name)
        if sender is None:
            sender = _judge_sender(config, headers, raw)
            self._memory.keep_sender(name, sender)
        return sender

    def _page_of(self, site: SiteConfig, raw: RawHit) -> Page:
        """What is stored of the page's addresses. Raises RefusedError."""
        name = (site.site_id, raw.url, raw.referrer)
        page = self._memory.pages.get(name)
        if page is None:
            page = read_page(site, raw)
            self._memory.keep_page(name, page)
        return page

    def _raw_ip_of(self, peer: str, headers: Headers) -> RawIp:
        """The visitor's address, packed; b"" when there is none (a unix socket)."""
        forwarded = headers.get("x-forwarded-for")
        if forwarded and peer in self._proxies:
            # One trusted proxy in front and an IPv4 address: nearly always. inet_pton refuses
            # anything else, and it is then read the long way.
            try:
                raw_ip = inet_pton(AF_INET, forwarded)
            except (OSError, ValueError):
                pass
            else:
                if raw_ip[0] not in self._trusted_octets:
                    return raw_ip  # type: ignore[return-value]  # a RawIp, without the call
        address = self._address_of(peer, headers.get("x-forwarded-for", ""))
        return RawIp(b"") if address is None else packed(address)

    def _address_of(self, peer: str, forwarded: str) -> Address | None:
        """As `client_ip`. Texts of trusted proxies are remembered, never a visitor's."""
        if not forwarded or not self._trusted:
            return parse_ip(peer)
        if peer not in self._proxies and len(self._proxies) < _MOST_PROXIES:
            proxy = parse_ip(peer)
            if proxy is not None and any(proxy in network for network in self._trusted):
                self._proxies.add(peer)
        return client_ip(peer, forwarded, self._trusted)

    def _sent_yesterday(self, nonce: str, sender: Sender, raw_ip: RawIp, now_s: int) -> Sent | None:
        """What this hit was the first time, when that was before midnight (UTC)."""
        former = sender.site.visitors.get(now_s // DAY_S - 1)
        return former and self._retries.find(former(raw_ip, sender.agent_field), nonce)


def _seal(
    raw_ip: RawIp, client: ClientConfig, keys: DayKeys, hit: tuple[bytes, int], random: bytes
) -> tuple[int, bytes]:
    """Key id and what is kept of the address: sealed for this hit (id, time) alone, or truncated.

    A hit that begins no visit is stored without it.
    """
    if not raw_ip or client.ip_mode == "none":
        return 0, b""
    if client.ip_mode == "truncated":
        return 0, network_of_packed(raw_ip)
    assert keys.ip_cipher is not None  # noqa: S101 - hit_of has refused the hit before
    # tenants.crypto.seal with the day's cipher and random bytes at hand.
    nonce, place = random[:NONCE_BYTES], client.ip_place + origin_row_id(*hit)
    return keys.ip_key_id, nonce + keys.ip_cipher.encrypt(nonce, raw_ip, place)


def _first_octets(trusted: Sequence[Network]) -> frozenset[int]:
    """First octets with which IPv4 addresses of trusted proxies begin, and some others too."""
    return frozenset(
        octet
        for network in trusted
        if network.version == 4
        for octet in range(
            network.network_address.packed[0], network.broadcast_address.packed[0] + 1
        )
    )


def _judge_sender(config: Config, headers: Headers, raw: RawHit) -> Sender:
    """Site, signals and bots; raises RefusedError unless hits of this sender may be kept."""
    site = find_site(config, headers, raw)
    user_agent = headers.get("user-agent", "")
    verdicts = (
        _judge(site.client, headers, user_agent, has_cookie=False),
        _judge(site.client, headers, user_agent, has_cookie=True),
    )
    return Sender(
        site=site,
        agent_field=agent_field(user_agent),
        agent=read_agent(user_agent),
        language=_language(headers.get("accept-language", "")),
        verdicts=verdicts,
    )


def find_site(config: Config, headers: Headers, raw: RawHit) -> SiteConfig:
    """The site, if its key belongs to the client of this host and the page to the site.

    What the browser vouches for comes first: `Origin`, else `Referer`, else the URL that was sent.
    """
    host = config.hosts.get(host_name(headers.get("host", "")))
    if host is None:
        raise RefusedError(
            403, Reason.HOST, error="host: no client is served here; use the snippet's address"
        )
    site = host.sites.get(raw.site)
    client_id = host.client.client_id
    if site is None:
        raise RefusedError(
            403,
            Reason.SITE,
            error="site: this host has no active site with this key; copy the snippet again",
            client_id=client_id,
        )
    origin = headers.get("origin")
    if origin is not None and origin != "null":
        is_allowed = site.hosts.allow_origin(origin)
    else:
        referer = headers.get("referer")
        is_allowed = site.hosts.allow_url(raw.url if referer is None else referer)
    if not is_allowed:
        raise _not_its_page("origin", client_id)
    return site


def _not_its_page(field: str, client_id: int) -> RefusedError:
    return RefusedError(
        403,
        Reason.ORIGIN,
        error=f"{field}: this page's host is not among the site's hosts; add it in its settings",
        client_id=client_id,
    )


def _judge(client: ClientConfig, headers: Headers, user_agent: str, has_cookie: bool) -> Verdict:
    """Raises RefusedError, with what the page is told, unless the hit may be kept."""
    gpc = headers.get("sec-gpc")
    dnt = headers.get("dnt")
    bits = int(has_cookie)
    if gpc is not None and says_gpc((gpc,)):
        bits |= 4
    if dnt is not None and says_dnt((dnt,)):
        bits |= 2
    verdict = client.verdicts[bits]
    if verdict is Verdict.DROP_GPC or verdict is Verdict.DROP_DNT:
        raise _dropped(Reason(verdict.value), client)
    purpose = headers.get("sec-purpose") or headers.get("x-moz")
    if purpose is not None and purpose.startswith("prefetch"):
        raise _dropped(Reason.PREFETCH, client)
    bot = bot_name(user_agent)
    if bot is not None:
        raise _dropped(Reason.BOT, client, f"bot={_NOT_A_HEADER.sub('_', bot)[:100]}")
    return verdict


def _dropped(reason: Reason, client: ClientConfig, said: str = "") -> RefusedError:
    return RefusedError(202, reason, dropped=said or reason.value, client_id=client.client_id)


def read_page(site: SiteConfig, raw: RawHit) -> Page:
    """What is stored of a page's address and of where the visitor came from; RefusedError."""
    client_id = site.client.client_id
    hosts = site.hosts
    try:
        page = read_url(raw.url, hosts=hosts.names)
    except BadUrlError:
        raise malformed("url", client_id) from None
    if page.host and not hosts.allow_name(page.host):
        raise _not_its_page("url", client_id)
    referrer = raw.referrer
    if referrer and hosts.has_wildcards and hosts.allow_url(referrer):
        referrer = ""
    acquired = classify(referrer, hosts.names, page.utm, click_id=page.click_id)
    return Page(page.host, page.path, acquired.source, acquired.channel, *page.utm)


def _name(kind: Kind, raw: RawHit, client_id: int) -> str:
    if kind is Kind.EVENT:
        name = clean_text(raw.name, MAX_NAME_BYTES)
    elif kind is Kind.OUTBOUND or kind is Kind.DOWNLOAD:
        name = clean_target(raw.name)
    else:
        return ""
    if not name:
        raise malformed("name", client_id)
    return name


def clean_props(raw: RawHit) -> dict[str, str] | None:
    """Properties as texts, cleaned and cut; nulls and empty keys are left out."""
    props: dict[str, str] = {}
    for key, value in (raw.props or {}).items():
        name = clean_text(key, MAX_KEY_BYTES)
        if not name or value is None:
            continue
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        props[name] = clean_text(text, MAX_VALUE_BYTES)
    return props or None


@functools.lru_cache(4_000)
def _language(text: str) -> str:
    """First language tag of a text, as en-GB or zh-Hant-TW; "" without one (BCP 47, RFC 5646)."""
    found = _LANGUAGE.match(text)
    if found is None:
        return ""
    script = f"-{found[2].title()}" if found[2] else ""
    region = f"-{found[3].upper()}" if found[3] else ""
    return f"{found[1].lower()}{script}{region}"


def _outcode(text: str, client: ClientConfig, country: str) -> str:
    if not client.keep_outcode:
        return ""
    return outcode(text, keep_outcode=True, zip_mode=client.zip_mode, country=country)
