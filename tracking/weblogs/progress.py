"""The progress bar of an import, on the terminal's error stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tracking.weblogs import imports


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Callable[[imports.Progress], None]]:
    """A callback that draws a bar per file: bytes, lines, lines/s, time left.

    Nothing is drawn when quiet, or when the error stream is no terminal.
    """
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[lines]:,} lines, {task.fields[stored]:,} stored"),
        TextColumn("{task.fields[rate]:,.0f} lines/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet or not Console(stderr=True).is_terminal,
    )
    tasks: dict[int, tuple[TaskID, int]] = {}

    def show(progress: imports.Progress) -> None:
        if progress.number not in tasks:
            task = bar.add_task(
                f"{progress.name} ({progress.number}/{progress.files})",
                total=progress.size,
                lines=0,
                stored=0,
                rate=0.0,
            )
            # A resumed import begins with lines of an earlier run, which say nothing of its rate.
            tasks[progress.number] = (task, progress.tally.lines)
        task, lines_before = tasks[progress.number]
        elapsed = bar.tasks[task].elapsed or 0.0
        lines = progress.tally.lines
        bar.update(
            task,
            completed=progress.position,
            lines=lines,
            stored=progress.tally.stored,
            rate=(lines - lines_before) / elapsed if elapsed else 0.0,
        )

    with bar:
        yield show
