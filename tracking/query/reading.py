"""Raw rows of a site's period as arrays, those that a filter selects only."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from tenants.models import Site
from tracking.analysis.goals import Rule
from tracking.hits import Kind
from tracking.models import Dimension
from tracking.query.arrays import places
from tracking.query.buckets import bounds_of
from tracking.query.columns import Column, read_columns
from tracking.query.copied import columns_of_copies, hits_of_copy
from tracking.query.model import OUTCODE, PROPS, Filter, Grain, QueryError, source_of
from tracking.query.sql import (
    GAP,
    LONGEST,
    TRUE,
    VISIT_COLUMNS,
    Selection,
    Span,
    select,
)
from tracking.raw_rows import Params, hits_alone, hits_and_pings
from tracking.reports.periods import Period
from tracking.rollups.copies import KIND_BITS, MOST_ENGAGED_S, read_copies
from tracking.rollups.hours import SECOND, Ints, from_us, to_us

LONGEST_MS = 30_000
"""How long one statement over raw rows may take."""
MOST_HITS = 6_000_000
"""Page views and events that are counted at once: about a gigabyte of arrays."""
WORK_MEM = "96MB"
"""Room for joining a million hits with their visits in memory."""
_FEW_VISITS = 50_000
"""Up to so many, visits are asked for by their ids."""
MAIN_HOST = 2**31 - 1
"""Label of the main host where its name has none."""
NAMED = {
    "event:page": "path",
    "event:not_found": "path",
    "event:name": "name",
    "event:outbound": "name",
    "event:download": "name",
}
"""Columns that are labels of several dimensions."""
_KIND = (1 << KIND_BITS) - 1
_ENGAGEMENT = int(Kind.ENGAGEMENT)


@dataclass(frozen=True)
class Visits:
    """Columns of selected visits, ordered by id, from a day before the period to its end."""

    id: Ints
    started_at: Ints
    duration_s: Ints
    visitor: Ints
    """Numbers from 0 on, one for each visitor."""
    bounced: Ints
    pageviews: Ints
    events: Ints
    engaged_s: Ints
    entry: Ints
    labels: dict[str, Ints]
    """By dimension; 0 where it is not set."""


@dataclass(frozen=True)
class Hits:
    """Columns of selected rows of hits, in no order."""

    at: Ints
    visit: Ints
    """Index into the visits."""
    kind: Ints
    path: Ints
    engaged_s: Ints
    scroll: Ints
    labels: dict[str, Ints]


@dataclass(frozen=True)
class Raw:
    """What a filter selects."""

    visits: Visits
    hits: Hits
    people: Ints
    """Visitors by their numbers: ascending, each once."""
    hits_selected: bool
    """Hits were selected one by one: a visit's own sums are not those of its selected hits."""

    @property
    def visitors(self) -> int:
        """How many different visitors there are among the visits."""
        return self.people.size


@dataclass(frozen=True)
class Wanted:
    """Which columns are needed, and how far around the period."""

    dimensions: frozenset[str] = frozenset()
    engaged: bool = True
    scroll: bool = False
    grain: Grain = Grain.VISIT
    """Of what else is asked for, such as a goal."""
    one_in: int = 1
    """Only one visit in so many, whichever."""

    @property
    def whole_grain(self) -> bool:
        """Whether a visit's own sums are needed."""
        return Grain.WHOLE in {self.grain, *map(_grain, self.dimensions)}

    @property
    def asks_names(self) -> bool:
        """Whether names of events or targets of links are needed."""
        return any(NAMED.get(each) == "name" for each in self.dimensions)

    @property
    def is_copied(self) -> bool:
        """Whether copies of days (tracking.rollups.copies) have all that is wanted of hits."""
        return not any(
            each.startswith(PROPS) or each == "event:hostname" for each in self.dimensions
        )

    @property
    def hit_grain(self) -> bool:
        """Whether a hit must be known to be its visit's first."""
        return any(_grain(each) is Grain.HIT for each in self.dimensions)


def _grain(dimension: str) -> Grain:
    source = source_of(dimension)
    return source.grain if source else Grain.VISIT


