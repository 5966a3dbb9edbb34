"""Uploaded weblogs on the disk: sealed piece by piece, each bound to its place in one file.

A file is a sequence of pieces, each four bytes of length (big-endian) and a sealed value
(`tenants.crypto.seal`: AES-256-GCM). Its associated data name client, upload and number of the
piece, so that pieces cannot be exchanged, repeated or taken to another file.
"""

import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenants.crypto import NONCE_BYTES, TAG_BYTES, SealError, associated_data, seal, unseal
from tracking.weblogs.sources import Source

_LENGTH_BYTES = 4
PIECE_OVERHEAD = _LENGTH_BYTES + NONCE_BYTES + TAG_BYTES
_MAX_PIECE = 1 << 26


def place_of(client_id: int, upload_id: uuid.UUID, number: int) -> bytes:
    """Where a piece may stand."""
    return associated_data(
        client_id, "logupload", "piece", upload_id.bytes + number.to_bytes(8, "big")
    )


def append_piece(
    path: Path, secret: bytes, piece: bytes, *, client_id: int, upload_id: uuid.UUID,
    number: int, received: int,
) -> None:  # fmt: skip
    """Write the piece behind the `number` pieces of `received` plain bytes that are there.

    What a killed process wrote beyond them is cut off. The file is readable by its owner alone.
    """
    sealed = seal(secret, piece, place_of(client_id, upload_id, number))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        file.seek(received + number * PIECE_OVERHEAD)
        file.truncate()
        file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
        file.flush()
        os.fsync(file.fileno())


class SealedFile(io.RawIOBase):
    """The plain bytes of a sealed file, in order; raises OSError where it was changed."""

    def __init__(
        self, raw: io.BufferedReader, secret: bytes, client_id: int, upload_id: uuid.UUID
    ) -> None:
        self._raw = raw
        self._secret = secret
        self._client_id = client_id
        self._upload_id = upload_id
        self._number = 0
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # io's stub takes any buffer, and passes a memoryview
        """Plain bytes of one piece; 0 at the end."""
        if not self._piece:
            self._piece = memoryview(self._next_piece())
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _next_piece(self) -> bytes:
        length = int.from_bytes(self._raw.read(_LENGTH_BYTES), "big")
        if length == 0:
            return b""
        sealed = self._raw.read(min(length, _MAX_PIECE))
        place = place_of(self._client_id, self._upload_id, self._number)
        self._number += 1
        try:
            return unseal(self._secret, sealed, place)
        except SealError as error:
            raise OSError("the uploaded file is damaged: upload it again") from error


@contextmanager
def opened_sealed(
    path: Path, secret: bytes, *, client_id: int, upload_id: uuid.UUID, size: int
) -> Iterator[Source]:
    """A sealed file as a source; `size` in plain bytes. Raises OSError as open() does."""
    with path.open("rb") as raw:
        yield Source(SealedFile(raw, secret, client_id, upload_id), size)  # type: ignore[arg-type]  # a raw file, though not IO[bytes] by name
