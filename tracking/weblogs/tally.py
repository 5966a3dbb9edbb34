"""The account of every line: lines = stored + skipped by each reason + bad by each reason."""

import msgspec

MAX_BAD_LISTED = 1000
MAX_BOTS_NAMED = 500
OTHER_BOTS = "(other)"


class UnbalancedTallyError(AssertionError):
    """Lines are unaccounted for: a bug, never to be shown as a result."""

    code = "weblog-unbalanced"


class Tally(msgspec.Struct):
    """Counts of lines. `pending` lines are read and not yet stored; none are left at the end."""

    lines: int = 0
    stored: int = 0
    pending: int = 0
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    """Lines by reason (values of formats.entry.Skip)."""
    bad: dict[str, int] = msgspec.field(default_factory=dict)
    """Lines by reason (values of formats.entry.Bad)."""
    bad_lines: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """Number and reason of the first MAX_BAD_LISTED; never their content."""
    bots: dict[str, int] = msgspec.field(default_factory=dict)
    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    """Status code of every line that holds a request, stored or not; 0: not logged."""
    bytes_sent: int = 0
    """Of every line that holds a request: the traffic a host is billed for."""

    def skip(self, reason: str) -> None:
        """Account for a line that is not stored."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def name_bot(self, name: str) -> None:
        """Count a bot's line under its name; names beyond MAX_BOTS_NAMED under OTHER_BOTS."""
        if name not in self.bots and len(self.bots) >= MAX_BOTS_NAMED:
            name = OTHER_BOTS
        self.bots[name] = self.bots.get(name, 0) + 1

    def refuse(self, line: int, reason: str) -> None:
        """Account for a bad line."""
        self.bad[reason] = self.bad.get(reason, 0) + 1
        if len(self.bad_lines) < MAX_BAD_LISTED:
            self.bad_lines.append((line, reason))

    def settle(self, stored: int, known: int, known_reason: str) -> None:
        """Account for pending lines that were given to the store."""
        self.pending -= stored + known
        self.stored += stored
        if known:
            self.skipped[known_reason] = self.skipped.get(known_reason, 0) + known

    @property
    def skipped_total(self) -> int:
        """Lines skipped for any reason."""
        return sum(self.skipped.values())

    @property
    def bad_total(self) -> int:
        """Lines not understood."""
        return sum(self.bad.values())

    def check(self) -> None:
        """Raises UnbalancedTallyError unless every line is accounted for."""
        known = self.stored + self.pending + self.skipped_total + self.bad_total
        if self.lines != known or self.pending < 0:
            raise UnbalancedTallyError(
                f"{self.lines} lines, but {self.stored} stored + {self.pending} pending + "
                f"{self.skipped_total} skipped + {self.bad_total} bad = {known}"
            )


def united(tallies: list[Tally]) -> Tally:
    """Sum of the workers' tallies."""
    total = Tally()
    for tally in tallies:
        total.lines += tally.lines
        total.stored += tally.stored
        total.pending += tally.pending
        total.bytes_sent += tally.bytes_sent
        total.bad_lines += tally.bad_lines
        for mine, theirs in (
            (total.skipped, tally.skipped),
            (total.bad, tally.bad),
            (total.bots, tally.bots),
        ):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        for status, count in tally.statuses.items():
            total.statuses[status] = total.statuses.get(status, 0) + count
    total.bad_lines = sorted(total.bad_lines)[:MAX_BAD_LISTED]
    return total
