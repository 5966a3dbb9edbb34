"""A live log file, read as it grows and through its rotation.

Rotation is seen by the path naming another file (rename and create), or by the file being shorter
or other than what was read of it (copy and truncate). Each generation of the file is an import of
its own, with the ids that a later import of the rotated file would give: nothing is stored twice.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tracking.weblogs.blocks import Block, Cutter
from tracking.weblogs.sources import Source

POLL_SECONDS = 0.5
GRACE_SECONDS = 3.0
"""How long a renamed file is still read: a server writes to it until it is told to reopen."""


class FollowError(Exception):
    """A file that cannot be followed."""

    code = "weblog-follow"


class Follower:
    """Follows one generation of a file.

    `stop` is asked twice a second; `source` must be plain text, since compressed files do not
    grow by lines.
    """

    def __init__(self, path: Path, source: Source, stop: Callable[[], bool]) -> None:
        if source.compression != "plain":
            raise FollowError(f"--follow reads plain files; this one is {source.compression}")
        self._path = path
        self._source = source
        self._stop = stop
        self._stopped = False

    def is_stopped(self) -> bool:
        """Whether reading ended because it was asked to, and not by a rotation."""
        return self._stopped

    def first_lines(self) -> bytes:
        """What the file begins with, once it holds a whole line; b"" when asked to stop."""
        data = b""
        while b"\n" not in data:
            more = self._source.read()
            data += more
            if not more:
                if self._asked_to_stop():
                    return b""
                time.sleep(POLL_SECONDS)
        return data

    def blocks(self, head: bytes, cutter: Cutter) -> Iterator[Block | None]:
        """Blocks as lines come in; None when all that is there was delivered.

        `head` is what `first_lines` gave. Ends when asked to stop, leaving a line that is not
        complete, or at a rotation.
        """
        yield from cutter.feed(head)
        told = False
        gone_since: float | None = None
        while True:
            data = self._source.read()
            if data:
                yield from cutter.feed(data)
                told, gone_since = False, None
                continue
            if not told:
                yield from cutter.drain()
                yield None
                told = True
            if self._asked_to_stop():
                return
            if self._is_overwritten():
                yield from cutter.finish()
                return
            if self._is_renamed():
                gone_since = gone_since or time.monotonic()
                if time.monotonic() - gone_since >= GRACE_SECONDS:
                    yield from cutter.finish()
                    return
            time.sleep(POLL_SECONDS)

    def _asked_to_stop(self) -> bool:
        self._stopped = self._stopped or self._stop()
        return self._stopped

    def _is_renamed(self) -> bool:
        """Whether the path names another file by now; not while it names none."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(self._source.fileno())
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)

    def _is_overwritten(self) -> bool:
        """Whether the file is shorter than what was read of it, or ends otherwise there."""
        return not self._source.still_holds()
