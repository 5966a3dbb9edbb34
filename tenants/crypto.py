"""Sealing values: AES-256-GCM with associated data, and wrapping keys with AES-KW.

Pure: keys and values in, bytes out. Sources: NIST SP 800-38D (GCM), RFC 3394 (AES-KW).
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class SealError(Exception):
    """A sealed value cannot be opened: other key, other place, or changed bytes."""

    code = "seal"


def associated_data(client_id: int, table: str, column: str, row_id: bytes) -> bytes:
    """Names the one place where a value may stand; each part carries its length."""
    parts = (str(client_id).encode(), table.encode(), column.encode(), row_id)
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def seal(secret: bytes, plaintext: bytes, place: bytes) -> bytes:
    """nonce(12) | ciphertext | tag(16), bound to `place`; the nonce is random."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, plaintext, place)


def unseal(secret: bytes, sealed: bytes, place: bytes) -> bytes:
    """The plaintext; raises SealError unless key, place and bytes all fit."""
    try:
        return AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as error:
        raise SealError("This value cannot be opened with this key in this place.") from error


def wrap_key(root: bytes, secret: bytes) -> bytes:
    """40 bytes: the 32-byte data key wrapped with the 32-byte root key."""
    return aes_key_wrap(root, secret)


def unwrap_key(root: bytes, wrapped: bytes) -> bytes:
    """The data key; raises SealError when the root key is another one."""
    try:
        return aes_key_unwrap(root, wrapped)
    except (InvalidUnwrap, ValueError) as error:
        raise SealError("This data key was wrapped with another root key.") from error
