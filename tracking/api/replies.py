"""Writing a reply in Plausible's form. Pure."""

import datetime as dt
import zoneinfo
from typing import Any

from tenants.models import Site
from tracking.api.asked import Asked
from tracking.api.words import dimensions_of
from tracking.query.asking import order_of, period_of
from tracking.query.buckets import bounds_of, cut, step_of
from tracking.query.model import Result, is_time
from tracking.query.text import filter_json
from tracking.rollups.hours import SECOND, from_us

WHOLE = frozenset({"visit_duration", "engaged_time", "time_on_page", "scroll_depth"})
"""Metrics that are told as whole numbers: seconds and percent of a page."""
PLACES = 2
"""Of all others that are not counts."""


def told(name: str, value: float | None) -> int | float | None:
    """A metric as the API writes it."""
    if value is None or isinstance(value, int):
        return value
    return round(value) if name in WHOLE else round(value, PLACES)


def reply_of(
    site: Site, asked: Asked, result: Result, *, k: int, raw_since: dt.date
) -> dict[str, Any]:
    """The whole reply."""
    query = asked.query
    return {
        "results": [
            {
                "metrics": [
                    told(name, value)
                    for name, value in zip(query.metrics, row.metrics, strict=True)
                ],
                "dimensions": dimensions_of(row, query.dimensions),
            }
            for row in result.rows
        ],
        "meta": _meta(site, asked, result, k=k, raw_since=raw_since),
        "query": _query(site, asked),
    }


def _meta(
    site: Site, asked: Asked, result: Result, *, k: int, raw_since: dt.date
) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if asked.include.imports:
        # Imported logs are hits like any others: they are always in.
        meta["imports_included"] = True
    if asked.include.time_labels:
        meta["time_labels"] = time_labels(site, asked)
    if asked.include.total_rows:
        meta["total_rows"] = result.total_rows
    if result.is_protected:
        meta["k_threshold"] = k
    if result.from_raw and asked.query.starts_on < raw_since:
        warning = f"Filters and crossed dimensions reach back to {raw_since} only."
        meta["metric_warnings"] = {
            name: {"code": "raw_rows_gone", "warning": warning} for name in asked.query.metrics
        }
    return meta


def time_labels(site: Site, asked: Asked) -> list[str]:
    """All values that the time dimension can have in the range; none without one."""
    period = period_of(asked.query, site)
    time = next((each for each in asked.query.dimensions if is_time(each)), "")
    if not time:
        return []
    return list(dict.fromkeys(cut(site.timezone, period, step_of(time, period)).texts))


def _query(site: Site, asked: Asked) -> dict[str, Any]:
    """The query as it was understood, dates in full."""
    query, zone = asked.query, zoneinfo.ZoneInfo(site.timezone)
    first, after = bounds_of(site.timezone, period_of(query, site))
    return {
        "site_id": asked.body["site_id"],
        "metrics": list(query.metrics),
        "date_range": [from_us(at).astimezone(zone).isoformat() for at in (first, after - SECOND)],
        "dimensions": list(query.dimensions),
        "filters": filter_json(query.filters),
        "order_by": [list(each) for each in order_of(query)],
        "include": asked.body.get("include", {}),
        "pagination": {"limit": query.limit, "offset": query.offset},
    }
