"""`manage.py retry_dead_letters`: put hits that could not be stored back on their streams."""

from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking.writer.dead_letters import Which, by_reason, put_back, read_letters


class Command(BaseCommand):
    """Safe to run twice: a hit is stored once, whatever the number of its letters."""

    help = "Put dead letters back on their streams. A hit that is stored already is not counted."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which letters, and whether for good."""
        parser.add_argument("--dry-run", action="store_true", help="say what would go back")
        parser.add_argument("--reason", help="only letters that were buried for this reason")

    def handle(self, *args: Any, **options: Any) -> None:
        """Put back, and print one line with the numbers."""
        valkey = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10)
        try:
            if options["dry_run"]:
                self._say(valkey, options["reason"])
                return
            outcome = put_back(
                valkey,
                acting_user="system:retry_dead_letters",
                which=Which(reason=options["reason"]),
            )
        except redis.RedisError as error:
            raise CommandError(
                f"Valkey does not answer ({type(error).__name__}): start it, then run this again."
            ) from error
        finally:
            valkey.close()
        self.stdout.write(
            f"{outcome.letters} letters ({outcome.hits} hits) are back on their streams; "
            f"{outcome.unreadable} cannot be read and stay."
        )

    def _say(self, valkey: "redis.Redis", reason: str | None) -> None:
        letters = read_letters(valkey, which=Which(reason=reason))
        for words, number, hits in by_reason(letters):
            self.stdout.write(f"{number} letters ({hits} hits): {words}")
        back = [letter for letter in letters if letter.can_go_back]
        self.stdout.write(
            f"{len(back)} letters ({sum(letter.hits for letter in back)} hits) would go back; "
            f"{len(letters) - len(back)} cannot be read and would stay. Nothing was changed."
        )
