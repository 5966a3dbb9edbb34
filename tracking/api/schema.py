"""The API in the words of OpenAPI 3 (https://spec.openapis.org/oas/v3.0.3).

Names are read off tracking.query.model, so that a new metric or dimension is described by itself.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample

from tracking.api.asked import INCLUDES, LIMIT
from tracking.api.dates import NAMES
from tracking.api.keys import REQUESTS
from tracking.api.problems import CONTENT_TYPE
from tracking.query.model import (
    MAX_LIMIT,
    MAX_VALUES,
    METRICS,
    NEEDS_GOAL,
    NEEDS_PAGE,
    OPERATORS,
    PROPS,
)

Schema = dict[str, Any]


class BearerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # half typed
    """How `BearerKey` is named in OpenAPI; found by being imported."""

    target_class = "tracking.api.keys.BearerKey"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer"}


METRIC_WORDS = {
    "visitors": "Distinct visitors. Those who did not consent count once a day.",
    "visits": "Hits of one visitor with gaps of at most 30 minutes, counted where they start.",
    "pageviews": "Pages shown, reloads included.",
    "events": "Custom events, outbound links and downloads; page views are not among them.",
    "views_per_visit": "Page views divided by visits.",
    "bounce_rate": "Percent of visits with one page view and no interactive event.",
    "visit_duration": "Seconds from a visit's first activity to its last, on average.",
    "engaged_time": "Seconds per visit in which a page was visible and had the focus.",
    "time_on_page": "The same per visit that saw the page.",
    "scroll_depth": "Percent of the page that was reached, on average, where it is known.",
    "percentage": "Percent of the visitors of the same query without dimensions.",
    "conversion_rate": "Percent of all visitors who reached the goal.",
    "group_conversion_rate": "Percent of the group's visitors who reached the goal.",
}
DIMENSION_WORDS = {
    "visit:source": "Where the visit came from; “Direct / None” if nothing tells.",
    "visit:channel": "Kind of source, such as Organic search.",
    "visit:utm_source": "Campaign tag utm_source of the first page.",
    "visit:utm_medium": "Campaign tag utm_medium.",
    "visit:utm_campaign": "Campaign tag utm_campaign.",
    "visit:utm_term": "Campaign tag utm_term.",
    "visit:utm_content": "Campaign tag utm_content.",
    "visit:entry_page": "First page of the visit.",
    "visit:exit_page": "Last page of the visit.",
    "visit:country": "ISO 3166-1 code, such as GB.",
    "visit:region": "ISO 3166-2 code, such as GB-ENG.",
    "visit:outcode": "Outward postcode or ZIP code with its country, such as GB SW1A.",
    "visit:device": "Kind of device.",
    "visit:browser": "Browser.",
    "visit:os": "Operating system.",
    "visit:language": "Language of the browser.",
    "event:page": "Path of the page.",
    "event:name": "Name of a custom event.",
    "event:outbound": "Address that an outbound link leads to.",
    "event:download": "File that was downloaded.",
    "event:not_found": "Path of a page that was not found.",
    "event:status": "HTTP status code, from imported logs.",
    "event:hostname": "Host of the page.",
    "event:goal": "Name of one of the site's goals.",
    f"{PROPS}<name>": "Value of a custom property.",
    "time": "Hours, days or months, as suits the date range.",
    "time:hour": "Start of the hour on the site's clock.",
    "time:day": "Date on the site's clock.",
    "time:week": "Monday of the week.",
    "time:month": "First day of the month.",
}
QUERY_WORDS = """Metrics of a period, by dimensions, filtered. The form is that of Plausible's Stats
API v2: its clients work here with another address and key.

Small groups are protected: rows of an outcode, and rows in which two or more different dimensions
meet, whether grouped by or filtered on, are folded into `(other)` where they have fewer visitors
than the client's threshold, which `meta.k_threshold` then tells. A row of which nothing may be told
has null metrics.

Hours and days are those of the site's clock. What is filtered, or crosses two dimensions, is
counted from raw rows, which end with the client's retention period."""


def _names(words: dict[str, str]) -> str:
    return "\n".join(f"- `{name}`: {text}" for name, text in words.items())


