"""Whether a query can be answered, and what it means where it leaves things open. Pure."""

from tenants.models import Site
from tracking.query.buckets import Hours, UpTo, bounds_of
from tracking.query.model import (
    DIMENSIONS,
    GOAL,
    MAX_LIMIT,
    METRICS,
    NEEDS_GOAL,
    NEEDS_PAGE,
    TIMES,
    Direction,
    Query,
    QueryError,
    conditions_of,
    is_time,
    source_of,
)
from tracking.reports.periods import Period
from tracking.rollups.hours import day_bounds, to_us

MAX_DIMENSIONS = 4
MAX_DAYS = 3_700


def period_of(query: Query, site: Site) -> Period:
    """The days of the query, or the hours where it names some."""
    if query.starts_at is None and query.ends_before is None:
        return Period(query.starts_on, query.ends_on)
    days = Period(query.starts_on, query.ends_on)
    bounds = first, after = bounds_of(site.timezone, days)
    if query.starts_at is not None:
        first = max(first, to_us(query.starts_at))
    if query.ends_before is not None:
        after = min(after, to_us(query.ends_before))
    if (first, after) == bounds:
        return days
    if query.starts_at is None and after > day_bounds(site.timezone, query.ends_on)[0]:
        return UpTo(query.starts_on, query.ends_on, after)
    return Hours(query.starts_on, query.ends_on, first, after)


def order_of(query: Query) -> tuple[tuple[str, Direction], ...]:
    """The order asked for, or that of the time and then the first metric, the largest first."""
    if query.order_by:
        return query.order_by
    times: list[tuple[str, Direction]] = [
        (each, "asc") for each in query.dimensions if is_time(each)
    ]
    return (*times, (query.metrics[0], "desc"))


def check_query(query: Query) -> None:
    """Raise QueryError for what cannot be asked: which field, and what to send instead."""
    _check_metrics(query)
    _check_dimensions(query)
    for name, direction in query.order_by:
        if name not in query.metrics and name not in query.dimensions:
            raise QueryError(
                "order_by",
                f'"{name[:40]}" is neither a metric nor a dimension of this query; add it.',
            )
        if direction not in {"asc", "desc"}:
            raise QueryError("order_by", "A direction is asc or desc.")
    if query.ends_on < query.starts_on:
        raise QueryError("date_range", "The period ends before it starts: exchange the two.")
    if (query.ends_on - query.starts_on).days > MAX_DAYS:
        raise QueryError("date_range", "The period is longer than ten years: choose a shorter one.")
    if not 1 <= query.limit <= MAX_LIMIT:
        raise QueryError("pagination", f"limit is a number from 1 to {MAX_LIMIT}.")
    if not 0 <= query.offset < 2**31:
        raise QueryError("pagination", "offset is a number from 0 on.")


def _check_metrics(query: Query) -> None:
    if not query.metrics:
        raise QueryError("metrics", f"Name at least one of {', '.join(METRICS)}.")
    if len(set(query.metrics)) != len(query.metrics):
        raise QueryError("metrics", "A metric is named twice; name it once.")
    named = {*query.dimensions, *(each.dimension for each in conditions_of(query.filters))}
    for name in query.metrics:
        if name not in METRICS:
            raise QueryError(
                "metrics", f'"{name[:40]}" is no metric; use one of {", ".join(METRICS)}.'
            )
        if name in NEEDS_PAGE and "event:page" not in named:
            raise QueryError(
                "metrics", f"{name} needs event:page among the dimensions or filters; add it."
            )
        if name in NEEDS_GOAL and GOAL not in named:
            raise QueryError(
                "metrics", f"{name} needs event:goal among the dimensions or filters; add it."
            )


def _check_dimensions(query: Query) -> None:
    if len(set(query.dimensions)) != len(query.dimensions):
        raise QueryError("dimensions", "A dimension is named twice; name it once.")
    if sum(is_time(each) for each in query.dimensions) > 1:
        raise QueryError("dimensions", "Name one time dimension only.")
    if len(query.dimensions) > MAX_DIMENSIONS:
        raise QueryError("dimensions", f"Name at most {MAX_DIMENSIONS} dimensions.")
    for name in query.dimensions:
        if not is_time(name) and source_of(name) is None:
            known = ", ".join((*DIMENSIONS, "event:props:<name>", *TIMES))
            raise QueryError("dimensions", f'"{name[:40]}" is no dimension; use one of {known}.')
