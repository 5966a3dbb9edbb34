"""Reading a request's body. Pure, but for what it is told of the site."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from tenants.models import Site
from tracking.api.dates import DateRange, read_date_range
from tracking.api.words import understood
from tracking.query.asking import check_query
from tracking.query.model import MAX_LIMIT, Direction, Query, QueryError
from tracking.query.text import LoadSegment, parse_json

KEYS = (
    "site_id",
    "metrics",
    "date_range",
    "dimensions",
    "filters",
    "order_by",
    "include",
    "pagination",
)
INCLUDES = ("imports", "time_labels", "total_rows", "trim_relative_date_range")
LIMIT = 10_000


@dataclass(frozen=True)
class Include:
    """What the reply's `meta` should tell besides."""

    imports: bool = False
    time_labels: bool = False
    total_rows: bool = False
    trim_relative_date_range: bool = False


@dataclass(frozen=True)
class Asked:
    """A body that has been read."""

    query: Query
    include: Include
    body: dict[str, Any]
    """As it was sent."""
    dates: DateRange


def read_site(body: Any, sites: list[Site]) -> Site:
    """The site of `site_id`: its key, or one of its hosts. Raises QueryError.

    `sites` are those that the key may read: any other is as unknown as one that is not there.
    """
    if not isinstance(body, dict):
        raise QueryError("body", "Send a JSON object with site_id, metrics and date_range.")
    unknown = [str(name)[:40] for name in body if name not in KEYS]
    if unknown:
        raise QueryError("body", f'There is no "{unknown[0]}"; send only {", ".join(KEYS)}.')
    wanted = body.get("site_id")
    if not isinstance(wanted, str) or not wanted:
        raise QueryError("site_id", "Send the site's key, or one of its hosts.")
    for site in sites:
        if wanted == site.key or wanted.lower() in site.hosts:
            return site
    raise QueryError(
        "site_id",
        "This key may read no such site: GET /api/v1/sites lists the ones that it may read.",
    )


def read_body(
    body: dict[str, Any],
    site: Site,
    *,
    first_day: dt.date | None,
    load_segment: LoadSegment,
    now: dt.datetime,
) -> Asked:
    """The query of a body; raises QueryError, naming the field and the remedy."""
    include = _include(body.get("include", {}))
    if "date_range" not in body:
        raise QueryError("date_range", "Send a date range, such as 30d.")
    dates = read_date_range(
        body["date_range"],
        site,
        first_day=first_day,
        now=now,
        trim=include.trim_relative_date_range,
    )
    limit, offset = _pagination(body.get("pagination", {}))
    query = Query(
        metrics=_texts(body.get("metrics"), "metrics"),
        starts_on=dates.starts_on,
        ends_on=dates.ends_on,
        dimensions=_texts(body.get("dimensions", []), "dimensions"),
        filters=understood(parse_json(body.get("filters", []), load_segment=load_segment)),
        order_by=_order(body.get("order_by", [])),
        limit=limit,
        offset=offset,
        starts_at=dates.starts_at,
        ends_before=dates.ends_before,
    )
    check_query(query)
    return Asked(query, include, body, dates)


def _texts(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise QueryError(field, f"{field} is a list of names.")
    if len(value) > 50:
        raise QueryError(field, f"{field} has more than 50 names; send fewer.")
    return tuple(value)


def _order(value: Any) -> tuple[tuple[str, Direction], ...]:
    if not isinstance(value, list) or len(value) > 50:
        raise QueryError("order_by", 'order_by is a list such as [["visitors", "desc"]].')
    found: list[tuple[str, Direction]] = []
    for each in value:
        if not isinstance(each, list) or len(each) != 2 or not isinstance(each[0], str):
            raise QueryError("order_by", 'Each order is a pair such as ["visitors", "desc"].')
        name, direction = each
        if direction == "asc":
            found.append((name, "asc"))
        elif direction == "desc":
            found.append((name, "desc"))
        else:
            raise QueryError("order_by", "A direction is asc or desc.")
    return tuple(found)


def _include(value: Any) -> Include:
    if not isinstance(value, dict):
        raise QueryError("include", "include is an object of true and false.")
    for name, each in value.items():
        if name not in INCLUDES:
            raise QueryError(
                "include", f'There is no "{str(name)[:40]}"; use {", ".join(INCLUDES)}.'
            )
        if not isinstance(each, bool):
            raise QueryError("include", f"{name} is true or false.")
    return Include(**value)


def _pagination(value: Any) -> tuple[int, int]:
    if not isinstance(value, dict) or set(value) - {"limit", "offset"}:
        raise QueryError("pagination", "pagination is an object with limit and offset.")
    limit, offset = value.get("limit", LIMIT), value.get("offset", 0)
    for name, each in (("limit", limit), ("offset", offset)):
        if not isinstance(each, int) or isinstance(each, bool):
            raise QueryError("pagination", f"{name} is a whole number.")
    if limit > MAX_LIMIT:
        raise QueryError("pagination", f"limit is at most {MAX_LIMIT}.")
    return limit, offset
