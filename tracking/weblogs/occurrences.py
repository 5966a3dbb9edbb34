"""Which of several truly equal lines of a file a line is.

A hit's id follows from its line and this number, so that a second reading of the file finds the
same ids, and two people who asked for the same page in the same second still count as two.
"""

GENERATION = 65_536
"""Different lines remembered at least, and half of what is remembered at most."""


class Occurrences:
    """Counts equal lines, in bounded memory.

    Two generations: when the younger is full the older is forgotten. Equal lines carry the same
    time, so they stand near each other; only equal lines with more than GENERATION different ones
    between them would be taken for one.
    """

    def __init__(self, generation: int = GENERATION) -> None:
        self._limit = generation
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def next(self, digest: bytes) -> int:
        """How many equal lines came before: 0 for the first."""
        young = self._young
        count = young.get(digest)
        if count is None:
            count = self._old.get(digest, 0)
            if len(young) >= self._limit:
                self._old, self._young = young, {}
                young = self._young
        young[digest] = count + 1
        return count