_DIMENSION: Schema = {
    "type": "string",
    "description": _names(DIMENSION_WORDS),
    "example": "visit:source",
}
_FILTER: Schema = {
    "type": "array",
    "items": {},
    "minItems": 2,
    "maxItems": 4,
    "description": (
        f"`[operator, dimension, [values]]`; operators are {', '.join(OPERATORS)}. A fourth part "
        '`{"case_sensitive": false}` ignores case. `matches` takes regular expressions. Joined by '
        '`["and", [...]]`, `["or", [...]]`, `["not", filter]`; `["has_done", filter]` and '
        '`["has_not_done", filter]` ask whether the visit has such a hit; '
        '`["is", "segment", [id]]` stands for a saved segment.'
    ),
    "example": ["is", "visit:country", ["GB", "IE"]],
}
REQUEST_SCHEMA: Schema = {
    "type": "object",
    "required": ["site_id", "metrics", "date_range"],
    "additionalProperties": False,
    "properties": {
        "site_id": {"type": "string", "description": "The site's key, or one of its hosts."},
        "metrics": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "enum": list(METRICS)},
            "description": _names(METRIC_WORDS)
            + f"\n\n{', '.join(sorted(NEEDS_PAGE))} need event:page among the dimensions or "
            f"filters; {', '.join(sorted(NEEDS_GOAL))} need event:goal.",
        },
        "date_range": {
            "oneOf": [
                {"type": "string", "enum": list(NAMES)},
                {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": 2,
                    "items": {"type": "string"},
                    "example": ["2026-05-01", "2026-05-31"],
                },
            ],
            "description": "A named range that ends today (24h: with this hour; month, 6mo, 12mo "
            "and year begin with their first month), or two dates, both included, or two times "
            "with an offset from UTC that begin and end full hours.",
        },
        "dimensions": {"type": "array", "items": _DIMENSION, "default": []},
        "filters": {
            "type": "array",
            "items": _FILTER,
            "default": [],
            "description": f"All must hold. At most {MAX_VALUES} conditions.",
        },
        "order_by": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
            "default": [],
            "description": "Pairs of a metric or dimension of the query and `asc` or `desc`. "
            "Without: time, then the first metric, the largest first. `(other)` is always last.",
            "example": [["visitors", "desc"]],
        },
        "include": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "boolean", "default": False} for name in INCLUDES},
            "description": "What `meta` tells besides. Imported logs are always counted; "
            "`trim_relative_date_range` leaves hours out that have not come yet.",
        },
        "pagination": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": LIMIT,
                },
                "offset": {"type": "integer", "minimum": 0, "default": 0},
            },
        },
    },
}
REPLY_SCHEMA: Schema = {
    "type": "object",
    "required": ["results", "meta", "query"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["dimensions", "metrics"],
                "properties": {
                    "dimensions": {"type": "array", "items": {"type": "string"}},
                    "metrics": {
                        "type": "array",
                        "items": {"type": "number", "nullable": True},
                        "description": "In the order asked for. Null: nothing to divide by, or "
                        "too few visitors to tell.",
                    },
                },
            },
        },
        "meta": {
            "type": "object",
            "properties": {
                "imports_included": {"type": "boolean"},
                "time_labels": {"type": "array", "items": {"type": "string"}},
                "total_rows": {"type": "integer"},
                "metric_warnings": {
                    "type": "object",
                    "description": "By metric: a code and a sentence. `raw_rows_gone`: part of "
                    "the range lies before the client's retention period.",
                },
                "k_threshold": {
                    "type": "integer",
                    "description": "Rows of fewer visitors are folded into (other).",
                },
            },
        },
        "query": {"type": "object", "description": "The query as it was understood."},
    },
}
PROBLEM_SCHEMA: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for programs."},
        "detail": {"type": "string", "description": "What was wrong and what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_SITE: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For site_id."},
        "name": {"type": "string"},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "timezone": {"type": "string", "example": "Europe/London"},
    },
}
SITES_SCHEMA: Schema = {
    "type": "object",
    "required": ["sites"],
    "properties": {"sites": {"type": "array", "items": _SITE}},
}


def _problem(text: str) -> Schema:
    return {**PROBLEM_SCHEMA, "description": text}


REQUEST = {"application/json": REQUEST_SCHEMA}
_KEYED: dict[tuple[int, str], Schema] = {
    (401, CONTENT_TYPE): _problem("No key, or one that opens nothing here."),
    (403, CONTENT_TYPE): _problem("The key may not read statistics."),
    (429, CONTENT_TYPE): _problem(
        f"More than {REQUESTS} requests in an hour: wait as long as Retry-After says."
    ),
}
QUERY_REPLIES: dict[tuple[int, str], Schema] = {
    (200, "application/json"): REPLY_SCHEMA,
    (400, CONTENT_TYPE): _problem("A query that cannot be answered: `errors` name the field."),
    **_KEYED,
}
SITES_REPLIES: dict[tuple[int, str], Schema] = {
    (200, "application/json"): SITES_SCHEMA,
    **_KEYED,
}
EXAMPLES = [
    OpenApiExample(
        "Visitors of the last 30 days",
        value={"site_id": "www.example.com", "metrics": ["visitors"], "date_range": "30d"},
        request_only=True,
    ),
    OpenApiExample(
        "Sources of visitors from Great Britain",
        value={
            "site_id": "www.example.com",
            "metrics": ["visitors", "visits", "bounce_rate"],
            "date_range": ["2026-05-01", "2026-05-31"],
            "dimensions": ["visit:source"],
            "filters": [["is", "visit:country", ["GB"]]],
            "pagination": {"limit": 20},
        },
        request_only=True,
    ),
    OpenApiExample(
        "Page views by day, days without any included",
        value={
            "site_id": "www.example.com",
            "metrics": ["pageviews"],
            "date_range": "7d",
            "dimensions": ["time:day"],
            "include": {"time_labels": True},
        },
        request_only=True,
    ),
]