def read_raw(
    site: Site,
    period: Period,
    filters: Filter | None,
    wanted: Wanted,
    *,
    goals: Sequence[Rule] = (),
) -> Raw:
    """The selected rows of a period. Two queries, and one for each condition of the filter.

    Raises QueryError: a condition that cannot be asked, or a period that takes too long.
    """
    first, after = map(from_us, bounds_of(site.timezone, period))
    span = Span(site, first - LONGEST, after + GAP, tuple(goals))
    selection = select(filters, span)
    with raw_cursor() as cursor:
        _check_size(cursor, site, period, span, selection)
        if selection.asks_hits or not wanted.is_copied:
            hits = _read_hits(cursor, span, selection, wanted)
            visits = _read_visits(cursor, span, selection, wanted, hits)
        else:
            visits = _read_visits(cursor, span, selection, wanted, {})
            hits = _read_copied_hits(cursor, span, selection, wanted, visits["id"])
    return _joined(hits, visits, selection, wanted.dimensions)


@contextmanager
def raw_cursor() -> Iterator[Any]:
    """A cursor for statements over raw rows, none of which may take longer than `LONGEST_MS`.

    Raises QueryError where one does. It has a transaction of its own, since the limits are meant
    for its statements only.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Hits have no index by visit: row by row the join would read them over and over.
            # The planner tries it where it takes a table that has just been filled for empty.
            cursor.execute(
                f"SET LOCAL work_mem = '{WORK_MEM}'; "
                f"SET LOCAL statement_timeout = {LONGEST_MS}; "
                "SET LOCAL enable_nestloop = off"
            )
            yield cursor
    except QueryCanceled:
        raise _too_much() from None
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise _too_much() from None


def _too_much() -> QueryError:
    return QueryError(
        "date_range",
        "Counting so many raw rows takes too long: choose a shorter period, or take the filters "
        "and all dimensions but one away.",
    )


def _check_size(cursor: Any, site: Site, period: Period, span: Span, selection: Selection) -> None:
    """Raise QueryError where the selected rows would not fit into memory.

    The rollup tells at once that nearly every period is small enough; only then are rows counted.
    """
    cursor.execute(
        "SELECT coalesce(sum(pageviews + events), 0) FROM day_stats "
        "WHERE site_id = %s AND dimension = %s AND day BETWEEN %s AND %s",
        [site.pk, int(Dimension.TOTAL), period.starts_on, period.ends_on],
    )
    if cursor.fetchone()[0] <= MOST_HITS:
        return
    source, conditions, params = _selected(span, selection, (span.hits_from, span.hits_before))
    query = f"SELECT count(*) FROM {source} WHERE {conditions} AND h.kind <> {_ENGAGEMENT}"  # noqa: S608 - our own words
    cursor.execute(query, params)
    if cursor.fetchone()[0] > MOST_HITS:
        raise _too_much()


Bounds = tuple[dt.datetime, dt.datetime]


def _selected(
    span: Span, selection: Selection, bounds: Bounds, *, with_pings: bool = False
) -> tuple[str, str, Params]:
    """Table, conditions and parameters of the selected hits of a time."""
    read = hits_and_pings if with_pings else hits_alone
    table, params = read([span.site.pk], *bounds)
    source = f"{table} h"
    if selection.of_visits is not TRUE or selection.of_hits.of_visit:
        source += (
            " JOIN visits v ON v.id = h.visit_id AND v.site_id = %s "
            f"AND v.started_at >= %s AND v.started_at < %s AND {selection.of_visits.text}"
        )
        params += [span.site.pk, span.starts_at, span.ends_before, *selection.of_visits.params]
    return source, selection.of_hits.text, [*params, *selection.of_hits.params]


def _bounds(span: Span, selection: Selection, wanted: Wanted) -> Bounds:
    """Of the hits that are needed: early ones tell which hit of a visit is its first."""
    first, after = span.starts_at + LONGEST, span.ends_before - GAP
    early = wanted.hit_grain or selection.asks_hits
    return span.hits_from if early else first, span.hits_before if selection.asks_hits else after


def _read_copied_hits(
    cursor: Any, span: Span, selection: Selection, wanted: Wanted, visit_ids: Ints
) -> dict[str, Ints]:
    """Hits of these visits: of days that were copied from there, of all other times from rows."""
    first, after = _bounds(span, selection, wanted)
    names = columns_of_copies(
        with_paths=wanted.hit_grain or wanted.scroll,
        with_names=wanted.asks_names,
        with_scroll=wanted.scroll,
        with_status="event:status" in wanted.dimensions,
    )
    copies = read_copies(cursor, span.site.pk, first, after, names)
    ids = np.sort(visit_ids)
    parts = [
        hits_of_copy(copy, ids, engaged=wanted.engaged, pings=wanted.engaged or wanted.scroll)
        for copy in copies
    ]
    ends = [first, *(from_us(copy.ends_before_us) for copy in copies)]
    starts = [*(from_us(copy.starts_us) for copy in copies), after]
    parts += [
        _read_hits(cursor, span, selection, wanted, (since, until))
        for since, until in zip(ends, starts, strict=True)
        if since < until
    ]
    if not parts:
        # A time of no length.
        return _read_hits(cursor, span, selection, wanted, (first, after))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read_hits(
    cursor: Any, span: Span, selection: Selection, wanted: Wanted, bounds: Bounds | None = None
) -> dict[str, Ints]:
    with_pings = wanted.engaged or wanted.scroll
    bounds = bounds or _bounds(span, selection, wanted)
    source, conditions, params = _selected(span, selection, bounds, with_pings=with_pings)
    if not with_pings:
        conditions += f" AND h.kind <> {_ENGAGEMENT}"
    if wanted.one_in > 1:
        conditions += " AND h.visit_id %% %s = 0"
        params.append(wanted.one_in)
    columns = _hit_columns(wanted, span)
    hits = read_columns(cursor, f"FROM {source} WHERE {conditions}", params, columns)
    what = hits.pop("what")
    hits["kind"] = what & _KIND
    if wanted.engaged:
        hits["engaged_s"] = what >> KIND_BITS
    hits["at"] = _instants(hits.pop("second"), span)
    return hits


def _second(column: str, span: Span) -> str:
    """A time in whole seconds since the span's first hit: no hour begins within a second."""
    return f"floor(date_part('epoch', {column})) - {_zero(span)}"


