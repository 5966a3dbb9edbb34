"""The figures: what each must reach, and how they are shown."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


class BenchError(Exception):
    """A figure cannot be taken; the message is one line that says what to do."""

    code = "bench"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure's name, meaning and bound."""

    name: str
    meaning: str
    at_least: float | None = None
    at_most: float | None = None

    def passes(self, value: float) -> bool | None:
        """Whether the bound holds; None without one."""
        if self.at_least is not None:
            return value >= self.at_least
        return None if self.at_most is None else value <= self.at_most

    @property
    def bound(self) -> str:
        """The bound as text."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "reported" if self.at_most is None else f"<= {self.at_most:g}"


FIGURES: tuple[Figure, ...] = (
    Figure("collector_ratio", "collector requests/s ÷ bare ASGI app", at_least=0.45),
    Figure("end_to_end_ratio", "sustained collector + writer ÷ bare ASGI app", at_least=0.20),
    Figure("writer_ratio", "writer rows/s ÷ raw binary COPY rows/s", at_least=0.40),
    Figure("weblog_ratio", "import lines/s (two processes) ÷ GoAccess (one)", at_least=0.5),
    Figure("bytes_per_hit", "bytes of the raw tables and indexes per hit", at_most=250),
    Figure("rollup_s_per_million", "seconds to roll up a day's hits, per million"),
    Figure("new_client_s", "seconds to create a client", at_most=3),
    Figure("overview_ms_1m", "server time of a client's overview", at_most=100),
    Figure("overview_growth_10m", "the same at 10 M hits ÷ at 1 M", at_most=1.3),
    Figure("filtered_ms_1m", "server time of the overview with one filter", at_most=1000),
    Figure("agency_ms_200", "server time of the agency's overview", at_most=300),
)
NAMES = tuple(figure.name for figure in FIGURES)


@dataclasses.dataclass
class Taken:
    """A figure as measured: one value a run, and what the runs were made of."""

    name: str
    values: list[float]
    note: str
    details: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)


def show(console: Console, taken: Sequence[Taken]) -> bool:
    """Print the table; False when a bound fails."""
    table = Table(title="Outward, benchmarks (medians)", title_justify="left")
    for heading, justify in (("figure", "left"), ("value", "right"), ("must reach", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # a literal
    table.add_column("", no_wrap=True)
    table.add_column("runs")
    table.add_column("what")
    known = {figure.name: figure for figure in FIGURES}
    all_pass = True
    for each in taken:
        figure = known[each.name]
        passed = figure.passes(each.value)
        all_pass = all_pass and passed is not False
        verdict = {True: "[green]pass[/]", False: "[bold red]FAIL[/]", None: ""}[passed]
        runs = " ".join(_text(value) for value in each.values)
        table.add_row(
            each.name,
            _text(each.value),
            figure.bound,
            verdict,
            runs,
            f"{figure.meaning}. {each.note}",
        )
    console.print(table)
    return all_pass


def _text(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:,.1f}"


def write_json(path: Path, taken: Sequence[Taken], machine: Mapping[str, Any]) -> None:
    """Figures by name at the top, then how they came about. Unmeasured ones are absent."""
    content: dict[str, Any] = {each.name: round(each.value, 4) for each in taken}
    content["details"] = {
        each.name: {"runs": each.values, "note": each.note, **each.details} for each in taken
    }
    content["machine"] = dict(machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
