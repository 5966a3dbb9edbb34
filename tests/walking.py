"""Walking the addresses of a host: which there are, who tries them, what a refusal looks like."""

import collections
import dataclasses
import importlib
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tenants.models import User
from tenants.session_store import HOST

PUBLIC = {
    "log_in": "where people log in",
    "account_login": "the same, by allauth's name",
    "log_out": "ends the session of whoever asks",
    "account_logout": "the same, by allauth's name",
    "accent": "the log-in page has the client's colour",
    "logo": "the log-in page has the client's logo",
    "mark": "the log-in page has the client's mark in the browser's tab",
    "accept_invitation": "its link is the key, and names the invited address only",
    "enter": "its token is the key: one host, one minute, one use",
    "account_inactive": "says that an account is closed, not whose",
    "account_reset_password": "for who cannot log in",
    "account_reset_password_done": "the same words for every address",
    "account_reset_password_from_key": "its link is the key",
    "account_reset_password_from_key_done": "the same words for everybody",
    "share": "its link is the key, with a password where the client set one",
    "embed": "its link is the key, and it shows what the client embeds on its own pages",
    "mail_confirm": "its link is the key, and names nothing but the report's name",
    "mail_unsubscribe": "its link is the key, and stops a mail",
    "mfa_login_webauthn": "a challenge, the same for everybody",
    "mfa_authenticate": "sends to the log-in who has not begun one",
    "openid_connect_login": "404 unless a provider is configured",
    "openid_connect_callback": "404 unless a provider is configured",
    "socialaccount_login_cancelled": "the same words for everybody",
    "socialaccount_login_error": "the same words for everybody",
}
"""Addresses that anybody may ask for, and why; nothing of a client's report is on them."""
FOR_PROGRAMS = frozenset({"api_query", "api_sites"})
"""Addresses that ask for a key instead of a log-in."""
OWN = {
    pattern.name for pattern in importlib.import_module("agency.urls_accounts").urlpatterns
} - set(PUBLIC)
"""Pages of one's own account: whoever is logged in sees their own, and nothing of a client."""
SECRETS = ("/sites/", "viewer@alpha.example", "analyst@agency.example")
"""Words that no page for outsiders may hold."""


@dataclasses.dataclass(frozen=True)
class Address:
    """One address of a host."""

    name: str
    path: str


def patterns(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern, set[str]]]:
    """All patterns below the resolver: full name, pattern, names of all its arguments."""
    for entry in resolver.url_patterns:
        names = argument_names(entry)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            for name, pattern, more in patterns(entry, inner):
                yield name, pattern, names | more
        else:
            assert entry.name, f"{entry} has no name"
            yield space + entry.name, entry, names


def argument_names(entry: URLPattern | URLResolver) -> set[str]:
    """Arguments of a path() or a re_path()."""
    regex = getattr(entry.pattern, "regex", None)
    return set(entry.pattern.converters) | set(regex.groupindex if regex else ())


def addresses(urlconf: str, known: dict[str, Any]) -> list[Address]:
    """Every address of the urlconf, each argument filled in; fails on one that is not known."""
    found = {}
    for name, _, wanted in patterns(get_resolver(urlconf)):
        missing = wanted - set(known)
        assert not missing, f"{name}: say in `things_of` what {sorted(missing)} stand for"
        path = reverse(name, urlconf, kwargs={one: known[one] for one in wanted})
        found[path] = Address(name, path)
    return list(found.values())


def browser_of(user: User | None, host: str) -> Browser:
    """A browser with a session of the user on the host, whether they may be there or not.

    Stronger than logging in: it is what somebody has whose role was taken away meanwhile.
    """
    browser = Browser(headers={"host": host}, raise_request_exception=True)
    if user is not None:
        browser.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        session = browser.session
        session[HOST] = host
        session.save()
    return browser


def shows_nothing(reply: Any, name: str = "") -> bool:
    """Whether the reply sends to the log-in page or knows of nothing, as outsiders are told.

    Not 403, which says that there is something; 401 is for programs, which have no log-in page.
    """
    if reply.status_code == 302:
        return str(reply["Location"]).startswith("/log-in/")
    return reply.status_code in ({404, 405, 401} if name in FOR_PROGRAMS else {404, 405})


class Walk:
    """Tries addresses and counts."""

    def __init__(self) -> None:
        self.tried: collections.Counter[str] = collections.Counter()
        self.addresses: set[tuple[str, str]] = set()

    def outsider(self, person: str, user: User | None, host: str, found: list[Address]) -> None:
        """Every address by GET and POST: nothing of the client is seen, nothing changed."""
        browser = browser_of(user, host)
        for address in found:
            for method in ("get", "post"):
                if user and SESSION_KEY not in browser.session:
                    browser = browser_of(user, host)  # some addresses end the session, by design
                reply = getattr(browser, method)(address.path)
                self.count(person, host, address)
                where = f"{person} {method.upper()} {host}{address.path}: {reply.status_code}"
                if address.name in PUBLIC or (user and address.name in OWN):
                    assert reply.status_code < 500, where
                    page = reply.content.decode(errors="replace")
                    secrets = [word for word in SECRETS if word in page]
                    assert not secrets or (user and user.email in secrets), f"{where} {secrets}"
                else:
                    assert shows_nothing(reply, address.name), where

    def count(self, person: str, host: str, address: Address) -> None:
        self.tried[person] += 1
        self.addresses.add((host, address.path))
