"""Answers of queries from raw rows in plain Python: slow, one row at a time, and plainly right.

Shares no code with tracking.query but the question itself: it is what the engine is compared with.
"""

import dataclasses
import datetime as dt
import functools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from tenants.models import Client, Site
from tests.tracking.recount import hits_of, hour_start, rows_of
from tracking.hits import Kind
from tracking.query.model import (
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    Query,
)

hours_of = functools.cache(hour_start)
PAGES = {Kind.PAGEVIEW, Kind.NOT_FOUND}
COLUMNS = {
    "visit:source": "source",
    "visit:channel": "channel",
    "visit:utm_source": "utm_source",
    "visit:utm_medium": "utm_medium",
    "visit:utm_campaign": "utm_campaign",
    "visit:utm_term": "utm_term",
    "visit:utm_content": "utm_content",
    "visit:entry_page": "entry",
    "visit:exit_page": "exit",
    "visit:country": "country",
    "visit:region": "region",
    "visit:outcode": "outcode",
    "visit:device": "device",
    "visit:browser": "browser",
    "visit:os": "os",
    "visit:language": "language",
}
WHOLE = {"visit:entry_page", "visit:exit_page", "visit:outcode"}
OF_KIND = {
    "event:name": (Kind.EVENT, "name"),
    "event:outbound": (Kind.OUTBOUND, "name"),
    "event:download": (Kind.DOWNLOAD, "name"),
    "event:not_found": (Kind.NOT_FOUND, "path"),
}

RawRow = dict[str, Any]


@dataclass
class Store:
    """All raw rows of a site, texts instead of labels, each hit with its `visit`."""

    site: Site
    visits: list[RawRow]
    hits: list[RawRow]


def load(client: Client, site: Site) -> Store:
    names = {row["id"]: row["value"] for row in rows_of(client, "SELECT * FROM labels")}
    names[None] = ""
    visits = rows_of(client, "SELECT * FROM visits WHERE site_id = %s", [site.pk])
    outcodes = {row["visit_id"]: row["outcode"] for row in rows_of(client, "SELECT * FROM origins")}
    by_id = {}
    for visit in visits:
        visit["outcode"] = outcodes.get(visit["id"])
        visit["texts"] = {name: names[visit[column]] for name, column in COLUMNS.items()}
        visit["hits"] = []
        by_id[visit["id"]] = visit
    hits = []
    for hit in hits_of(client, "site_id = %s", [site.pk]):
        if hit["visit_id"] in by_id:
            hit["visit"] = by_id[hit["visit_id"]]
            hit["kind"] = Kind(hit["kind"])
            hit["props"] = json.loads(hit["props"] or "{}")
            hit |= {"path": names[hit["path"]], "name": names[hit["name"]]}
            hit["host"] = site.main_host if hit["host"] is None else names[hit["host"]]
            hit["visit"]["hits"].append(hit)
            hits.append(hit)
    return Store(site, visits, hits)


def value_of(dimension: str, hit: RawRow) -> str:
    if dimension in COLUMNS:
        return str(hit["visit"]["texts"][dimension])
    if dimension in OF_KIND:
        kind, column = OF_KIND[dimension]
        return str(hit[column]) if hit["kind"] == kind else ""
    if dimension == "event:page":
        return str(hit["path"])
    if dimension == "event:hostname":
        return str(hit["host"])
    if dimension == "event:status":
        return "" if hit["status"] is None else str(hit["status"])
    assert dimension.startswith("event:props:")
    return str(hit["props"].get(dimension.removeprefix("event:props:"), ""))


def holds(part: Filter | None, hit: RawRow) -> bool:
    """Whether a filter is true of a hit and its visit."""
    match part:
        case None:
            return True
        case Every(parts):
            return all(holds(each, hit) for each in parts)
        case Either(parts):
            return any(holds(each, hit) for each in parts)
        case Negated(each):
            return not holds(each, hit)
        case Done(each, negated):
            own = [one for one in hit["visit"]["hits"] if one["kind"] != Kind.ENGAGEMENT]
            return any(holds(each, one) for one in own) is not negated
        case Condition():
            return tested(part, value_of(part.dimension, hit))
    raise AssertionError(part)


