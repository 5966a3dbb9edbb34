"""The reading door: which site, period, comparison, step and filters a request asks for.

Everything is in the address, so that each page can be linked to, kept and sent to somebody:

- `period` (a name), or `from` and `to`; `compare` (previous, year, custom, none), `compare_from`
  and `compare_to`; `by` (hour, day, week, month);
- `f`, once for each filter (tracking.query.text); `segment`, a segment's number.

What makes no sense is left out and told in `errors`; only a site or a section that the reader may
not see ends the request.
"""

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import babel
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agency.hosts import client_of
from agency.navigation import note_access
from agency.report_choices import (
    DEFAULT,
    Chosen,
    Compare,
    default_step,
    filter_text,
    read_comparison,
    read_filters,
    read_period,
    read_step,
    steps_for,
)
from agency.shared import access_shared
from agency.wording import locale_of, period_words
from tenants.access import May, access_report
from tenants.models import Client, Section, Site
from tenants.schemas import entered
from tracking.analysis.scope import Scope, scope_of
from tracking.analysis.segments import load_segments
from tracking.models import Segment, SharedLink
from tracking.query.buckets import up_to_now
from tracking.query.model import Condition, Filter, both
from tracking.query.run import filterable_from
from tracking.reports.periods import Period, Preset, site_today
from tracking.reports.totals import find_first_day

OF_DATES = ("period", "from", "to")
OF_COMPARISON = ("compare", "compare_from", "compare_to")
_NOTHING: Mapping[str, str | None] = {}


