"""Hits that Valkey could not take: append-only files, synced before anyone is told "accepted".

A file is a row of records: length of the payload (4 bytes, big-endian), its CRC-32 (4), the
payload (`tracking.streams.encode_plainly`). What a SIGKILL leaves of a record at
a file's end was never accepted and is ignored. A file replayed in part is replayed from its start
after a kill: the writer knows the hits by their ids.

Each process has files of its own, locked while it lives; it also takes over those of the dead.
"""

import fcntl
import logging
import os
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tracking.hits import Hit
from tracking.streams import decode_hits, encode_plainly

logger = logging.getLogger(__name__)

SUFFIX = ".spool"
MAX_FILE_BYTES = 4 * 1_048_576
_HEAD = struct.Struct(">II")


class SpoolFullError(Exception):
    """The spool may not grow; nothing was written."""

    code = "spool-full"


class _File:
    """One spool file, open and locked."""

    def __init__(self, path: Path, descriptor: int, *, is_own: bool) -> None:
        self.path = path
        self.is_own = is_own
        """Made by this process. Another's is not written to: what follows a torn end is lost."""
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.read_to = 0

    def append(self, record: bytes) -> None:
        """Write and sync; a write that fails leaves the file as it was. Raises OSError."""
        try:
            done = 0
            while done < len(record):
                done += os.pwrite(self.descriptor, record[done:], self.size + done)
            os.fdatasync(self.descriptor)
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(record)

    def read(self, max_bytes: int) -> tuple[list[Hit], int]:
        """Whole records from `read_to` on, about `max_bytes` of them, and the place after them.

        The place is the file's end when nothing legible follows.
        """
        data = os.pread(self.descriptor, max(max_bytes, _HEAD.size), self.read_to)
        place = 0
        hits: list[Hit] = []
        while place + _HEAD.size <= len(data):
            length, checksum = _HEAD.unpack_from(data, place)
            ends = place + _HEAD.size + length
            if ends > len(data):
                if place or self.read_to + ends > self.size:
                    break
                data = os.pread(self.descriptor, ends, self.read_to)
            payload = data[place + _HEAD.size : ends]
            if zlib.crc32(payload) != checksum:
                break
            try:
                hits += decode_hits(payload)
            except msgspec.DecodeError:
                logger.error("A spool record of %d bytes is of no known form: left out.", length)
            place = ends
        if place == 0:
            if self.read_to < self.size:
                logger.warning("A spool file ends in %d torn bytes.", self.size - self.read_to)
            return hits, self.size
        return hits, self.read_to + place

    def remove(self) -> None:
        """Delete; the lock goes with the descriptor."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class Spool:
    """The files of one process, oldest first. Not for several threads at once."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._files: list[_File] = []
        self._next = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.size for file in self._files)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to replay."""
        return not self._files

    def adopt(self) -> int:
        """Take over the files of processes that are gone; how many."""
        adopted = 0
        own = {file.path for file in self._files}
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            file = None if path in own else _lock(path)
            if file is not None:
                self._files.append(file)
                adopted += 1
        self._files.sort(key=lambda file: file.path.name)
        return adopted

    def append(self, hits: Sequence[Hit]) -> None:
        """Store hits for good, in one record. Raises SpoolFullError or OSError."""
        payload = encode_plainly(hits)
        record = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if self.size + len(record) > self._max_bytes:
            raise SpoolFullError("The spool is full.")
        self._open_for(len(record)).append(record)

    def _open_for(self, length: int) -> _File:
        """The newest file if this process made it and there is room in it, else a new one."""
        newest = self._files[-1] if self._files else None
        if newest is None or not newest.is_own or newest.size + length > MAX_FILE_BYTES:
            newest = self._create()
            self._files.append(newest)
        return newest

    def _create(self) -> _File:
        while True:
            path = self._directory / f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            if _try_lock(descriptor):
                break
            os.close(descriptor)  # another process took the empty file for a dead one's
        _sync_directory(self._directory)
        return _File(path, descriptor, is_own=True)

    def read(self, max_bytes: int = 1_048_576) -> list[Hit]:
        """The oldest hits that were not `advance`d over, [] at a torn end or when empty."""
        if not self._files:
            return []
        hits, self._next = self._files[0].read(max_bytes)
        return hits

    def advance(self) -> None:
        """The hits of the last `read` are elsewhere for good."""
        if not self._files:
            return
        oldest = self._files[0]
        oldest.read_to = self._next
        if oldest.read_to >= oldest.size:
            self._files.pop(0).remove()

    def close(self) -> None:
        """Let go of the files, for another process to take over."""
        for file in self._files:
            os.close(file.descriptor)
        self._files = []


def _lock(path: Path) -> _File | None:
    """The file, if no living process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    is_same = (
        _try_lock(descriptor)
        and path.exists()
        and path.stat().st_ino == os.fstat(descriptor).st_ino
    )
    if not is_same:
        os.close(descriptor)
        return None
    return _File(path, descriptor, is_own=False)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_directory(directory: Path) -> None:
    """A new file's name is durable only with its directory (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
