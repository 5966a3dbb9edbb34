"""How often a password may be guessed, and from where, with no address kept.

A lock on the account alone lets anybody lock anybody out. So eight wrong tries lock the account
for the network that they came from, and only as many as NIST SP 800-63B (section 3.2.2) bears
lock it for all. The network is a keyed hash whose key changes every hour, and is stored, hashed
once more together with the account, for a quarter of an hour.
"""

import hashlib
import hmac
import ipaddress
import time
from typing import Any

from axes.handlers.cache import AxesCacheHandler
from axes.helpers import get_cache_timeout, get_client_cache_keys, get_client_username
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

from tracking.addresses import client_ip

FROM_EVERYWHERE = 100
"""Wrong tries in a quarter of an hour, counted over all networks, that lock an account for all."""


def derived_key(purpose: str) -> bytes:
    """32 bytes of the secret key that serve one purpose (RFC 5869)."""
    return HKDF(SHA256(), 32, None, purpose.encode()).derive(settings.SECRET_KEY.encode())


def network_of(request: HttpRequest) -> str:
    """Instead of the address: a hash of it, or of an IPv6 address' /64, whose key lives an hour."""
    found = client_ip(
        request.META.get("REMOTE_ADDR", ""),
        request.META.get("HTTP_X_FORWARDED_FOR"),
        settings.TRUSTED_PROXIES,
    )
    network = b""
    if isinstance(found, ipaddress.IPv6Address):
        network = found.packed[:8]  # one household or server may have all of it
    elif found is not None:
        network = found.packed
    key = derived_key(f"outward.log-in-floods.{int(time.time()) // 3600}")
    return hmac.new(key, network, hashlib.sha256).hexdigest()[:32]


class GuessHandler(AxesCacheHandler):  # type: ignore[misc]  # axes has no types
    """Counts per account and network, and per account with a limit of its own."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Wrong tries that count here: from this network, or too many from everywhere.

        Axes' middleware and the page of the lock-out read them off the request.
        """
        here, everywhere = get_client_cache_keys(request, credentials)
        counted: int = self.cache.get(here, 0)
        total: int = self.cache.get(everywhere, 0)
        failures = max(counted, total if total >= FROM_EVERYWHERE else 0)
        request.axes_failures_since_start = failures  # type: ignore[attr-defined]  # axes' own
        return failures

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Count a wrong try; one while the account is locked prolongs nothing."""
        if request is None or get_client_username(request, credentials) is None:
            return
        request.axes_credentials = credentials  # type: ignore[attr-defined]  # axes' own
        if request.axes_locked_out:  # type: ignore[attr-defined]  # axes' own
            return
        timeout = get_cache_timeout(request)
        here, everywhere = get_client_cache_keys(request, credentials)
        for key in (here, everywhere):
            self.cache.add(key, 0, timeout)
            self.cache.incr(key)
        # The other count ends a quarter of an hour after its first try, so that nobody who is
        # slow and patient adds up to it.
        self.cache.touch(here, timeout)
        if self.is_locked(request, credentials):
            request.axes_locked_out = True  # type: ignore[attr-defined]  # axes' own


def forget_guesses(email: str, request: HttpRequest) -> None:
    """Open an account to its owner, who came by a letter."""
    GuessHandler().reset_attempts(username=email.lower(), ip_address=network_of(request))
