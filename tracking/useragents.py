"""What a user agent says: browser, system and kind of device without versions, or a bot's name.

Versions are left out on purpose: they change weekly, say little to a marketer, and make a visitor
stand out. Answers are remembered, for a day's traffic holds a few thousand different user agents.
"""

import functools
import re
from typing import NamedTuple

import ua_parser
from crawlerdetect import CrawlerDetect

_REMEMBERED = 10_000
_LONGEST = 512
"""Characters read of a user agent; real ones are shorter, and what follows costs time only."""

_LONGEST_FOR_BOTS = 320
"""As above, for a bot's name. The patterns cost 14 microseconds a character where none matches, so
an endless made-up user agent would be a cheap attack; crawlers' own are at most 250 long."""
_LONG_WORD = re.compile(r"([\w-]{40})[\w-]+")

NO_USER_AGENT = "no user agent"

_BROWSERS = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Apple Mail": "Safari",
    "Google": "Google app",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Firefox Focus": "Firefox",
    "Firefox (Tablet)": "Firefox",
    "Firefox ESR": "Firefox",
    "Edge Mobile": "Edge",
    "Opera Mobile": "Opera",
    "Opera Mini": "Opera",
    "Opera Tablet": "Opera",
    "Opera Touch": "Opera",
    "Opera Coast": "Opera",
    "Opera GX": "Opera",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "IE Large Screen": "Internet Explorer",
    "Brave Mobile": "Brave",
    "DuckDuckGo Mobile": "DuckDuckGo",
    "Vivaldi Mobile": "Vivaldi",
    "Yandex Browser": "Yandex",
    "MiuiBrowser": "Mi Browser",
    "Android": "Android Browser",
    "Facebook Messenger": "Messenger",
    "QQ Browser Mobile": "QQ Browser",
    "UC Browser": "UC Browser",
}

_SYSTEMS = {
    "Mac OS X": "macOS",
    "Mac OS": "macOS",
    "iPadOS": "iOS",
    "Chrome OS": "ChromeOS",
    "Web0S": "webOS",
    "Windows Phone": "Windows Phone",
    "Windows Mobile": "Windows Phone",
}

_LINUX = frozenset(
    "Arch Linux|CentOS|Debian|Fedora|Gentoo|Kubuntu|Linux Mint|Lubuntu|Mageia|Mandriva|openSUSE"  # noqa: SIM905 - reads better as words
    "|PCLinuxOS|Puppy|Red Hat|Slackware|SUSE|Ubuntu|VectorLinux|Xubuntu".split("|")
)

# Order matters: an Xbox calls itself Windows, a television Linux or Android.
_TV = re.compile(
    r"smart-?tv|googletv|android ?tv|apple ?tv|hbbtv|netcast|web0s|bravia|crkey|roku"
    r"|(?-i:\bAFT[A-Z])|\btv safari|\btvos|tizen[^)]*\btv|philipstv|viera|\bdtv\b",
    re.IGNORECASE,
)
_CONSOLE = re.compile(r"xbox|playstation|nintendo", re.IGNORECASE)
_TABLET = re.compile(r"ipad|tablet|kindle|playbook|silk/(?!.*mobile)", re.IGNORECASE)
_PHONE = re.compile(
    r"iphone|ipod|windows phone|\bmobile\b|blackberry|kaios|opera mini", re.IGNORECASE
)
_DESKTOP_SYSTEMS = frozenset({"Windows", "macOS", "Linux", "ChromeOS"})

# Bots that crawlerdetect 0.4.2 does not name. The general form is what RFC 9309 asks crawlers
# for: a product token that says what they are.
_MORE_BOTS = re.compile(
    r"meta-external(?:agent|fetcher)|(?:claude|gpt|chatgpt|perplexity|mistralai|duckassist)"
    r"[-_](?:user|web|bot|searchbot)|[\w.-]{0,40}(?:(?<!cu)bot|crawler|spider)(?=[/;, )]|$)"
    r"|\+https?://|^(?:undici|node|deno|bun|java|ruby|perl|rust|dart)\b",
    re.IGNORECASE,
)


class Agent(NamedTuple):
    """Names without versions, "" when unknown; `device` is never empty."""

    browser: str
    """Chrome, Safari, Firefox, Edge, Samsung Internet, Opera, ..."""
    os: str
    """Windows, macOS, iOS (iPads too), Android, Linux (all distributions), ChromeOS, ..."""
    device: str
    """desktop, phone, tablet, tv, console or other (watches, readers, unknown)."""


def read_agent(user_agent: str) -> Agent:
    """Browser, system and kind of device of a user agent.

    An iPad that asks for desktop pages and a Mac send the same text; both read as a Mac.
    """
    return _read_agent(user_agent[:_LONGEST])


def bot_name(user_agent: str) -> str | None:
    """Name of the bot, None for a person's browser.

    Crawlers, scripts, monitors and headless browsers are bots; so is who sends no user agent. The
    name is the part of the user agent that gave it away.
    """
    return _bot_name(user_agent[:_LONGEST_FOR_BOTS].strip())


@functools.cache
def _parser() -> ua_parser.Parser:
    """ua-parser's own matcher in Rust; its cache would double ours."""
    return ua_parser.Parser(ua_parser.BestAvailableResolver(ua_parser.load_builtins()))


@functools.lru_cache(_REMEMBERED)
def _read_agent(user_agent: str) -> Agent:
    parser = _parser()
    browser = parser.parse_user_agent(user_agent)
    system = parser.parse_os(user_agent)
    family = browser.family if browser else ""
    os = system.family if system else ""
    os = "Linux" if os in _LINUX else _SYSTEMS.get(os, os)
    return Agent(_BROWSERS.get(family, family), os, _device(user_agent, os))


def _device(user_agent: str, os: str) -> str:
    if _CONSOLE.search(user_agent):
        return "console"
    if _TV.search(user_agent):
        return "tv"
    if _TABLET.search(user_agent):
        return "tablet"
    if _PHONE.search(user_agent):
        return "phone"
    if os == "Android":
        # Google's rule: an Android browser without "Mobile" is on a tablet.
        # https://developers.google.com/search/blog/2010/11/make-most-of-search-traffic-with-mobile
        return "tablet"
    return "desktop" if os in _DESKTOP_SYSTEMS or os.endswith("BSD") else "other"


@functools.lru_cache(_REMEMBERED)
def _bot_name(user_agent: str) -> str | None:
    if not user_agent:
        return NO_USER_AGENT
    # An instance holds its last match, so threads must not share one; the compiled patterns are
    # the library's and shared.
    detect = CrawlerDetect()
    # A pattern of the library takes quadratic time in the length of a word.
    user_agent = _LONG_WORD.sub(r"\1", user_agent)
    if detect.is_crawler(user_agent):
        return str(detect.get_matches())
    more = _MORE_BOTS.search(user_agent)
    return more[0] if more else None
