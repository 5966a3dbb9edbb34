"""manage.py seed_demo: three clients of different kinds, with people, websites and a history."""

import datetime as dt
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agency.demo.logins import demo_logins
from agency.demo.seeding import DemoError, is_wanted, seed_demo


class Command(BaseCommand):
    """Seed the demo; safe to run again, also after it was killed."""

    help = "Make the demo's clients, people and history."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much, and when not."""
        parser.add_argument("--days", type=int, default=90, help="days of history (90)")
        parser.add_argument(
            "--until",
            type=dt.datetime.fromisoformat,
            help="end of the history, such as 2026-11-20T12:00 (UTC unless it says otherwise; now)",
        )
        parser.add_argument(
            "--if-new",
            action="store_true",
            help="only into a database without clients, or to finish an interrupted seeding",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed and print one line."""
        if not 1 <= options["days"] <= 3650:
            raise CommandError("--days: 1 to 3650.")
        if options["if_new"] and not is_wanted():
            return
        until = options["until"]
        if until is not None and until.tzinfo is None:
            until = until.replace(tzinfo=dt.UTC)
        if until is not None and until > dt.datetime.now(dt.UTC):
            raise CommandError("--until: a time that is over.")
        try:
            result = seed_demo(days=options["days"], progress=self._tell, now=until)
        except DemoError as error:
            raise CommandError(str(error)) from None
        self._end_line()
        self.stdout.write(
            f"Demo: {result.clients} clients, {result.people} people, {result.hits:,} hits in "
            f"{result.visits:,} visits, {result.rows:,} sums, in {result.seconds:.1f} s."
        )
        if options["verbosity"] > 1:
            for login in demo_logins():
                self.stdout.write(f"  {login.url}  {login.email}  {login.password}  {login.who}")

    def _tell(self, line: str) -> None:
        """One line that is written over and over on a terminal, and not at all in a log."""
        if sys.stdout.isatty():
            self.stdout.write(f"\r\033[KSeeding the demo. {line} ...", ending="")
            self.stdout.flush()

    def _end_line(self) -> None:
        if sys.stdout.isatty():
            self.stdout.write("\r\033[K", ending="")
