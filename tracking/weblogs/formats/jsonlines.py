"""JSON lines: Caddy, Traefik, nginx with `escape=json`, Cloudflare, and what names its keys alike.

Sources: Caddy's `http.log.access` (caddyserver.com/docs/caddyfile/directives/log), Traefik's
access log fields (doc.traefik.io/traefik/observe/logs-and-access-logs), Cloudflare Logpush HTTP
requests. Something may stand before the brace (docker compose's service name).
"""

from typing import Any

import msgspec

from tracking.weblogs.formats.entry import (
    EMPTY,
    Bad,
    BadLineError,
    Entry,
    Skip,
    SkippedLineError,
    size_of,
    split_request,
    status_of,
)
from tracking.weblogs.formats.text import client_address
from tracking.weblogs.formats.times import TimeCache, checked

_MAX_PREFIX = 64
_KEYS: dict[str, tuple[str, ...]] = {
    "address": (
        "remote_addr", "ClientHost", "ClientIP", "client_ip", "remote_ip", "clientip", "c_ip",
        "ClientAddr", "ip",
    ),
    "forwarded": ("http_x_forwarded_for", "x_forwarded_for", "request_X-Forwarded-For"),
    "time": (
        "StartUTC", "EdgeStartTimestamp", "time_iso8601", "msec", "time_local", "@timestamp",
        "timestamp", "time", "ts", "datetime",
    ),
    "request": ("request",),
    "method": ("RequestMethod", "ClientRequestMethod", "request_method", "method"),
    "target": ("RequestPath", "ClientRequestURI", "request_uri", "uri", "url", "path"),
    "query": ("args", "query_string"),
    "status": ("DownstreamStatus", "EdgeResponseStatus", "status", "status_code"),
    "size": (
        "DownstreamContentSize", "EdgeResponseBytes", "body_bytes_sent", "bytes_sent", "bytes",
        "size",
    ),
    "referrer": (
        "request_Referer", "ClientRequestReferer", "http_referer", "http_referrer", "referer",
        "referrer",
    ),
    "agent": (
        "request_User-Agent", "ClientRequestUserAgent", "http_user_agent", "user_agent", "agent",
    ),
    "host": ("RequestHost", "ClientRequestHost", "http_host", "host", "server_name", "vhost"),
}  # fmt: skip
"""Role to the keys that carry it, the better first."""

_decoder = msgspec.json.Decoder()


class JsonParser:
    """See Parser."""

    name = "json"

    def __init__(self) -> None:
        self._times = TimeCache()
        self._last: tuple[bytes, Entry] | None = None

    def parse(self, line: bytes) -> Entry:
        """See Parser."""
        last, self._last = self._last, None
        if last is not None and last[0] is line:
            return last[1]
        start = line.find(b"{", 0, _MAX_PREFIX)
        if start < 0:
            raise BadLineError(Bad.JSON)
        try:
            record = _decoder.decode(line[start:] if start else line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadLineError(Bad.JSON) from error
        if not isinstance(record, dict):
            raise BadLineError(Bad.JSON)
        if isinstance(record.get("request"), dict):
            return self._caddy(record, record["request"])
        return self._flat(record)

    def visitor_key(self, line: bytes) -> bytes:
        """See Parser."""
        try:
            entry = self.parse(line)
        except (BadLineError, SkippedLineError):
            return line
        self._last = (line, entry)
        return entry.address

    def _time(self, value: Any) -> int:
        if isinstance(value, float | int) and not isinstance(value, bool):
            seconds = value / 1000 if value > 1e11 else value
            if not 0 < seconds < 1e10:
                raise BadLineError(Bad.TIME)
            return checked(round(seconds * 1_000_000))
        return self._times[_text(value)]

    def _caddy(self, record: dict[str, Any], request: dict[str, Any]) -> Entry:
        headers = request.get("headers")
        headers = headers if isinstance(headers, dict) else {}
        address = next(
            (
                _text(request[key])
                for key in ("client_ip", "remote_ip", "remote_addr")
                if request.get(key)
            ),
            b"",
        )
        if "status" not in record or not request.get("uri"):
            raise SkippedLineError(Skip.NOT_A_REQUEST)  # what a proxy says while at work
        if not address:
            raise BadLineError(Bad.ADDRESS)
        return Entry(
            address=address,
            at_us=self._time(record.get("ts")),
            method=_text(request.get("method")),
            target=_text(request.get("uri")),
            status=status_of(_text(record["status"])),
            size=size_of(_text(record.get("size"))),
            referrer=_header(headers, "Referer"),
            agent=_header(headers, "User-Agent"),
            host=_text(request.get("host")),
        )

    def _flat(self, record: dict[str, Any]) -> Entry:
        method, target = _request(record)
        address = client_address(_first(record, "address"), _first(record, "forwarded"))
        if not address:
            raise BadLineError(Bad.ADDRESS)
        stamp = next((record[key] for key in _KEYS["time"] if key in record), None)
        # Traefik writes a request's headers only when asked to: then the key's absence says so.
        agent = any(key in record for key in _KEYS["agent"])
        return Entry(
            address=address,
            at_us=self._time(stamp),
            method=method,
            target=target,
            status=status_of(_first(record, "status")),
            size=size_of(_first(record, "size")),
            referrer=_first(record, "referrer"),
            agent=_first(record, "agent") if agent else None,
            host=_first(record, "host"),
        )


def _request(record: dict[str, Any]) -> tuple[bytes, bytes]:
    request = record.get("request")
    if isinstance(request, str):
        return split_request(request.encode("utf-8", "replace"))
    target = _first(record, "target")
    if not target:
        raise SkippedLineError(Skip.NOT_A_REQUEST)
    method = _first(record, "method") or b"GET"
    if not method.isalpha():
        raise BadLineError(Bad.REQUEST)
    query = _first(record, "query")
    return method, target + b"?" + query if query and b"?" not in target else target


def _first(record: dict[str, Any], role: str) -> bytes:
    for key in _KEYS[role]:
        value = _text(record.get(key))
        if value:
            return value
    return b""


def _header(headers: dict[str, Any], name: str) -> bytes:
    value = headers.get(name)
    return _text(value[0] if isinstance(value, list) and value else value)


def _text(value: Any) -> bytes:
    """A scalar as text; empty for "-", null, lists and objects."""
    if isinstance(value, str):
        found = value.encode("utf-8", "replace")
        return b"" if found in EMPTY else found
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value).encode()
    return b""
