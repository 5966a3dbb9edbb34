"""Where the root key comes from: a file, the environment, or (by the same interface) a KMS."""

import base64
import binascii
import hashlib
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from django.conf import settings

from tenants.crypto import KEY_BYTES, unwrap_key, wrap_key


class RootKeyError(Exception):
    """The root key cannot be used; the message says what to do."""

    code = "root-key"


class KeyProvider(Protocol):
    """Wraps and unwraps data keys. A KMS does both without giving its root key away."""

    @property
    def root_key_id(self) -> str:
        """Name of the root key, stored beside each wrapped key; at most 32 characters."""
        ...

    def wrap(self, secret: bytes) -> bytes:
        """The wrapped data key."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """The data key; raises tenants.crypto.SealError for another root key's work."""
        ...


class LocalProvider:
    """Holds the root key in this process."""

    def __init__(self, root: bytes, *, kind: str) -> None:
        if len(root) != KEY_BYTES:
            raise RootKeyError(f"The root key has {len(root)} bytes; it needs {KEY_BYTES}.")
        self._root = root
        self._id = f"{kind}:{hashlib.sha256(b'outward root key id' + root).hexdigest()[:16]}"

    @property
    def root_key_id(self) -> str:
        """Kind of provider and a fingerprint that tells root keys apart."""
        return self._id

    def wrap(self, secret: bytes) -> bytes:
        """AES-KW."""
        return wrap_key(self._root, secret)

    def unwrap(self, wrapped: bytes) -> bytes:
        """AES-KW undone."""
        return unwrap_key(self._root, wrapped)


def provider_from_environment(text: str) -> LocalProvider:
    """Root key from base64 text."""
    try:
        root = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RootKeyError(
            "OUTWARD_ROOT_KEY is not base64: make one with `openssl rand -base64 32`."
        ) from None
    return LocalProvider(root, kind="env")


def provider_from_file(path: Path) -> LocalProvider:
    """Root key from a file of 32 bytes, mode 0600; a missing one is made, once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written whole under another name, then linked: two processes cannot make two keys,
        # and a killed one leaves no half of a key.
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, os.urandom(KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other process was first: its key counts
        finally:
            draft.unlink()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise RootKeyError(f"{path.name} may be read by others (mode {mode:o}): chmod 600 it.")
    return LocalProvider(path.read_bytes(), kind="file")


@lru_cache(maxsize=1)
def key_provider() -> KeyProvider:
    """The provider that the settings name."""
    if settings.ROOT_KEY:
        return provider_from_environment(settings.ROOT_KEY)
    return provider_from_file(settings.ROOT_KEY_PATH)
