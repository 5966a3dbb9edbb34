"""Random but repeatable hits for the tests of rollups and reports."""

import datetime as dt
import random

from tracking.hits import Hit, Kind, uuid7_bytes

KINDS = [Kind.PAGEVIEW] * 6 + [Kind.EVENT, Kind.ENGAGEMENT, Kind.ENGAGEMENT, Kind.OUTBOUND]
KINDS += [Kind.DOWNLOAD, Kind.NOT_FOUND]
OUTCODES = ["", "", "GB SW1A", "GB EC1", "US 902"]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def us(at: dt.datetime) -> int:
    return (at - EPOCH) // dt.timedelta(microseconds=1)


def hit(client_id: int, site_id: int, at: dt.datetime, visitor: int, **fields: object) -> Hit:
    """A page view unless `kind` says otherwise, with an id of its own."""
    at_us = us(at)
    values = {"kind": Kind.PAGEVIEW, "path": "/", "consented": False, "host": "", **fields}
    return Hit(
        id=uuid7_bytes(at_us),
        client_id=client_id,
        site_id=site_id,
        at_us=at_us,
        visitor=visitor,
        **values,  # type: ignore[arg-type]  # the fields of a hit
    )


def random_hits(
    rng: random.Random,
    client_id: int,
    site_id: int,
    starts_at: dt.datetime,
    *,
    hours: int = 30,
    visitors: int = 40,
    pages: int = 12,
) -> list[Hit]:
    """Hits of some visitors over some hours, in order of time."""
    hits = []
    for _ in range(visitors):
        visitor = rng.randrange(-(2**63), 2**63)
        at = starts_at + dt.timedelta(seconds=rng.uniform(0, hours * 3600))
        fixed = {
            "source": rng.choice(["", "google", "news.example"]),
            "channel": rng.choice(["direct", "organic"]),
            "country": rng.choice(["", "GB", "IN"]),
            "region": rng.choice(["", "GB-ENG"]),
            "browser": rng.choice(["Firefox", "Chrome"]),
            "os": rng.choice(["Linux", "Windows"]),
            "device": rng.choice(["desktop", "phone"]),
            "language": rng.choice(["", "en", "de"]),
            "utm_source": rng.choice(["", "mail"]),
            "utm_medium": rng.choice(["", "cpc"]),
            "utm_campaign": rng.choice(["", "spring"]),
            "utm_term": rng.choice(["", "shoes"]),
            "utm_content": rng.choice(["", "red"]),
        }
        for _ in range(rng.randrange(1, 9)):
            kind = rng.choice(KINDS)
            hits.append(
                hit(
                    client_id,
                    site_id,
                    at,
                    visitor,
                    kind=kind,
                    path=f"/p{rng.randrange(pages)}",
                    name=f"n{rng.randrange(4)}" if kind in (2, 4, 5) else "",
                    interactive=rng.random() < 0.7,
                    engaged_s=rng.randrange(60) if kind == Kind.ENGAGEMENT else 0,
                    status=rng.choice([0, 200, 304]) if kind == Kind.PAGEVIEW else 0,
                    bytes_sent=rng.choice([0, 1234, 2_000_000_000]),
                    outcode=rng.choice(OUTCODES),
                    **fixed,
                )
            )
            at += dt.timedelta(
                seconds=rng.choice([5, 60, 900, 1750, 1790, 2400]) * rng.random() * 2
            )
    hits.sort(key=lambda each: each.at_us)
    return hits
