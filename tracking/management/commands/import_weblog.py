"""`manage.py import_weblog CLIENT SITE FILE...`: weblogs into a client's site."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.models import Client, Site
from tracking.weblogs.follow import FollowError
from tracking.weblogs.formats.detect import FORMATS
from tracking.weblogs.formats.logformat import LogFormatError
from tracking.weblogs.imports import import_files
from tracking.weblogs.locks import ImportBusyError
from tracking.weblogs.options import DEFAULT_METHODS, DEFAULT_WORKERS, Options
from tracking.weblogs.progress import shown_progress
from tracking.weblogs.summary import Summary, summary_lines

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


class Command(BaseCommand):
    """See the module."""

    help = (
        "Imports web server logs: common, combined, W3C, JSON lines or an nginx log_format, plain "
        "or compressed. Importing a file again stores nothing twice; an interrupted import is "
        "resumed by the same command."
    )
    # They look at the web edge, which has no part in this and takes a second to load.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("client", help="the client's slug")
        parser.add_argument("site", help="the site's number, key, name or host")
        parser.add_argument("files", nargs="+", metavar="file", help='log files; "-" is stdin')
        parser.add_argument(
            "--log-format",
            default="",
            metavar="FORMAT",
            help=f"one of {', '.join(FORMATS)}, or an nginx log_format; default: detected",
        )
        parser.add_argument(
            "--methods",
            type=_methods,
            default=DEFAULT_METHODS,
            metavar="GET,POST",
            help="request methods to store (default: GET)",
        )
        for flag, what in (
            ("--include-bots", "requests of bots"),
            ("--include-static", "images, style sheets, scripts, feeds and other static files"),
            ("--include-errors", "status 4xx and 5xx; a 404 counts as page not found"),
            ("--include-redirects", "status 3xx other than 304"),
            ("--any-host", "lines whose virtual host is none of the site's"),
        ):
            parser.add_argument(flag, action="store_true", help=f"also store {what}")
        parser.add_argument("--dry-run", action="store_true", help="count, and store nothing")
        parser.add_argument(
            "--follow", action="store_true", help="keep reading the file, through its rotation"
        )
        parser.add_argument(
            "--workers", type=_workers, default=DEFAULT_WORKERS, help="processes (default: 2)"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **given: Any) -> None:
        """Import, print the summary; exits with 1 after a failure and 130 when interrupted."""
        client = _client(given["client"])
        site = _site(client, given["site"])
        options = Options(
            log_format=given["log_format"],
            methods=given["methods"],
            include_bots=given["include_bots"],
            include_static=given["include_static"],
            include_errors=given["include_errors"],
            include_redirects=given["include_redirects"],
            any_host=given["any_host"],
            workers=given["workers"],
            dry_run=given["dry_run"],
        )
        with _stopping() as stop, shown_progress(quiet=given["quiet"]) as progress:
            try:
                summary = import_files(
                    client,
                    site,
                    given["files"],
                    options,
                    progress=progress,
                    stop=lambda: bool(stop),
                    follow=given["follow"],
                )
            except (LogFormatError, FollowError, ImportBusyError) as error:
                raise CommandError(str(error)) from error
        self._show(summary, follow=given["follow"])

    def _show(self, summary: Summary, *, follow: bool) -> None:
        for line in summary_lines(summary):
            self.stdout.write(line)
        if summary.failed:
            sys.exit(EXIT_FAILED)
        if summary.interrupted and not follow:
            self.stdout.write("Interrupted: the same command resumes it.")
            sys.exit(EXIT_INTERRUPTED)


@contextmanager
def _stopping() -> Iterator[list[bool]]:
    """A list that is no longer empty once Ctrl-C or SIGTERM came; a second one breaks off."""
    asked: list[bool] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(True)
        if len(asked) > 1:
            raise KeyboardInterrupt

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _methods(text: str) -> tuple[str, ...]:
    methods = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    if not methods or not all(method.isalpha() for method in methods):
        raise argparse.ArgumentTypeError("name methods with commas, as in GET,POST")
    return methods


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("give a number from 1 to 64")
    return int(text)


def _client(slug: str) -> Client:
    client: Client | None = Client.objects.filter(slug=slug).first()
    if client is None:
        known = ", ".join(Client.objects.values_list("slug", flat=True)[:20])
        raise CommandError(f"there is no client {slug!r}; known: {known or 'none'}")
    return client


def _site(client: Client, text: str) -> Site:
    sites: list[Site] = list(client.sites.all())
    for site in sites:
        if text in (str(site.pk), site.key, site.name) or text.lower() in site.hosts:
            return site
    known = ", ".join(f"{site.pk} ({site.main_host or site.name})" for site in sites)
    raise CommandError(f"{client.slug} has no site {text!r}; known: {known or 'none'}")
