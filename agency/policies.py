"""Whether a page's Content-Security-Policy lets our script in. Pure.

Source: W3C Content Security Policy Level 3, 6.1 (directives), 6.7.2 (matching URLs).
"""

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

_FALLBACKS = {
    "script": ("script-src-elem", "script-src", "default-src"),
    "connect": ("connect-src", "default-src"),
}


def blocking_directive(
    policies: Sequence[str], kind: str, url: str, *, page_url: str, nonce: str = ""
) -> str:
    """Name of the directive that refuses `url`, of any policy; empty when none does.

    `kind`: `script` (loading it) or `connect` (sending hits). Each header or meta element may
    hold several policies, and all of them must agree.
    """
    for text in policies:
        for policy in text.split(","):
            directives = _directives(policy)
            name = next((one for one in _FALLBACKS[kind] if one in directives), "")
            if name and not _allows(directives[name], kind, url, page_url, nonce):
                return name
    return ""


def _directives(policy: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            found.setdefault(words[0].lower(), words[1:])  # the first of a name counts
    return found


def _allows(sources: list[str], kind: str, url: str, page_url: str, nonce: str) -> bool:
    if kind == "script":
        if nonce and f"'nonce-{nonce}'" in sources:
            return True
        if "'strict-dynamic'" in sources:
            return False  # names of hosts count for nothing then
    target, page = urlsplit(url), urlsplit(page_url)
    return any(_matches(source, target, page) for source in sources)


def _matches(source: str, target: SplitResult, page: SplitResult) -> bool:
    word = source.lower()
    if word == "*":
        return target.scheme in {"http", "https"}
    if word == "'self'":
        return (target.scheme, target.netloc) == (page.scheme, page.netloc)
    if word.startswith("'"):
        return False
    if word.endswith(":"):
        return _scheme_fits(word[:-1], target.scheme)
    scheme, separator, rest = word.rpartition("://")
    if separator and not _scheme_fits(scheme, target.scheme):
        return False
    if not separator and not _scheme_fits(page.scheme, target.scheme):
        return False
    name, _, path = rest.partition("/")
    host, _, port = name.partition(":")
    return (
        _host_fits(host, target.hostname or "")
        and _port_fits(port, target)
        and (not path or target.path.startswith(f"/{path}") or target.path == f"/{path}")
    )


def _scheme_fits(wanted: str, scheme: str) -> bool:
    """A source of http allows https too."""
    return wanted == scheme or (wanted == "http" and scheme == "https")


def _host_fits(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern == host


def _port_fits(port: str, target: SplitResult) -> bool:
    if port == "*":
        return True
    usual = {"http": 80, "https": 443}.get(target.scheme)
    actual = target.port or usual
    return actual == (int(port) if port.isdecimal() else usual)
