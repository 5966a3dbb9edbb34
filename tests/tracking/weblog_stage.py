"""What the tests of the weblog import share: lines, imports, counts."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

from tenants.models import Client, Site
from tenants.schemas import entered
from tracking.weblogs.imports import import_files
from tracking.weblogs.options import Options
from tracking.weblogs.summary import Summary

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "weblogs"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


def line(
    path: str = "/",
    *,
    at: dt.datetime = START,
    address: str = "192.0.2.7",
    status: int = 200,
    agent: str = CHROME,
    referrer: str = "-",
    method: str = "GET",
    size: int = 100,
) -> str:
    return (
        f'{address} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{method} {path} HTTP/1.1" {status} {size} '
        f'"{referrer}" "{agent}"\n'
    )


def site_of(client: Client) -> Site:
    site: Site = client.sites.get()
    return site


def run(client: Client, *files: Path | str, **options: Any) -> Summary:
    summary = import_files(
        client, site_of(client), [str(file) for file in files], Options(**options)
    )
    for result in summary.files:
        result.tally.check()
        assert result.tally.pending == 0
    return summary


def rows(client: Client, sql: str) -> list[tuple[object, ...]]:
    with entered(client), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def hits(client: Client) -> int:
    return int(str(rows(client, "SELECT count(*) FROM hits")[0][0]))


def wait_until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
