"""Pictures of the demo websites: drawn from a number, so that no picture file is needed.

Each returns the inside of an SVG of 400 by 300, coloured by classes (`a1` to `a5`) that the
websites' style sheets define for light and dark.
"""

import math
import random
from collections.abc import Callable, Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 400, 300


def _path(points: list[tuple[float, float]], class_name: str) -> SafeString:
    data = "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"
    return format_html('<path class="{}" d="{}"/>', class_name, data)


def ridges(rng: random.Random) -> list[SafeString]:
    """Fells behind fells, and a pale sun."""
    shapes = [
        format_html(
            '<circle class="a1" cx="{}" cy="{}" r="{}"/>',
            rng.randrange(60, 340),
            rng.randrange(50, 110),
            rng.randrange(22, 38),
        )
    ]
    for layer in range(4):
        base = 110 + layer * 46
        waves = [(rng.uniform(0.6, 1.6), rng.uniform(0, 6.3), rng.uniform(8, 26)) for _ in range(3)]
        points: list[tuple[float, float]] = [(0, HEIGHT)]
        for x in range(0, WIDTH + 1, 20):
            height = sum(size * math.sin(x / 70 * pace + turn) for pace, turn, size in waves)
            points.append((x, base - height + rng.uniform(-5, 5)))
        points.append((WIDTH, HEIGHT))
        shapes.append(_path(points, f"a{layer + 2}"))
    return shapes


def stage(rng: random.Random) -> list[SafeString]:
    """A stage between curtains, under lights."""
    shapes = []
    for _ in range(rng.randrange(2, 4)):
        x, foot = rng.randrange(90, 310), rng.randrange(110, 290)
        shapes.append(_path([(x, 0), (foot + 52, 262), (foot - 52, 262)], "a2"))
        shapes.append(format_html('<ellipse class="a1" cx="{}" cy="262" rx="52" ry="9"/>', foot))
    shapes.append(_path([(0, 262), (WIDTH, 262), (WIDTH, HEIGHT), (0, HEIGHT)], "a5"))
    for side in (0, 1):
        for fold in range(4):
            near, far = fold * 22, (fold + 1) * 22 + rng.randrange(-4, 5)
            xs = [near, far, far - 8, near]
            points = [
                (WIDTH - x if side else x, y) for x, y in zip(xs, (0, 0, 275, 282), strict=True)
            ]
            shapes.append(_path([(float(x), float(y)) for x, y in points], f"a{3 + fold % 2}"))
    return shapes


def ledger(rng: random.Random) -> list[SafeString]:
    """Columns that balance, on ruled paper."""
    shapes = [
        format_html('<rect class="a5" x="0" y="{}" width="400" height="1"/>', y)
        for y in range(30, HEIGHT, 30)
    ]
    left = [rng.randrange(30, 120) for _ in range(4)]
    right = left[:]
    rng.shuffle(right)
    for number, (up, down) in enumerate(zip(left, right, strict=True)):
        x = 42 + number * 84
        shapes.append(
            format_html('<rect class="a2" x="{}" y="{}" width="30" height="{}"/>', x, 150 - up, up)
        )
        shapes.append(
            format_html('<rect class="a3" x="{}" y="150" width="30" height="{}"/>', x + 34, down)
        )
    shapes.append(format_html('<rect class="a4" x="20" y="{}" width="360" height="3"/>', 149))
    shapes.append(
        format_html('<circle class="a1" cx="{}" cy="150" r="11"/>', 76 + 84 * rng.randrange(4))
    )
    return shapes


_DRAWN: Mapping[str, Callable[[random.Random], list[SafeString]]] = {
    "fellside": ridges,
    "harbour": stage,
    "tamarind": ledger,
}


def picture(slug: str, path: str) -> SafeString:
    """The picture of a page: the same one each time."""
    shapes = _DRAWN[slug](random.Random(f"{slug}{path}"))
    return format_html_join("", "{}", ((shape,) for shape in shapes))
