"""manage.py up: everything on this machine, under one parent. `make run` ends here."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from agency import supervisor
from agency.embedded import Postgres, Valkey, start_postgres, start_valkey
from agency.postgres_account import EmbeddedError
from agency.server_holds import make_dirs

HOST = "127.0.0.1"


class Command(BaseCommand):
    """Start the embedded servers, migrate, seed, run all processes; stop all on Ctrl-C."""

    help = "Start everything on this machine; Ctrl-C stops it."
    requires_system_checks: list[str] = []  # the databases are not there yet

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped; exits 1 with one line when it cannot."""
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        parent = os.getppid() if os.environ.get("OUTWARD_STOP_WITH_PARENT") else None
        var: Path = settings.VAR
        try:
            make_dirs(var)
            with supervisor.only_run(var, url=self._address(settings.AGENCY_HOST)) as mark:
                supervisor.require_port(HOST, settings.PORT)
                code = self._run(var, mark, parent)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            code = 0
            self.stdout.write("Stopped.")
        if code:
            sys.exit(code)

    def _run(self, var: Path, mark: str, parent: int | None) -> int:
        """Servers around processes: the servers stop last."""
        servers: list[Postgres | Valkey] = []
        try:
            if not (settings.DATABASE_URL and settings.KEYS_DATABASE_URL):
                servers.append(start_postgres(var))
            if not os.environ.get("OUTWARD_REDIS_URL"):
                servers.append(start_valkey(var))
            self._prepare()
            return supervisor.run(
                supervisor.children(host=HOST, port=settings.PORT),
                mark=mark,
                log=var / "log" / "outward.log",
                health_url=f"http://{HOST}:{settings.PORT}/healthz",
                ready=self._announce,
                parent=parent,
            )
        finally:
            # A second Ctrl-C must not leave the servers running.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for server in reversed(servers):
                server.stop()

    def _prepare(self) -> None:
        """Bring databases and static files up to date; seed a demo into a new database."""
        try:
            call_command("prepare", verbosity=0, stdout=self.stdout)
            call_command("collectstatic", interactive=False, verbosity=0)
            if "seed_demo" in get_commands():
                call_command("seed_demo", "--if-new", stdout=self.stdout)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise EmbeddedError(f"The database could not be prepared: {reason}") from error
        finally:
            connections.close_all()  # honcho forks; a shared connection would be torn

    def _announce(self) -> None:
        """The one line that everything answers, then where to go."""
        self.stdout.write(f"Outward is ready: {self._address(settings.AGENCY_HOST)}")
        self.stdout.flush()

    @staticmethod
    def _address(host: str) -> str:
        return f"http://{host}:{settings.PORT}/"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
