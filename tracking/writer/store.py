"""Storing a batch of one client's hits: once each, with their visits, in one transaction.

The batch is first tried as if all of it were new: the primary key of `hits` refuses a hit that
is stored already, and only then the batch is rolled back, freed of what is stored, and tried
again. A batch without duplicates, nearly every one, so pays nothing for the promise. Visits are
read before the transaction and written on condition that nobody changed them meanwhile.
"""

import dataclasses
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice, product
from operator import attrgetter, eq
from typing import NamedTuple

from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from tenants.models import Client, Site
from tenants.schemas import entered
from tracking.hits import Hit
from tracking.labels import get_labels
from tracking.sessions import Sessions, Visit, sessionise
from tracking.writer import statements
from tracking.writer.hours import QUARTER_S, touched_hours
from tracking.writer.rows import (
    HEADER,
    HIT_COLUMNS,
    ORIGIN_COLUMNS,
    TRAILER,
    VISIT_COLUMNS,
    pack_hits,
    pack_origin,
    pack_visit,
    visit_dimensions,
)
from tracking.writer.validity import are_placed, invalid_hits

ATTEMPTS = 20
"""A batch loses a race seldom, and each try waits a little longer than the one before."""
PAUSE_S = 0.01
CHUNK = 1_000
"""Rows packed before they are sent: PostgreSQL stores one chunk while the next is packed."""

_QUARTER_US = QUARTER_S * 1_000_000
_FEW_QUARTERS = 4 * 24 * 7
"""A week of them is looked for faster than each hit is looked at."""
_by_id = attrgetter("id")
_by_time = attrgetter("at_us")


class StoreError(Exception):
    """A batch that cannot be stored as it is; nothing of it was. Holds no content of hits."""

    code = "store"


class InvalidHitsError(StoreError):
    """Hits that no row may hold: `invalid` has index and reason of each."""

    def __init__(self, invalid: list[tuple[int, str]]) -> None:
        super().__init__(f"{len(invalid)} invalid hits, the first: {invalid[0][1]}")
        self.invalid = invalid


class OvertakenError(Exception):
    """Another writer changed the same visits; the batch must be done anew."""


@dataclasses.dataclass(frozen=True, slots=True)
class StoreResult:
    """What became of a batch: stored + duplicates = hits given."""

    stored: int
    duplicates: int
    new_visits: int
    changed_visits: int


def site_zones(client: Client) -> dict[int, str]:
    """Time zone of each site of the client, by its id. Reads a public table."""
    return dict(Site.objects.filter(client=client).values_list("pk", "timezone"))


def store_hits(
    client: Client,
    hits: Sequence[Hit],
    *,
    zones: Mapping[int, str],
    maybe_stored: bool = False,
    is_decoded: bool = False,
    also: Callable[[StoreResult], None] | None = None,
) -> StoreResult:
    """Store the hits of one client, in any order, each id once, whole or not at all.

    `zones` (`site_zones`, read before entering the client) must name the site of each hit.
    `maybe_stored` looks for stored ids at once, for batches given again. `is_decoded` says that
    the hits come out of the stream, where decoding has checked their numbers. `also` is called last
    in the same transaction, in the client's schema: what it writes stays or goes with the hits.
    May be called inside a transaction.

    Raises InvalidHitsError, which names them, for hits that no row may hold, and what Django
    raises when PostgreSQL is away or refuses a value (OperationalError, DataError).
    """
    now_us = time.time_ns() // 1_000
    unique = sorted(hits, key=_by_time)
    if not (is_decoded and are_placed(unique, zones.keys(), now_us)):
        invalid = invalid_hits(hits, zones, now_us)
        if invalid:
            raise InvalidHitsError(invalid)
    if _share_times(unique) and len({hit.id for hit in hits}) < len(hits):
        unique = list({hit.id: hit for hit in unique}.values())
    batch = _Batch(client, unique, len(hits), zones, also)
    with entered(client):
        try:
            return _store(batch, is_retry=maybe_stored)
        except OvertakenError:
            return _store_again(batch)
        except DatabaseError as error:
            if not _is_collision(error):
                raise
            return _store_again(batch)


def _share_times(hits: Sequence[Hit]) -> bool:
    """Whether some of the hits, in order of time, may be the same: an id is of one time."""
    times = [hit.at_us for hit in hits]
    return any(map(eq, times, islice(times, 1, None)))


class _Batch(NamedTuple):
    client: Client
    hits: list[Hit]
    """Each id once, in order of time."""
    given: int
    zones: Mapping[int, str]
    also: Callable[[StoreResult], None] | None


