"""Page addresses and names, cleaned so that what is stored names pages and not people.

Pure: values in, values out. Query and fragment of a URL are dropped after the campaign parameters
were read. What remains is masked by `tracking.masking`, and cut to its column.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote_plus

from tracking.addresses import parse_ip
from tracking.masking import IP_MASK, mask_personal

MAX_PATH_BYTES = 1000
MAX_TARGET_BYTES = 1000
MAX_UTM_BYTES = 200
MAX_HOST_BYTES = 253
"""RFC 1035, 2.3.4, without the root's dot."""

_REMEMBERED = 8192
_LONGEST_URL = 8192
"""Characters read of a URL: the collector takes 8 kB, a log line may be longer."""
_MOST_PARAMETERS = 100

CLICK_IDS = frozenset(
    "gclid gbraid wbraid dclid gad_source srsltid msclkid yclid fbclid igshid igsh ttclid twclid"  # noqa: SIM905 - reads better as words
    " li_fat_id epik rdt_cid sccid mc_cid mc_eid _hsenc".split()
)
"""Parameters that advertising and mailing systems add; only their names are read, never their
values, for these single a person out."""


class BadUrlError(ValueError):
    """A text that is no address of a page. Its message never holds the text."""

    code = "bad-url"


class Utm(NamedTuple):
    """The five campaign parameters, "" when not given."""

    source: str = ""
    """utm_source, else `source`, else `ref`."""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""


class PageAddress(NamedTuple):
    """What is kept of a page's URL."""

    host: str
    """Lower case, without port; "" when it is the site's first host, or not given."""
    path: str
    """Starts with "/", at most MAX_PATH_BYTES of UTF-8."""
    utm: Utm
    click_id: str
    """Name (lower case) of the first parameter of CLICK_IDS in the query, "" without one."""


_NO_UTM = Utm()
_PARAMETERS = {
    "utm_source": 0,
    "utm_medium": 1,
    "utm_campaign": 2,
    "utm_term": 3,
    "utm_content": 4,
    "source": 5,
    "ref": 6,
}
_MAYBE_PARAMETER = re.compile(
    r"utm_|source|ref|cl(?:k|ck)?id|braid|cid|eid|fat_id|gad_|srsl|igsh|epik|hsenc", re.IGNORECASE
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[^\x00-\x20\x7f-\xa0\ud800-\udfff\s/?#@\\%<>\"'`{}|^:\[\]]+")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%")
_LONE_PERCENT = re.compile(r"%(?![0-9A-F]{2})")
_PLAIN_PATH = re.compile(r"[A-Za-z/_~!$&'()*,=-]*")
"""Paths in which there is nothing to decode, mask or remove: no digit, no %, no @, no dot."""
_SESSION_PARAMETER = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.IGNORECASE)
_TO_ENCODE = re.compile(r"[\s\"<>\\^`{|}]")
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
"""Control characters (PostgreSQL refuses NUL), invisible and direction-changing ones, lone
surrogates (UTF-8 has none)."""
# RFC 3986, 3.3: what may stand in a path segment as it is, besides letters beyond ASCII.
_PATH_SIGNS = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@ "
)


def read_url(url: str, *, hosts: Sequence[str]) -> PageAddress:
    """Host, path and campaign of a page's URL, or of a path alone ("/a?b=c", as logs have it).

    `hosts` are the site's host names, the first being the one that is stored as "". Raises
    BadUrlError for anything that is neither http(s) nor a path. User, password and port go.
    """
    host, path, utm, click_id = _read_url(url[:_LONGEST_URL])
    if hosts and host:
        if host == _bare_host(hosts[0]):
            host = ""
        elif parse_ip(host) and not any(host == _bare_host(each) for each in hosts):
            host = IP_MASK
    elif host and parse_ip(host):
        host = IP_MASK
    return PageAddress(host, path, utm, click_id)


def clean_text(value: str, max_bytes: int) -> str:
    """A name or value fit to store: masked, without control characters, at most `max_bytes` UTF-8.

    White space is collapsed, letters are composed (NFC), so that equal looks are equal values.
    """
    text = " ".join(value[:_LONGEST_URL].split())
    if not text.isascii() or not text.isprintable():
        text = unicodedata.normalize("NFC", " ".join(_UNWANTED.sub("", text).split()))
    return _mask_and_cut(text, max_bytes).strip()


def _mask_and_cut(text: str, max_bytes: int) -> str:
    """`text` masked, then cut.

    In this order, for half an e-mail address is not known as one; and masked once more after a
    cut, because that can make a postcode out of a longer word.
    """
    masked = mask_personal(text)
    cut = cut_bytes(masked, max_bytes)
    return cut if cut is masked else cut_bytes(mask_personal(cut), max_bytes)


def clean_target(url: str) -> str:
    """Target of an outbound link or download: scheme, host and path, masked.

    Query, fragment, user and password are dropped. Of `mailto:`, `tel:` and other addresses that
    are no web page only the scheme is kept, for the rest names a person. A relative target is a
    path. "" when nothing is left.
    """
    text = _UNWANTED.sub("", url[:_LONGEST_URL]).strip()
    if not text:
        return ""
    scheme, authority, path = _split(text)
    if not scheme and not authority:
        return _clean_path(path)
    if scheme and scheme not in ("http", "https", "ftp", "ftps"):
        return f"{scheme}:"
    host = _host_of(authority)
    if not host:
        return ""
    name = IP_MASK if parse_ip(host) else host
    return _cut_path(f"{scheme or 'https'}://{name}{_clean_path(path)}", MAX_TARGET_BYTES)


