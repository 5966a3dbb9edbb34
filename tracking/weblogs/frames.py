"""What parent and worker of an import say to each other, over the worker's stdin and stdout.

Lines travel through pipes, that is through memory, and never through a file or a command line.
"""

import enum
import struct
from typing import IO

import msgspec

from tracking.weblogs.blocks import Block
from tracking.weblogs.tally import Tally

_HEAD = struct.Struct(">BQQ16sI")


class Order(enum.IntEnum):
    """First byte of a frame to a worker."""

    JOB = 1
    BLOCK = 2
    FLUSH = 3
    END = 4


class Report(msgspec.Struct):
    """A worker's answer; `error` ends it. Never holds a line."""

    tally: Tally
    position: int
    error: str = ""


_report_encoder = msgspec.msgpack.Encoder()
_report_decoder = msgspec.msgpack.Decoder(Report)
_LENGTH = struct.Struct(">I")


def write_order(
    pipe: IO[bytes], order: Order, block: Block | None = None, data: bytes = b""
) -> None:
    """Send a block, or `data`, or the bare order."""
    if block is not None:
        head = _HEAD.pack(order, block.first_line, block.ends_at, block.digest, len(block.data))
        data = block.data
    else:
        head = _HEAD.pack(order, 0, 0, b"", len(data))
    pipe.write(head)
    pipe.write(data)
    pipe.flush()


def read_order(pipe: IO[bytes]) -> tuple[Order, Block] | None:
    """The next order, its data in a block; None when the pipe has ended, also within a frame."""
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    order, first_line, ends_at, digest, length = _HEAD.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        return None
    return Order(order), Block(first_line, ends_at, digest, data)


def write_report(pipe: IO[bytes], report: Report) -> None:
    """Send a worker's report."""
    data = _report_encoder.encode(report)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def read_report(pipe: IO[bytes]) -> Report | None:
    """The next report; None when the pipe has ended."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    return _report_decoder.decode(data) if len(data) == length else None
