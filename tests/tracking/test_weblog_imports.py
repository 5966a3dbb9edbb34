"""Weblogs into a client's tables: each line accounted for, each hit once."""

import datetime as dt
import gzip
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenants.crypto import associated_data, unseal
from tenants.keys import find_key
from tenants.models import Client, PrivacySettings, Site
from tenants.schemas import entered
from tests.tracking.weblog_stage import (
    BOT,
    ROOT,
    START,
    hits,
    line,
    rows,
    run,
    site_of,
)
from tracking.hits import Hit, Kind
from tracking.models import Import, ImportState
from tracking.weblogs import imports
from tracking.weblogs.formats.detect import parser_named
from tracking.weblogs.formats.entry import Bad, BadLineError, Skip
from tracking.weblogs.hitmaker import HitMaker
from tracking.weblogs.locks import ImportBusyError, held_as_parent
from tracking.weblogs.options import Options
from tracking.weblogs.summary import FileResult, Summary, summary_lines
from tracking.weblogs.synthetic import write_log
from tracking.weblogs.tally import Tally


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    return new_client()


def test_lines_are_stored_or_skipped_with_their_reason(client: Client, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text(
        line("/a", referrer="https://www.google.com/")
        + line(
            "/b?utm_source=letter&utm_medium=email",
            referrer=f"https://{site_of(client).hosts[0]}/a",
        )
        + line("/c.pdf")
        + line("/app.css")
        + line("/gone", status=404)
        + line("/moved", status=301)
        + line("/film.bin", status=206)
        + line("/form", method="POST")
        + line("/x", agent=BOT)
        + line("/x", agent="-")
        + line("/tomorrow", at=dt.datetime.now(dt.UTC) + dt.timedelta(days=3))
        + "\nnonsense\n"
    )
    tally = run(client, log).tally
    assert tally.skipped == {
        Skip.STATIC: 1, Skip.ERROR: 1, Skip.REDIRECT: 1, Skip.PARTIAL: 1, Skip.METHOD: 1,
        Skip.BOT: 2, Skip.EMPTY: 1,
    }  # fmt: skip
    assert tally.bad == {Bad.FUTURE: 1, Bad.FORMAT: 1}
    assert tally.bad_lines == [(11, Bad.FUTURE), (13, Bad.FORMAT)]
    assert tally.bots == {"Googlebot": 1, "no user agent": 1}
    assert (tally.lines, tally.stored, hits(client)) == (13, 3, 3)
    found = rows(
        client,
        "SELECT path.value, hits.kind, status, bytes_sent, name.value, import_id > 0 FROM hits "
        "JOIN labels path ON path.id = hits.path LEFT JOIN labels name ON name.id = hits.name",
    )
    assert sorted(found, key=str) == [
        ("/a", Kind.PAGEVIEW, 200, 100, None, True),
        ("/b", Kind.PAGEVIEW, 200, 100, None, True),
        ("/c.pdf", Kind.DOWNLOAD, 200, 100, f"https://{site_of(client).hosts[0]}/c.pdf", True),
    ]
    [visit] = rows(
        client,
        "SELECT pageviews, source.value, channel.value, browser.value, country.value FROM visits "
        "JOIN labels source ON source.id = source JOIN labels channel ON channel.id = channel "
        "JOIN labels browser ON browser.id = browser JOIN labels country ON country.id = country",
    )
    assert visit[:4] == (2, "Google", "Organic search", "Chrome")


def test_flags_store_what_is_skipped_otherwise(client: Client, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text(
        line("/app.css") + line("/gone", status=404) + line("/moved", status=301)
        + line("/form", method="POST") + line("/x", agent=BOT)
    )  # fmt: skip
    tally = run(
        client, log, include_static=True, include_errors=True, include_redirects=True,
        include_bots=True, methods=("GET", "POST"),
    ).tally  # fmt: skip
    assert (tally.stored, tally.skipped) == (5, {})
    assert rows(client, "SELECT count(*) FROM hits WHERE kind = 6") == [(1,)]


def test_a_common_log_makes_nobody_a_bot(client: Client, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text('192.0.2.1 - - [02/Mar/2026:09:00:00 +0000] "GET /a HTTP/1.0" 200 5\r\n' * 2)
    tally = run(client, log).tally
    assert (tally.stored, tally.skipped, tally.bots) == (2, {}, {})


def test_importing_twice_and_overlapping_stores_nothing_twice(client: Client, tmp_path: Path):
    lines = [line(f"/p{number}", at=START + dt.timedelta(seconds=number)) for number in range(60)]
    lines[30:30] = [lines[30]] * 2  # three truly equal lines
    first, second = tmp_path / "access.log.1", tmp_path / "access.log"
    first.write_text("".join(lines[:40]))
    second.write_text("".join(lines[20:]))
    assert run(client, first).tally.stored == 40
    again = run(client, first).tally
    assert (again.stored, again.skipped) == (0, {Skip.KNOWN: 40})
    overlap = run(client, second).tally
    assert (overlap.stored, overlap.skipped) == (22, {Skip.KNOWN: 20})
    assert hits(client) == 62
    assert rows(client, "SELECT count(*), sum(pageviews) FROM visits") == [(1, 62)]


@pytest.mark.parametrize("name", ["copy.log.gz", "windows.log", "iis.log"])
def test_a_copy_in_another_dress_is_the_same_log(client: Client, tmp_path: Path, name: str):
    text = "".join(line(f"/{number}") for number in range(5)) + line("/0")
    log, copy = tmp_path / "access.log", tmp_path / name
    log.write_text(text)
    data = {
        "copy.log.gz": gzip.compress(text[:300].encode()) + gzip.compress(text[300:].encode()),
        "windows.log": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        "iis.log": text.encode("utf-16"),
    }[name]
    copy.write_bytes(data)
    assert run(client, log).tally.stored == 6
    assert run(client, copy).tally.skipped == {Skip.KNOWN: 6}


def test_two_workers_store_what_one_stores(new_client: Callable[..., Client], tmp_path: Path):
    log = tmp_path / "big.log"
    write_log(log, 12_000, seed=3)
    one, two = new_client(), new_client()
    for each in (one, two):
        Site.objects.filter(client=each).update(hosts=["www.synthetic.example"])
    alone = run(one, log, workers=1).tally
    limit, imports.SMALL_BYTES = imports.SMALL_BYTES, 0
    try:
        shared = run(two, log, workers=2).tally
    finally:
        imports.SMALL_BYTES = limit
    assert shared == alone
    sums = (
        "SELECT count(*), sum(pageviews), sum(events), count(*) FILTER (WHERE bounced) FROM visits"
    )
    assert rows(one, sums) == rows(two, sums)
    assert hits(one) == hits(two) == alone.stored


def test_a_dry_run_counts_and_writes_nothing(client: Client, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text(line("/a") + line("/b") + line("/app.js"))
    run(client, log, methods=("HEAD",))
    with entered(client):
        Import.objects.all().delete()
    tally = run(client, log, dry_run=True).tally
    assert (tally.stored, tally.skipped) == (2, {Skip.STATIC: 1})
    assert hits(client) == 0
    with entered(client):
        assert not Import.objects.exists()
    run(client, log)
    assert run(client, log, dry_run=True).tally.skipped == {Skip.STATIC: 1, Skip.KNOWN: 2}


def test_other_hosts_are_left_out_unless_asked_for(client: Client, tmp_path: Path):
    own = site_of(client).hosts[0]
    log = tmp_path / "access.log"
    log.write_text(f"{own}:443 {line('/a')}elsewhere.example:443 {line('/b')}")
    assert run(client, log, dry_run=True).tally.skipped == {Skip.OTHER_HOST: 1}
    assert run(client, log, any_host=True).tally.stored == 2
    assert rows(
        client, "SELECT path.value, host.value FROM hits JOIN labels path ON path.id = path "
        "LEFT JOIN labels host ON host.id = host ORDER BY 1"
    ) == [("/a", None), ("/b", "elsewhere.example")]  # fmt: skip


def test_addresses_are_sealed_while_they_may_be_kept_and_gone_otherwise(
    client: Client, tmp_path: Path
):
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    log = tmp_path / "access.log"
    log.write_text(
        line("/old", at=now - dt.timedelta(days=40), address="198.51.100.23")
        + line("/new", at=now - dt.timedelta(days=2), address="198.51.100.23")
    )
    assert run(client, log).tally.stored == 2
    [(visit, key_id, sealed)] = rows(client, "SELECT visit_id, ip_key_id, ip_sealed FROM origins")
    secret, row_id = find_key(int(str(key_id))).secret, int(str(visit)).to_bytes(8, "big")
    assert isinstance(sealed, bytes | memoryview)
    place = associated_data(client.pk, "origins", "ip_sealed", row_id)
    assert unseal(secret, bytes(sealed), place) == bytes([198, 51, 100, 23])


def test_the_truncated_mode_keeps_the_network_only(client: Client, tmp_path: Path):
    PrivacySettings.objects.filter(client=client).update(ip_mode="truncated")
    log = tmp_path / "access.log"
    log.write_text(line("/", at=dt.datetime.now(dt.UTC), address="198.51.100.23"))
    run(client, log)
    [(key_id, sealed)] = rows(client, "SELECT ip_key_id, ip_sealed FROM origins")
    assert (key_id, bytes(sealed)) == (None, bytes([198, 51, 100, 0]))  # type: ignore[call-overload]  # a bytea


def test_no_address_and_no_line_is_left_anywhere(
    client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    address = "198.18.77.201"
    log = tmp_path / "access.log"
    log.write_text(
        line("/a", address=address) + f'{address} broken line SECRET\n{address} - - [x] "'
    )
    summary = run(client, log)
    shown = "\n".join(summary_lines(summary)) + "".join(capfd.readouterr())
    for table in ("imports", "hits", "visits", "labels", "origins"):
        shown += str(rows(client, f"SELECT * FROM {table}"))
    assert summary.tally.bad_total == 2
    assert address not in shown
    assert "SECRET" not in shown
    assert "198.18.77" not in shown


lines_of_all_kinds = st.lists(
    st.sampled_from(
        [
            line("/a"), line("/b.css"), line("/c", agent=BOT), line("/d", status=500), "\n",
            line("/e", method="PUT"), line("/f", status=302), "rubbish\n", line("/g.zip"),
            line("/h", address="-"), line("*", method="GET"), line("//i"), line("/j?\x00"),
        ]
    ),
    max_size=40,
)  # fmt: skip


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=lines_of_all_kinds)
def test_every_line_is_accounted_for(shared_client: Client, tmp_path: Path, lines: list[str]):
    log = tmp_path / "access.log"
    log.write_text("".join(lines))
    before = hits(shared_client)
    tally = run(shared_client, log, log_format="combined").tally
    assert tally.lines == len(lines)
    assert tally.lines == tally.stored + tally.skipped_total + tally.bad_total
    assert sum(tally.bots.values()) == tally.skipped.get(Skip.BOT, 0)
    assert hits(shared_client) - before == tally.stored
    [text] = [row for row in summary_lines(import_summary(tally)) if "lines =" in row]
    assert f"{tally.stored:,} stored" in text


@pytest.fixture(scope="module")
def shared_client(new_client: Callable[..., Client]) -> Client:
    return new_client()


def import_summary(tally: Tally) -> Summary:
    return Summary([FileResult("x", tally, ImportState.FINISHED)], 1.0, False)


def test_one_import_at_a_time_into_a_site(client: Client, tmp_path: Path):
    (tmp_path / "access.log").write_text(line())
    refused: list[str] = []

    def second() -> None:
        try:
            run(client, tmp_path / "access.log")
        except ImportBusyError as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    with held_as_parent(site_of(client).pk):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refused == ["another import into this site is running: wait for its end"]


def test_a_damaged_archive_stores_what_came_before_and_says_so(client: Client, tmp_path: Path):
    log = tmp_path / "access.log.gz"
    text = "".join(line(f"/{number}") for number in range(30_000)).encode()
    log.write_bytes(gzip.compress(text)[:-2_000])
    result = run(client, log).files[0]
    assert "damaged or cut off" in result.error
    assert 0 < result.tally.stored < 30_000
    log.write_bytes(gzip.compress(text))
    assert run(client, log).tally.lines == 30_000
    assert hits(client) >= 30_000


def test_what_cannot_be_read_is_said_and_the_next_file_is_read(client: Client, tmp_path: Path):
    odd, log = tmp_path / "odd.log", tmp_path / "access.log"
    odd.write_text("Feb 14 06:25:00 host haproxy[2]: Proxy started.\n")
    log.write_text(line())
    summary = run(client, odd, tmp_path / "absent.log", log)
    assert [bool(file.error) for file in summary.files] == [True, True, False]
    assert "--log-format" in summary.files[0].error
    assert summary.tally.stored == 1


def test_the_command_prints_a_summary_that_adds_up(client: Client, tmp_path: Path, capsys):
    log = tmp_path / "access.log"
    log.write_text(line("/a") + line("/b", agent=BOT) + "?\n")
    call_command("import_weblog", client.slug, site_of(client).key, str(log), "--quiet")
    text = capsys.readouterr().out
    assert "3 lines = 1 stored + 1 skipped + 1 bad" in text
    assert "bot Googlebot" in text
    assert "bad: not in the expected format (line 3)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "1", "x"], "no client 'nobody'"),
        (["{slug}", "99999999", "x"], "no site '99999999'"),
        (["{slug}", "{site}", "x", "--log-format", "combind"], "neither one of"),
        (["{slug}", "{site}", "-", "--follow"], "takes one file"),
    ],
)
def test_wrong_arguments_are_explained(client: Client, arguments: list[str], message: str):
    given_ = [text.format(slug=client.slug, site=site_of(client).pk) for text in arguments]
    with pytest.raises(CommandError, match=message):
        call_command("import_weblog", *given_)


def test_stdin_is_read(client: Client):
    process = subprocess.run(
        [sys.executable, "manage.py", "import_weblog", client.slug, str(site_of(client).pk), "-"],
        cwd=ROOT, input=gzip.compress((line("/a") + line("/b")).encode()), capture_output=True,
        check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert hits(client) == 2


def test_a_file_followed_for_days_has_no_lines_from_the_future(client: Client):
    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=5)
    maker = HitMaker(imports._settings_of(client, site_of(client)), Options(), began)
    parser, text = parser_named("combined"), line(at=dt.datetime.now(dt.UTC)).strip().encode()
    assert isinstance(maker.make(parser.parse(text), text, Tally()), Hit)
    ahead = line(at=dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strip().encode()
    with pytest.raises(BadLineError, match=Bad.FUTURE):
        maker.make(parser.parse(ahead), ahead, Tally())