@dataclasses.dataclass(frozen=True)
class Door:
    """What the reader may see: by a membership, or by a shared link."""

    client: Client
    site: Site
    sites: tuple[Site, ...]
    sections: frozenset[Section]
    may: frozenset[May]
    base: str
    """Path of the report, ending with a slash; its other addresses are below it."""
    link: SharedLink | None = None
    """The shared link that the reader came by; None for a member."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """All that a page of a report needs to know of its request."""

    door: Door
    locale: babel.Locale
    now: dt.datetime
    path: str
    today: dt.date
    """On the site's clock."""
    first_day: dt.date | None
    """First day of which there is anything; None before the first hit."""
    segments: tuple[Segment, ...]
    """By name."""
    period: Period
    preset: Preset | None
    """None for two dates."""
    compare: Compare
    comparison: Period | None
    step: str
    chosen: tuple[Chosen, ...]
    """Filters, all of which hold."""
    errors: tuple[str, ...]
    """What of the address was left out, and why."""
    k: int
    """The client's smallest group."""
    hits_retention_days: int
    kept: tuple[tuple[str, str], ...] = ()
    """The page's own names and values, which stay in its addresses."""

    @property
    def client(self) -> Client:
        """Whose site it is."""
        return self.door.client

    @property
    def site(self) -> Site:
        """Which site is read."""
        return self.door.site

    @property
    def sections(self) -> frozenset[Section]:
        """What of the report the reader may see."""
        return self.door.sections

    @property
    def may_edit(self) -> bool:
        """Whether the reader may keep goals, segments, annotations."""
        return May.EDIT_REPORTS in self.door.may

    @functools.cached_property
    def filters(self) -> Filter | None:
        """All filters as one; None without any."""
        found: Filter | None = None
        for each in self.chosen:
            found = both(found, each.part)
        return found

    @property
    def filterable_from(self) -> dt.date:
        """First day whose single visits still live, so that it can be filtered."""
        return filterable_from(
            self.site, hits_retention_days=self.hits_retention_days, now=self.now
        )

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps of the series that make sense."""
        return steps_for(self.period)

    @property
    def period_words(self) -> str:
        """1–30 Nov 2026."""
        return period_words(self.period, self.locale)

    @property
    def before_words(self) -> str:
        """The period compared with; empty without one."""
        return period_words(self.comparison, self.locale) if self.comparison else ""

    def check(self, *sections: Section) -> None:
        """Let nobody past who may see none of the sections.

        Raises PermissionDenied, or Http404 where the reader came by a shared link.
        """
        if self.sections.intersection(sections):
            return
        if self.door.link is not None:
            raise Http404("There is nothing here.")
        raise PermissionDenied("This part of the report is not open to you. Ask who invited you.")

    def scope(self, period: Period | None = None) -> Scope:
        """What the analyses read; call inside the client's schema."""
        return scope_of(self.site, period or self.period, self.filters)

    # addresses

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the address: whatever is not the default, in one order."""
        pairs = list(self._dates())
        if self.compare is not Compare.PREVIOUS:
            pairs.append(("compare", self.compare.value))
        if self.compare is Compare.CUSTOM and self.comparison:
            pairs.append(("compare_from", self.comparison.starts_on.isoformat()))
            pairs.append(("compare_to", self.comparison.ends_on.isoformat()))
        if self.step != default_step(self.period):
            pairs.append(("by", self.step))
        pairs += [("f", each.text) for each in self.chosen]
        return (*pairs, *self.kept)

    def _dates(self) -> tuple[tuple[str, str], ...]:
        if self.preset is DEFAULT:
            return ()
        if self.preset is not None:
            return (("period", self.preset.value),)
        return (
            ("from", self.period.starts_on.isoformat()),
            ("to", self.period.ends_on.isoformat()),
        )

    def without(self, *names: str) -> list[tuple[str, str]]:
        """Names and values of the address but for these names, for a form's hidden fields."""
        return [(name, value) for name, value in self.pairs if name not in names]

    def query(self, changes: Mapping[str, str | None] = _NOTHING, *, own: bool = True) -> str:
        """`?` and the address' names and values, some of them changed (None: left out).

        `own=False` leaves the page's own names out: for a link to another page. Always begins
        with `?`, so that a link with it stays on the page even where there is nothing to say.
        """
        kept = set() if own else {name for name, _ in self.kept}
        pairs = [pair for pair in self.pairs if pair[0] not in changes and pair[0] not in kept]
        pairs += [(name, value) for name, value in changes.items() if value is not None]
        return f"?{urlencode(pairs)}"

    def with_period(self, preset: Preset) -> str:
        """Query string of a named period; a step that may not fit it is left out."""
        names = _left_out(*OF_DATES, "by")
        return self.query(names | {"period": None if preset is DEFAULT else preset.value})

    def with_compare(self, compare: Compare) -> str:
        """Query string of another comparison (but for `custom`, which needs its dates)."""
        value = None if compare is Compare.PREVIOUS else compare.value
        return self.query(_left_out(*OF_COMPARISON) | {"compare": value})

    def with_step(self, step: str) -> str:
        """Query string of another step of the series."""
        return self.query({"by": None if step == default_step(self.period) else step})

    def with_filters(self, texts: list[str], *, own: bool = True) -> str:
        """Query string with these filters instead."""
        rest = self.query({"f": None}, own=own)
        more = urlencode([("f", text) for text in texts])
        return f"{rest}{'&' if more and rest != '?' else ''}{more}"

    def with_filter(self, dimension: str, *values: str, op: str = "is", own: bool = True) -> str:
        """Query string with one filter more.

        `is` takes the place of an `is` of that dimension: a visit has one country, and to choose
        another is not to ask for both.
        """
        text = filter_text(dimension, *values, op=op)
        others = [each.text for each in self.chosen if op != "is" or not _asks(each, dimension)]
        return self.with_filters([*(each for each in others if each != text), text], own=own)

    def without_filter(self, text: str) -> str:
        """Query string without one of the filters."""
        return self.with_filters([each.text for each in self.chosen if each.text != text])

    def is_chosen(self, dimension: str, value: str) -> bool:
        """Whether exactly this value is filtered on."""
        return any(each.is_exactly(dimension, value) for each in self.chosen)

    def url(self, name: str, *args: Any) -> str:
        """Address of another page of the site, for the same period and filters."""
        return reverse(name, args=[self.site.pk, *args]) + self.query(own=False)

    def below(
        self, path: str, changes: Mapping[str, str | None] = _NOTHING, *, own: bool = True
    ) -> str:
        """An address below the report's, whichever way the reader came in."""
        return f"{self.door.base}{path}{self.query(changes, own=own)}"


