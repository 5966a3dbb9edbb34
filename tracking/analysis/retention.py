"""Retention: who came back in later weeks.

Of consenting visitors only, since nobody else can be recognised on another day.
"""

import datetime as dt
from dataclasses import dataclass

from tracking.analysis.scope import Scope
from tracking.query.reading import raw_cursor

WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class Cell:
    """Visitors of a cohort who came in one week."""

    visitors: int
    share: float | None
    """Per visitor of the cohort, 0 to 1; None for an empty cohort, and when hidden."""
    is_hidden: bool = False
    """At least one visitor, but fewer than k."""
    is_unfinished: bool = False
    """The week is not over."""


@dataclass(frozen=True)
class Cohort:
    """Visitors whose first visit in the period was in one week (Monday to Sunday)."""

    week: dt.date
    """Its Monday."""
    visitors: int
    cells: tuple[Cell, ...]
    """Weeks 1, 2, … after the first one, up to the last week of the period."""
    is_hidden: bool = False
    """Fewer than k visitors: no number of it is shown."""


@dataclass(frozen=True)
class Retention:
    """Cohorts of a period, oldest first."""

    cohorts: tuple[Cohort, ...]
    visitors: int | None
    """Consenting visitors of the period; None: fewer than k where that would tell."""


_QUERY = """
WITH seen AS MATERIALIZED (
    SELECT DISTINCT v.visitor, date_trunc('week', v.started_at AT TIME ZONE %s)::date AS week
    FROM visits v WHERE {visits} AND v.consented
), first AS (SELECT visitor, min(week) AS cohort FROM seen GROUP BY visitor)
SELECT cohort, (week - cohort) / 7, count(*) FROM seen JOIN first USING (visitor) GROUP BY 1, 2
"""


def monday_of(day: dt.date) -> dt.date:
    """The Monday of its week."""
    return day - dt.timedelta(days=day.weekday())


def get_retention(scope: Scope, *, today: dt.date, k: int) -> Retention:
    """A cohort for each week that the period touches, on the site's clock. One query.

    A visitor's first visit is the first one *in the period*: one who was there before counts as
    new, as the page says. Numbers of fewer than k visitors are hidden.
    """
    visits, params = scope.visits()
    with raw_cursor() as cursor:
        cursor.execute(_QUERY.format(visits=visits), [scope.site.timezone, *params])
        counts = {(cohort, week): visitors for cohort, week, visitors in cursor.fetchall()}
    last = monday_of(scope.period.ends_on)
    cohorts = []
    over = min(today, scope.period.ends_on + dt.timedelta(days=1))
    week = monday_of(scope.period.starts_on)
    while week <= last:
        cohorts.append(_cohort(counts, week, last, over, k))
        week += WEEK
    everyone = sum(visitors for (_, week), visitors in counts.items() if week == 0)
    return Retention(tuple(cohorts), None if scope.hides(everyone, k) else everyone)


def _cohort(
    counts: dict[tuple[dt.date, int], int],
    week: dt.date,
    last: dt.date,
    over: dt.date,
    k: int,
) -> Cohort:
    """`over` is the day before which all days are over, or the first one after the period."""
    visitors = counts.get((week, 0), 0)
    hidden = 0 < visitors < k
    cells = []
    for number in range(1, (last - week) // WEEK + 1):
        count = counts.get((week, number), 0)
        unfinished = week + (number + 1) * WEEK > over
        if hidden or 0 < count < k:
            cells.append(Cell(0, None, is_hidden=True, is_unfinished=unfinished))
        else:
            share = count / visitors if visitors else None
            cells.append(Cell(count, share, is_unfinished=unfinished))
    return Cohort(week, 0 if hidden else visitors, tuple(cells), is_hidden=hidden)
