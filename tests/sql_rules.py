"""The rules of design.md section 9 that a statement can break, read off its parse tree.

Used twice: over the SQL of every migration, and over every statement the suite executes.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import CTEMaterialize, OnConflictAction
from pglast.parser import ParseError

VOLATILE = frozenset(
    {
        *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"),
        *("random", "gen_random_uuid", "uuidv7", "nextval", "setval", "currval"),
    }
)
"""Functions that may not stand in ON CONFLICT DO UPDATE, UPDATE or DELETE (rule 7)."""


def walk(node: Any) -> Iterator[ast.Node]:
    """The node and all below it."""
    if isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from walk(getattr(node, name))
    elif isinstance(node, list | tuple):
        for part in node:
            yield from walk(part)


def tables_in(node: Any) -> set[str]:
    """Names of the tables that the tree names, without those of its common table expressions."""
    own = {n.ctename for n in walk(node) if isinstance(n, ast.CommonTableExpr)}
    return {
        str(n.relname)
        for n in walk(node)
        if isinstance(n, ast.RangeVar) and n.relname not in own and n.schemaname != "pg_catalog"
    }


def functions_in(node: Any) -> set[str]:
    """Names of the functions that the tree calls; CURRENT_TIMESTAMP and its like are `now`."""
    names = {n.funcname[-1].sval for n in walk(node) if isinstance(n, ast.FuncCall) and n.funcname}
    if any(isinstance(n, ast.SQLValueFunction) for n in walk(node)):
        names.add("now")
    return names


@lru_cache(maxsize=20_000)
def broken_rules(
    statement: str, client_tables: frozenset[str], public_tables: frozenset[str]
) -> tuple[str, ...]:
    """What each statement of the text breaks, as sentences; () for text that is not SQL."""
    try:
        trees = [raw.stmt for raw in parse_sql(statement)]
    except ParseError:
        return ()
    found: list[str] = []
    for tree in trees:
        found.extend(_insert_select(tree, client_tables))
        found.extend(_unsettled_functions(tree))
        found.extend(_mixed_schemas(tree, client_tables, public_tables))
        found.extend(_schema_changes(tree))
    return tuple(found)


def _insert_select(tree: Any, client_tables: frozenset[str]) -> Iterator[str]:
    for insert in (n for n in walk(tree) if isinstance(n, ast.InsertStmt)):
        select = insert.selectStmt
        if not isinstance(select, ast.SelectStmt) or select.valuesLists:
            continue
        materialized = {
            cte.ctename
            for node in (insert, select)
            if node.withClause
            for cte in node.withClause.ctes or ()
            if cte.ctematerialized == CTEMaterialize.CTEMaterializeAlways
        }
        sources = {n.relname for n in walk(select.fromClause) if isinstance(n, ast.RangeVar)}
        if sources & client_tables - materialized:
            yield "rule 6: INSERT ... SELECT from a client table without a MATERIALIZED CTE"


def _unsettled_functions(tree: Any) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, ast.OnConflictClause):
            if node.action != OnConflictAction.ONCONFLICT_UPDATE:
                continue
            if functions_in(node.targetList) & VOLATILE:
                yield "rule 7: ON CONFLICT DO UPDATE with a function that is not immutable"
            if any(isinstance(n, ast.SubLink) for n in walk(node.targetList)):
                yield "rule 7: ON CONFLICT DO UPDATE with a sub-query"
        elif isinstance(node, ast.UpdateStmt | ast.DeleteStmt):
            parts = (node.whereClause, getattr(node, "targetList", None))
            if functions_in(parts) & VOLATILE:
                yield "rule 7: UPDATE or DELETE with a volatile function"


def _mixed_schemas(
    tree: Any, client_tables: frozenset[str], public_tables: frozenset[str]
) -> Iterator[str]:
    tables = tables_in(tree)
    if tables & client_tables and tables & public_tables:
        yield "rule 9: one statement names public and client tables"
    schemas = {
        n.schemaname
        for n in walk(tree)
        if isinstance(n, ast.RangeVar) and (n.schemaname or "").startswith("c_")
    }
    if len(schemas) > 1:
        yield "rule 9: one statement names two clients"


def _schema_changes(tree: Any) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, ast.CreateTrigStmt):
            yield "rule 1: a trigger"
        elif isinstance(node, ast.AlterTableCmd):
            name = node.subtype.name if node.subtype else ""
            if name == "AT_DetachPartition" and getattr(node.def_, "concurrent", False):
                yield "rule 4: DETACH CONCURRENTLY"
            if name in {"AT_SetIdentity", "AT_AddIdentity", "AT_DropIdentity"}:
                yield "rule 3: an identity column is altered"
        elif isinstance(node, ast.CopyStmt) and node.whereClause is not None:
            yield "rule 8: COPY ... WHERE"
