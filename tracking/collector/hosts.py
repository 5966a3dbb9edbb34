"""Which pages may send hits to a site: its host names against Origin, Referer and URL."""

import functools
from collections.abc import Sequence
from urllib.parse import urlsplit

_REMEMBERED = 1_000
"""Answers kept per site; origins are few, and made-up ones must not fill the memory."""


class SiteHosts:
    """Host names of one site, as set: `www.example.com`, `localhost:8000`, `*.example.com`."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.names = tuple(host.lower() for host in hosts)
        self._exact = frozenset(name for name in self.names if not name.startswith("*."))
        self._below = tuple(name[1:] for name in self.names if name.startswith("*."))
        self._bare = frozenset(name.partition(":")[0] for name in self._exact)
        self._bare_below = tuple(name.partition(":")[0] for name in self._below)
        self._answers: dict[str, bool] = {}

    def allow_origin(self, origin: str) -> bool:
        """Whether an `Origin` is of the site; as `allow_url`, with a memory."""
        answer = self._answers.get(origin)
        if answer is None:
            answer = self.allow_url(origin)
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            self._answers[origin] = answer
        return answer

    def allow_url(self, url: str) -> bool:
        """Whether a URL is of the site.

        An entry without a port allows every port; one with a port only that port.
        """
        return any(
            name in self._exact or (bool(self._below) and name.endswith(self._below))
            for name in _names_of(url)
        )

    def allow_name(self, host: str) -> bool:
        """Whether a page's host name, known without its port, is of the site."""
        return host in self._bare or (bool(self._bare_below) and host.endswith(self._bare_below))

    @property
    def has_wildcards(self) -> bool:
        """Whether an entry stands for many hosts."""
        return bool(self._below)


@functools.lru_cache(_REMEMBERED)
def host_name(host: str) -> str:
    """Name in a Host header, in small letters, without port."""
    return host.partition(":")[0].lower().rstrip(".")


def _names_of(url: str) -> tuple[str, ...]:
    """(host, host:port) of an http(s) URL in small letters, (host,) without port, () without."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # half an IPv6 address, a port that is no number
        return ()
    if parts.scheme not in ("http", "https") or not host:
        return ()
    host = host.rstrip(".")
    return (host,) if port is None else (host, f"{host}:{port}")
