"""Which pages a person is led to, on the host they are on.

An item is named by the name of its address, and shown only to who may see it. A name that its host
does not have is an error, not a link less. Add a page here, nothing else is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse

from agency.hosts import client_or_none
from tenants.access import Access, May, find_access
from tenants.models import Section, Site

KEPT = ("period", "from", "to", "compare", "compare_from", "compare_to", "f", "segment")
"""What stays in the address from one section of the report to the next."""


@dataclass(frozen=True)
class Item:
    """A page that navigation leads to."""

    words: str
    name: str
    """Of its URL."""
    stems: tuple[str, ...] = ()
    """Pages below it: a part of their URLs' names."""
    section: Section | None = None
    may: May | None = None
    of_site: bool = False
    """There is one for each site: shown where the person may see one."""
    demo_only: bool = False


AGENCY = (
    Item("Clients", "home", ("client", "group", "import")),
    Item("Roll-up", "rollup", ("rollup",)),
    Item("People", "people", ("people", "person", "invitation"), may=May.MANAGE_PEOPLE),
    Item("Admin", "admin:index", may=May.ADMINISTER),
    Item("Mail", "mails", ("mail",), demo_only=True),
    Item("Style", "style"),
)
REPORT = (
    Item(
        "Overview", "report", ("home", "overview", "table", "panel"), Section.OVERVIEW, of_site=True
    ),
    Item("Realtime", "realtime", ("realtime",), Section.REALTIME, of_site=True),
    Item("Goals", "goals", ("goal",), Section.GOALS, of_site=True),
    Item("Funnels", "funnels", ("funnel",), Section.FUNNELS, of_site=True),
    Item("Journeys", "journeys", ("journey",), Section.JOURNEYS, of_site=True),
    Item("Retention", "retention", (), Section.RETENTION, of_site=True),
)
SETTINGS = (
    Item("Privacy", "privacy", ("privacy",)),
    Item("People", "people", ("people", "person", "invitation"), may=May.MANAGE_PEOPLE),
    Item("Segments", "segments", ("segment",), may=May.EDIT_REPORTS, of_site=True),
    Item("Annotations", "annotations", ("annotation",), may=May.EDIT_REPORTS, of_site=True),
    Item("Links & mails", "links", ("link", "schedule"), may=May.EDIT_REPORTS, of_site=True),
    Item("Alerts", "alerts", ("alert",), Section.OVERVIEW, of_site=True),
    Item("API keys", "api_keys", ("api_key",), may=May.EDIT_REPORTS),
    Item("Access", "access_log", ("access",)),
    Item("Script", "install", ("install",), may=May.EDIT_REPORTS, of_site=True),
)
ACCOUNT = (
    Item("Your account", "account", ("account", "mfa")),
    Item("Sessions", "sessions", ("session",)),
)
ACCOUNT_AT_CLIENT = (*ACCOUNT, Item("API reference", "api_docs"))


@dataclass(frozen=True)
class Link:
    """An item as it is shown."""

    words: str
    url: str
    is_current: bool = False


@dataclass(frozen=True)
class Navigation:
    """What the base templates print; all empty for who is not logged in."""

    main: Sequence[Link] = ()
    settings: Sequence[Link] = ()
    sites: Sequence[Link] = ()
    site: Site | None = None
    account: Sequence[Link] = ()
    is_staff: bool = False
    is_settings: bool = field(default=False)
    """The page is one of the settings, which have their own list beside the page."""


@dataclass(frozen=True)
class _Reader:
    """Who reads which page."""

    request: HttpRequest
    site: Site | None
    sections: frozenset[Section]
    may: frozenset[May]

    @property
    def page(self) -> str:
        match = self.request.resolver_match
        return match.view_name if match else ""


def note_access(request: HttpRequest, access: Access) -> None:
    """Note what the person of the request was let into, here, so that it is not asked twice."""
    request.access = access  # type: ignore[attr-defined]  # read by navigation_of alone


def navigation_of(request: HttpRequest) -> Navigation:
    """Navigation of the person on this host; up to three queries, none after `note_access`."""
    user = getattr(request, "user", AnonymousUser())
    client = client_or_none(request)
    access: Access | None = getattr(request, "access", None) or find_access(user, client)
    if access is None:
        return Navigation()
    if client is None:
        reader = _Reader(request, None, frozenset(), access.may)
        return Navigation(
            main=_links(AGENCY, reader), account=_links(ACCOUNT, reader), is_staff=True
        )
    return _of_client(request, access)


def _of_client(request: HttpRequest, access: Access) -> Navigation:
    sites = access.sites
    asked = request.resolver_match.kwargs.get("site_id") if request.resolver_match else None
    site = next((one for one in sites if one.pk == asked), sites[0] if sites else None)
    reader = _Reader(request, site, access.sections, access.may)
    below = _links(SETTINGS, reader)
    return Navigation(
        main=_links(REPORT, reader, query=_kept(request)),
        settings=below,
        sites=[Link(one.name, _site_url(reader, one), one == site) for one in sites],
        site=site,
        account=_links(ACCOUNT_AT_CLIENT, reader),
        is_staff=access.is_staff,
        is_settings=any(link.is_current for link in below),
    )


def _links(items: Sequence[Item], reader: _Reader, *, query: str = "") -> list[Link]:
    links = []
    for item in items:
        if item.section is not None and item.section not in reader.sections:
            continue
        if item.may is not None and item.may not in reader.may:
            continue
        if item.demo_only and settings.PRODUCTION:
            continue
        if item.of_site and reader.site is None:
            continue
        arguments = [reader.site.pk] if item.of_site and reader.site else []
        url = reverse(item.name, args=arguments)
        links.append(Link(item.words, url + query, _is_current(item, reader.page)))
    return links


def _is_current(item: Item, page: str) -> bool:
    return page == item.name or any(stem in page for stem in item.stems)


def _site_url(reader: _Reader, site: Site) -> str:
    """The same page of another site, or its report where the page is about something of one."""
    match = reader.request.resolver_match
    if match and set(match.kwargs) == {"site_id"}:
        return reverse(match.view_name, kwargs={"site_id": site.pk}) + _kept(reader.request)
    return reverse("report", args=[site.pk])


def _kept(request: HttpRequest) -> str:
    pairs = [(name, value) for name in KEPT for value in request.GET.getlist(name)]
    return f"?{urlencode(pairs)}" if pairs else ""
