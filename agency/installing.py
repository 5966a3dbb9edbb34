"""Why no hit comes: what the website's page says."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.core.cache import cache

from agency.fetching import Fetched, FetchError, LeadsElsewhereError, NotPublicError, fetch
from agency.policies import blocking_directive
from tenants.models import Client, Domain, Site

SCRIPT_NAME = "/outward.js"
LOOK_EVERY_S = 300
"""A page is fetched without being asked for at most so often, whoever waits for its hits."""


_NO_LOOK = "The page cannot be looked at"


@dataclass(frozen=True)
class Snippet:
    """What goes on the pages of a website."""

    script: str
    pixel: str


@dataclass(frozen=True)
class Finding:
    """Something found, as `components/notice.html` shows it."""

    tone: str
    """good, info, warning or bad."""
    title: str
    words: str


@dataclass(frozen=True)
class Tag:
    """A script element whose address ends like ours."""

    url: str
    key: str
    nonce: str


def snippet_of(site: Site, base: str) -> Snippet:
    """The lines for a website; `base` is the origin of the client's host."""
    return Snippet(
        script=f'<script defer src="{base}{SCRIPT_NAME}" data-site="{site.key}"></script>',
        pixel=(
            f'<noscript><img src="{base}/pixel.gif?site={site.key}" alt="" width="1" height="1" '
            'referrerpolicy="no-referrer-when-downgrade"></noscript>'
        ),
    )


# --- what the page says


class _Reader(HTMLParser):
    """Collects script elements and policies in meta elements."""

    def __init__(self, page_url: str) -> None:
        super().__init__()
        self._page_url = page_url
        self.tags: list[Tag] = []
        self.policies: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "script" and urlsplit(values.get("src", "")).path.endswith(SCRIPT_NAME):
            url = urljoin(self._page_url, values["src"])
            self.tags.append(Tag(url, values.get("data-site", ""), values.get("nonce", "")))
        if tag == "meta" and values.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(values.get("content", ""))


@dataclass
class _Check:
    """One look at one page."""

    client: Client
    site: Site
    page: Fetched
    domains: frozenset[str]
    tags: list[Tag] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


def look_by_itself(client: Client, site: Site, url: str) -> list[Finding]:
    """What `check_page` finds, fetched every LOOK_EVERY_S at most; else what was found then.

    Empty while somebody else's look goes on, and for a website that is not reached from here.
    Raises redis.RedisError without Valkey.
    """
    name = f"install-look:{site.pk}:{site.key}"
    if not cache.add(name, [], LOOK_EVERY_S):
        kept: list[Finding] = cache.get(name, [])
        return kept
    found = check_page(client, site, url, is_asked=False)
    cache.set(name, found, LOOK_EVERY_S)
    return found


def check_page(client: Client, site: Site, url: str, *, is_asked: bool = True) -> list[Finding]:
    """Fetch the page and say what stands in a hit's way, or that nothing does.

    `is_asked`: say also that the website is none that is reached from here. Takes up to five
    seconds. Call it outside a client's schema.
    """
    try:
        page = fetch(url, site.hosts)
    except NotPublicError as error:
        return [Finding("bad", _NO_LOOK, str(error))] if is_asked else []
    except LeadsElsewhereError as error:
        return [
            Finding(
                "bad",
                f"The page is at {error.host}",
                f"That host is none of this website's ({', '.join(site.hosts)}), so its hits are "
                "refused. Add it in the settings if it belongs to the website.",
            )
        ]
    except FetchError as error:
        return [Finding("bad", _NO_LOOK, str(error))]
    if page.status >= 400:
        return [
            Finding(
                "bad",
                f"The page answers with {page.status}",
                "Give the address of a page that can be read without logging in.",
            )
        ]
    reader = _Reader(page.url)
    reader.feed(page.text)
    names = Domain.objects.filter(tenant=client).values_list("domain", flat=True)
    check = _Check(
        client, site, page, frozenset(names), reader.tags, [*page.policies, *reader.policies]
    )
    return _judge(check)


def _judge(check: _Check) -> list[Finding]:
    if not check.tags:
        return [
            Finding(
                "bad",
                "The script is not on the page",
                "Put the line above into the page's head. If a tag manager or a consent tool adds "
                "it, it cannot be seen from here: open the page in a browser and watch this page.",
            )
        ]
    ours = [tag for tag in check.tags if urlsplit(tag.url).hostname in check.domains]
    if not ours:
        host = urlsplit(check.tags[0].url).hostname
        return [
            Finding(
                "bad",
                "The script comes from the wrong host",
                f"The page loads it from {host}. Copy the line above again.",
            )
        ]
    tag = next((one for one in ours if one.key == check.site.key), ours[0])
    found = [*_wrong_key(check, tag), *_blocked(check, tag)]
    if len(ours) > 1 and not found:
        found.append(
            Finding(
                "warning",
                f"The script is on the page {len(ours)} times",
                "Every page view would be counted as often. Leave one of the lines.",
            )
        )
    return found or [
        Finding(
            "good",
            "The script is on the page, with the right key",
            "Now open the page in a browser: its hit shows here within seconds. A browser with an "
            "ad blocker, or one that asks not to be tracked, sends none.",
        )
    ]


def _wrong_key(check: _Check, tag: Tag) -> list[Finding]:
    if tag.key == check.site.key:
        return []
    other = Site.objects.filter(client=check.client, key=tag.key).first() if tag.key else None
    if other is not None and other.is_active:
        words = f"It has the key of {other.name}, whose hosts are {', '.join(other.hosts)}."
    elif other is not None:
        words = f"It has the key of {other.name}, which is not in use any more."
    elif tag.key:
        words = "No website of this client has that key; it may have been renewed since."
    else:
        words = "The attribute data-site is missing."
    return [Finding("bad", "The key is wrong", f"{words} Copy the line above again.")]


def _blocked(check: _Check, tag: Tag) -> list[Finding]:
    page = check.page.url
    origin = f"{urlsplit(tag.url).scheme}://{urlsplit(tag.url).netloc}"
    if urlsplit(page).scheme == "https" and urlsplit(tag.url).scheme == "http":
        return [
            Finding(
                "bad",
                "Browsers block the script",
                "The page is served by https and the script by http. Copy the line above again.",
            )
        ]
    refused = (
        blocking_directive(check.policies, "script", tag.url, page_url=page, nonce=tag.nonce),
        blocking_directive(check.policies, "connect", f"{origin}/collect", page_url=page),
    )
    names = sorted({name for name in refused if name})
    if not names:
        return []
    return [
        Finding(
            "bad",
            "The page's Content-Security-Policy blocks the script",
            f"Add {origin} to {' and '.join(names)} in that header.",
        )
    ]
