"""Rights of a client's database role: its own schema, and there no more than it needs."""

from typing import Any

from django.db import connection
from psycopg import sql

from tenants.models import Client
from tenants.schemas import owning

APPEND_ONLY = frozenset({"hits"})
"""Tables (and their partitions) from which the client's role can take nothing away."""
HIDDEN = frozenset({"django_migrations"})
"""Tables that only the owner reads."""


def grant_table(cursor: Any, role: str, table: str, append_only: bool) -> None:
    """Give the role its rights on one table of the schema in the search path."""
    rights = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    names = {"table": sql.Identifier(table), "role": sql.Identifier(role)}
    cursor.execute(sql.SQL("REVOKE ALL ON TABLE {table} FROM {role}").format(**names))
    cursor.execute(
        sql.SQL("GRANT {rights} ON TABLE {table} TO {role}").format(rights=sql.SQL(rights), **names)
    )


def grant_client_role(client: Client) -> int:
    """Set the rights on every table of the client's schema anew; returns how many.

    Called when a client is made and after each migration of its schema.
    """
    with owning(client), connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, coalesce(p.relname, c.relname) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_inherits i ON i.inhrelid = c.oid "
            "LEFT JOIN pg_class p ON p.oid = i.inhparent "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'p')",
            [client.schema_name],
        )
        tables = cursor.fetchall()
        names = {
            "schema": sql.Identifier(client.schema_name),
            "role": sql.Identifier(client.db_role),
        }
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
        for table, parent in tables:
            if table not in HIDDEN:
                grant_table(cursor, client.db_role, table, parent in APPEND_ONLY)
        cursor.execute(
            sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}").format(**names)
        )
    return len(tables)
