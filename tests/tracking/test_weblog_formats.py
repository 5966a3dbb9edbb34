"""Formats: every one parsed, told apart, and no line that makes a parser fail otherwise."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracking.weblogs.formats.detect import FORMATS, UnknownFormatError, detect, parser_named
from tracking.weblogs.formats.entry import (
    Bad,
    BadLineError,
    Entry,
    Skip,
    SkippedLineError,
    unescape,
)
from tracking.weblogs.formats.logformat import LogFormatError, compile_log_format
from tracking.weblogs.formats.text import client_address
from tracking.weblogs.formats.times import TimeCache, parse_any, parse_common, parse_iso

AT_US = 1_431_857_103_000_000  # 2015-05-17 10:05:03 UTC
COMBINED = (
    b'192.0.2.7 - frank [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 512 '
    b'"https://example.org/x" "Mozilla/5.0 (X11)"'
)
EXPECTED = Entry(
    address=b"192.0.2.7",
    at_us=AT_US,
    method=b"GET",
    target=b"/a?b=c",
    status=200,
    size=512,
    referrer=b"https://example.org/x",
    agent=b"Mozilla/5.0 (X11)",
    host=b"",
)


def parse(name: str, line: bytes) -> Entry:
    return parser_named(name).parse(line)


def reason(name: str, line: bytes) -> Bad | Skip:
    try:
        parse(name, line)
    except (BadLineError, SkippedLineError) as refused:
        return refused.reason
    raise AssertionError("the line was taken")


def test_combined_is_read():
    assert parse("combined", COMBINED) == EXPECTED


def test_common_has_no_user_agent_rather_than_an_empty_one():
    entry = parse("common", COMBINED[: COMBINED.index(b' "https')])
    assert entry == EXPECTED._replace(referrer=b"", agent=None)


def test_a_virtual_host_stands_in_front():
    entry = parse("vhost_combined", b"www.example.com:443 " + COMBINED)
    assert entry == EXPECTED._replace(host=b"www.example.com:443")


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (COMBINED + b' 12 "router@docker" "http://10.0.0.1:80" 3ms', {}),
        (COMBINED.replace(b"frank", b"ACME\\jo smith"), {}),
        (COMBINED[:-1], {}),  # an unclosed user agent ends with the line
        (COMBINED.replace(b" 512 ", b" - "), {"size": 0}),
        (COMBINED.replace(b'"Mozilla/5.0 (X11)"', b'"-"'), {"agent": b""}),
        (COMBINED.replace(b"/a?b=c", b"/a b"), {"target": b"/a b"}),
        (COMBINED.replace(b"/a?b=c", rb"/\xc3\xa9\"x"), {"target": '/é"x'.encode()}),
        (COMBINED.replace(b"/a?b=c", b'/"quoted"'), {"target": b'/"quoted"'}),
        (COMBINED.replace(b" HTTP/1.1", b""), {}),
        (COMBINED.replace(b"192.0.2.7", b"host.example.net"), {"address": b"host.example.net"}),
        (COMBINED.replace(b"10:05:03 +0000", b"12:35:03 +0230"), {}),
        (COMBINED.replace(b"10:05:03 +0000", b"06:35:03 -0330"), {}),
    ],
)
def test_what_servers_really_write_is_read(line: bytes, change: dict[str, Any]):
    assert parse("combined", line) == EXPECTED._replace(**change)


def test_a_request_line_beyond_4095_bytes_is_one_line():
    target = b"/" + b"x" * 100_000
    assert parse("combined", COMBINED.replace(b"/a?b=c", target)).target == target


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"nonsense", Bad.FORMAT),
        (COMBINED.replace(b"May", b"Mai"), Bad.TIME),
        (COMBINED.replace(b"17/May", b"31/Feb"), Bad.TIME),
        (COMBINED.replace(b":10:05:03", b":25:05:03"), Bad.TIME),
        (COMBINED.replace(b"2015", b"1970"), Bad.TIME),
        (COMBINED.replace(b"GET /a?b=c HTTP/1.1", rb"\x16\x03\x01"), Bad.REQUEST),
        (COMBINED.replace(b"GET /a?b=c HTTP/1.1", rb"\x16 \x03\x01"), Bad.REQUEST),
        (COMBINED.replace(b"GET /a?b=c HTTP/1.1", b"-"), Skip.NOT_A_REQUEST),
        (COMBINED.replace(b"192.0.2.7", b"-"), Bad.ADDRESS),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: bytes, expected: Bad | Skip):
    assert reason("combined", line) is expected


W3C_FIELDS = (
    b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) "
    b"cs(Referer) sc-status sc-bytes"
)
W3C_LINE = (
    b"2015-05-17 10:05:03 10.0.0.1 GET /a b=c 80 192.0.2.7 Mozilla/5.0+(X11) "
    b"https://example.org/x 200 512"
)
W3C = [b"#Software: Microsoft Internet Information Services 10.0", W3C_FIELDS, W3C_LINE]


def test_w3c_takes_its_columns_from_fields_and_its_times_as_utc():
    parser = parser_named("w3c")
    for line in W3C[:2]:
        with pytest.raises(SkippedLineError) as raised:
            parser.parse(line)
        assert raised.value.reason is Skip.DIRECTIVE
    assert parser.parse(W3C[2]) == EXPECTED


def test_w3c_fields_may_change_in_the_middle():
    parser = parser_named("w3c")
    for line in W3C[:2]:
        parser.visitor_key(line)
    parser.parse(W3C[2])
    parser.visitor_key(b"#Date: 2015-05-17 10:00:00")
    parser.visitor_key(b"#Fields: time c-ip cs-method cs-uri-stem sc-status")
    entry = parser.parse(b"10:05:03 192.0.2.7 GET /a 404")
    assert (entry.at_us, entry.status, entry.agent) == (AT_US, 404, None)
    with pytest.raises(BadLineError, match=Bad.FORMAT):
        parser.parse(W3C[2])


def test_w3c_without_fields_is_bad_and_not_a_crash():
    assert reason("w3c", W3C[2]) is Bad.FIELDS


def test_cloudfront_writes_tabs_and_double_encoded_agents():
    parser = parser_named("w3c")
    parser.visitor_key(b"#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status "
                       b"cs(User-Agent) x-host-header")  # fmt: skip
    entry = parser.parse(
        b"2015-05-17\t10:05:03\t192.0.2.7\tGET\tx.cloudfront.net\t/a\t200\t"
        b"Mozilla/5.0%2520(X11)\twww.example.com"
    )
    assert (entry.agent, entry.host) == (b"Mozilla/5.0 (X11)", b"www.example.com")


CADDY = {
    "level": "info",
    "ts": 1431857103.25,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.2",
        "client_ip": "192.0.2.7",
        "method": "GET",
        "host": "www.example.com",
        "uri": "/a?b=c",
        "headers": {"User-Agent": ["Mozilla/5.0 (X11)"], "Referer": ["https://example.org/x"]},
    },
    "size": 512,
    "status": 200,
}
TRAEFIK = {
    "ClientHost": "192.0.2.7",
    "ClientAddr": "192.0.2.7:5000",
    "DownstreamContentSize": 512,
    "DownstreamStatus": 200,
    "RequestHost": "www.example.com",
    "RequestMethod": "GET",
    "RequestPath": "/a?b=c",
    "StartUTC": "2015-05-17T10:05:03.250000000Z",
    "request_User-Agent": "Mozilla/5.0 (X11)",
    "request_Referer": "https://example.org/x",
}
NGINX = {
    "remote_addr": "192.0.2.7",
    "time_iso8601": "2015-05-17T12:05:03.25+02:00",
    "request": "GET /a?b=c HTTP/1.1",
    "status": "200",
    "body_bytes_sent": "512",
    "http_referer": "https://example.org/x",
    "http_user_agent": "Mozilla/5.0 (X11)",
    "host": "www.example.com",
}


@pytest.mark.parametrize("record", [CADDY, TRAEFIK, NGINX], ids=["caddy", "traefik", "nginx"])
@pytest.mark.parametrize("prefix", [b"", b"caddy-1  | "])
def test_json_lines_are_read(record: dict[str, object], prefix: bytes):
    entry = parse("json", prefix + json.dumps(record).encode())
    assert entry == EXPECTED._replace(at_us=AT_US + 250_000, host=b"www.example.com")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"level": "info", "msg": "serving initial configuration"}, Skip.NOT_A_REQUEST),
        ({**TRAEFIK, "StartUTC": "yesterday"}, Bad.TIME),
        ({**TRAEFIK, "ClientHost": "", "ClientAddr": None}, Bad.ADDRESS),
        ({**CADDY, "ts": True}, Bad.TIME),
    ],
)
def test_json_that_is_no_request_is_told_from_a_broken_one(
    record: dict[str, object], expected: Bad | Skip
):
    assert reason("json", json.dumps(record).encode()) is expected


def test_a_cut_json_line_is_bad():
    assert reason("json", json.dumps(CADDY).encode()[:-10]) is Bad.JSON


NGINX_MAIN = (
    "log_format main '$remote_addr - $remote_user [$time_local] \"$request\" '\n"
    "                '$status $body_bytes_sent \"$http_referer\" '\n"
    "                '\"$http_user_agent\" $host ${request_time}s';"
)


def test_an_nginx_directive_is_taken_as_configured():
    parser = compile_log_format(NGINX_MAIN)
    assert parser.parse(COMBINED + b" www.example.com 0.002s") == EXPECTED._replace(
        host=b"www.example.com"
    )


def test_a_log_format_of_its_own_order_is_read():
    parser = compile_log_format("$msec|$request_method|$uri|$args|$status|$remote_addr")
    entry = parser.parse(b"1431857103.250|GET|/a|b=c|200|192.0.2.7")
    assert entry == EXPECTED._replace(at_us=AT_US + 250_000, size=0, referrer=b"", agent=None)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('[$time_local] "$request"', "remote_addr"),
        ('$remote_addr "$request"', "time_local"),
        ("$remote_addr [$time_local]", "request"),
        ("$remote_addr$msec $request", "nothing stands between"),
        ("combind", "neither"),
    ],
)
def test_an_unusable_log_format_says_what_it_lacks(text: str, missing: str):
    with pytest.raises(LogFormatError, match=missing):
        parser_named(text)


def test_behind_a_private_proxy_the_forwarded_address_counts():
    assert client_address(b"10.0.0.5", b"203.0.113.9, 198.51.100.7, 10.0.0.9") == b"198.51.100.7"
    assert client_address(b"198.51.100.7", b"203.0.113.9") == b"198.51.100.7"
    assert client_address(b"-", b"203.0.113.9") == b"203.0.113.9"


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([COMBINED] * 3 + [b"junk"], "combined"),
        ([COMBINED[: COMBINED.index(b' "https')]], "common"),
        ([b"www.example.com " + COMBINED], "vhost_combined"),
        (W3C, "w3c"),
        ([json.dumps(CADDY).encode()], "json"),
        ([], "combined"),
    ],
)
def test_formats_are_told_apart(lines: list[bytes], name: str):
    assert detect(lines) == name


def test_an_unknown_format_names_what_was_expected():
    with pytest.raises(UnknownFormatError, match="--log-format"):
        detect([b"Feb 14 06:25:00 host haproxy[2]: Proxy started."])


clocks = st.integers(1991 * 366, 2090 * 365).flatmap(
    lambda day: st.times().map(lambda at: dt.datetime.combine(dt.date.fromordinal(day), at))
)
safe = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=60
)


@given(
    at=clocks,
    offset=st.integers(-14 * 4, 14 * 4),
    path=safe,
    agent=safe,
    status=st.integers(100, 599),
    size=st.integers(0, 10**15),
)
def test_a_line_written_as_apache_does_reads_back(
    at: dt.datetime, offset: int, path: str, agent: str, status: int, size: int
):
    zone = dt.timezone(dt.timedelta(minutes=15 * offset))
    local = at.replace(microsecond=0, tzinfo=zone)
    target = "/" + path.replace(" ", "+")
    line = (
        f'203.0.113.1 - - [{local:%d/%b/%Y:%H:%M:%S %z}] "GET {_escaped(target)} HTTP/1.1" '
        f'{status} {size} "-" "{_escaped(agent)}"'
    )
    entry = parse("combined", line.encode("ascii"))
    assert entry.at_us == int(local.timestamp()) * 1_000_000
    assert entry.target.decode() == target
    assert entry.agent is not None
    assert entry.agent.decode() == (agent if agent != "-" else "")
    assert (entry.status, entry.size) == (status, size)


def _escaped(text: str) -> str:
    r"""As Apache's mod_log_config: \" and \\, other bytes beyond ASCII as \xHH."""
    return "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if byte < 128 else f"\\x{byte:02x}"
        for byte in text.encode()
    )


