"""A line chart as SVG, drawn by the server: for paper and for pages without scripts. Pure.

Colours are attributes, which hold on paper; a style sheet may overrule them by the classes `now`,
`before`, `area`, `rule`, for dark paper.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 720, 160
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24


@dataclass(frozen=True)
class Ink:
    """Colours of a chart, as #0b6b57."""

    line: str
    area: str
    before: str = "#9aa09d"
    rule: str = "#e3e6e4"
    text: str = "#5b615e"


def nice_top(largest: float) -> int:
    """The top of the axis: 1, 2 or 5 times a power of ten in each of four steps."""
    if largest <= 4:
        return 4
    step = largest / 4
    power: float = 10.0 ** math.floor(math.log10(step))
    unit = next(unit for unit in (1, 2, 2.5, 5, 10) if unit * power >= step)
    return math.ceil(unit * power) * 4


def line_chart(
    labels: Sequence[str],
    now: Sequence[int | None],
    before: Sequence[int | None],
    *,
    ink: Ink,
    words: str,
    number_words: Sequence[str] = (),
) -> SafeString:
    """The series and, dashed, the one it is compared with; None breaks the line.

    `words` says what it shows.

    `number_words`: the five words of the axis from 0 up, if numbers are written another way.
    """
    top = nice_top(max([*(value or 0 for value in (*now, *before)), 1]))
    rules = [_y(top * part / 4, top) for part in range(5)]
    axis = number_words or [f"{top * part // 4:,}" for part in range(5)]
    count = len(now)
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" width="100%" role="img" aria-label="{}" '
        'font-size="11" font-family="Figtree Variable, sans-serif">{}{}{}{}{}</svg>',
        *(WIDTH, HEIGHT, words),
        format_html_join(
            "",
            '<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="1"/>'
            '<text x="{}" y="{}" text-anchor="end" fill="{}">{}</text>',
            (
                (LEFT, WIDTH - RIGHT, y, y, ink.rule, LEFT - 6, y + 4, ink.text, text)
                for y, text in zip(rules, axis, strict=True)
            ),
        ),
        _day_words(labels, ink),
        format_html_join(
            "",
            '<polygon class="area" points="{},{} {} {},{}" fill="{}"/>',
            (
                (
                    *(_x(piece[0][0], count), HEIGHT - BOTTOM, _points(piece, top, count)),
                    *(_x(piece[-1][0], count), HEIGHT - BOTTOM, ink.area),
                )
                for piece in _pieces(now)
            ),
        ),
        format_html_join(
            "",
            '<polyline class="before" points="{}" fill="none" stroke="{}" stroke-width="1.5" '
            'stroke-dasharray="4 3"/>',
            ((_points(piece, top, count), ink.before) for piece in _pieces(before[:count])),
        ),
        format_html_join(
            "",
            '<polyline class="now" points="{}" fill="none" stroke="{}" stroke-width="2.2" '
            'stroke-linejoin="round" stroke-linecap="round"/>',
            ((_points(piece, top, count), ink.line) for piece in _pieces(now)),
        ),
    )


_Piece = list[tuple[int, int]]
"""Places and values that follow each other without a gap."""


def _pieces(values: Sequence[int | None]) -> list[_Piece]:
    pieces: list[_Piece] = [[]]
    for at, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((at, value))
    return [piece for piece in pieces if piece]


def _x(number: int, count: int) -> float:
    width = WIDTH - LEFT - RIGHT
    return round(LEFT + (number / (count - 1) * width if count > 1 else 0), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)


def _points(piece: _Piece, top: float, count: int) -> str:
    # A point alone is a line of no length with round ends.
    ends = piece * 2 if len(piece) == 1 else piece
    return " ".join(f"{_x(at, count)},{_y(value, top)}" for at, value in ends)


def _day_words(labels: Sequence[str], ink: Ink) -> SafeString:
    """At most seven of them, the first and the last among them."""
    if not labels:
        return SafeString("")
    last = len(labels) - 1
    shown = sorted({round(last * part / 6) for part in range(7)})
    anchors = {0: "start", last: "end"}
    words = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>',
        (
            (_x(n, len(labels)), HEIGHT - 6, anchors.get(n, "middle"), ink.text, labels[n])
            for n in shown
        ),
    )
    return format_html('<g class="days">{}</g>', words)
