"""Whether an alert's condition holds now. Reads a site's rows and rollups; writes nothing.

Called inside `entered(client)`. What is usual comes from the same weekday of the four weeks
before, read from the rollups of hours; weeks before the site's first day do not count. Hours of
the present day that are not over are left out. What is compared with the usual is counted from
raw rows where rollups wait: a backlog is no fall in visits.
"""

import datetime as dt
import enum
import zoneinfo
from dataclasses import dataclass, field

from django.db import connection

from tenants.models import Site
from tracking.analysis.goals import Params, goal_condition, hits_for, rule_of
from tracking.hits import Kind
from tracking.models import Dimension, Goal, GoalKind
from tracking.models.delivery import Alert, AlertKind
from tracking.rollups.hours import day_bounds, from_us

WEEKS = 4
_WEEK = dt.timedelta(days=7)
_HOUR = dt.timedelta(hours=1)

Numbers = dict[str, int | float | str]


class State(enum.Enum):
    """What is known of an alert's condition."""

    HOLDS = "holds"
    OVER = "over"
    UNKNOWN = "unknown"
    """Too little to judge by: what lasted lasts, and nothing begins."""


@dataclass(frozen=True)
class Verdict:
    """A state, with the numbers that it rests on."""

    state: State
    numbers: Numbers = field(default_factory=dict)


def judge(alert: Alert, site: Site, now: dt.datetime, *, k: int) -> Verdict:
    """Whether the alert's condition holds. Two to six queries.

    `k`: the client's threshold, below which no group of visitors is told of.
    """
    match AlertKind(alert.kind):
        case AlertKind.NO_HITS:
            return _no_hits(alert, site, now)
        case AlertKind.FALL | AlertKind.RISE:
            return _fall_or_rise(alert, site, now)
        case AlertKind.NOT_FOUND_BURST:
            return _not_found(alert, site, now)
        case AlertKind.GOAL_REACHED:
            return _goal(alert, site, now, k)


def _no_hits(alert: Alert, site: Site, now: dt.datetime) -> Verdict:
    """No hit for n hours, in hours where at least `minimum` visits are usual."""
    since = now - alert.hours * _HOUR
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM hits WHERE site_id = %s AND at > %s AND at <= %s)",
            [site.pk, since, now],
        )
        if cursor.fetchone()[0]:
            return Verdict(State.OVER)
    usual = _usual(site, Dimension.TOTAL, "visits", since, now)
    if usual is None or usual < alert.minimum:
        return Verdict(State.UNKNOWN)
    return Verdict(State.HOLDS, {"hours": alert.hours, "usual": round(usual, 1)})


def _fall_or_rise(alert: Alert, site: Site, now: dt.datetime) -> Verdict:
    """Today's visits up to the last full hour, beside the same hours of the same weekday."""
    starts_at, until = _day_start(site, now), _full_hour(site, now)
    usual = _usual(site, Dimension.TOTAL, "visits", starts_at, until)
    if until <= starts_at or usual is None or usual < alert.minimum:
        return Verdict(State.UNKNOWN)
    visits = _count_visits(site, starts_at, until)
    change = (visits - usual) / usual * 100
    falls = alert.kind == AlertKind.FALL
    holds = change <= -alert.percent if falls else change >= alert.percent
    numbers: Numbers = {
        "visits": visits,
        "usual": round(usual, 1),
        "percent": round(change, 1),
        "day": _local_day(site, now).isoformat(),
        "until": until.astimezone(zoneinfo.ZoneInfo(site.timezone)).strftime("%H:%M"),
    }
    return Verdict(State.HOLDS if holds else State.OVER, numbers)


