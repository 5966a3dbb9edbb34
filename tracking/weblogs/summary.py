"""What became of an import, for its caller and for people."""

import dataclasses

from tracking.models import ImportState
from tracking.weblogs.formats.entry import Skip
from tracking.weblogs.tally import Tally, united

_HINTS = {
    Skip.BOT: "--include-bots stores them",
    Skip.STATIC: "--include-static stores them",
    Skip.ERROR: "--include-errors stores them",
    Skip.REDIRECT: "--include-redirects stores them",
    Skip.OTHER_HOST: "the site's hosts are others; --any-host stores them",
    Skip.METHOD: "--methods names those to store",
}
_BOTS_SHOWN = 10
_BAD_SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True)
class FileResult:
    """One file. `error` is empty unless it could not be read, or not to its end."""

    name: str
    """Base name; "stdin" for the standard input."""
    tally: Tally
    state: ImportState
    format: str = ""
    import_id: int = 0
    """0 when nothing was written: a dry run, or a file that could not be begun."""
    resumed_at: int = 0
    """Line from which a former, interrupted import was taken up; 0: from the start."""
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """All files of one call, in their order."""

    files: list[FileResult]
    seconds: float
    dry_run: bool

    @property
    def tally(self) -> Tally:
        """Sum over the files."""
        return united([file.tally for file in self.files])

    @property
    def interrupted(self) -> bool:
        """Whether a file was left unfinished on request."""
        return any(file.state is ImportState.INTERRUPTED for file in self.files)

    @property
    def failed(self) -> bool:
        """Whether a file could not be read to its end."""
        return any(file.error for file in self.files)


def summary_lines(summary: Summary) -> list[str]:
    """The summary as plain text. Raises UnbalancedTallyError rather than show a wrong one."""
    lines: list[str] = []
    for file in summary.files:
        file.tally.check()
        lines += _file_lines(file, dry_run=summary.dry_run)
    if len(summary.files) > 1:
        lines += _total_lines(summary)
    count = summary.tally.lines
    rate = f", {count / summary.seconds:,.0f} lines/s" if summary.seconds > 0 else ""
    lines.append(f"{summary.seconds:.1f} s{rate}")
    return lines


def _file_lines(file: FileResult, *, dry_run: bool) -> list[str]:
    head = f"{file.name}: {file.format or 'not read'}, {file.state.label.lower()}"
    if file.resumed_at:
        head += f", resumed at line {file.resumed_at:,}"
    lines = [head]
    if file.error:
        lines.append(f"  error: {file.error}")
    return lines + _tally_lines(file.tally, dry_run=dry_run, bad_numbers=True)


def _total_lines(summary: Summary) -> list[str]:
    tally = summary.tally
    tally.check()
    head = f"all {len(summary.files)} files:"
    return [head, *_tally_lines(tally, dry_run=summary.dry_run, bad_numbers=False)]


def _tally_lines(tally: Tally, *, dry_run: bool, bad_numbers: bool) -> list[str]:
    stored = "would be stored" if dry_run else "stored"
    sums = f"{tally.stored:,} {stored} + {tally.skipped_total:,} skipped + {tally.bad_total:,} bad"
    lines = [
        f"  {tally.lines:>12,} lines = {sums}",
        f"  {tally.stored:>12,} {stored}",
    ]
    for reason, count in _largest(tally.skipped):
        hint = _HINTS.get(Skip(reason), "")
        lines.append(f"  {count:>12,} skipped: {reason}" + (f" ({hint})" if hint else ""))
    for name, count in _largest(tally.bots)[:_BOTS_SHOWN]:
        lines.append(f"  {count:>12,}   bot {name}")
    if len(tally.bots) > _BOTS_SHOWN:
        rest = sum(count for _, count in _largest(tally.bots)[_BOTS_SHOWN:])
        lines.append(f"  {rest:>12,}   {len(tally.bots) - _BOTS_SHOWN} other bots")
    for reason, count in _largest(tally.bad):
        text = f"  {count:>12,} bad: {reason}"
        if bad_numbers:
            numbers = [number for number, why in tally.bad_lines if why == reason]
            shown = ", ".join(f"{number}" for number in numbers[:_BAD_SHOWN])
            text += f" (line {shown}{', ...' if count > _BAD_SHOWN else ''})" if shown else ""
        lines.append(text)
    statuses = ", ".join(f"{status or 'none'}: {count:,}" for status, count in sorted(
        tally.statuses.items()
    ))  # fmt: skip
    lines.append(f"  {tally.bytes_sent:>12,} bytes sent; status {statuses or 'none'}")
    return lines


def _largest(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