def tested(part: Condition, text: str) -> bool:
    values: Iterable[str] = part.values
    if not part.case_sensitive:
        text, values = text.lower(), [value.lower() for value in values]
    test: Callable[[str], bool] = {
        "is": lambda value: value == text,
        "contains": lambda value: value in text,
        "matches": lambda value: re.search(value, text) is not None,
    }[part.op.removesuffix("_not")]
    return any(map(test, values)) is not part.op.endswith("_not")


@dataclass
class Group:
    visits: int = 0
    bounces: int = 0
    pageviews: int = 0
    events: int = 0
    engaged_s: int = 0
    duration_s: int = 0
    visitors: set[int] = field(default_factory=set)
    depths: dict[tuple[int, str], int] = field(default_factory=dict)

    def add_row(self, hit: RawRow) -> None:
        self.pageviews += hit["kind"] in PAGES
        self.events += hit["kind"] not in PAGES and hit["kind"] != Kind.ENGAGEMENT
        self.engaged_s += hit["engaged_s"] or 0

    def add_depth(self, hit: RawRow) -> None:
        if hit["scroll"]:
            key = hit["visit"]["id"], hit["path"]
            self.depths[key] = max(self.depths.get(key, 0), hit["scroll"])


class Recount:
    """One query's groups by bucket and values."""

    def __init__(self, store: Store, query: Query) -> None:
        self.zone = store.site.timezone
        self.query = query
        self.labels = [each for each in query.dimensions if not each.startswith("time")]
        self.of_hit = [each for each in self.labels if each.startswith("event:")]
        self.groups: dict[tuple[str, tuple[str, ...]], Group] = defaultdict(Group)
        rows = [hit for hit in store.hits if holds(query.filters, hit)]
        chosen = {row["visit"]["id"] for row in rows if row["kind"] != Kind.ENGAGEMENT}
        self.rows = [row for row in rows if row["visit"]["id"] in chosen]
        self.visits = [visit for visit in store.visits if visit["id"] in chosen]
        if self.of_hit:
            self.by_hit()
        elif set(self.labels) & WHOLE:
            self.by_whole_visit()
        else:
            self.by_visit()
        pages = "event:page" in self.labels
        self.groups = {
            key: group
            for key, group in self.groups.items()
            if group.pageviews + (0 if pages else group.events) > 0
        }

    def bucket(self, at: dt.datetime) -> str | None:
        zone = ZoneInfo(self.zone)
        day = at.astimezone(zone).date()
        if not self.query.starts_on <= day <= self.query.ends_on:
            return None
        if self.query.ends_before is not None and at >= self.query.ends_before:
            return None
        step = next((each for each in self.query.dimensions if each.startswith("time")), "")
        if step == "time:hour":
            quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
            return hours_of(quarter, self.zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        if step == "time:week":
            day -= dt.timedelta(days=day.weekday())
        if step == "time:month":
            day = day.replace(day=1)
        return day.isoformat() if step else ""

    def visit_labels(self, visit: RawRow, dimensions: list[str]) -> tuple[str, ...] | None:
        found = tuple(visit["texts"][each] for each in dimensions)
        for name, text in zip(dimensions, found, strict=True):
            if not text and name != "visit:source":
                return None
        return found

    def add_start(self, group: Group, visit: RawRow) -> None:
        group.visits += 1
        group.bounces += visit["bounced"]
        group.duration_s += int((visit["last_at"] - visit["started_at"]).total_seconds())

    def by_visit(self) -> None:
        for visit in self.visits:
            labels, bucket = self.visit_labels(visit, self.labels), self.bucket(visit["started_at"])
            if labels is not None and bucket is not None:
                self.add_start(self.groups[bucket, labels], visit)
        for row in self.rows:
            labels, bucket = self.visit_labels(row["visit"], self.labels), self.bucket(row["at"])
            if labels is not None and bucket is not None:
                group = self.groups[bucket, labels]
                group.add_row(row)
                group.add_depth(row)
                if row["kind"] != Kind.ENGAGEMENT:
                    group.visitors.add(row["visit"]["visitor"])

    def by_whole_visit(self) -> None:
        for visit in self.visits:
            labels, bucket = self.visit_labels(visit, self.labels), self.bucket(visit["started_at"])
            if labels is not None and bucket is not None:
                self.add_start(self.groups[bucket, labels], visit)
                self.groups[bucket, labels].visitors.add(visit["visitor"])
        for row in self.rows:
            visit = row["visit"]
            labels, bucket = self.visit_labels(visit, self.labels), self.bucket(visit["started_at"])
            if labels is not None and bucket is not None:
                self.groups[bucket, labels].add_row(row)
                self.groups[bucket, labels].add_depth(row)

    def by_hit(self) -> None:
        seen: set[tuple[int, tuple[str, ...]]] = set()
        only_pages = "event:page" in self.of_hit and set(self.of_hit) <= {
            "event:page",
            "event:hostname",
        }
        for row in self.rows:
            labels = self.hit_labels(row)
            if labels is None:
                continue
            bucket, visit = self.bucket(row["at"]), row["visit"]
            is_counted = row["kind"] in PAGES if only_pages else row["kind"] != Kind.ENGAGEMENT
            first = is_counted and (visit["id"], labels) not in seen
            if first:
                seen.add((visit["id"], labels))
            if bucket is None:
                continue
            group = self.groups[bucket, labels]
            group.add_row(row)
            group.add_depth(row)
            if is_counted:
                group.visitors.add(visit["visitor"])
            if first:
                group.visits += 1
                group.bounces += visit["bounced"] and (
                    row["path"] == visit["texts"]["visit:entry_page"]
                )

    def hit_labels(self, row: RawRow) -> tuple[str, ...] | None:
        for dimension in self.of_hit:
            if dimension in OF_KIND and row["kind"] != OF_KIND[dimension][0]:
                return None
            always = dimension in {"event:page", "event:hostname"}
            if row["kind"] == Kind.ENGAGEMENT and not always:
                return None
        found = tuple(value_of(each, row) for each in self.labels)
        for name, text in zip(self.labels, found, strict=True):
            if not text and name != "visit:source":
                return None
        return found


def ratio(part: float, whole: float | None) -> float | None:
    return part / whole if whole else None


def metric(recount: Recount, group: Group, name: str, everybody: int) -> int | float | None:
    of_page = {"event:page", "event:not_found"} & set(recount.labels)
    has_bounces = not recount.of_hit or bool(of_page)
    return {
        "visitors": lambda: len(group.visitors),
        "visits": lambda: group.visits,
        "pageviews": lambda: group.pageviews,
        "events": lambda: group.events,
        "views_per_visit": lambda: ratio(group.pageviews, group.visits),
        "bounce_rate": lambda: ratio(100 * group.bounces, group.visits) if has_bounces else None,
        "visit_duration": lambda: None if recount.of_hit else ratio(group.duration_s, group.visits),
        "engaged_time": lambda: ratio(group.engaged_s, group.visits),
        "time_on_page": lambda: ratio(group.engaged_s, group.visits),
        "scroll_depth": lambda: ratio(sum(group.depths.values()), len(group.depths)),
        "percentage": lambda: ratio(100 * len(group.visitors), everybody),
    }[name]()


def answer(store: Store, query: Query) -> dict[tuple[str, ...], tuple[int | float | None, ...]]:
    """Metrics by the query's dimensions, nothing folded and in no order."""
    recount = Recount(store, query)
    whole = Recount(store, dataclasses.replace(query, metrics=("visitors",), dimensions=()))
    everybody = sum(len(group.visitors) for group in whole.groups.values())
    if not query.dimensions and not recount.groups:
        recount.groups["", ()] = Group()
    found = {}
    for (bucket, labels), group in recount.groups.items():
        texts = dict(zip(recount.labels, labels, strict=True))
        key = tuple(texts.get(each, bucket) for each in query.dimensions)
        found[key] = tuple(metric(recount, group, name, everybody) for name in query.metrics)
    return found
