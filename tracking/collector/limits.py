"""What one visitor may send, and how a retry is known again. Memory is bounded, clocks are given.

Both live in one process: a retry that reaches another collector process is a new hit there.
"""

import msgspec

RETRY_S = 120
_MOST_VISITORS = 200_000
_MOST_NONCES = 60_000
"""Twice; at 20,000 hits a second the last 3 seconds: the script tries again after one."""
_WINDOW_S = 60


class RateLimit:
    """At most `most` hits of a visitor key in each minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._window = 0
        self._counts: dict[int, int] = {}

    def admit(self, visitor: int, now_s: int) -> bool:
        """Count a hit; whether it is within the limit.

        With more visitors in a minute than fit in memory the count begins anew: a flood from many
        addresses is not what this limit is for.
        """
        window = now_s // _WINDOW_S
        counts = self._counts
        if window != self._window or len(counts) >= _MOST_VISITORS:
            self._window = window
            counts = self._counts = {}
        count = counts.get(visitor, 0) + 1
        counts[visitor] = count
        return count <= self._most

    @staticmethod
    def retry_after_s(now_s: int) -> int:
        """Seconds to the next minute."""
        return _WINDOW_S - now_s % _WINDOW_S


class Sent(msgspec.Struct, frozen=True, gc=False):
    """What a retry must repeat, so that the writer knows the hit by its id."""

    id: bytes
    at_us: int
    visitor: int


class Retries:
    """Hits of the last RETRY_S or more, by visitor key (which is of one site) and nonce.

    By the hash of both (61 bits, keyed by Python for this process): a tenth of the memory, and
    nothing for the garbage collector to walk.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._new: dict[int, Sent] = {}
        self._old: dict[int, Sent] = {}

    def find(self, visitor: int, nonce: str) -> Sent | None:
        """The hit that was sent before, if it was."""
        name = hash((visitor, nonce))
        return self._new.get(name) or self._old.get(name)

    def record(self, visitor: int, nonce: str, sent: Sent) -> None:
        """Remember a hit; the oldest are forgotten when there are too many."""
        generation = sent.at_us // (RETRY_S * 1_000_000)
        if generation != self._generation or len(self._new) >= _MOST_NONCES:
            is_next = generation <= self._generation + 1
            self._old = self._new if is_next else {}
            self._new = {}
            self._generation = generation
        self._new[hash((visitor, nonce))] = sent
