"""PostgreSQL engine that takes a client's database role together with its schema.

django-tenants sets `search_path` lazily, before the first statement after a change of tenant.
This engine sets the role at the same moment, so whatever enters a client (our `entered`, a
Celery task, django-tenants' own context managers given a `Client`) works with that client's
rights only. A tenant without a role (public, a migration) works as the owner.
"""

from typing import Any

from django.db.utils import DatabaseError
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsWrapper
from psycopg import sql

_OWNER = ""


class DatabaseWrapper(TenantsWrapper):  # type: ignore[misc]  # django-tenants has no types
    """django-tenants' wrapper with `SET ROLE`."""

    search_path_set_schemas: list[str] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._role_in_force: str | None = None
        super().__init__(*args, **kwargs)

    def _handle_search_path(self, cursor: Any = None) -> None:
        nested = self._setting_search_path
        known = self.search_path_set_schemas
        super()._handle_search_path(cursor)
        if nested or (known and known is self.search_path_set_schemas):
            return
        if self.search_path_set_schemas is None:
            return  # the transaction has failed already: nothing but a rollback can follow
        try:
            with self.wrap_database_errors:
                self._take_role()
        except DatabaseError:
            self.search_path_set_schemas = None
            raise

    def _take_role(self) -> None:
        """Switch to the tenant's role, or back to the owner's; raises rather than stay."""
        wanted = getattr(self.tenant, "db_role", None) or _OWNER
        statement = (
            sql.SQL("SET ROLE {}").format(sql.Identifier(wanted))
            if wanted
            else sql.SQL("RESET ROLE")
        )
        if wanted or self._role_in_force != _OWNER:
            # Our own cursor: a SET on the caller's would count among its queries.
            with self.connection.cursor() as cursor:
                cursor.execute(statement)
        self._role_in_force = wanted

    def close(self) -> None:
        """Forget the role with the connection."""
        self._role_in_force = None
        super().close()

    def rollback(self) -> None:
        """Forget the role: a SET is undone with its transaction."""
        self._role_in_force = None
        super().rollback()

    def savepoint_rollback(self, sid: str) -> None:
        """Forget the role, as in `rollback`."""
        self._role_in_force = None
        super().savepoint_rollback(sid)
