"""Keys of uploaded weblogs: one an upload, in the keys database, gone as soon as the file is.

Apart from `tenants.keys`: these belong to no purpose and epoch, they live minutes, and nothing
remains of them that would have to be remembered.
"""

import datetime as dt
import os
import uuid
from collections.abc import Collection

from django.db import connections

from tenants.crypto import KEY_BYTES
from tenants.keys import KeyDestroyedError
from tenants.keystore.models import UploadKey
from tenants.providers import key_provider
from tenants.routers import KEYS_DATABASE


def make_upload_key(upload_id: uuid.UUID, client_id: int, *, now: dt.datetime) -> bytes:
    """A new key, stored wrapped; returns it unwrapped."""
    provider = key_provider()
    secret = os.urandom(KEY_BYTES)
    UploadKey.objects.create(
        upload_id=upload_id,
        client_id=client_id,
        root_key_id=provider.root_key_id,
        wrapped=provider.wrap(secret),
        created_at=now,
    )
    return secret


def find_upload_key(upload_id: uuid.UUID) -> bytes:
    """The key; raises KeyDestroyedError when it is gone."""
    found = UploadKey.objects.filter(pk=upload_id).first()
    if found is None:
        raise KeyDestroyedError("This upload's key is gone, and its file with it.")
    return key_provider().unwrap(bytes(found.wrapped))


def destroy_upload_keys(
    *, keep: Collection[uuid.UUID] | None = None, only: Collection[uuid.UUID] | None = None
) -> int:
    """Destroy the keys named by `only`, or all but those named by `keep`; returns how many.

    The table is rewritten, so that no dead row keeps a key on the disk.
    """
    keys = UploadKey.objects.all()
    if only is not None:
        keys = keys.filter(pk__in=only)
    if keep is not None:
        keys = keys.exclude(pk__in=keep)
    destroyed, _ = keys.delete()
    if destroyed:
        with connections[KEYS_DATABASE].cursor() as cursor:
            cursor.execute("VACUUM (FULL) keystore_uploadkey")
    return destroyed
