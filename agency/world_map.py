"""The map of the world as the pages need it: countries by ISO 3166 code, coarse enough to be light.

Source: world-atlas (Natural Earth 1:110 m, public domain) in TopoJSON, whose arcs are quantised
differences (https://github.com/topojson/topojson-specification). A country is named by its number
of ISO 3166-1 there, by its two letters here.
"""

import json
from pathlib import Path
from typing import Any

from babel.core import get_global

GRID = 1600
"""Steps across the map: half a pixel where it is 800 pixels wide."""
LEFT_OUT = {"AQ"}
"""Nobody browses from Antarctica, and it takes a fifth of the height."""

Point = tuple[float, float]


def write_world(source: Path, target: Path) -> None:
    """Read world-atlas' countries-110m.json, write the light one. Raises OSError."""
    target.write_text(json.dumps(lighten(json.loads(source.read_text())), separators=(",", ":")))


def lighten(topology: dict[str, Any]) -> dict[str, Any]:
    """TopoJSON with coarser arcs, two-letter ids, and nothing else about the countries."""
    codes = get_global("territory_aliases")
    shapes = []
    for shape in topology["objects"]["countries"]["geometries"]:
        found = codes.get(shape.get("id", ""), [])
        code = found[0] if found else ""
        if code not in LEFT_OUT:
            shapes.append(
                {"type": shape["type"], "arcs": shape["arcs"]} | ({"id": code} if code else {})
            )
    used = _arcs_of([shape["arcs"] for shape in shapes])
    arcs = [
        _decode(arc, topology["transform"]) if index in used else []
        for index, arc in enumerate(topology["arcs"])
    ]
    return {
        "type": "Topology",
        "objects": {"countries": {"type": "GeometryCollection", "geometries": shapes}},
        **_encode(arcs),
    }


def _arcs_of(nested: Any) -> set[int]:
    """Numbers of arcs in use; a negative one is an arc walked backwards."""
    if isinstance(nested, int):
        return {nested if nested >= 0 else ~nested}
    return set().union(*(_arcs_of(one) for one in nested)) if nested else set()


def _decode(arc: list[list[int]], transform: dict[str, list[float]]) -> list[Point]:
    """Degrees of longitude and latitude."""
    (scale_x, scale_y), (left, bottom) = transform["scale"], transform["translate"]
    x = y = 0
    points = []
    for step_x, step_y in arc:
        x, y = x + step_x, y + step_y
        points.append((x * scale_x + left, y * scale_y + bottom))
    return points


def _encode(arcs: list[list[Point]]) -> dict[str, Any]:
    """Arcs on the grid of GRID steps, points that fall together left out, and its transform."""
    every = [point for arc in arcs for point in arc]
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    bottom, top = min(y for _, y in every), max(y for _, y in every)
    scale = max(right - left, top - bottom) / (GRID - 1)
    return {
        "transform": {"scale": [scale, scale], "translate": [left, bottom]},
        "arcs": [
            _steps([(round((x - left) / scale), round((y - bottom) / scale)) for x, y in arc])
            for arc in arcs
        ],
    }


def _steps(points: list[tuple[int, int]]) -> list[list[int]]:
    """Differences; an arc keeps two points at least, since rings are joined by its ends."""
    steps: list[list[int]] = []
    last = (0, 0)
    for point in points:
        if not steps or point != last:
            steps.append([point[0] - last[0], point[1] - last[1]])
            last = point
    return steps if len(steps) > 1 else [*steps, [0, 0]]
