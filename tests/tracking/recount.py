"""A recount of raw rows in plain Python: slow, one row at a time, and plainly right.

Shares no code with tracking.rollups: it is what the rollup is compared with.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from tenants.models import Client
from tenants.schemas import entered
from tracking.hits import Kind
from tracking.models import Dimension

MINUTE = dt.timedelta(minutes=1)
VISIT_COLUMNS = {
    Dimension.SOURCE: "source",
    Dimension.CHANNEL: "channel",
    Dimension.UTM_SOURCE: "utm_source",
    Dimension.UTM_MEDIUM: "utm_medium",
    Dimension.UTM_CAMPAIGN: "utm_campaign",
    Dimension.UTM_TERM: "utm_term",
    Dimension.UTM_CONTENT: "utm_content",
    Dimension.COUNTRY: "country",
    Dimension.REGION: "region",
    Dimension.BROWSER: "browser",
    Dimension.OS: "os",
    Dimension.DEVICE: "device",
    Dimension.LANGUAGE: "language",
}


@dataclass
class Counts:
    visits: int = 0
    bounces: int = 0
    pageviews: int = 0
    events: int = 0
    engaged_s: int = 0
    duration_s: int = 0
    bytes_sent: int = 0
    visitors: set[int] = field(default_factory=set)

    def numbers(self) -> tuple[int, ...]:
        return (
            self.visits,
            self.bounces,
            self.pageviews,
            self.events,
            self.engaged_s,
            self.duration_s,
            self.bytes_sent,
        )


def hour_start(at: dt.datetime, timezone: str) -> dt.datetime:
    """Walk back minute by minute to the last full hour of the clock, or to its last change."""
    zone = ZoneInfo(timezone)
    start = at.replace(second=0, microsecond=0)
    while True:
        local, before = start.astimezone(zone), (start - MINUTE).astimezone(zone)
        if local.minute == 0 or local.utcoffset() != before.utcoffset():
            return start
        start -= MINUTE


Rows = list[dict[str, Any]]


def rows_of(client: Client, query: str, params: list[Any] | None = None) -> Rows:
    with entered(client), connection.cursor() as cursor:
        cursor.execute(query, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def hits_of(client: Client, where: str = "true", params: list[Any] | None = None) -> Rows:
    """Rows of `hits` in order of time, and what visits keep of pings as if it were rows."""
    hits = rows_of(client, f"SELECT * FROM hits WHERE {where} ORDER BY at, tag", params)
    visits = rows_of(client, f"SELECT * FROM visits WHERE pings IS NOT NULL AND {where}", params)
    for visit in visits:
        pings = bytes(visit["pings"])
        assert len(pings) % 14 == 0
        for start in range(0, len(pings), 14):
            hits.append(ping_row(visit, pings[start : start + 14], dict.fromkeys(hits[0])))
    return sorted(hits, key=lambda hit: hit["at"])


def ping_row(visit: dict[str, Any], ping: bytes, row: dict[str, Any]) -> dict[str, Any]:
    what = int.from_bytes(ping[:8], "big")
    at = visit["started_at"] - 30 * MINUTE + dt.timedelta(microseconds=what >> 24)
    return row | {
        "at": at,
        "visit_id": visit["id"],
        "site_id": visit["site_id"],
        "kind": 3,
        "path": int.from_bytes(ping[8:12], "big"),
        "engaged_s": what >> 7 & 0x1FFFF,
        "scroll": what & 0x7F,
    }


Key = tuple[int, Dimension, dt.datetime, int]


WHOLE_VISIT_COLUMNS = {
    Dimension.ENTRY: "entry",
    Dimension.EXIT: "exit",
    Dimension.OUTCODE: "outcode",
}
NAMED = {
    Kind.EVENT: Dimension.EVENT,
    Kind.OUTBOUND: Dimension.OUTBOUND,
    Kind.DOWNLOAD: Dimension.DOWNLOAD,
}


def recount(client: Client, timezones: dict[int, str]) -> dict[Key, Counts]:
    """What `hour_stats` must hold, by site, dimension, hour and label, nothing folded."""
    visits = {row["id"]: row for row in rows_of(client, "SELECT * FROM visits")}
    for visit in visits.values():
        visit["outcode"] = None
    for row in rows_of(client, "SELECT * FROM origins"):
        visits[row["visit_id"]]["outcode"] = row["outcode"]
    hits = [hit for hit in hits_of(client) if hit["visit_id"]]
    counts: dict[Key, Counts] = defaultdict(Counts)
    for visit in visits.values():
        add_visit(counts, visit, timezones[visit["site_id"]])
    seen: set[tuple[int, Dimension, int]] = set()
    for hit in hits:
        add_hit(counts, hit, visits[hit["visit_id"]], timezones[hit["site_id"]], seen)
    return counts


def values_of(visit: dict[str, Any]) -> list[tuple[Dimension, int]]:
    """Dimensions of the visit, under which each of its hits counts."""
    rows = [(Dimension.TOTAL, 0), (Dimension.SOURCE, visit["source"])]
    for dimension, column in VISIT_COLUMNS.items():
        if visit[column] and dimension != Dimension.SOURCE:
            rows.append((dimension, visit[column]))
    return rows


def add_visit(counts: dict[Key, Counts], visit: dict[str, Any], timezone: str) -> None:
    site, hour = visit["site_id"], hour_start(visit["started_at"], timezone)
    whole = [(d, visit[column]) for d, column in WHOLE_VISIT_COLUMNS.items() if visit[column]]
    for dimension, label in [*values_of(visit), *whole]:
        row = counts[site, dimension, hour, label]
        row.visits += 1
        row.bounces += visit["bounced"]
        row.duration_s += int((visit["last_at"] - visit["started_at"]).total_seconds())
    for dimension, label in whole:
        row = counts[site, dimension, hour, label]
        row.pageviews += visit["pageviews"]
        row.events += visit["events"]
        row.engaged_s += visit["engaged_s"]
        row.visitors.add(visit["visitor"])


def values_of_hit(hit: dict[str, Any]) -> list[tuple[Dimension, int]]:
    kind = Kind(hit["kind"])
    rows = [(Dimension.PAGE, hit["path"])]
    if kind in NAMED and hit["name"]:
        rows.append((NAMED[kind], hit["name"]))
    if kind == Kind.NOT_FOUND:
        rows.append((Dimension.NOT_FOUND, hit["path"]))
    if kind != Kind.ENGAGEMENT and hit["status"]:
        rows.append((Dimension.STATUS, hit["status"]))
    return rows


def add_hit(
    counts: dict[Key, Counts],
    hit: dict[str, Any],
    visit: dict[str, Any],
    timezone: str,
    seen: set[tuple[int, Dimension, int]],
) -> None:
    kind, site, hour = Kind(hit["kind"]), hit["site_id"], hour_start(hit["at"], timezone)
    is_page = kind in {Kind.PAGEVIEW, Kind.NOT_FOUND}
    is_hit = kind != Kind.ENGAGEMENT
    for dimension, label in values_of(visit) + values_of_hit(hit):
        row = counts[site, dimension, hour, label]
        row.pageviews += is_page
        row.events += is_hit and not is_page
        row.engaged_s += hit["engaged_s"] or 0
        row.bytes_sent += hit["bytes_sent"] or 0
        if is_page or (is_hit and dimension != Dimension.PAGE):
            row.visitors.add(visit["visitor"])
    for dimension, label in values_of_hit(hit):
        if dimension == Dimension.PAGE and not is_page:
            continue
        if (visit["id"], dimension, label) not in seen:
            seen.add((visit["id"], dimension, label))
            row = counts[site, dimension, hour, label]
            row.visits += 1
            if dimension in {Dimension.PAGE, Dimension.NOT_FOUND}:
                row.bounces += visit["bounced"] and visit["entry"] == hit["path"]
