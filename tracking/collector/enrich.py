"""From a request to a hit: the only place where a raw IP address is known, and forgotten.

No address is cached, logged, or put into an exception's message here or in what is called.
"""

import functools
import os
import re
from collections.abc import Sequence

from consent.permissions import Verdict, says_dnt, says_gpc
from tenants.crypto import NONCE_BYTES
from tracking.addresses import (
    Address,
    Network,
    RawIp,
    client_ip,
    cookie_hash,
    packed,
    parse_ip,
    seal_address,
)
from tracking.channels import classify
from tracking.collector.config import DAY_S, ClientConfig, Config, DayKeys, SiteConfig
from tracking.collector.hosts import host_name
from tracking.collector.limits import RETRY_S, RateLimit, Retries, Sent
from tracking.collector.requests import (
    MAX_KEY_BYTES,
    MAX_NAME_BYTES,
    MAX_VALUE_BYTES,
    Headers,
    RawHit,
    RefusedError,
    malformed,
    text_of,
)
from tracking.geo import NOWHERE, GeoReader
from tracking.hits import Hit, Kind, uuid7_bytes
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
MAX_ENGAGED_S = DAY_S
_MOST_PROXIES = 100

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
        self._proxies: set[str] = set()

    def hit_of(self, config: Config, headers: Headers, peer: str, raw: RawHit, now_us: int) -> Hit:
        """The hit of a request; raises RefusedError."""
        site = find_site(config, headers, raw)
        client = site.client
        user_agent = text_of(headers, b"user-agent")
        cookie = raw.cookie if raw.cookie and _COOKIE.fullmatch(raw.cookie) else ""
        verdict = _judge(client, headers, user_agent, bool(cookie))
        now_s = now_us // 1_000_000
        keys = client.days.get(now_s // DAY_S)
        if keys is None or (client.ip_mode == "encrypted" and keys.ip_cipher is None):
            raise RefusedError(503, Reason.NOT_STORED, retry_after_s=1, client_id=client.client_id)
        address = self._address_of(peer, text_of(headers, b"x-forwarded-for"))
        raw_ip = RawIp(b"") if address is None else packed(address)
        visitor = site.visitors[now_s // DAY_S](raw_ip, user_agent)
        if not self._rate.admit(visitor, now_s):
            raise RefusedError(
                429,
                Reason.RATE,
                error="rate: send fewer hits a minute",
                retry_after_s=self._rate.retry_after_s(now_s),
                client_id=client.client_id,
            )
        hit_id = uuid7_bytes(now_us, self._random.take(10))
        hit = make_hit(site, raw, headers, now_us, hit_id)
        hit.visitor = visitor
        if verdict is Verdict.KEEP_RECOGNISED:
            hit.visitor = cookie_hash(client.cookie_secret, site.site_id, cookie)
            hit.consented = True
        if raw.nonce:
            self._repeat_retry(hit, raw.nonce, site, user_agent, raw_ip, visitor)
        hit.browser, hit.os, hit.device = read_agent(user_agent)
        _place(hit, self._geo, address)
        _keep_outcode(hit, raw, client)
        if client.ip_mode != "encrypted":
            hit.ip_sealed = seal_address(address, client.ip_mode, _never_sealed)
        elif address is not None:
            hit.ip_key_id = keys.ip_key_id
            nonce = self._random.take(NONCE_BYTES)
            hit.ip_sealed = _sealed(raw_ip, client, keys, hit.id, nonce)
        return hit

    def _address_of(self, peer: str, forwarded: str) -> Address | None:
        """As `client_ip`, which takes the rare ways: here one proxy in front, known by its text.

        Only texts of trusted proxies are remembered, never a visitor's.
        """
        if not forwarded or not self._trusted:
            return parse_ip(peer)
        if peer in self._proxies:
            address = parse_ip(forwarded.rpartition(",")[2])
            if address is not None and not self._is_trusted(address):
                return address
        else:
            proxy = parse_ip(peer)
            if proxy is not None and self._is_trusted(proxy) and len(self._proxies) < _MOST_PROXIES:
                self._proxies.add(peer)
        return client_ip(peer, forwarded, self._trusted)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _repeat_retry(
        self,
        hit: Hit,
        nonce: str,
        site: SiteConfig,
        user_agent: str,
        raw_ip: RawIp,
        visitor: int,
    ) -> None:
        """Give a hit that was sent before its first id, time and visitor."""
        now_s = hit.at_us // 1_000_000
        sent = self._retries.find(visitor, nonce)
        if sent is None and now_s % DAY_S < RETRY_S:
            former = site.visitors.get(now_s // DAY_S - 1)
            if former is not None:
                sent = self._retries.find(former(raw_ip, user_agent), nonce)
        if sent is None:
            self._retries.record(visitor, nonce, Sent(hit.id, hit.at_us, hit.visitor))
        else:
            hit.id, hit.at_us, hit.visitor = sent.id, sent.at_us, sent.visitor


def find_site(config: Config, headers: Headers, raw: RawHit) -> SiteConfig:
    """The site, if its key belongs to the client of this host and the page to the site.

    What the browser vouches for comes first: `Origin`, else `Referer`, else the URL that was sent.
    """
    host = config.hosts.get(host_name(headers.get(b"host", b"")))
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
    origin = headers.get(b"origin")
    if origin is not None and origin != b"null":
        is_allowed = site.hosts.allow_origin(origin.decode("latin-1"))
    else:
        referer = headers.get(b"referer")
        is_allowed = site.hosts.allow_url(raw.url if referer is None else referer.decode("latin-1"))
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
    gpc = headers.get(b"sec-gpc")
    dnt = headers.get(b"dnt")
    bits = int(has_cookie)
    if gpc is not None and says_gpc((gpc.decode("latin-1"),)):
        bits |= 4
    if dnt is not None and says_dnt((dnt.decode("latin-1"),)):
        bits |= 2
    verdict = client.verdicts[bits]
    if verdict is Verdict.DROP_GPC or verdict is Verdict.DROP_DNT:
        raise _dropped(Reason(verdict.value), client)
    purpose = headers.get(b"sec-purpose") or headers.get(b"x-moz")
    if purpose is not None and purpose.startswith(b"prefetch"):
        raise _dropped(Reason.PREFETCH, client)
    bot = bot_name(user_agent)
    if bot is not None:
        raise _dropped(Reason.BOT, client, f"bot={_NOT_A_HEADER.sub('_', bot)[:100]}")
    return verdict


def _dropped(reason: Reason, client: ClientConfig, said: str = "") -> RefusedError:
    return RefusedError(202, reason, dropped=said or reason.value, client_id=client.client_id)


def make_hit(site: SiteConfig, raw: RawHit, headers: Headers, now_us: int, hit_id: bytes) -> Hit:
    """What the page says, cleaned: all of a hit but the visitor's side. Raises RefusedError."""
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
    kind = KINDS[raw.kind]
    utm = page.utm
    is_page = kind is Kind.PAGEVIEW
    # In the order of the fields: by name takes three times as long.
    return Hit(
        hit_id,
        client_id,
        site.site_id,
        now_us,
        kind,
        0,  # visitor
        False,  # consented
        page.host,
        page.path,
        "" if is_page else _name(kind, raw, client_id),
        clean_props(raw) if raw.props else None,
        raw.interactive or kind is not Kind.EVENT,
        min(int(raw.engaged_s), MAX_ENGAGED_S) if raw.engaged_s else 0,
        min(int(raw.scroll), 100) if raw.scroll else 0,
        0,  # status
        0,  # bytes_sent
        acquired.source,
        acquired.channel,
        utm.source,
        utm.medium,
        utm.campaign,
        utm.term,
        utm.content,
        "",  # country
        "",  # region
        _language(raw.language or text_of(headers, b"accept-language")),
    )


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


def _place(hit: Hit, geo: GeoReader, address: Address | None) -> None:
    place = NOWHERE if address is None else geo.locate(address)
    hit.country, hit.region = place.country, place.region


def _keep_outcode(hit: Hit, raw: RawHit, client: ClientConfig) -> None:
    if raw.outcode and client.keep_outcode:
        hit.outcode = outcode(
            raw.outcode, keep_outcode=True, zip_mode=client.zip_mode, country=hit.country
        )


def _sealed(
    raw_ip: RawIp, client: ClientConfig, keys: DayKeys, hit_id: bytes, nonce: bytes
) -> bytes:
    """The address sealed for this hit alone: tenants.crypto.seal with the day's cipher at hand."""
    assert keys.ip_cipher is not None  # noqa: S101 - hit_of has refused the hit before
    return nonce + keys.ip_cipher.encrypt(nonce, raw_ip, client.ip_place + hit_id)


def _never_sealed(raw_ip: RawIp) -> bytes:
    raise RuntimeError("Only the mode `encrypted` seals.")
