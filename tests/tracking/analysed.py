"""Random traffic for the analyses, and the raw rows as plain Python objects to recount from."""

import datetime as dt
import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tenants.models import Client
from tests.tracking.recount import hits_of, rows_of
from tests.tracking.traffic import hit
from tracking.hits import Hit, Kind

KINDS = [Kind.PAGEVIEW] * 6 + [Kind.EVENT] * 3 + [Kind.ENGAGEMENT, Kind.ENGAGEMENT]
KINDS += [Kind.OUTBOUND, Kind.DOWNLOAD, Kind.NOT_FOUND]


def busy_hits(
    rng: random.Random,
    client: Client,
    site_id: int,
    starts_at: dt.datetime,
    *,
    hours: int = 80,
    visitors: int = 150,
) -> list[Hit]:
    """Visitors who come once or more; consenting ones keep their number for weeks."""
    hits: list[Hit] = []
    for _ in range(visitors):
        visitor = rng.randrange(-(2**63), 2**63)
        consented = rng.random() < 0.5
        at = starts_at + dt.timedelta(seconds=rng.uniform(0, hours * 3600))
        fixed: dict[str, Any] = {
            "consented": consented,
            "source": rng.choice(["", "google", "news.example"]),
            "country": rng.choice(["", "GB", "IN"]),
            "outcode": rng.choice(["", "", "GB SW1A", "GB SW2", "GB EC1", "US 902"]),
        }
        for _ in range(rng.choice([1, 1, 1, 2, 3]) if consented else 1):
            hits += _visit(rng, client, site_id, at, visitor, fixed)
            at += dt.timedelta(days=rng.choice([1, 3, 7, 8, 15]), hours=rng.random())
    hits.sort(key=lambda each: each.at_us)
    return hits


def _visit(
    rng: random.Random,
    client: Client,
    site_id: int,
    at: dt.datetime,
    visitor: int,
    fixed: dict[str, Any],
) -> list[Hit]:
    hits = []
    for _ in range(rng.randrange(1, 9)):
        kind = rng.choice(KINDS)
        is_event = kind in {Kind.EVENT, Kind.OUTBOUND, Kind.DOWNLOAD}
        hits.append(
            hit(
                client.pk,
                site_id,
                at,
                visitor,
                kind=kind,
                path=rng.choice(["/", "/a", "/a/1", "/a/2", "/b_c", "/bxc", "/d%"]),
                name=rng.choice(["Buy", "Ask", "Buy more"]) if is_event else "",
                props=rng.choice([None, {"plan": "pro"}, {"plan": "free"}]) if is_event else None,
                engaged_s=rng.randrange(90) if kind == Kind.ENGAGEMENT else 0,
                scroll=rng.randrange(101) if kind == Kind.ENGAGEMENT else 0,
                **fixed,
            )
        )
        at += dt.timedelta(seconds=rng.choice([0, 5, 60, 900, 1750, 1790, 2400]) * rng.random() * 2)
    return hits


@dataclass
class RawVisit:
    """A visit with its hits in order of time."""

    row: dict[str, Any]
    hits: list[dict[str, Any]] = field(default_factory=list)
    outcode: str = ""
    country: str = ""


def raw_visits(client: Client, site_id: int) -> list[RawVisit]:
    """All visits of a site, labels as texts."""
    labels = {row["id"]: row["value"] for row in rows_of(client, "SELECT * FROM labels")}
    visits = {
        row["id"]: RawVisit(row, country=labels[row["country"]])
        for row in rows_of(client, "SELECT * FROM visits WHERE site_id = %s", [site_id])
    }
    for row in hits_of(client, "site_id = %s", [site_id]):
        if not row["visit_id"]:
            continue
        row["path"], row["name"] = labels[row["path"]], labels.get(row["name"], "")
        row["props"] = json.loads(row["props"] or "{}")
        visits[row["visit_id"]].hits.append(row)
    for row in rows_of(client, "SELECT * FROM origins"):
        if row["visit_id"] in visits:
            visits[row["visit_id"]].outcode = labels.get(row["outcode"], "")
    return list(visits.values())


def by_visitor(visits: list[RawVisit]) -> dict[int, list[RawVisit]]:
    """Visits of each visitor."""
    found: dict[int, list[RawVisit]] = defaultdict(list)
    for visit in visits:
        found[visit.row["visitor"]].append(visit)
    return found
