"""`manage.py apply_retention [CLIENT...]`: removes raw rows past their retention, now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenants.models import Client
from tracking.retention import Removal, apply_retention


class Command(BaseCommand):
    """See the module."""

    help = (
        "Removes visits, hits and origins that are past a client's retention, as the daily job "
        "does. Sums of hours and days stay. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("clients", nargs="*", metavar="client", help="slugs; default: all")
        parser.add_argument(
            "--dry-run", action="store_true", help="count what would go, remove nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each client."""
        slugs: list[str] = options["clients"]
        clients = Client.objects.order_by("slug")
        if slugs:
            clients = clients.filter(slug__in=slugs)
        unknown = sorted(set(slugs) - {client.slug for client in clients})
        if unknown:
            raise CommandError(f"There is no client {unknown[0]}: name one by its slug.")
        now, dry_run = timezone.now(), bool(options["dry_run"])
        for client in clients:
            removal = apply_retention(client, now=now, dry_run=dry_run)
            self.stdout.write(f"{client.slug}: {line_of(removal, dry_run=dry_run)}")


def line_of(removal: Removal, *, dry_run: bool) -> str:
    """1,200 hits, 400 visits, 380 origins of before 2024-10-30 removed, 3 partitions dropped."""
    counts = ", ".join(
        f"{removal.rows.get(table, 0):,} {table}" for table in ("hits", "visits", "origins")
    )
    done, dropped = ("would go", "to drop") if dry_run else ("removed", "dropped")
    line = f"{counts} of before {removal.before:%Y-%m-%d %H:%M} UTC {done}"
    line += f", {len(removal.partitions)} partitions {dropped}"
    return line if removal.is_complete else f"{line}; some wait, run it again"
