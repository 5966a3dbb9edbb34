"""Storing a batch of one client's hits: once each, with their visits, in one transaction.

The batch is first tried as if all of it were new: the primary key of `hits` refuses a hit that
is stored already, and only then the batch is rolled back, freed of what is stored, and tried
again. A batch without duplicates, nearly every one, so pays nothing for the promise. Visits are
read before the transaction and written on condition that nobody changed them meanwhile.
"""

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from tenants.models import Client, Site
from tenants.schemas import entered
from tracking.columns import Columns, columns_of
from tracking.hits import Hit
from tracking.labels import get_labels
from tracking.sessions import Sessions, sessionise
from tracking.visits import Visit
from tracking.writer import statements
from tracking.writer.hours import QUARTER_S, touched_hours
from tracking.writer.rows import (
    CHUNK,
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

_QUARTER_US = QUARTER_S * 1_000_000
_by_id = attrgetter("id")


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
    hits: Sequence[Hit] | Columns,
    *,
    zones: Mapping[int, str],
    maybe_stored: bool = False,
    also: Callable[[StoreResult], None] | None = None,
) -> StoreResult:
    """Store the hits of one client, in any order, each id once, whole or not at all.

    `zones` (`site_zones`, read before entering the client) must name the site of each hit.
    `maybe_stored` looks for stored ids at once, for batches given again. Columns come out of the
    stream, where their numbers were checked. `also` is called last in the same transaction, in the
    client's schema: what it writes stays or goes with the hits. May be called inside a transaction.

    Raises InvalidHitsError, which names them, for hits that no row may hold, and what Django
    raises when PostgreSQL is away or refuses a value (OperationalError, DataError).
    """
    now_us = time.time_ns() // 1_000
    if not (isinstance(hits, Columns) and are_placed(hits, zones.keys(), now_us)):
        given = list(hits.hits()) if isinstance(hits, Columns) else hits
        invalid = invalid_hits(given, zones, now_us)
        if invalid:
            raise InvalidHitsError(invalid)
    columns = hits if isinstance(hits, Columns) else columns_of(hits)
    batch = _Batch(client, _each_once(columns.in_order_of_time()), len(hits), zones, also)
    with entered(client):
        try:
            return _store(batch, is_retry=maybe_stored)
        except OvertakenError:
            return _store_again(batch)
        except DatabaseError as error:
            if not _is_collision(error):
                raise
            return _store_again(batch)


def _each_once(hits: Columns) -> Columns:
    """The hits, in order of time, each id once."""
    if not (hits.at_us[1:] == hits.at_us[:-1]).any():
        return hits
    order = np.lexsort((hits.tag, hits.at_us))
    at_us, tag = hits.at_us[order], hits.tag[order]
    again = order[1:][(at_us[1:] == at_us[:-1]) & (tag[1:] == tag[:-1])]
    return hits.take(np.delete(np.arange(len(hits)), again)) if len(again) else hits


class _Batch(NamedTuple):
    client: Client
    hits: Columns
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
    client = batch.client
    hits = (statements.without_stored if is_retry else statements.without_stored_pings)(batch.hits)
    sessions = None
    outcodes: dict[int, tuple[Visit, str]] = {}
    ids: Mapping[str, int] = {}
    if len(hits):
        texts = _texts_of_hits(hits)
        stored = statements.find_visits(hits, lock=connection.in_atomic_block)
        sessions = sessionise(hits, get_labels(client, texts), stored)
        outcodes = _outcodes(sessions)
        texts |= _texts_of_visits(sessions.new)
        texts.update(outcode for _, outcode in outcodes.values())
        ids = get_labels(client, texts)
    result = _result(sessions, batch.given)
    with transaction.atomic():
        if sessions is not None and len(sessions.hits):
            _write_rows(sessions, outcodes, ids)
            _touch_hours(sessions, batch.zones)
        if batch.also is not None:
            batch.also(result)
    return result


