"""Reading columns of small numbers two at a time.

What raw rows cost is what leaves the database: in an array each element is written by a call of
its own and has a length before it. So two labels, counts or flags travel as one 64-bit number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tracking.raw_rows import Params
from tracking.rollups.hours import Ints
from tracking.rollups.reading import read_arrays

_HALF = 32
_LOW = np.int64((1 << _HALF) - 1)


@dataclass(frozen=True)
class Column:
    """An expression, its parameters for `%s`, and how wide its values are."""

    text: str
    kind: Literal["int4", "int8"] = "int4"
    """`int4`: from 0 to 2**31 - 1; never null, like the others."""
    params: Params = field(default_factory=list)


def read_columns(
    cursor: Any, source: str, params: Params, columns: Mapping[str, Column]
) -> dict[str, Ints]:
    """The columns of all rows of a source, which begins with FROM. One query."""
    wide = {name: each for name, each in columns.items() if each.kind != "int4"}
    narrow = [name for name in columns if name not in wide]
    pairs = list(zip(narrow[::2], narrow[1::2], strict=False))
    left = narrow[-1:] if len(narrow) % 2 else []
    texts = {name: each.text for name, each in wide.items()}
    kinds: dict[str, str] = {name: each.kind for name, each in wide.items()}
    for high, low in pairs:
        name = f"{high}|{low}"
        texts[name] = f"(({columns[high].text})::int8 << {_HALF}) | ({columns[low].text})::int8"
        kinds[name] = "int8"
    for name in left:
        texts[name], kinds[name] = columns[name].text, "int4"
    order = [*wide, *(name for pair in pairs for name in pair), *left]
    before = [param for name in order for param in columns[name].params]
    query = f"SELECT {{columns}} {source}"
    found = read_arrays(cursor, query, [*before, *params], texts, kinds)
    for high, low in pairs:
        both = found.pop(f"{high}|{low}")
        found[high], found[low] = both >> _HALF, both & _LOW
    return found
