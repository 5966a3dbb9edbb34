"""Where a visit came from: the source's name and the marketing channel.

Pure: values in, values out. What counts, in this order: campaign medium, click parameter, campaign
source, referrer. The campaign source gives the name wherever it is set. `tracking.sources` holds
the known sources: no kept library with such a list was found on PyPI.
"""

import functools
import re
from collections.abc import Collection
from typing import NamedTuple

from tracking.addresses import parse_ip
from tracking.masking import IP_MASK
from tracking.pages import Utm, host_of_url
from tracking.sources import (
    BRAND_SEARCH_HOSTS,
    BRANDS,
    CLICKS,
    SOURCES,
    Channel,
    Click,
    Medium,
    Source,
)


class Acquisition(NamedTuple):
    """How a visit was won (not its *origin*, which is the semi-personal data of a visit)."""

    source: str
    """Clean name of a known source, else campaign source or host name; "" is direct."""
    channel: str
    """A value of Channel, as plain text: psycopg would store a member under its name."""


_ORGANIC = {
    Medium.SEARCH: Channel.ORGANIC_SEARCH,
    Medium.SOCIAL: Channel.ORGANIC_SOCIAL,
    Medium.VIDEO: Channel.ORGANIC_VIDEO,
    Medium.MAIL: Channel.E_MAIL,
    Medium.ASSISTANT: Channel.AI_ASSISTANTS,
    Medium.SITE: Channel.REFERRAL,
}
_PAID = {Medium.SEARCH: Channel.PAID_SEARCH, Medium.SOCIAL: Channel.PAID_SOCIAL}

_CHANNEL_OF_UTM_MEDIUM = {
    **dict.fromkeys(("email", "mail", "newsletter", "edm"), Channel.E_MAIL),
    **dict.fromkeys(("display", "banner", "expandable", "interstitial", "cpm"), Channel.DISPLAY),
    **dict.fromkeys(("affiliate", "affiliates"), Channel.AFFILIATES),
    **dict.fromkeys(("sms", "push", "webpush", "mobilepush", "notification"), Channel.MESSAGES),
    **dict.fromkeys(("social", "socialnetwork", "socialmedia", "sm"), Channel.ORGANIC_SOCIAL),
    **dict.fromkeys(("video", "organicvideo"), Channel.ORGANIC_VIDEO),
    **dict.fromkeys(("referral", "link", "app"), Channel.REFERRAL),
    **dict.fromkeys(("paidsearch", "searchads", "sem"), Channel.PAID_SEARCH),
    "organicsocial": Channel.ORGANIC_SOCIAL,
    "paidsocial": Channel.PAID_SOCIAL,
    **dict.fromkeys(("ai", "llm", "aiassistant", "chatbot"), Channel.AI_ASSISTANTS),
}
"""By medium in lower case without space, - and _."""
_NOT_LETTERS = re.compile(r"[\W_]+")
# The paid media of Google Analytics' default channel group, and "ads".
_PAID_MEDIUM = re.compile(r"(?:.*cp.*|ppc|retargeting|remarketing|paid.*|ads?)")

_BRAND_HOST = re.compile(rf"(?:(.+)\.)?({'|'.join(BRANDS)})\.(?:com?\.[a-z]{{2}}|[a-z]{{2,3}})")
_REMEMBERED = 8192


def classify(
    referrer_url: str, own_hosts: Collection[str], utm: Utm, *, click_id: str = ""
) -> Acquisition:
    """Source and channel of a page view.

    `own_hosts` are the site's host names ("www." and ports do not count): coming from one of them
    is direct. `click_id` is the name of a click parameter (`PageAddress.click_id`). `utm` is as
    `read_url` gives it, cleaned. Nothing of the referrer but its host is kept.
    """
    host = _referrer_host(referrer_url) if referrer_url else ""
    if host and any(host == _bare(own) for own in own_hosts):
        host = ""
    return _classify(host, utm.source, utm.medium, click_id)


@functools.lru_cache(_REMEMBERED)
def _classify(host: str, utm_source: str, utm_medium: str, click_id: str) -> Acquisition:
    click = CLICKS.get(click_id)
    source = _named_source(utm_source)
    if source is None and click and click.paid:
        # The advertisement may stand on anyone's page; its system sent the visitor.
        source = click.source
    if source is None and host:
        source = _source_of_host(host)
    if source is None and click:
        # An app or mail program that sends no referrer.
        source = click.source
    channel = _channel(utm_medium, source, click)
    return Acquisition(source.name if source else "", channel.value)


def _channel(utm_medium: str, source: Source | None, click: Click | None) -> Channel:
    if utm_medium:
        return _channel_of_medium(utm_medium, source, click)
    if source is None:
        return Channel.DIRECT
    if click and click.paid:
        return click.channel or _paid_channel(source, click)
    return _ORGANIC[source.medium]


def _paid_channel(source: Source | None, click: Click | None) -> Channel:
    """By the kind of place paid for: the source, or the click's if the source is a mere name."""
    for each in (source, click.source if click else None):
        if each and each.medium in _PAID:
            return _PAID[each.medium]
    return Channel.PAID_OTHER


def _channel_of_medium(utm_medium: str, source: Source | None, click: Click | None) -> Channel:
    medium = _NOT_LETTERS.sub("", utm_medium.lower())
    known = _CHANNEL_OF_UTM_MEDIUM.get(medium)
    if known:
        return known
    if _PAID_MEDIUM.fullmatch(medium):
        return _paid_channel(source, click)
    if medium == "organic":
        return _ORGANIC[source.medium] if source else Channel.ORGANIC_SEARCH
    if medium in ("none", "notset", "direct"):
        return _ORGANIC[source.medium] if source else Channel.DIRECT
    return Channel.OTHER_CAMPAIGNS


def _named_source(utm_source: str) -> Source | None:
    """The campaign source; "google", "Google" and "google.com" are one."""
    if not utm_source:
        return None
    text = utm_source.strip().lower()
    return (
        SOURCES.get(text)
        or BRANDS.get(text)
        or _known_host(text.removeprefix("www."))
        or Source(utm_source, Medium.SITE)
    )


def _source_of_host(host: str) -> Source:
    return _known_host(host) or Source(IP_MASK if parse_ip(host) else host, Medium.SITE)


@functools.lru_cache(_REMEMBERED)
def _known_host(host: str) -> Source | None:
    """Source of a host name or of a domain above it (l.facebook.com, en.wikipedia.org)."""
    if "." not in host:
        return None
    exact = SOURCES.get(host)
    if exact:
        return exact
    brand = _BRAND_HOST.fullmatch(host)
    if brand:
        source = BRANDS[brand[2]]
        if source.medium is Medium.SOCIAL or not brand[1] or brand[1] in BRAND_SEARCH_HOSTS:
            return source
        # news.google.co.uk, uk.mail.yahoo.com: as the same host in .com.
        return _known_under(f"{brand[1]}.{brand[2]}.com")
    return _known_under(host)


def _known_under(host: str) -> Source | None:
    while host.count(".") >= 1:
        found = SOURCES.get(host)
        if found:
            return found
        host = host.partition(".")[2]
    return None


@functools.lru_cache(_REMEMBERED)
def _referrer_host(url: str) -> str:
    """Host of a web page or package of an Android app, "" for anything else."""
    scheme, host = host_of_url(url)
    if scheme not in ("http", "https", "android-app", "ios-app"):
        return ""
    return host.removeprefix("www.")


@functools.lru_cache(1024)
def _bare(own_host: str) -> str:
    return host_of_url(f"//{own_host}")[1].removeprefix("www.")
