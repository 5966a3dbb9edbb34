"""One import at a time into a site, and none beside what a killed import left running."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tenants.models import Client

_IMPORT = 0x4F57_0001
_WORKERS = 0x4F57_0002
"""First keys of PostgreSQL's advisory locks; the second is the site's id."""


class ImportBusyError(Exception):
    """Another import into the site is running."""

    code = "weblog-import-busy"


def client_of(client_id: int) -> Client:
    """The client, read from the public schema."""
    client: Client = Client.objects.get(pk=client_id)
    return client


@contextmanager
def held_as_parent(site_id: int) -> Iterator[None]:
    """Hold the site; raises ImportBusyError when another import does.

    Waits for the workers of a killed import, which leave by themselves after their last batch.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_IMPORT, site_id])
        if not cursor.fetchone()[0]:
            raise ImportBusyError("another import into this site is running: wait for its end")
        try:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_WORKERS, site_id])
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_WORKERS, site_id])
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_IMPORT, site_id])


@contextmanager
def held_as_worker(site_id: int) -> Iterator[None]:
    """Be seen as a worker of the site until the process ends or leaves the block."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_WORKERS, site_id])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [_WORKERS, site_id])
