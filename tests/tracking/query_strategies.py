"""Random questions, and a client with enough random traffic to ask them of.

For every surface that answers queries: the engine, the API, pages, CSV.
"""

import datetime as dt
import random
from unittest import mock

import msgspec
from django.db import connection
from hypothesis import strategies as st

from tenants.clients import new_site_key
from tenants.models import Client, Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.traffic import random_hits
from tracking.hits import Hit, Kind
from tracking.query.model import (
    DIMENSIONS,
    GOAL,
    METRICS,
    NEEDS_GOAL,
    NEEDS_PAGE,
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    Query,
    both,
    conditions_of,
)
from tracking.rollups import copies
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
STARTS_AT = dt.datetime(2026, 10, 30, 9, tzinfo=dt.UTC)
FIRST, LAST = dt.date(2026, 10, 29), dt.date(2026, 11, 5)
TIMEZONE = "America/New_York"
"""Its clocks go back on 1 November 2026, within the traffic."""

PROPS = ("event:props:plan", "event:props:Größe")
LABELS = (*(each for each in DIMENSIONS if each != GOAL), *PROPS)
VALUES = {
    "visit:source": ["", "google", "news.example"],
    "visit:channel": ["direct", "organic"],
    "visit:country": ["", "GB", "IN"],
    "visit:region": ["", "GB-ENG"],
    "visit:browser": ["Firefox", "Chrome"],
    "visit:os": ["Linux", "Windows"],
    "visit:device": ["desktop", "phone"],
    "visit:language": ["", "en", "de"],
    "visit:utm_source": ["", "mail"],
    "visit:utm_medium": ["", "cpc"],
    "visit:utm_campaign": ["", "spring"],
    "visit:utm_term": ["", "shoes"],
    "visit:utm_content": ["", "red"],
    "visit:outcode": ["", "GB SW1A", "GB EC1", "US 902"],
    "visit:entry_page": ["/p0", "/p1", "/p2"],
    "visit:exit_page": ["/p0", "/p3"],
    "event:page": ["/p0", "/p1", "/p4"],
    "event:not_found": ["/p0", "/p1"],
    "event:name": ["n0", "n1"],
    "event:outbound": ["n0", "n1"],
    "event:download": ["n0", "n2"],
    "event:status": ["", "200", "304"],
    "event:hostname": ["shop.example", "other.example"],
    "event:props:plan": ["", "free", "pro"],
    "event:props:Größe": ["L 100%", "S"],
}
PARTS = ("1", "p", "o", "", "_", "%", "GB", "zz", "\\", "100%")
PATTERNS = ("^/p[0-3]$", "o{2}", "a|e", "", r"\d+", "^$", "(n|p)1")


def random_traffic(client: Client, site: Site, seed: int, visitors: int) -> list[Hit]:
    """Hits over four days with hosts, properties, scroll depth and consent besides."""
    rng = random.Random(seed)
    hits = random_hits(rng, client.pk, site.pk, STARTS_AT, hours=100, visitors=visitors)
    consenting = {hit.visitor for hit in hits if rng.random() < 0.4}
    found = []
    for hit in hits:
        changes: dict[str, object] = {"consented": hit.visitor in consenting}
        if rng.random() < 0.3:
            changes["host"] = "shop.example"
        if hit.kind == Kind.EVENT or rng.random() < 0.1:
            changes["props"] = rng.choice(
                [{"plan": "free"}, {"plan": "pro", "Größe": "L 100%"}, {"Größe": "S"}, {}]
            )
        if hit.kind == Kind.ENGAGEMENT or rng.random() < 0.2:
            changes["scroll"] = rng.randrange(101)
        found.append(msgspec.structs.replace(hit, **changes))
    return found


def make_query_client(make_client: object, *, visitors: int = 350) -> tuple[Client, Site]:
    """A client with two sites; the first one's hits are asked about.

    Every other day of its hits is copied, so that questions read copies and rows together.
    """
    client = make_client(timezone_name=TIMEZONE)  # type: ignore[operator]  # the fixture's function
    other = Site.objects.create(
        client=client, key=new_site_key(), name="Other", hosts=["o.example"], timezone="UTC"
    )
    site = site_of(client)
    hits = random_traffic(client, site, 5, visitors) + random_traffic(client, other, 6, 60)
    store_hits(client, sorted(hits, key=lambda hit: hit.at_us), zones=site_zones(client))
    with mock.patch.object(copies, "LEAST", 1):
        roll_up_client(client, now=NOW)
    with entered(client), connection.cursor() as cursor:
        cursor.execute("DELETE FROM hit_days WHERE extract(day FROM day)::int % 2 = 0")
    return client, site


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    dimension = draw(st.sampled_from(sorted(VALUES)))
    op = draw(st.sampled_from(["is", "is", "is_not", "contains", "contains_not", "matches"]))
    if draw(st.integers(0, 9)) == 0:
        op = "matches_not"
    pool = VALUES[dimension]
    if op.startswith("contains"):
        pool = list(PARTS)
    elif op.startswith("matches"):
        pool = list(PATTERNS)
    values = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2, unique=True))
    case_sensitive = draw(st.booleans())
    if not case_sensitive and not op.startswith("matches"):
        values = [value.swapcase() for value in values]
    return Condition(op, dimension, tuple(values), case_sensitive)


def filters() -> st.SearchStrategy[Filter | None]:
    """No filter, one condition, or some joined, negated and looked for in the visit."""

    def grow(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        few = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            few.map(lambda parts: both(Every(parts), None) or Every(parts)),
            few.map(Either),
            inner.map(Negated),
            st.builds(Done, inner, st.booleans()),
        )

    some: st.SearchStrategy[Filter] = st.recursive(conditions(), grow, max_leaves=4)
    return st.one_of(st.none(), conditions(), some)


@st.composite
def queries(draw: st.DrawFn, *, with_filters: bool = True, most_dimensions: int = 2) -> Query:
    """A question about one to eight days of the traffic."""
    labels = draw(
        st.lists(st.sampled_from(LABELS), max_size=most_dimensions, unique=True).map(tuple)
    )
    time = draw(st.sampled_from(["", "", "time:hour", "time:day", "time:week", "time:month"]))
    dimensions = (*labels, time) if draw(st.booleans()) else (time, *labels)
    part = draw(filters()) if with_filters else None
    named = {*labels, *(each.dimension for each in conditions_of(part))}
    possible = [
        name
        for name in METRICS
        if name not in NEEDS_GOAL and (name not in NEEDS_PAGE or "event:page" in named)
    ]
    metrics = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=5, unique=True))
    days = (LAST - FIRST).days
    start = draw(st.integers(0, days))
    end = draw(st.integers(start, days))
    return Query(
        metrics=tuple(metrics),
        starts_on=FIRST + dt.timedelta(days=start),
        ends_on=FIRST + dt.timedelta(days=end),
        dimensions=tuple(each for each in dimensions if each),
        filters=part,
    )
