"""Other people's logs, and one far bigger than the memory it may take."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tenants.models import Client
from tests.tracking.weblog_stage import (
    DATA,
    ROOT,
    run,
    site_of,
)
from tracking.addresses import parse_ip
from tracking.weblogs.blocks import blocks_of, lines_of
from tracking.weblogs.formats.detect import detect, parser_named
from tracking.weblogs.formats.entry import Skip
from tracking.weblogs.sources import opened
from tracking.weblogs.synthetic import write_log


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(client: Client, tmp_path: Path):
    peaks = []
    for count in (40_000, 160_000):
        log = tmp_path / f"{count}.log.gz"
        write_log(log, count, seed=9, assets=False)
        code = (
            "import resource, sys; from django.core.management import execute_from_command_line;"
            "execute_from_command_line(sys.argv);"
            "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        process = subprocess.run(
            [sys.executable, "-c", code, "import_weblog", client.slug, str(site_of(client).pk),
             str(log), "--dry-run", "--workers", "1"],
            cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "agency.settings"},
        )  # fmt: skip
        peaks.append(int(process.stdout.rpartition("peak")[2]))
    assert peaks[1] < peaks[0] * 1.35, peaks


shared_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/weblogs is absent")


@shared_data
def test_every_odd_log_ends_in_a_summary(client: Client):
    files = sorted(path for path in (DATA / "odd").rglob("*") if path.is_file())
    assert len(files) > 30
    summary = run(client, *files, any_host=True)
    refused = Counter(file.name for file in summary.files if file.error)
    assert refused.keys() == {"haproxy-logs.log", "logfile_haproxy.0", "iis-xml-logs.log"}
    assert summary.tally.stored > 15


@shared_data
@pytest.mark.parametrize(
    ("name", "valid_elsewhere"),
    [
        ("semicomplete-2015.combined", 10_000),
        ("sparkblogs-2016.combined", 20_309),
        ("iis-254.w3c", 210),
        ("twiki-2004.common", 745),
    ],
)
def test_totals_agree_with_goaccess_where_the_definitions_do(
    client: Client, name: str, valid_elsewhere: int
):
    [path] = DATA.glob(f"{name}.log*")
    theirs = json.loads((DATA / f"{name}.goaccess.json").read_text())["all"]
    tally = run(client, path, dry_run=True, workers=1).tally
    directives = tally.skipped.get(Skip.DIRECTIVE, 0)
    requests = tally.lines - directives - tally.bad_total
    statuses = {int(row["code"][:3]): row["hits"] for row in theirs["status"]}
    assert theirs["general"]["valid_requests"] == valid_elsewhere
    if name == "twiki-2004.common":
        # GoAccess refuses the 661 lines whose server resolved the address to a host name.
        assert requests == valid_elsewhere + theirs["general"]["failed_requests"] == 1_406
        assert all(tally.statuses[status] >= count for status, count in statuses.items())
        return
    assert requests == valid_elsewhere
    assert tally.statuses == statuses
    if name != "iis-254.w3c":  # its GoAccess format did not name the column of bytes
        assert tally.bytes_sent == theirs["general"]["bandwidth"]


@shared_data
@pytest.mark.parametrize(
    "name", ["semicomplete-2015.combined", "sparkblogs-2016.combined", "twiki-2004.common"]
)
def test_visitors_agree_with_goaccess_by_its_definition(name: str):
    [path] = DATA.glob(f"{name}.log*")
    theirs = json.loads((DATA / f"{name}.goaccess.json").read_text())["all"]["general"]
    with opened(str(path)) as source:
        lines = [
            line for block in blocks_of(source.read, key=b"k") for line in lines_of(block.data)
        ]
    parser = parser_named(detect(lines))
    visitors = set()
    for line in lines:
        entry = parser.parse(line)
        # Theirs: address, day as written, user agent; no 4xx, and no host names for addresses.
        if not 400 <= entry.status < 500 and parse_ip(entry.address.decode()):
            day = line.partition(b"[")[2][:11]
            visitors.add((entry.address, day, entry.agent))
    assert len(visitors) == theirs["unique_visitors"]