def _zero(span: Span) -> int:
    return to_us(span.hits_from) // SECOND


def _instants(seconds: Ints, span: Span) -> Ints:
    return (seconds + _zero(span)) * SECOND


def _hit_columns(wanted: Wanted, span: Span) -> dict[str, Column]:
    engaged = f"least(coalesce(h.engaged_s, 0), {MOST_ENGAGED_S}) << {KIND_BITS}"
    columns = {
        "visit_id": Column("h.visit_id", "int8"),
        "second": Column(_second("h.at", span)),
        "what": Column(f"({engaged}) | h.kind" if wanted.engaged else "h.kind"),
    }
    if wanted.hit_grain or wanted.scroll:
        columns["path"] = Column("h.path")
    if wanted.asks_names:
        columns["name"] = Column("coalesce(h.name, 0)")
    if wanted.scroll:
        columns["scroll"] = Column("coalesce(h.scroll, 0)")
    for dimension in sorted(wanted.dimensions):
        if dimension.startswith(PROPS):
            text = "coalesce(hashtextextended(nullif(h.props ->> %s, ''), 0), 0)"
            columns[dimension] = Column(text, "int8", [dimension.removeprefix(PROPS)])
        elif dimension == "event:hostname":
            # Null is the main host, which may have a label too, from when it was not the main one.
            label = "(SELECT id FROM labels WHERE value = %s)"
            columns[dimension] = Column(
                f"coalesce(h.host, {label}, {MAIN_HOST})", params=[span.site.main_host]
            )
        elif dimension == "event:status":
            columns[dimension] = Column("coalesce(h.status, 0)")
    return columns


