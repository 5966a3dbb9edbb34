"""manage.py prepare: migrate the keys database, the shared schema and every client's schema."""

import time
from typing import Any

from django.core.management.base import BaseCommand

from tenants.migrating import migrate_all


class Command(BaseCommand):
    """Bring all databases to the code's state; safe to run twice."""

    help = "Migrate the keys database, the shared schema and every client's schema."

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate and say how many clients there are."""
        started = time.monotonic()
        clients = migrate_all(verbosity=max(0, options["verbosity"] - 1))
        seconds = time.monotonic() - started
        self.stdout.write(f"Databases are up to date, {clients} clients, {seconds:.1f} s.")
