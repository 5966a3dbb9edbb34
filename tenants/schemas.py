"""Entering a client's schema: the one place that does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection as _untyped
from django_tenants.postgresql_backend.base import FakeTenant

from tenants.models import Client

connection: Any = _untyped
"""Django's connection, with what django-tenants adds to it (which has no types)."""


def in_public() -> bool:
    """Whether no client has been entered."""
    return bool(connection.schema_name == settings.PUBLIC_SCHEMA_NAME)


def return_to_public() -> None:
    """Leave whatever schema a command of django-tenants has left the connection in."""
    connection.set_schema_to_public()


@contextmanager
def entered(client: Client) -> Iterator[Client]:
    """Work for one client: its schema alone is searched, with its database role's rights.

    Public tables cannot be read inside; load what is needed of them before. A client's role has
    no right on public tables or on another client's schema, so raw SQL cannot reach them either
    (PostgreSQL answers *permission denied*). Blocks may be nested; leaving restores.
    """
    before, with_public = connection.tenant, connection.include_public_schema
    connection.set_tenant(client, include_public=False)
    try:
        yield client
    finally:
        connection.set_tenant(before, include_public=with_public)


@contextmanager
def owning(client: Client) -> Iterator[Client]:
    """Work in one client's schema as the owner of its tables: for migrations and partitions."""
    before, with_public = connection.tenant, connection.include_public_schema
    connection.set_tenant(FakeTenant(schema_name=client.schema_name), include_public=False)
    try:
        yield client
    finally:
        connection.set_tenant(before, include_public=with_public)
