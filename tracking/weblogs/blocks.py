"""A source cut into blocks of whole lines, numbered, in constant memory.

A position is a count of bytes in the UTF-8 stream that `tracking.weblogs.sources` delivers, so it
means the same for a file and its compressed copy.
"""

import codecs
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tracking.weblogs.formats.entry import MAX_LINE_BYTES
from tracking.weblogs.sources import DamagedFileError

BLOCK_BYTES = 1 << 19
_BOM_IN_FILE = b"\n" + codecs.BOM_UTF8


class Block(NamedTuple):
    """Whole lines, each with its line end, but for the last line of a file without one."""

    first_line: int
    """Number of the first line, counted from 1."""
    ends_at: int
    """Position behind the block."""
    digest: bytes
    """Keyed hash of all bytes of the stream up to `ends_at`; proves a file to be the same one."""
    data: bytes


class Cutter:
    """Cuts what it is fed into blocks.

    A line above MAX_LINE_BYTES is delivered once, cut to one byte above, so that it is refused
    as one line and its number; the rest of it is dropped as it comes.
    """

    def __init__(self, key: bytes, cuts: Sequence[int] = ()) -> None:
        self._hash = hashlib.blake2b(key=key, digest_size=16)
        self._cuts = sorted(set(cuts))
        """Positions at which a block must end: where a worker resumes."""
        self._rest = b""
        self._dropping = False
        self._position = 0
        self._line = 1

    def feed(self, data: bytes) -> Iterator[Block]:
        """Blocks that are full."""
        if self._dropping:
            end = data.find(b"\n")
            if end < 0:
                self._pass(data)
                return
            self._dropping = False
            self._pass(data[: end + 1])
            data = data[end + 1 :]
        self._rest += data
        if len(self._rest) >= BLOCK_BYTES:
            yield from self.drain()

    def drain(self) -> Iterator[Block]:
        """All whole lines that are here."""
        end = self._rest.rfind(b"\n") + 1
        lines, self._rest = self._rest[:end], self._rest[end:]
        yield from self._cut(lines)
        if len(self._rest) > MAX_LINE_BYTES:
            head, tail = self._rest[: MAX_LINE_BYTES + 1], self._rest[MAX_LINE_BYTES + 1 :]
            self._rest, self._dropping = b"", True
            yield self._block(head + b"\n", head)
            self._pass(tail)

    def finish(self) -> Iterator[Block]:
        """What is left at the end of the file."""
        yield from self.drain()
        if self._rest:
            last, self._rest = self._rest, b""
            yield self._block(last, last)

    def _pass(self, data: bytes) -> None:
        self._hash.update(data)
        self._position += len(data)

    def _cut(self, lines: bytes) -> Iterator[Block]:
        while lines:
            size = min(len(lines), 2 * BLOCK_BYTES)
            while self._cuts and self._cuts[0] <= self._position:
                self._cuts.pop(0)
            if self._cuts and self._cuts[0] < self._position + size:
                size = self._cuts[0] - self._position
            piece = lines[:size]
            if not piece.endswith(b"\n"):
                end = piece.rfind(b"\n") + 1
                # A line longer than the piece goes whole: it is bounded by MAX_LINE_BYTES.
                piece = piece[:end] if end else lines[: lines.index(b"\n") + 1]
            lines = lines[len(piece) :]
            yield self._block(piece, piece)

    def _block(self, shown: bytes, taken: bytes) -> Block:
        self._pass(taken)
        first = self._line
        self._line += shown.count(b"\n") or 1
        if _BOM_IN_FILE in shown:
            shown = shown.replace(_BOM_IN_FILE, b"\n")
        if self._position > len(taken) and shown.startswith(codecs.BOM_UTF8):
            shown = shown[3:]
        return Block(first, self._position, self._hash.digest(), shown)


def blocks_of(
    read: Callable[[], bytes], *, key: bytes, cuts: Sequence[int] = ()
) -> Iterator[Block]:
    """All blocks of a stream that ends. What breaks `read` is raised after the lines before it."""
    cutter = Cutter(key, cuts)
    try:
        while data := read():
            yield from cutter.feed(data)
    except (DamagedFileError, OSError):
        yield from cutter.finish()
        raise
    yield from cutter.finish()


def lines_of(data: bytes) -> list[bytes]:
    """Lines of a block without their line ends (LF, CRLF)."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if b"\r" in data:
        return [line.rstrip(b"\r") for line in lines]
    return lines