def _left_out(*names: str) -> dict[str, str | None]:
    return dict.fromkeys(names)


def _asks(each: Chosen, dimension: str) -> bool:
    part = each.part
    return isinstance(part, Condition) and part.dimension == dimension and part.op == "is"


def read_request(
    request: HttpRequest,
    site_id: int | None = None,
    *,
    section: Section | None = None,
    may: May = May.VIEW,
    kept: tuple[str, ...] = (),
) -> Reading:
    """What a member's request asks for.

    Http404 for outsiders and sites out of scope, PermissionDenied for a section or an act that
    the membership leaves out. `kept` names the page's own parameters.
    """
    client = client_of(request)
    opened = access_report(request.user, client, site_id, may=may, section=section)
    note_access(request, opened)
    door = Door(
        client=client,
        site=opened.site,
        sites=opened.sites,
        sections=opened.sections,
        may=opened.may,
        base=reverse("report", args=[opened.site.pk]),
    )
    return read_through(door, request, kept=kept)


def read_shared(request: HttpRequest, link_id: int, *, kept: tuple[str, ...] = ()) -> Reading:
    """What a request of a shared link's reader asks for; Http404 for anybody else."""
    shared = access_shared(request, link_id)
    door = Door(
        client=shared.client,
        site=shared.site,
        sites=(shared.site,),
        sections=shared.sections,
        may=frozenset({May.VIEW}),
        base=reverse("shared_report", args=[link_id]),
        link=shared.link,
    )
    return read_through(door, request, kept=kept)


View = Callable[..., HttpResponse]


def reads(*, kept: tuple[str, ...] = ()) -> Callable[[View], Callable[..., HttpResponse]]:
    """Let the reader in, by membership or by shared link, and hand the view a `Reading`.

    For addresses with a `site_id` (or none: the first site), and with a `link_id`.
    """

    def wrap(view: View) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def inner(
            request: HttpRequest,
            site_id: int | None = None,
            link_id: int | None = None,
            **kwargs: Any,
        ) -> HttpResponse:
            if link_id is not None:
                return view(request, read_shared(request, link_id, kept=kept), **kwargs)
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            return view(request, read_request(request, site_id, kept=kept), **kwargs)

        return require_safe(never_cache(inner))

    return wrap


def read_through(door: Door, request: HttpRequest, *, kept: tuple[str, ...] = ()) -> Reading:
    """What a request asks for whose reader has been let in already. Up to three queries."""
    values, now = request.GET, timezone.now()
    today = site_today(door.site, now)
    privacy = door.client.privacy
    with entered(door.client):
        first_day = find_first_day(door.site)
        segments = tuple(load_segments(door.site))
    errors: list[str] = []
    locale = locale_of(door.client.locale)
    period, preset = read_period(values, today, first_day, errors)
    compare, comparison = read_comparison(values, preset, period, errors)
    if comparison is not None and compare is not Compare.CUSTOM and period.ends_on == today:
        comparison = up_to_now(comparison, door.site.timezone, now)
    return Reading(
        door=door,
        locale=locale,
        now=now,
        path=request.path,
        today=today,
        first_day=first_day,
        segments=segments,
        period=period,
        preset=preset,
        compare=compare,
        comparison=comparison,
        step=read_step(values, period, errors),
        chosen=read_filters(values, segments, door.sections, locale, errors),
        errors=tuple(errors),
        k=privacy.k_threshold,
        hits_retention_days=privacy.raw_days(now),
        kept=tuple((name, values[name]) for name in kept if values.get(name)),
    )
