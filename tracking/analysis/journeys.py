"""Journeys: which pages visits saw one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from tracking.analysis.folding import Counted, Folded, fold
from tracking.analysis.goals import Params
from tracking.analysis.scope import Scope, Sql
from tracking.query.reading import raw_cursor

MOST_STEPS = 4
"""Pages after the first that a journey is followed for."""

LEFT = None
"""Instead of a page: the visit saw no further page."""


@dataclass(frozen=True)
class NextPage:
    """A page that visits saw at one place of their journey."""

    path: str | None
    """`LEFT`: the visit ended."""
    visits: int
    share: float
    """Of the visits of its column, 0 to 1."""
    is_taken: bool
    """It was chosen: the next column shows how its visits went on."""


@dataclass(frozen=True)
class Column:
    """Where visits were at one place of their journey."""

    visits: int
    pages: tuple[NextPage, ...]
    """Most visits first; the end of visits stands among them."""
    other_visits: int
    """Visits on all other pages together."""
    is_hidden: bool = False
    """Fewer than k visitors came this way: nothing else is shown."""


@dataclass(frozen=True)
class PathCount:
    """Pages in order, and the visits that saw just these from there on."""

    pages: tuple[str, ...]
    visits: int
    share: float


@dataclass(frozen=True)
class Journey:
    """How visits went on from where they began, or from a page."""

    columns: tuple[Column, ...]
    """One for each page chosen, and one more that shows what came next."""
    paths: tuple[PathCount, ...]
    """The most frequent paths through the chosen pages, of two to five pages (then cut)."""
    other_paths_visits: int
    """Visits that saw two pages or more on other paths."""


def get_journey(
    scope: Scope,
    start: str | None,
    taken: Sequence[str] = (),
    *,
    k: int,
    limit: int = 8,
) -> Journey:
    """Columns of pages from `start`, or from the first page of each visit (None). Three queries.

    `taken` are the pages chosen in the columns, in order; with `start` None the first of them is
    the entry page. Of visits that began in the period. From a page: from the first time that the
    visit saw it. The same page twice running (a reload) is one step. Groups of fewer than k
    visitors are in *other* (tracking.analysis.folding).
    """
    chosen = ([start] if start is not None else []) + list(taken)
    chosen = chosen[: MOST_STEPS + 1]
    texts = _Texts(chosen)
    query, params = _query(scope, start is not None, texts.ids, k=k, limit=limit)
    with raw_cursor() as cursor:
        cursor.execute(query, params)
        rows = cursor.fetchall()
    texts.add({page for row in rows for page in row[1] or () if page})
    depth = min(len(chosen), MOST_STEPS) + 1
    columns = []
    for number in range(depth):
        folded, visits = _folded(rows, number, k, limit)
        is_last = number >= len(chosen)
        columns.append(_column(folded, visits, None if is_last else chosen[number], texts))
        if folded.is_hidden or not visits:
            break
    paths, visits = _folded(rows, depth, k, limit)
    return Journey(
        tuple(columns),
        tuple(
            PathCount(tuple(texts[page] for page in path.key), path.visits, path.visits / visits)
            for path in paths.kept
        ),
        paths.other_visits,
    )


class _Texts:
    """Texts of label ids."""

    def __init__(self, known: Sequence[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT value, id FROM labels WHERE value = ANY(%s)", [list(known)])
            ids = dict(cursor.fetchall())
        # A page that was never seen gets an id that no hit has.
        self.ids = [ids.get(text, -1) for text in known]
        self._texts: dict[int, str] = {number: text for text, number in ids.items()}

    def add(self, ids: set[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, value FROM labels WHERE id = ANY(%s)", [sorted(ids)])
            self._texts |= dict(cursor.fetchall())

    def __getitem__(self, number: int) -> str:
        return self._texts.get(number, "")


def _column(folded: Folded[Any], visits: int, taken: str | None, texts: _Texts) -> Column:
    pages = []
    for group in folded.kept:
        page = group.key[-1]
        path = LEFT if page is None else texts[page]
        is_taken = taken is not None and path == taken
        pages.append(NextPage(path, group.visits, group.visits / visits, is_taken))
    return Column(
        0 if folded.is_hidden else visits, tuple(pages), folded.other_visits, folded.is_hidden
    )


def _folded(rows: Sequence[Any], number: int, k: int, limit: int) -> tuple[Folded[Any], int]:
    """Groups of a column, and the visits of all of them."""
    own = [row for row in rows if row[0] == number]
    _, _, visits, visitors = next(row for row in own if row[1] is None)
    large = [Counted(tuple(row[1]), row[2]) for row in own if row[1] is not None]
    large.sort(key=lambda group: -group.visits)
    return fold(large, visits=visits, visitors=visitors, k=k, limit=limit), visits


_VIEWS = """
v AS MATERIALIZED (SELECT v.id, v.visitor FROM visits v WHERE {visits}),
views AS (
    SELECT h.visit_id, h.path, h.at, h.tag,
        lag(h.path) OVER (PARTITION BY h.visit_id ORDER BY h.at, h.tag) AS previous
    FROM hits h JOIN v ON v.id = h.visit_id WHERE {hits} AND h.kind IN (1, 6)
), moves AS (
    SELECT visit_id, path, row_number() OVER (PARTITION BY visit_id ORDER BY at, tag) AS n
    FROM views WHERE path IS DISTINCT FROM previous
), begun AS ({begun}), pages AS MATERIALIZED (
    SELECT m.visit_id, array_agg(m.path ORDER BY m.n) AS seen FROM moves m JOIN begun
    ON begun.visit_id = m.visit_id AND m.n BETWEEN begun.n AND begun.n + {steps}
    GROUP BY m.visit_id
), journeys AS MATERIALIZED (
    SELECT v.visitor, pages.seen FROM pages JOIN v ON v.id = pages.visit_id
)
"""
_FROM_ENTRY = "SELECT DISTINCT visit_id, 1::bigint AS n FROM moves WHERE n = 1"
_FROM_PAGE = "SELECT visit_id, min(n) AS n FROM moves WHERE path = %s GROUP BY visit_id"


def _query(scope: Scope, from_page: bool, chosen: Sequence[int], *, k: int, limit: int) -> Sql:
    """Rows of (column, pages or null for the total, visits, visitors); large groups only."""
    visits, visit_params = scope.visits()
    hits, hit_params = scope.hits_of_visits()
    views = _VIEWS.format(
        visits=visits,
        hits=hits,
        begun=_FROM_PAGE if from_page else _FROM_ENTRY,
        steps=MOST_STEPS,
    )
    params: Params = [*visit_params, *hit_params, *(chosen[:1] if from_page else [])]
    depth = min(len(chosen), MOST_STEPS) + 1
    parts = []
    for number in range(depth + 1):
        # The last one is of whole paths, the others of the page that follows the chosen ones.
        prefix = list(chosen[: min(number, len(chosen))])
        group = "seen" if number == depth else f"ARRAY[seen[{number + 1}]]"
        counts = "count(*) AS visits, count(DISTINCT visitor) AS visitors"
        where = f"FROM journeys WHERE seen[1:{len(prefix)}] = %s::integer[]"
        if number == depth:
            where += " AND cardinality(seen) > 1"
        parts.append(f"SELECT {number}, NULL::integer[], {counts} {where}")
        parts.append(
            f"(SELECT {number}, {group}, {counts} {where} GROUP BY 2 "
            "HAVING count(DISTINCT visitor) >= %s ORDER BY visits DESC, 2 LIMIT %s)"
        )
        params += [prefix, prefix, k, limit + 1]
    return f"WITH {views} {' UNION ALL '.join(parts)}", params
