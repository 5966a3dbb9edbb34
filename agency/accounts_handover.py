"""From the agency's host to a client's without a second log-in.

A session is worth something on its own host only. The link carries a signed token instead, that is
good for one host, one minute and one use, and begins a session there.
"""

import dataclasses
import secrets

from django.core import signing
from django.core.cache import cache
from django.utils.http import url_has_allowed_host_and_scheme

from tenants.access import find_role
from tenants.models import Client, User
from tenants.models.people import AGENCY_ROLES

LIFETIME_S = 60
_SALT = "outward.hand-over"


class HandOverError(Exception):
    """A hand-over link is too old, used, of another host, or made up."""

    code = "hand-over"


@dataclasses.dataclass(frozen=True)
class HandOver:
    """Who goes where."""

    user: User
    path: str
    """On the client's host; begins with a slash."""
    begun_at: float
    """When they logged in at the agency, in seconds."""


def local_path(path: str) -> str:
    """The path if it is one of the same host, else the start page."""
    safe = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if safe else "/"


def make_token(user: User, client: Client, *, path: str, begun_at: float) -> str:
    """A token for one visit of one client's host."""
    return signing.dumps(
        [user.pk, client.pk, secrets.token_urlsafe(12), local_path(path), begun_at], salt=_SALT
    )


def redeem_token(token: str, *, client: Client) -> HandOver:
    """Who the token is for; raises HandOverError when it is worth nothing here, or no longer.

    Who lost their role in between is refused too.
    """
    try:
        found = signing.loads(token, salt=_SALT, max_age=LIFETIME_S)
    except signing.BadSignature:  # SignatureExpired is one
        raise HandOverError("This link is too old. Go back to the agency's page.") from None
    user_id, client_id, once, path, begun_at = found
    if client_id != client.pk:
        raise HandOverError("This link is for another client.")
    if not cache.add(f"hand-over:{once}", 1, timeout=2 * LIFETIME_S):
        raise HandOverError("This link has been used. Go back to the agency's page.")
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or find_role(user, client) not in AGENCY_ROLES:
        raise HandOverError("This link is for the agency's staff.")
    return HandOver(user, path, begun_at)
