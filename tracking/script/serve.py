"""The script as one client's pages get it: settings put in, compressed, with its headers."""

import dataclasses
import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tenants.models import CookieMode
from tracking.script.build import built_path

Encoding = Literal["identity", "gzip"]

_GPC = "navigator.globalPrivacyControl"
_DNT = "navigator.doNotTrack==1"
_COOKIE_CODES = {CookieMode.NEVER: "0", CookieMode.CONSENT: "1", CookieMode.EXEMPT: "3"}
_ZERO_WEIGHT = re.compile(r"q=0(\.0*)?")


@dataclasses.dataclass(frozen=True, slots=True)
class ScriptConfig:
    """A client's settings that the script acts on; the collector enforces them all again."""

    honour_gpc: bool = True
    honour_dnt: bool = True
    cookie_mode: CookieMode = CookieMode.NEVER


class ScriptResponse(NamedTuple):
    """An answer to GET /outward.js, for any number of requests."""

    headers: dict[str, str]
    """Lower-case names; all but content-encoding and content-length."""
    bodies: Mapping[Encoding, bytes]


class ScriptNotBuiltError(Exception):
    """The minified script is missing; the message says what to do."""

    code = "script-not-built"


def available(out_dir: Path | None = None) -> bool:
    """Whether the script has been built."""
    return built_path(out_dir).is_file()


def script_response(config: ScriptConfig, *, out_dir: Path | None = None) -> ScriptResponse:
    """The script for `config`; raises ScriptNotBuiltError.

    Reads and compresses the file each time (2 ms): keep the result, there are 12 different ones.
    The weak ETag serves both encodings, as RFC 9110, 8.8.1 allows.
    """
    config = dataclasses.replace(config, cookie_mode=CookieMode(config.cookie_mode))
    path = built_path(out_dir)
    try:
        minified = path.read_text("utf-8")
    except FileNotFoundError:
        raise ScriptNotBuiltError(
            "outward.js is not built: run python -m tracking.script.build"
        ) from None
    body = _with_settings(minified, config).encode()
    headers = {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": _cache_control(config.cookie_mode),
        "etag": f'W/"{hashlib.sha256(body).hexdigest()[:16]}"',
        "vary": "accept-encoding",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }
    return ScriptResponse(headers, {"identity": body, "gzip": gzip.compress(body, 9, mtime=0)})


@functools.lru_cache(256)
def choose_encoding(accept_encoding: str) -> Encoding:
    """`gzip` where the Accept-Encoding header allows it (RFC 9110, 12.5.3), else identity."""
    for item in accept_encoding.lower().split(","):
        name, _, weight = item.replace(" ", "").partition(";")
        if name in ("gzip", "*"):
            return "identity" if _ZERO_WEIGHT.fullmatch(weight) else "gzip"
    return "identity"


def is_unchanged(if_none_match: str, etag: str) -> bool:
    """Whether 304 is the answer: the weak comparison of RFC 9110, 13.1.2."""
    opaque = etag.removeprefix("W/")
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in (opaque, "*") for tag in tags)


def _with_settings(minified: str, config: ScriptConfig) -> str:
    honoured = [_GPC] * config.honour_gpc + [_DNT] * config.honour_dnt
    others = [_GPC] * (not config.honour_gpc) + [_DNT] * (not config.honour_dnt)
    cookie = _COOKIE_CODES[config.cookie_mode]
    if config.cookie_mode is CookieMode.EXEMPT and others:
        # Nobody was asked, so a signal that is not honoured otherwise still forbids the cookie.
        cookie = f"{'||'.join(others)}?0:3"
    return minified.replace("OUTWARD_OBJECTION", "||".join(honoured) or "0").replace(
        "OUTWARD_COOKIE", cookie
    )


def _cache_control(cookie_mode: CookieMode) -> str:
    """A day, and a week more while a newer one is fetched: a stale script does no harm.

    What it still sends is judged by the collector by the settings in force, and a cookie is set
    only when the page says that the visitor agreed. Under an exemption nobody says so: a script
    from before its end would go on setting cookies, so there an hour must do.
    """
    if cookie_mode is CookieMode.EXEMPT:
        return "public, max-age=3600"
    return "public, max-age=86400, stale-while-revalidate=604800"
