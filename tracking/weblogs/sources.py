"""Files as a stream of UTF-8 bytes: compression, byte order marks and UTF-16 undone.

Everything is read in bounded pieces. Formats are told by their first bytes, not by their names,
since rotation renames files.
"""

import bz2
import codecs
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import zstandard

READ_BYTES = 1 << 18
STDIN = "-"
TAIL_BYTES = 256
_MAGIC_BYTES = 6


class DamagedFileError(Exception):
    """A compressed file that is cut off or broken; what came before it was delivered."""

    code = "weblog-damaged-file"


class ByteStream(Protocol):
    """What a source is read from."""

    def read1(self, size: int, /) -> bytes:
        """Some bytes, at most `size`; b"" at the end."""


class _Counted(io.RawIOBase):
    """A raw file that knows how many of its bytes were taken, for the progress bar."""

    def __init__(self, raw: IO[bytes], taken: bytes) -> None:
        self._raw = raw
        self._head = taken
        self.position = 0
        self.tail = b""
        """The last bytes taken."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # io's stub takes any buffer, and passes a memoryview
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._raw.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.position += len(data)
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return len(data)


class Source:
    """An opened file or stdin.

    `read` gives UTF-8 without byte order mark, any line ends; b"" at the end. `position` and
    `size` are in bytes of the file as it lies on the disk; `size` is None for stdin.
    """

    def __init__(self, raw: IO[bytes], size: int | None) -> None:
        head = _read_exactly(raw, _MAGIC_BYTES)
        self._raw = raw
        self._counted = _Counted(raw, head)
        self.size = size
        self.compression, self._stream = _decompressed(self._counted, head)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._started = False

    @property
    def position(self) -> int:
        """Bytes taken from the file so far."""
        return self._counted.position

    def fileno(self) -> int:
        """Descriptor of the file, for its status."""
        return self._raw.fileno()

    def still_holds(self) -> bool:
        """Whether the file still ends, where reading stands, with what was read there."""
        tail, position = self._counted.tail, self._counted.position
        return os.pread(self.fileno(), len(tail), position - len(tail)) == tail

    def read(self) -> bytes:
        """The next piece; raises DamagedFileError where a compressed file breaks off."""
        while True:
            data = self._raw_piece()
            if data and not self._started:
                while len(data) < 4 and (more := self._raw_piece()):
                    data += more
                data = self._start(data)
                self._started = True
            if self._decoder is None:
                return data
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "replace")

    def _raw_piece(self) -> bytes:
        try:
            return self._stream.read1(READ_BYTES)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            if self.compression == "plain":
                raise
            raise DamagedFileError(
                f"the {self.compression} data is damaged or cut off ({type(error).__name__}): "
                "what came before was read"
            ) from error

    def _start(self, data: bytes) -> bytes:
        """Set the decoder by the byte order mark, or by the zeros of UTF-16 without one."""
        if data.startswith(codecs.BOM_UTF8):
            return data[3:]
        for mark, encoding in (
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
        ):
            if data.startswith(mark):
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
                return data[2:]
        if len(data) >= 4 and data[1] == data[3] == 0 and data[0] and data[2]:
            self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
        return data


def _read_exactly(raw: IO[bytes], count: int) -> bytes:
    data = b""
    while len(data) < count and (more := raw.read(count - len(data))):
        data += more
    return data


def _decompressed(raw: _Counted, head: bytes) -> tuple[str, ByteStream]:
    if head.startswith(b"\x1f\x8b"):
        return "gzip", gzip.GzipFile(fileobj=io.BufferedReader(raw))
    if head.startswith(b"BZh"):
        return "bzip2", bz2.BZ2File(io.BufferedReader(raw))
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz", lzma.LZMAFile(io.BufferedReader(raw))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(
            io.BufferedReader(raw, READ_BYTES), read_across_frames=True
        )
        return "zstandard", io.BufferedReader(reader, READ_BYTES)
    return "plain", io.BufferedReader(raw, READ_BYTES)


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """A file by its path, or stdin by "-"; raises OSError as open() does."""
    if name == STDIN:
        yield Source(sys.stdin.buffer, None)
        return
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(f"{path.name} is a folder: name the files in it")
    with path.open("rb", buffering=0) as raw:
        status = os.fstat(raw.fileno())
        yield Source(raw, status.st_size)
