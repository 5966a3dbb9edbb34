"""manage.py write: the writer process."""

import gc
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking.writer.consume import Writer


class Command(BaseCommand):
    """Store hits from the stream until told to stop; run any number of them."""

    requires_system_checks: list[str] | tuple[str, ...] = ()  # they would import every page's code
    help = "Store the stream's hits in the clients' schemas, each exactly once, until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which partitions to take part in."""
        parser.add_argument(
            "--partitions",
            help="Only these partitions, such as 0,2 (default: a fair share of all).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write until SIGTERM or SIGINT, then finish the batch in work."""
        writer = Writer(
            settings.REDIS_URL,
            settings.STREAM_PREFIX,
            settings.PARTITIONS,
            _partitions(options["partitions"]),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: writer.stop())
        # Hits make no cycles: usual thresholds would cost a tenth of the time.
        gc.freeze()
        gc.set_threshold(200_000, 20, 20)
        writer.run()
        self.stdout.write(
            f"Stored {writer.stored} hits, {writer.duplicates} duplicates, {writer.dead} dead."
        )


def _partitions(text: str | None) -> frozenset[int] | None:
    if text is None:
        return None
    try:
        numbers = frozenset(int(part) for part in text.split(","))
    except ValueError:
        raise CommandError(f"--partitions {text!r}: write numbers, such as 0,2.") from None
    if not all(0 <= number < settings.PARTITIONS for number in numbers):
        raise CommandError(
            f"--partitions {text!r}: OUTWARD_PARTITIONS is {settings.PARTITIONS}, "
            f"so they are 0 to {settings.PARTITIONS - 1}."
        )
    return numbers
