"""Shared links: read-only, expiring, revocable; found by the hash of their token.

Called inside `entered(client)`: a token is worth nothing on another client's host, since that
client's schema does not know it.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Sequence

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import F, Q, QuerySet

from tenants.models import Site
from tracking.models.delivery import SharedLink, new_token

PREFIX_CHARACTERS = 6
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


def hash_token(token: str) -> str:
    """Hex SHA-256 of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_link(
    site: Site,
    *,
    name: str,
    sections: Sequence[str],
    created_by: int | None,
    now: dt.datetime,
    password: str = "",
    expires_at: dt.datetime | None = None,
    is_embed: bool = False,
    frame_hosts: Sequence[str] = (),
    token: str = "",
) -> tuple[SharedLink, str]:
    """Store a link; returns it with its token, which is shown once and kept nowhere.

    `token`: one of the caller's own, 32 characters, for the demo.
    """
    token = token or new_token()
    link = SharedLink.objects.create(
        site_id=site.pk,
        name=name,
        token_hash=hash_token(token),
        prefix=token[:PREFIX_CHARACTERS],
        sections=list(sections),
        password=make_password(password) if password else "",
        is_embed=is_embed,
        frame_hosts=list(frame_hosts),
        expires_at=expires_at,
        created_at=now,
        created_by=created_by,
    )
    return link, token


def renew_link(link: SharedLink) -> str:
    """Give the link another token, which ends the old one; returns the new one."""
    token = new_token()
    link.token_hash, link.prefix = hash_token(token), token[:PREFIX_CHARACTERS]
    link.save(update_fields=["token_hash", "prefix"])
    return token


def find_link(token: str, now: dt.datetime) -> SharedLink | None:
    """The link of a token, unless it has expired or was revoked. One query."""
    if not _TOKEN.fullmatch(token):
        return None
    return _alive(now).filter(token_hash=hash_token(token)).first()


def find_link_by_id(link_id: int, now: dt.datetime) -> SharedLink | None:
    """The link, unless it has expired or was revoked. One query."""
    return _alive(now).filter(pk=link_id).first()


def _alive(now: dt.datetime) -> QuerySet[SharedLink]:
    return SharedLink.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True
    )


def links_of(site: Site) -> list[SharedLink]:
    """All links of a site, ended ones too, the newest first. One query."""
    return list(SharedLink.objects.filter(site_id=site.pk))


def is_password_right(link: SharedLink, password: str) -> bool:
    """Whether the password opens the link; any does where none is asked for."""
    return not link.password or check_password(password, link.password)


def password_mark(link: SharedLink) -> str:
    """Goes into the session that the password opened; another password has another mark.

    Of the token too: a session opened with a token that was replaced is over.
    """
    return hashlib.sha256(f"{link.token_hash}:{link.password}".encode()).hexdigest()[:32]


def record_use(link: SharedLink, now: dt.datetime) -> None:
    """Count a use. One query."""
    SharedLink.objects.filter(pk=link.pk).update(uses=F("uses") + 1, last_used_at=now)


def revoke_link(link: SharedLink, now: dt.datetime) -> bool:
    """End the link for good; False when it was revoked before."""
    return bool(
        SharedLink.objects.filter(pk=link.pk, revoked_at__isnull=True).update(revoked_at=now)
    )


def delete_link(link: SharedLink) -> None:
    """Take an ended link off the list."""
    SharedLink.objects.filter(pk=link.pk).delete()