def _read_visits(
    cursor: Any, span: Span, selection: Selection, wanted: Wanted, hits: dict[str, Ints]
) -> dict[str, Ints]:
    columns = {
        "id": Column("v.id", "int8"),
        "second": Column(_second("v.started_at", span)),
        "visitor": Column("v.visitor", "int8"),
        "duration_s": Column("greatest(floor(date_part('epoch', v.last_at - v.started_at)), 0)"),
        "bounced": Column("v.bounced::int"),
        **{name: Column(f"v.{name}") for name in _own_columns(wanted)},
    }
    source, params = "visits v", Params()
    for dimension in sorted(wanted.dimensions):
        if dimension == OUTCODE:
            source = (
                "visits v LEFT JOIN origins o ON o.visit_id = v.id "
                "AND o.started_at = v.started_at AND o.started_at >= %s AND o.started_at < %s"
            )
            params = [span.starts_at, span.ends_before]
            columns[dimension] = Column("coalesce(o.outcode, 0)")
        elif dimension in VISIT_COLUMNS:
            columns[dimension] = Column(f"coalesce(v.{VISIT_COLUMNS[dimension]}, 0)")
    conditions = "v.site_id = %s AND v.started_at >= %s AND v.started_at < %s"
    params += [span.site.pk, span.starts_at, span.ends_before]
    if selection.asks_hits:
        ids = np.unique(hits["visit_id"][hits["kind"] != _ENGAGEMENT])
        if ids.size <= _FEW_VISITS:
            # Of = ANY the planner would weigh each id by itself.
            conditions += " AND v.id IN (SELECT unnest(%s::int8[]))"
            params.append(ids.tolist())
    if wanted.one_in > 1:
        conditions += " AND v.id %% %s = 0"
        params.append(wanted.one_in)
    params += selection.of_visits.params
    source = f"FROM {source} WHERE {conditions} AND {selection.of_visits.text}"
    visits = read_columns(cursor, source, params, columns)
    visits["started_at"] = _instants(visits.pop("second"), span)
    return visits


def _own_columns(wanted: Wanted) -> list[str]:
    """Columns of the visit that not every question needs; each costs a tenth of the reading."""
    columns = ["pageviews", "events", "engaged_s"] if wanted.whole_grain else []
    return [*columns, "entry"] if wanted.hit_grain else columns


def _joined(
    hits: dict[str, Ints],
    visits: dict[str, Ints],
    selection: Selection,
    dimensions: Collection[str],
) -> Raw:
    order = np.argsort(visits["id"], kind="stable")
    visits = {name: column[order] for name, column in visits.items()}
    if selection.asks_hits:
        selected = np.isin(visits["id"], hits["visit_id"][hits["kind"] != _ENGAGEMENT])
        visits = {name: column[selected] for name, column in visits.items()}
    place, known = places(visits["id"], hits["visit_id"])
    if not known.all():
        hits = {name: column[known] for name, column in hits.items()}
        place = place[known]
    people, visitor = np.unique(visits["visitor"], return_inverse=True)
    zeros = np.zeros(place.size, dtype=np.int64)
    unread = np.zeros(visits["id"].size, dtype=np.int64)
    path = hits.get("path", zeros)
    return Raw(
        Visits(
            visitor=visitor.astype(np.int64),
            labels={name: visits[name] for name in dimensions if name in visits},
            id=visits["id"],
            started_at=visits["started_at"],
            duration_s=visits["duration_s"],
            bounced=visits["bounced"],
            pageviews=visits.get("pageviews", unread),
            events=visits.get("events", unread),
            engaged_s=visits.get("engaged_s", unread),
            entry=visits.get("entry", unread),
        ),
        Hits(
            at=hits["at"],
            visit=place,
            kind=hits["kind"],
            path=path,
            engaged_s=hits.get("engaged_s", zeros),
            scroll=hits.get("scroll", zeros),
            labels=_hit_labels(hits, dimensions),
        ),
        people=people,
        hits_selected=selection.asks_hits,
    )


def _hit_labels(hits: dict[str, Ints], dimensions: Collection[str]) -> dict[str, Ints]:
    """Labels of the hits' dimensions. Whose kind it is not is left to the counting."""
    labels = {}
    for name in dimensions:
        if name in hits:
            labels[name] = hits[name]
        elif name in NAMED:
            labels[name] = hits[NAMED[name]]
    return labels
