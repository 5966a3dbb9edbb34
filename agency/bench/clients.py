"""The figure of new clients: one after the other, and many at once."""

import multiprocessing
import time
from collections.abc import Callable

from django.db import connections

from agency.bench import stage
from agency.bench.figures import Taken
from tenants.migrating import migrate_clients

SINGLE = 10
PROCESSES = 2

Tell = Callable[[str], None]


def new_client_s(*, tell: Tell, many: int) -> Taken:
    """Ten clients one by one; `many` more in two processes, then a migration of all, if not 0."""
    tell(f"new clients: {SINGLE}")
    values = [_seconds(f"bench-new-{number}") for number in range(SINGLE)]
    note = f"{SINGLE} one by one, slowest {max(values):.2f} s."
    details: dict[str, float] = {}
    if many:
        tell(f"new clients: {many} in {PROCESSES} processes")
        connections.close_all()
        began = time.monotonic()
        # Forked, with no connection open: a spawned process would import models before Django.
        with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
            pool.map(_create, [f"bench-many-{number}" for number in range(many)], chunksize=1)
            # Told to end and waited for: terminated, one may wait for a lock that another held.
            pool.close()
            pool.join()
        details["many_created_s"] = time.monotonic() - began
        tell(f"migrating {many} clients")
        began = time.monotonic()
        migrated = migrate_clients()
        details["all_migrated_s"] = time.monotonic() - began
        note += (
            f" {many} more in {details['many_created_s']:.0f} s by {PROCESSES} processes; "
            f"a migration of all {migrated} with nothing to do: {details['all_migrated_s']:.0f} s."
        )
    return Taken("new_client_s", values, note, dict(details))


def _seconds(slug: str) -> float:
    began = time.monotonic()
    stage.bench_client(slug)
    return time.monotonic() - began


def _create(slug: str) -> None:
    stage.bench_client(slug)
