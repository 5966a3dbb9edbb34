"""Which raw rows an analysis reads: hits and visits of a site in a period."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from tenants.models import Site
from tracking.analysis.goals import Params, Rule, hits_for, load_goals
from tracking.query.buckets import bounds_of
from tracking.query.model import Filter
from tracking.query.parts import asks_goals
from tracking.query.run import is_protected_question
from tracking.query.sql import visit_condition
from tracking.reports.periods import Period
from tracking.rollups.hours import from_us
from tracking.visits import GAP_US, LONGEST_US

GAP = dt.timedelta(microseconds=GAP_US)
"""A late hit may be this much older than the start of its visit."""
LONGEST = dt.timedelta(microseconds=LONGEST_US)
"""No hit is this much younger than the start of its visit."""

Sql = tuple[str, Params]
"""A condition with `%s` and its parameters."""


def scope_of(site: Site, period: Period, filters: Filter | None = None) -> "Scope":
    """The period with a filter compiled. One query for each condition; raises FilterError.

    A filter that asks something of hits selects visits that have such a hit.
    """
    plain = Scope(site, period)
    if filters is None:
        return plain
    goals = load_goals(site) if asks_goals(filters) else []
    condition = visit_condition(
        site,
        filters,
        starts_at=plain.starts_at - LONGEST,
        ends_before=plain.ends_before + GAP,
        goals=goals,
    )
    protected = is_protected_question((), filters, goals)
    return Scope(site, period, condition, filters=filters, is_protected=protected)


@dataclass(frozen=True)
class Scope:
    """A site's period, and the visits that count. Conditions name the aliases `h` and `v`."""

    site: Site
    period: Period
    visit_condition: Sql = field(default=("true", []))
    """Further condition of the visits `v`."""
    filters: Filter | None = None
    """What the condition stands for."""
    is_protected: bool = False
    """Whether its own visitors must be k or more to be told."""

    @property
    def starts_at(self) -> dt.datetime:
        """First instant of the period."""
        return from_us(bounds_of(self.site.timezone, self.period)[0])

    @property
    def ends_before(self) -> dt.datetime:
        """First instant after the period."""
        return from_us(bounds_of(self.site.timezone, self.period)[1])

    def hides(self, visitors: int, k: int) -> bool:
        """Whether so many visitors of the scope are too few to be told; nobody is nobody."""
        return self.is_protected and 0 < visitors < k

    def hits(self, rules: Sequence[Rule]) -> Sql:
        """A table `h` of what may reach the goals in the period."""
        return hits_for(rules, self.site, self.starts_at, self.ends_before)

    def hits_of_visits(self) -> Sql:
        """Hits `h` that visits begun in the period may have, whether in the period or after it."""
        return "h.site_id = %s AND h.at >= %s AND h.at < %s", [self.site.pk, *self._of_visits]

    def hits_for_visits(self, rules: Sequence[Rule]) -> Sql:
        """A table `h` of what may reach the goals in visits begun in the period."""
        return hits_for(rules, self.site, *self._of_visits)

    @property
    def _of_visits(self) -> tuple[dt.datetime, dt.datetime]:
        return self.starts_at - GAP, self.ends_before + LONGEST

    def visits(self) -> Sql:
        """Visits `v` that began in the period."""
        return self._begun(self.starts_at, self.ends_before)

    def visits_of_hits(self) -> Sql:
        """Visits `v` that hits of the period may belong to, whenever these began."""
        return self._begun(self.starts_at - LONGEST, self.ends_before + GAP)

    def visitors(self) -> Sql:
        """A query of the distinct `visitor`s with a hit in the period.

        A visit that began in the period had its first hit there. The others are looked up by
        their hits, which lie within a day after the period's start or in its last half hour.
        """
        begun, of_begun = self.visits()
        before, of_before = self._begun(self.starts_at - LONGEST, self.starts_at)
        after, of_after = self._begun(self.ends_before, self.ends_before + GAP)
        early = min(self.starts_at + LONGEST, self.ends_before)
        late = max(self.ends_before - GAP, self.starts_at)
        query = (
            f"SELECT v.visitor FROM visits v WHERE {begun} UNION "  # noqa: S608 - our own words
            f"SELECT v.visitor FROM visits v JOIN hits h ON h.visit_id = v.id WHERE {before} "
            "AND h.site_id = %s AND h.at >= %s AND h.at < %s AND h.kind <> 3 UNION "
            f"SELECT v.visitor FROM visits v JOIN hits h ON h.visit_id = v.id WHERE {after} "
            "AND h.site_id = %s AND h.at >= %s AND h.at < %s AND h.kind <> 3"
        )
        site = self.site.pk
        params = [*of_begun, *of_before, site, self.starts_at, early]
        return query, [*params, *of_after, site, late, self.ends_before]

    def _begun(self, starts_at: dt.datetime, ends_before: dt.datetime) -> Sql:
        condition, params = self.visit_condition
        return (
            f"v.site_id = %s AND v.started_at >= %s AND v.started_at < %s AND {condition}",
            [self.site.pk, starts_at, ends_before, *params],
        )