def _store_again(batch: _Batch) -> StoreResult:
    """Store a batch that collided, with its visits locked, so that it cannot be overtaken."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _store(batch, is_retry=True)
        except OvertakenError as error:
            if attempt == ATTEMPTS:
                raise StoreError("the batch collides with stored rows") from error
        except DatabaseError as error:
            if attempt == ATTEMPTS and isinstance(error, IntegrityError):
                raise StoreError("the batch collides with stored rows") from error
            if attempt == ATTEMPTS or not _is_collision(error):
                raise
        # At random, so that two writers of the same visitors do not meet again and again.
        time.sleep(random.random() * PAUSE_S * attempt)
    raise AssertionError("the loop returns or raises")


def _is_collision(error: DatabaseError) -> bool:
    """Whether another writer may be why a batch was refused: a stored id, a deadlock.

    Told by what it is not, a value that PostgreSQL refuses or a connection that is gone: a
    cluster gives a constraint's error another SQLSTATE (design, section 9, rule 8).
    """
    return not isinstance(error, DataError) and bool(connection.is_usable())


def _store(batch: _Batch, *, is_retry: bool) -> StoreResult:
    client, hits = batch.client, batch.hits
    sessions = Sessions([], [], [], [], [], [])
    outcodes: dict[int, tuple[Visit, Hit]] = {}
    ids: Mapping[str, int] = {}
    fresh = statements.without_stored(hits) if is_retry else statements.without_stored_pings(hits)
    if fresh:
        texts = _texts_of_hits(fresh)
        paths = get_labels(client, texts)
        stored = statements.find_visits(fresh, lock=connection.in_atomic_block)
        sessions = sessionise(fresh, paths, stored)
        # Without those of the pings that their visits have already.
        fresh = sessions.hits
        outcodes = _outcodes(sessions)
        texts |= _texts_of_visits(sessions.new)
        texts.update(hit.outcode for _, hit in outcodes.values())
        ids = get_labels(client, texts)
    result = StoreResult(
        len(fresh), batch.given - len(fresh), len(sessions.new), len(sessions.changed)
    )
    with transaction.atomic():
        if fresh:
            _write_rows(sessions, outcodes, ids)
            _touch_hours(sessions, batch.zones)
        if batch.also is not None:
            batch.also(result)
    return result


def _texts_of_hits(hits: Sequence[Hit]) -> set[str]:
    # A set of each: names and hosts are few, and comprehensions cost half of generators.
    return {hit.path for hit in hits} | {hit.name for hit in hits} | {hit.host for hit in hits}


def _texts_of_visits(visits: Sequence[Visit]) -> set[str]:
    firsts = [visit.first for visit in visits if visit.first is not None]
    return set(chain.from_iterable(map(visit_dimensions, firsts)))


def _outcodes(sessions: Sessions) -> dict[int, tuple[Visit, Hit]]:
    """The last hit with an outward code of each visit that has one, by visit id."""
    return {
        visit.id: (visit, hit)
        for hit, visit in zip(sessions.hits, sessions.visits, strict=True)
        if hit.outcode and visit is not None
    }


def _write_rows(
    sessions: Sessions, outcodes: Mapping[int, tuple[Visit, Hit]], ids: Mapping[str, int]
) -> None:
    """Hits first: they are what a duplicate is known by."""
    _copy("hits", HIT_COLUMNS, pack_hits(sessions.row_hits, sessions.row_visits, ids))
    new = sessions.new
    if new:
        _copy("visits", VISIT_COLUMNS, (pack_visit(visit, ids) for visit in new))
        rows = (
            pack_origin(visit, outcodes[visit.id][1].outcode if visit.id in outcodes else "", ids)
            for visit in new
        )
        _copy("origins", ORIGIN_COLUMNS, (row for row in rows if row is not None))
    if sessions.changed:
        sessions.changed.sort(key=_by_id)  # one order for all writers: no deadlock
        if statements.update_visits(sessions.changed) != len(sessions.changed):
            raise OvertakenError
    later = [found for found in outcodes.values() if found[0].first is None]
    if later:
        statements.set_outcodes(later, ids)


def _copy(table: str, columns: str, rows: Iterator[bytes]) -> None:
    chunk = b"".join(islice(rows, CHUNK))
    if not chunk:
        return
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,  # Django wraps its own calls only
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(HEADER)
        while chunk:
            copy.write(chunk)
            chunk = b"".join(islice(rows, CHUNK))
        copy.write(TRAILER)


def _quarters(hits: Sequence[Hit], first: int, last: int) -> Iterator[int]:
    """Quarters of an hour that hits, in order of time, lie in."""
    for quarter in range(first, last + 1):
        index = bisect_left(hits, quarter * _QUARTER_US, key=_by_time)
        if hits[index].at_us // _QUARTER_US == quarter:
            yield quarter


def _touch_hours(sessions: Sessions, zones: Mapping[int, str]) -> None:
    """Mark the hours of the hits, and those in which changed visits began, for the rollup.

    A hit that came late may be the visit's first of its page, where a later one was counted as
    the first: the hours up to the visit's last hit are marked too.
    """
    first, last = sessions.hits[0].at_us // _QUARTER_US, sessions.hits[-1].at_us // _QUARTER_US
    sites = {hit.site_id for hit in sessions.hits}
    if first == last:  # the usual batch, and no arithmetic for each hit
        quarters = {(site, first) for site in sites}
    elif len(sites) == 1 and last - first < _FEW_QUARTERS:
        quarters = set(product(sites, _quarters(sessions.hits, first, last)))
    else:
        quarters = {(hit.site_id, hit.at_us // _QUARTER_US) for hit in sessions.hits}
    quarters.update((visit.site_id, visit.started_us // _QUARTER_US) for visit in sessions.changed)
    # Hits are in order of time: none from the latest change on came late.
    latest = max((visit.before[0] for visit in sessions.changed if visit.before), default=0)
    for hit, visit in zip(sessions.hits, sessions.visits, strict=True):
        if hit.at_us >= latest:
            break
        if visit is not None and visit.before is not None and hit.at_us < visit.before[0]:
            late = range(hit.at_us // _QUARTER_US, visit.before[0] // _QUARTER_US + 1)
            quarters.update((hit.site_id, quarter) for quarter in late)
    statements.touch(touched_hours(quarters, zones))