def _result(sessions: Sessions | None, given: int) -> StoreResult:
    if sessions is None:
        return StoreResult(0, given, 0, 0)
    stored = len(sessions.hits)
    return StoreResult(stored, given - stored, len(sessions.new), len(sessions.changed))


def _texts_of_hits(hits: Columns) -> set[str]:
    more = list(hits.hits(np.flatnonzero(hits.has_more)))
    return hits.paths() | {hit.name for hit in more} | {hit.host for hit in more}


def _texts_of_visits(visits: Sequence[Visit]) -> set[str]:
    firsts = [visit.first for visit in visits if visit.first is not None]
    return set(chain.from_iterable(map(visit_dimensions, firsts)))


def _outcodes(sessions: Sessions) -> dict[int, tuple[Visit, str]]:
    """The last outward code of each visit that has one, by visit id."""
    places = np.flatnonzero(sessions.hits.has_outcode)
    found = {}
    for place, hit in zip(places.tolist(), sessions.hits.hits(places), strict=True):
        visit = sessions.visits[place]
        if visit is not None:
            found[visit.id] = visit, hit.outcode
    return found


def _write_rows(
    sessions: Sessions, outcodes: Mapping[int, tuple[Visit, str]], ids: Mapping[str, int]
) -> None:
    """Hits first: they are what a duplicate is known by."""
    _copy("hits", HIT_COLUMNS, pack_hits(sessions, ids))
    new = sessions.new
    if new:
        _copy("visits", VISIT_COLUMNS, _chunks(pack_visit(visit, ids) for visit in new))
        rows = (
            pack_origin(visit, outcodes[visit.id][1] if visit.id in outcodes else "", ids)
            for visit in new
        )
        _copy("origins", ORIGIN_COLUMNS, _chunks(row for row in rows if row is not None))
    if sessions.changed:
        sessions.changed.sort(key=_by_id)  # one order for all writers: no deadlock
        if statements.update_visits(sessions.changed) != len(sessions.changed):
            raise OvertakenError
    later = [found for found in outcodes.values() if found[0].first is None]
    if later:
        statements.set_outcodes(later, ids)


def _chunks(rows: Iterator[bytes]) -> Iterator[bytes]:
    while chunk := b"".join(islice(rows, CHUNK)):
        yield chunk


def _copy(table: str, columns: str, chunks: Iterable[bytes]) -> None:
    chunks = iter(chunks)
    first = next(chunks, None)
    if first is None:
        return
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,  # Django wraps its own calls only
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(HEADER)
        for chunk in chain([first], chunks):
            copy.write(chunk)
        copy.write(TRAILER)


def _touch_hours(sessions: Sessions, zones: Mapping[int, str]) -> None:
    """Mark the hours of the hits, and those in which changed visits began, for the rollup.

    A hit that came late may be the visit's first of its page, where a later one was counted as
    the first: the hours up to the visit's last hit are marked too.
    """
    hits = sessions.hits
    places = np.unique(np.stack((hits.site_id, hits.at_us // _QUARTER_US)), axis=1)
    quarters = set(zip(*places.tolist(), strict=True))
    quarters.update((visit.site_id, visit.started_us // _QUARTER_US) for visit in sessions.changed)
    # Hits are in order of time: none from the latest change on came late.
    latest = max((visit.before[0] for visit in sessions.changed if visit.before), default=0)
    before = int(np.searchsorted(hits.at_us, latest))
    times, sites = hits.at_us[:before].tolist(), hits.site_id[:before].tolist()
    for at_us, site, visit in zip(times, sites, sessions.visits, strict=False):
        if visit is not None and visit.before is not None and at_us < visit.before[0]:
            late = range(at_us // _QUARTER_US, visit.before[0] // _QUARTER_US + 1)
            quarters.update((site, quarter) for quarter in late)
    statements.touch(touched_hours(quarters, zones))
