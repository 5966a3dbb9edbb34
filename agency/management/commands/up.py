"""manage.py up: everything on this machine, under one parent. `make run` ends here."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from agency import supervisor
from agency.demo.clients import DEMO_CLIENTS
from agency.demo.delivery import LINK_PASSWORD, LINK_TOKEN, SLUG
from agency.demo.logins import demo_logins
from agency.embedded import Postgres, Valkey, start_postgres, start_valkey
from agency.postgres_account import EmbeddedError
from agency.server_holds import NEEDED_MB, make_dirs
from agency.static_files import collect_static_files

HOST = "127.0.0.1"


class Command(BaseCommand):
    """Start the embedded servers, migrate, seed, run all processes; stop all on Ctrl-C."""

    help = "Start everything on this machine; Ctrl-C stops it."
    requires_system_checks: list[str] = []  # the databases are not there yet

    def add_arguments(self, parser: CommandParser) -> None:
        """One choice: a database without made-up clients."""
        parser.add_argument("--no-demo", action="store_true", help="leave a new database empty")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped; exits 1 with one line when it cannot."""
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        parent = os.getppid() if os.environ.get("OUTWARD_STOP_WITH_PARENT") else None
        var: Path = settings.VAR
        try:
            make_dirs(var, NEEDED_MB)
            with supervisor.only_run(var, url=self._address(settings.AGENCY_HOST)) as mark:
                supervisor.require_port(HOST, settings.PORT)
                code = self._run(var, mark, parent, demo=not options["no_demo"])
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except PermissionError as error:
            raise CommandError(
                f"{error.filename} cannot be used by this user: another one made it. Run as that "
                "user, or set OUTWARD_VAR to another folder."
            ) from None
        except KeyboardInterrupt:
            code = 0
            self.stdout.write("Stopped.")
        if code:
            sys.exit(code)

    def _run(self, var: Path, mark: str, parent: int | None, *, demo: bool) -> int:
        """Servers around processes: the servers stop last."""
        servers: list[Postgres | Valkey] = []
        try:
            if not (settings.DATABASE_URL and settings.KEYS_DATABASE_URL):
                servers.append(start_postgres(var))
            if not os.environ.get("OUTWARD_REDIS_URL"):
                servers.append(start_valkey(var))
            addresses = self._prepare(demo=demo)
            return supervisor.run(
                supervisor.children(host=HOST, port=settings.PORT),
                mark=mark,
                log=var / "log" / "outward.log",
                health_url=f"http://{HOST}:{settings.PORT}/healthz",
                ready=lambda: self._announce(addresses),
                tend=lambda: self._tend(servers),
                parent=parent,
            )
        finally:
            # A second Ctrl-C must not leave the servers running.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for server in reversed(servers):
                server.stop()

    def _prepare(self, *, demo: bool) -> list[str]:
        """Bring databases and static files up to date; seed a demo into a new database.

        Returns the lines that tell the demo's addresses and log-ins.
        """
        try:
            call_command("prepare", verbosity=0, stdout=self.stdout)
            collect_static_files()
            if demo:
                call_command("seed_demo", "--if-new", stdout=self.stdout)
            return self._demo_lines()
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise EmbeddedError(f"The database could not be prepared: {reason}") from error
        finally:
            connections.close_all()  # honcho forks; a shared connection would be torn

    def _tend(self, servers: list[Postgres | Valkey]) -> None:
        """Start a server again that was killed; the processes wait for it by themselves."""
        for server in servers:
            try:
                if server.revive():
                    self.stdout.write(f"{type(server).__name__} was killed and is started again.")
            except EmbeddedError as error:
                self.stdout.write(str(error))

    def _demo_lines(self) -> list[str]:
        logins = demo_logins()
        slugs = {login.slug for login in logins}
        clients = [demo for demo in DEMO_CLIENTS if demo.slug in slugs]
        if not clients:
            return []
        return [
            "",
            "Demo websites (click through one, then read its client's report):",
            *(f"  {self._client_address(f'{one.slug}-demo')}  {one.name}" for one in clients),
            "Reports:",
            *(f"  {self._client_address(one.slug)}  {one.name}" for one in clients),
            f'A shared link, its password "{LINK_PASSWORD}":',
            f"  {self._client_address(SLUG)}share/{LINK_TOKEN}/",
            f'Log in with the password "{logins[0].password}" as:',
            *(f"  {login.email}  {login.who}" for login in logins),
            "",
            "Ctrl-C stops everything.",
        ]

    def _announce(self, addresses: list[str]) -> None:
        """The one line that everything answers, then where to go."""
        lines = [f"Outward is ready: {self._address(settings.AGENCY_HOST)}", *addresses]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def _client_address(self, label: str) -> str:
        return self._address(f"{label}.{settings.BASE_DOMAIN}")

    @staticmethod
    def _address(host: str) -> str:
        return f"http://{host}:{settings.PORT}/"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