def _not_found(alert: Alert, site: Site, now: dt.datetime) -> Verdict:
    """Views of pages not found in the last hour: many, and many times the usual."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM hits "
            "WHERE site_id = %s AND at > %s AND at <= %s AND kind = %s AND visit_id <> 0",
            [site.pk, now - _HOUR, now, int(Kind.NOT_FOUND)],
        )
        views = int(cursor.fetchone()[0])
    # A week of hours, none of which reaches into this one: a burst must not make itself usual.
    until = _full_hour(site, now - _HOUR)
    week = [(until - _WEEK, until)]
    usual = _sum(site, Dimension.NOT_FOUND, "pageviews", week)[0] / (7 * 24)
    holds = views >= alert.count and views >= usual * alert.factor
    numbers: Numbers = {"views": views, "usual": round(usual, 1)}
    return Verdict(State.HOLDS if holds else State.OVER, numbers)


def _goal(alert: Alert, site: Site, now: dt.datetime, k: int) -> Verdict:
    """Visits of today that reached the goal. A goal that is gone is never reached.

    One on outcodes is reached only by k visitors or more, however often they came: less would
    tell of people, not of a district.
    """
    goal = Goal.objects.filter(pk=alert.goal_id or 0, site_id=site.pk).first()
    if goal is None:
        return Verdict(State.OVER)
    starts_at = _day_start(site, now)
    conversions, visitors = _count_conversions(goal, site, starts_at, now)
    is_told = conversions >= alert.count and (goal.kind != GoalKind.OUTCODE or visitors >= k)
    numbers: Numbers = {
        "conversions": conversions,
        "wanted": alert.count,
        "day": _local_day(site, now).isoformat(),
    }
    return Verdict(State.HOLDS if is_told else State.OVER, numbers)


def _count_conversions(
    goal: Goal, site: Site, starts_at: dt.datetime, ends_before: dt.datetime
) -> tuple[int, int]:
    """Visits with a hit in the time that reaches the goal, each once; and their visitors.

    Visitors are counted where the visit itself is asked; else they are 0. One query.
    """
    rule = rule_of(goal)
    condition, params = goal_condition(rule, hit="h", visit="v")
    if rule.is_per_visit:
        given: Params = [site.pk, starts_at, ends_before]
        query = (
            "SELECT count(*), count(DISTINCT v.visitor) "  # noqa: S608 - it holds parameters only
            "FROM visits v "
            f"WHERE v.site_id = %s AND v.started_at >= %s AND v.started_at < %s AND {condition}"
        )
    else:
        table, given = hits_for([rule], site, starts_at, ends_before)
        query = (
            f"SELECT count(DISTINCT h.visit_id), 0 FROM {table} h "  # noqa: S608 - as above
            f"WHERE h.visit_id <> 0 AND {condition}"
        )
    with connection.cursor() as cursor:
        cursor.execute(query, [*given, *params])
        visits, visitors = cursor.fetchone()
        return int(visits), int(visitors)


def _count_visits(site: Site, starts_at: dt.datetime, until: dt.datetime) -> int:
    """Visits that began in the time, a whole number of hours. One query or two."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM touched_hours "
            "WHERE site_id = %s AND hour >= %s AND hour < %s)",
            [site.pk, starts_at, until],
        )
        if cursor.fetchone()[0]:
            # On a busy site some hour always waits: to judge nothing until then would be never.
            cursor.execute(
                "SELECT count(*) FROM visits "
                "WHERE site_id = %s AND started_at >= %s AND started_at < %s",
                [site.pk, starts_at, until],
            )
            return int(cursor.fetchone()[0])
    return _sum(site, Dimension.TOTAL, "visits", [(starts_at, until)])[0]


def _usual(
    site: Site, dimension: Dimension, column: str, starts_at: dt.datetime, until: dt.datetime
) -> float | None:
    """Mean of the same clock hours, one to four weeks before; None in a site's first week.

    Two queries.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(hour) FROM hour_stats WHERE site_id = %s AND dimension = %s AND hour >= %s",
            [site.pk, Dimension.TOTAL, starts_at - (WEEKS + 1) * _WEEK],
        )
        first: dt.datetime | None = cursor.fetchone()[0]
    if first is None:
        return None
    zone = zoneinfo.ZoneInfo(site.timezone)
    spans = [
        (_weeks_before(starts_at, weeks, zone), _weeks_before(until, weeks, zone))
        for weeks in range(1, WEEKS + 1)
    ]
    spans = [span for span in spans if span[0] >= first - _HOUR]
    return sum(_sum(site, dimension, column, spans)) / len(spans) if spans else None


def _weeks_before(at: dt.datetime, weeks: int, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The same time on the clock, weeks before, whatever the clock did between."""
    return (at.astimezone(zone) - weeks * _WEEK).astimezone(dt.UTC)


def _sum(
    site: Site, dimension: Dimension, column: str, spans: list[tuple[dt.datetime, dt.datetime]]
) -> list[int]:
    """Sums of the hours that begin in each span. One query."""
    sums = [
        f"coalesce(sum({column}) FILTER (WHERE hour >= %s AND hour < %s), 0)::bigint" for _ in spans
    ]
    bounds = [bound for span in spans for bound in span]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(sums)} FROM hour_stats "  # noqa: S608 - names of columns only
            "WHERE site_id = %s AND dimension = %s AND hour >= %s AND hour < %s",
            [*bounds, site.pk, dimension, min(bounds), max(bounds)],
        )
        return [int(number) for number in cursor.fetchone()]


def _local_day(site: Site, now: dt.datetime) -> dt.date:
    return now.astimezone(zoneinfo.ZoneInfo(site.timezone)).date()


def _day_start(site: Site, now: dt.datetime) -> dt.datetime:
    return from_us(day_bounds(site.timezone, _local_day(site, now))[0])


def _full_hour(site: Site, now: dt.datetime) -> dt.datetime:
    """The present hour's beginning on the site's clock."""
    local = now.astimezone(zoneinfo.ZoneInfo(site.timezone))
    past = dt.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return now - past
