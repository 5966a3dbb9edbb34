"""Who asks: a key of the client whose host this is; how often it may."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from tenants.api_keys import find_api_key
from tenants.models import ApiKey, Scope

REQUESTS = 600
"""Requests a key may make in an hour."""
_HOUR = 3600
_LONGEST = 200
"""Longest header that could hold a key."""


class BearerKey(BaseAuthentication):
    """`Authorization: Bearer <key>` (https://www.rfc-editor.org/rfc/rfc6750).

    `request.auth` becomes the key; there is no user. A key of another client is as unknown as one
    that was never made.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        """None without the header; AuthenticationFailed for a key that opens nothing here."""
        header = get_authorization_header(request)
        if not header:
            return None
        scheme, _, secret = header.partition(b" ")
        client = getattr(request, "client", None)
        if scheme.lower() != b"bearer" or client is None or len(header) > _LONGEST:
            raise AuthenticationFailed("Send the key as Authorization: Bearer <key>.")
        key = find_api_key(secret.strip().decode("latin-1"), client)
        if key is None:
            raise AuthenticationFailed(
                "This key is not known here, or has expired or been revoked: make a new one on "
                "the page of API keys."
            )
        key.client = client  # spares a query
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        """For the reply to whoever sends no key: 401, not 403."""
        return 'Bearer realm="statistics"'


class MayReadStatistics(BasePermission):
    """Whether the key has the scope."""

    message = "This key may not read statistics: make one that may."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Without a key DRF answers 401."""
        return isinstance(request.auth, ApiKey) and Scope.STATS_READ.value in request.auth.scopes


class KeyThrottle(SimpleRateThrottle):
    """So many requests a key in an hour, wherever they come from."""

    scope = "stats"
    rate = f"{REQUESTS}/hour"
    history: list[float]

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """By the key's number: nothing of the sender is kept."""
        return f"stats-rate:{request.auth.pk}"

    def headers(self) -> dict[str, str]:
        """How much is left, for the reply."""
        history = getattr(self, "history", [])
        reset = history[-1] + _HOUR - self.now if history else 0
        return {
            "RateLimit-Limit": str(REQUESTS),
            "RateLimit-Remaining": str(max(REQUESTS - len(history), 0)),
            "RateLimit-Reset": str(max(int(reset), 0)),
        }


def key_of(request: Request) -> ApiKey:
    """The key that authenticated the request."""
    key: Any = request.auth
    if not isinstance(key, ApiKey):
        raise AuthenticationFailed("Send the key as Authorization: Bearer <key>.")
    return key
