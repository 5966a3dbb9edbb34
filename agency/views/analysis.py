"""What a page of goals, funnels, journeys and so on reads from its address."""

import dataclasses
import datetime as dt
from functools import partial
from typing import Any
from urllib.parse import urlencode

import babel
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agency.components import Chip, Choice, PeriodPicker
from agency.hosts import client_of
from agency.views.report import read_request
from agency.wording import PRESETS, period_words
from tenants.access import May, access_site, allows
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.analysis.scope import Scope, scope_of
from tracking.analysis.segments import find_filters
from tracking.query.model import PROPS, Condition, Every, Filter, source_of
from tracking.query.text import FilterError, filter_texts, parse_filters
from tracking.reports.periods import Period, site_today

OPERATOR_WORDS = {
    "is": "is",
    "is_not": "is not",
    "contains": "contains",
    "contains_not": "does not contain",
    "matches": "matches",
    "matches_not": "does not match",
}


@dataclasses.dataclass(frozen=True)
class Reading:
    """Client, site, period and filters that a request asks for; the user may see them."""

    client: Client
    site: Site
    period: Period
    preset: str
    """Name of the period, "" for two dates."""
    filters: Filter | None
    locale: babel.Locale
    errors: tuple[str, ...]
    may_edit: bool
    now: dt.datetime
    path: str
    kept: tuple[tuple[str, str], ...] = ()
    """Further names and values of the address that a change of period or filter keeps."""

    @property
    def k(self) -> int:
        """The client's smallest group."""
        return int(self.client.privacy.k_threshold)

    @property
    def today(self) -> dt.date:
        """The date on the site's clock."""
        return site_today(self.site, self.now)

    @property
    def period_words(self) -> str:
        """1–30 Nov 2026."""
        return period_words(self.period, self.locale)

    @property
    def before_words(self) -> str:
        """The period before, in words."""
        return period_words(self.period.before(), self.locale)

    def scope(self, period: Period | None = None) -> Scope:
        """What the analyses read; call inside the client's schema."""
        return scope_of(self.site, period or self.period, self.filters)

    def query(self, *, filters: list[str] | None = None, preset: str = "") -> str:
        """Query string of this period and these filters, or of others."""
        pairs = self._period_pairs(preset)
        pairs += [("f", text) for text in (self._texts() if filters is None else filters)]
        return urlencode(pairs)

    def url(self, name: str, *args: Any) -> str:
        """Address of another page of the site, for the same period and filters."""
        return f"{reverse(name, args=[self.site.pk, *args])}?{self.query()}"

    def _texts(self) -> list[str]:
        return filter_texts(self.filters)

    def _period_pairs(self, preset: str = "") -> list[tuple[str, str]]:
        if preset or self.preset:
            return [("period", preset or self.preset)]
        return [("from", str(self.period.starts_on)), ("to", str(self.period.ends_on))]

    @property
    def picker(self) -> PeriodPicker:
        """The period's menu."""
        kept = urlencode(self.kept)
        return PeriodPicker(
            words=self.period_words,
            presets=[
                Choice(
                    words=words,
                    url=_joined(self.path, self.query(preset=preset.value), kept),
                    is_current=preset.value == self.preset,
                )
                for preset, words in PRESETS.items()
            ],
            starts_on=self.period.starts_on,
            ends_on=self.period.ends_on,
            hidden=[*(("f", text) for text in self._texts()), *self.kept],
            errors=self.errors,
            max_on=self.today,
        )

    @property
    def chips(self) -> list[Chip]:
        """The filters in force, each with the address without it."""
        if self.filters is None:
            return []
        parts = self.filters.parts if isinstance(self.filters, Every) else (self.filters,)
        texts, kept = self._texts(), urlencode(self.kept)
        chips = []
        for number, part in enumerate(parts):
            others = [text for at, text in enumerate(texts) if at != number]
            name, words = filter_words(part)
            url = _joined(self.path, self.query(filters=others), kept)
            chips.append(Chip(name=name, words=words, remove_url=url))
        return chips

    @property
    def clear_url(self) -> str:
        """This page without filters."""
        return _joined(self.path, self.query(filters=[]), urlencode(self.kept))


def read(
    request: HttpRequest,
    site_id: int,
    section: Section,
    *,
    may: May = May.VIEW,
    kept: tuple[str, ...] = (),
) -> Reading:
    """Site (through the access door), period and filters of a request.

    A period or filter that makes no sense is left out and named in `errors`. `kept` names further
    parameters that stay in the page's addresses.
    """
    client = client_of(request)
    site = access_site(request.user, client, site_id, may=may, section=section)
    asked = read_request(request, site_id)
    errors = list(asked.errors)
    filters = None
    texts = request.GET.getlist("f")
    if texts:
        with entered(client):
            try:
                filters = parse_filters(texts, load_segment=partial(find_filters, site))
            except FilterError as error:
                errors.append(f"The filter was left out. {error}")
    return Reading(
        client=client,
        site=site,
        period=asked.period,
        preset=asked.preset.value if asked.preset else "",
        filters=filters,
        locale=asked.locale,
        errors=tuple(errors),
        may_edit=allows(request.user, client, May.EDIT_REPORTS),
        now=timezone.now(),
        path=request.path,
        kept=tuple((name, value) for name in kept for value in request.GET.getlist(name)),
    )


def actor(request: HttpRequest) -> tuple[str, int | None]:
    """Who is named in the audit trail, and the id of the account."""
    user = request.user
    return (user.email, user.pk) if isinstance(user, User) else ("nobody", None)


def filter_words(part: Filter) -> tuple[str, str]:
    """A filter in words: what is filtered, and how."""
    if not isinstance(part, Condition):
        return "", "Combined filter"
    words = ", ".join(value or "not set" for value in part.values)
    return dimension_words(part.dimension), f"{OPERATOR_WORDS[part.op]} {words}"


def dimension_words(dimension: str) -> str:
    """A dimension's name for people."""
    if dimension.startswith(PROPS):
        return f"Property {dimension.removeprefix(PROPS)}"
    source = source_of(dimension)
    if source is not None and source.stored is not None:
        return str(source.stored.label)
    return dimension.partition(":")[2].replace("_", " ").capitalize()


def _joined(path: str, *queries: str) -> str:
    return f"{path}?{'&'.join(query for query in queries if query)}"
