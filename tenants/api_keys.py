"""Making, finding and revoking API keys. In the public schema; each act is an audit entry."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tenants.audit import record_act
from tenants.models import ApiKey, Client, Scope, Site, User

_MARK = "outward_"
"""By which scanners of published code can know a leaked key."""
_SHOWN = len(_MARK) + 6
_USED_EVERY = dt.timedelta(minutes=1)


class ApiKeyError(ValueError):
    """A key that cannot be made; says what to change."""

    code = "api-key-invalid"


def create_api_key(
    client: Client,
    *,
    name: str,
    acting_user: str,
    created_by: User | None = None,
    sites: Sequence[int] = (),
    expires_at: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key that reads statistics, and its secret, which nobody can show again.

    `sites` are ids of the client's sites, none for all of them. Raises ApiKeyError.
    """
    now = now or timezone.now()
    wanted = sorted(set(sites))
    clean = name.strip()
    if not clean or len(clean) > 80:
        raise ApiKeyError("name: give the key a name of at most 80 characters.")
    if expires_at is not None and expires_at <= now:
        raise ApiKeyError("expires_at: choose a time in the future, or none.")
    if Site.objects.filter(client=client, pk__in=wanted).count() != len(wanted):
        raise ApiKeyError("sites: one of them is not a site of this client; choose from its own.")
    secret = _MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            client=client,
            name=clean,
            prefix=secret[:_SHOWN],
            hash=_hash(secret),
            scopes=[Scope.STATS_READ.value],
            sites=wanted,
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
        )
        details = {"key": key.pk, "name": clean, "sites": wanted, "scopes": key.scopes}
        record_act("api_key.create", acting_user=acting_user, client_id=client.pk, details=details)
    return key, secret


def find_api_key(secret: str, client: Client, *, now: dt.datetime | None = None) -> ApiKey | None:
    """The client's living key with this secret; another client's key is none. One query.

    Notes its use, at most once a minute: one more query then.
    """
    now = now or timezone.now()
    key = (
        ApiKey.objects.filter(hash=_hash(secret), client=client, revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at >= _USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        key.last_used_at = now
    return key


def revoke_api_key(key: ApiKey, *, acting_user: str, now: dt.datetime | None = None) -> bool:
    """End the key at once. False if it was revoked already, which is no new act."""
    with transaction.atomic():
        revoked_at = now or timezone.now()
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=revoked_at):
            return False
        key.revoked_at = revoked_at
        record_act(
            "api_key.revoke",
            acting_user=acting_user,
            client_id=key.client_id,
            details={"key": key.pk, "name": key.name},
        )
    return True


def key_sites(key: ApiKey) -> list[Site]:
    """Active sites that the key may read, by id. One query."""
    sites = Site.objects.filter(client_id=key.client_id, is_active=True).order_by("pk")
    return list(sites.filter(pk__in=key.sites) if key.sites else sites)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
