"""nginx `log_format` strings, compiled to a parser.

Source: nginx ngx_http_log_module and the variables of ngx_http_core_module.
"""

import re

from tracking.weblogs.formats.text import QUOTED, Columns, PatternParser

_ROLES: dict[str, str] = {
    "remote_addr": "address",
    "realip_remote_addr": "address",
    "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded",
    "http_x_real_ip": "forwarded",
    "http_cf_connecting_ip": "forwarded",
    "time_local": "time",
    "time_iso8601": "time",
    "msec": "time",
    "request": "request",
    "request_method": "method",
    "request_uri": "target",
    "uri": "target",
    "document_uri": "target",
    "args": "query",
    "query_string": "query",
    "status": "status",
    "body_bytes_sent": "size",
    "bytes_sent": "size",
    "http_referer": "referrer",
    "http_user_agent": "agent",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
}
"""Variable to role; of several variables of one role the first in the format counts."""
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DIRECTIVE = re.compile(r"^\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(.*?);?\s*$", re.DOTALL)
_PIECE = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")

NAMED: dict[str, str] = {
    "npm-proxy": (
        "[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme "
        '$host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] '
        '[Sent-to $server] "$http_user_agent" "$http_referer"'
    ),
    "npm-standard": (
        "[$time_local] $status - $request_method $scheme "
        '$host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] '
        '"$http_user_agent" "$http_referer"'
    ),
    "s3": (
        "$owner $bucket [$time_local] $remote_addr $requester $request_id $operation $key "
        '"$request" $status $error $bytes_sent $object_size $total_ms $turnaround_ms '
        '"$http_referer" "$http_user_agent" $version'
    ),
}
"""Formats known by name, and tried by detection after Apache's and nginx's own."""


class LogFormatError(ValueError):
    """A log_format that cannot be used; the message says what is missing."""

    code = "weblog-log-format"


def compile_log_format(text: str, name: str = "log_format") -> PatternParser:
    """The parser of a log_format: its bare string, or the whole directive as configured.

    Raises LogFormatError when an address, a time or a request is missing, or when two variables
    stand without anything between them.
    """
    pieces = _pieces(_unquoted(text))
    groups: dict[str, int] = {}
    strict, lax = [], []
    for index, (literal, variable) in enumerate(pieces):
        strict.append(re.escape(literal.encode()))
        lax.append(re.escape(literal.encode()))
        if not variable:
            continue
        following = pieces[index + 1][0] if index + 1 < len(pieces) else ""
        if not following and index + 1 < len(pieces):
            raise LogFormatError(
                f"--log-format: nothing stands between ${variable} and ${pieces[index + 1][1]}, "
                "so their values cannot be told apart"
            )
        role = _ROLES.get(variable)
        # Only columns with a role are captured; one that repeats a role is passed over.
        keep = role is not None and role not in groups
        if keep and role is not None:
            groups[role] = len(groups)
        inner = _inner(literal, following)
        strict.append(b"(" + inner + b")" if keep else b"(?:" + inner + b")")
        lax.append(b"(.*?)" if keep else b".*?")
    _check(groups)
    if any(variable == "request_uri" for _, variable in pieces):
        groups.pop("query", None)  # it already holds the query
    return PatternParser(
        name,
        re.compile(b"".join(strict)),
        re.compile(b"".join(lax) + b"$"),
        Columns(**groups),
    )


def _inner(before: str, following: str) -> bytes:
    if before.endswith('"') and following.startswith('"'):
        return QUOTED[1:-1]
    if not following:
        return rb"\S*"
    return b"[^" + re.escape(following[0].encode()) + b"]*"


def _unquoted(text: str) -> str:
    """The format inside a whole directive, whose quoted pieces nginx joins."""
    directive = _DIRECTIVE.match(text)
    if directive is None:
        return text.strip()
    pieces = [single or double for single, double in _PIECE.findall(directive[1])]
    return "".join(pieces) if pieces else directive[1]


def _pieces(text: str) -> list[tuple[str, str]]:
    """(literal, the variable after it) in order; the last may have no variable."""
    pieces: list[tuple[str, str]] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        pieces.append((text[end : match.start()], match[1] or match[2]))
        end = match.end()
    if end < len(text):
        pieces.append((text[end:], ""))
    return pieces


def _check(groups: dict[str, int]) -> None:
    missing = []
    if not {"address", "forwarded"} & groups.keys():
        missing.append("$remote_addr")
    if "time" not in groups:
        missing.append("$time_local, $time_iso8601 or $msec")
    if not {"request", "target"} & groups.keys():
        missing.append("$request or $request_uri")
    if missing:
        raise LogFormatError(f"--log-format needs {'; '.join(missing)}")