def cut_bytes(text: str, max_bytes: int) -> str:
    """`text` cut to `max_bytes` of UTF-8 at the boundary of a character."""
    if len(text) <= max_bytes and (text.isascii() or len(text) * 4 <= max_bytes):
        return text
    raw = text.encode("utf-8", "ignore")
    return text if len(raw) <= max_bytes else raw[:max_bytes].decode("utf-8", "ignore")


def host_of_url(url: str) -> tuple[str, str]:
    """(scheme, host) of a URL, lower case, without user, password and port; "" what is missing."""
    scheme, authority, _ = _split(url)
    return scheme, _host_of(authority)


@functools.lru_cache(_REMEMBERED)
def _read_url(url: str) -> tuple[str, str, Utm, str]:
    text = url.strip()
    head, _, _ = text.partition("#")
    head, _, query = head.partition("?")
    scheme, authority, path = _split(head)
    if scheme:
        host = _host_of(authority) if scheme in ("http", "https") else ""
        if not host:
            raise BadUrlError(
                "not the address of a web page: send a URL with http(s):// and a host"
            )
    else:
        host = _host_of(authority)
        if not path.startswith("/") and not host:
            raise BadUrlError(
                "not the address of a page: send a URL with http(s)://, or a path with /"
            )
    utm, click_id = _read_query(query) if query else (_NO_UTM, "")
    return host, _clean_path(path), utm, click_id


def _split(url: str) -> tuple[str, str, str]:
    """(scheme, authority, path) of a URL, its query and fragment cut off.

    By hand, because urlsplit takes five times as long and raises on half an IPv6 address. As
    browsers do, a back slash counts as a slash (WHATWG URL, 4.4).
    """
    for mark in "#?":
        url = url.partition(mark)[0]
    found = _SCHEME.match(url)
    scheme = found[1].lower() if found else ""
    rest = url[found.end() :] if found else url
    if "\\" in rest:
        rest = rest.replace("\\", "/")
    if not rest.startswith("//"):
        return scheme, "", rest
    authority, slash, path = rest[2:].partition("/")
    return scheme, authority, slash + path


def _host_of(authority: str) -> str:
    """Host name in lower case without user, password, port and closing dot; "" if it is none."""
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        address = parse_ip(host)
        return "" if address is None else str(address)
    host = host.partition(":")[0].rstrip(".").lower()
    return host if len(host) <= MAX_HOST_BYTES and _HOST.fullmatch(host) else ""


@functools.lru_cache(256)
def _bare_host(host: str) -> str:
    """A site's host name as `_host_of` gives it; it may be set with a port."""
    address = parse_ip(host)
    if isinstance(address, IPv6Address):
        return str(address)
    return _host_of(host)


def _read_query(query: str) -> tuple[Utm, str]:
    if not _MAYBE_PARAMETER.search(query):
        return _NO_UTM, ""
    values = [""] * 7
    click_id = ""
    for pair in query.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS]:
        name, _, value = pair.partition("=")
        name = name.lower()
        if not value:
            continue
        place = _PARAMETERS.get(name)
        if place is not None:
            values[place] = values[place] or clean_text(unquote_plus(value), MAX_UTM_BYTES)
        elif not click_id and name in CLICK_IDS:
            click_id = name
    source = values[0] or values[5] or values[6]
    return Utm(source, *values[1:5]), click_id


def _clean_path(path: str) -> str:
    """The path with one form of percent-encoding, without control characters, masked, cut.

    Decoded are letters beyond ASCII and what RFC 3986 lets stand as it is, so /caf%C3%A9 and
    /café are one page; the rest, and what is not UTF-8, stays encoded in capitals.
    """
    if not path.startswith("/"):
        path = f"/{path}"
    if not _PLAIN_PATH.fullmatch(path):
        path = _UNWANTED.sub("", path)
        if "%" in path:
            path = _UNWANTED.sub("", _PERCENT.sub(_decode, path))
        path = _SESSION_PARAMETER.sub("", path)
        if not path.isascii():
            path = unicodedata.normalize("NFC", path)
        # Masked while spaces are spaces, so that an encoded one cannot hide half a postcode.
        path = _TO_ENCODE.sub(_encode, mask_personal(path))
        if "%" in path:
            # An address that began within an encoded sign took half of it along.
            path = _LONE_PERCENT.sub("%25", path)
    return _cut_path(path, MAX_PATH_BYTES)


def _decode(found: re.Match[str]) -> str:
    if found[0] == "%":  # encodes nothing, and must not begin to by what is removed beside it
        return "%25"
    raw = bytes.fromhex(found[0].replace("%", ""))
    text = raw.decode("utf-8", "surrogateescape")
    parts: list[str] = []
    for sign in text:
        code = ord(sign)
        if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
            parts.append(f"%{code - 0xDC00:02X}")
        elif code > 0x7F or sign in _PATH_SIGNS:
            parts.append(sign)
        elif 0x20 < code < 0x7F:
            parts.append(f"%{code:02X}")
    return "".join(parts)


def _encode(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _cut_path(path: str, max_bytes: int) -> str:
    """Cut to `max_bytes`, not within an encoded byte, and masked again where it was cut."""
    cut = cut_bytes(path, max_bytes)
    if cut is path:
        return path
    if "%" in cut[-2:]:
        cut = cut[: cut.rindex("%")]
    return cut_bytes(mask_personal(cut), max_bytes)