@given(st.binary(max_size=200))
@example(COMBINED.replace(b"200", b"20"))
@example(b'{"request": {"uri": "/"}, "status": 200, "ts": 1e400}')
@example(b'{"ClientHost": "x", "RequestPath": "/", "time": -1}')
@example(b"[" * 5000)
def test_no_bytes_make_a_parser_fail_otherwise(line: bytes):
    for name in FORMATS:
        parser = parser_named(name)
        for text in (line, b"#Fields: date time c-ip cs-uri-stem", line):
            assert isinstance(parser.visitor_key(text), bytes)
            try:
                entry = parser.parse(text)
            except (BadLineError, SkippedLineError):
                continue
            assert entry.address
            assert entry.at_us > 0


@given(clocks, st.integers(0, 999_999))
def test_times_are_exact_to_the_microsecond(at: dt.datetime, micros: int):
    at = at.replace(microsecond=micros, tzinfo=dt.UTC)
    expected = (int(at.replace(microsecond=0).timestamp())) * 1_000_000 + micros
    assert parse_iso(at.isoformat(timespec="microseconds").encode()) == expected
    assert parse_iso(at.astimezone(dt.timezone(dt.timedelta(hours=-9))).isoformat().encode()) == (
        expected
    )
    common = f"{at:%d/%b/%Y:%H:%M:%S} +0000".encode()
    assert parse_common(common) == expected - micros == TimeCache().at(common)
    if 10**9 <= expected // 10**6 < 10**10:
        assert parse_any(f"{expected // 10**6}.{micros:06d}".encode()) == expected


@given(st.binary(max_size=60))
def test_unescaping_undoes_escaping(value: bytes):
    escaped = b"".join(b"\\x%02x" % byte for byte in value)
    assert unescape(escaped) == value
