"""Filters as text: the form in page addresses, and the JSON form of the statistics API. Pure.

In an address each condition is one `f`: `is,visit:source,Google,Bing`, with a backslash before a
comma or backslash inside a value, and `~` after the operator where letter case does not matter
(`contains~,event:page,blog`). Conditions are joined by *and*. What commas cannot say (or, not,
has_done) is the API's JSON: `["or",[["is","visit:source",["Google"]], ...]]`.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tracking.query.model import (
    GOAL,
    MAX_DEPTH,
    MAX_VALUES,
    OPERATORS,
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    QueryError,
    conditions_of,
    is_stored_text,
    is_time,
    source_of,
)

LoadSegment = Callable[[int], Any]
"""Filters of a stored segment, in the API's form; None when there is no such segment."""

MAX_TEXT = 8_000
"""Longest filter in an address, and longest value, in characters."""
_FOLDED = "~"
_PIECES = re.compile(r"((?:[^\\,]|\\.)*),", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class FilterError(QueryError):
    """A filter that cannot be read or asked."""

    code = "filter-invalid"

    def __init__(self, message: str) -> None:
        super().__init__("filters", message)


def parse_filters(
    texts: Sequence[str], *, load_segment: LoadSegment | None = None
) -> Filter | None:
    """The conditions of an address, all of which must hold; None without any.

    Raises FilterError, saying which text and what to write.
    """
    return _counted(_every([_parse_text(text, load_segment) for text in texts if text.strip()]))


def filter_texts(part: Filter | None) -> list[str]:
    """The filter as texts of an address; `parse_filters` gives the same filter back."""
    if part is None:
        return []
    return [_text_of(each) for each in (part.parts if isinstance(part, Every) else (part,))]


def parse_json(filters: Any, *, load_segment: LoadSegment | None = None) -> Filter | None:
    """A list of filters in the API's form, all of which must hold; None for an empty list.

    `load_segment` gives the filters of `["is", "segment", [id]]`. Raises FilterError.
    """
    if not isinstance(filters, list):
        raise FilterError('filters: send a list, such as [["is", "visit:source", ["Google"]]].')
    return _counted(_every([_parse(each, load_segment, MAX_DEPTH) for each in filters]))


def filter_json(part: Filter | None) -> list[Any]:
    """The filter in the API's form; segments are what they stand for."""
    if part is None:
        return []
    return [_json_of(each) for each in (part.parts if isinstance(part, Every) else (part,))]


def _counted(found: Filter | None) -> Filter | None:
    if sum(1 for _ in conditions_of(found)) > MAX_VALUES:
        raise FilterError(f"filters: at most {MAX_VALUES} conditions; send fewer.")
    return found


def _every(parts: Sequence[Filter]) -> Filter | None:
    if len(parts) > 1:
        return Every(tuple(parts))
    return parts[0] if parts else None


def _parse_text(text: str, load_segment: LoadSegment | None) -> Filter:
    if len(text) > MAX_TEXT:
        raise FilterError(f"A filter has more than {MAX_TEXT} characters: shorten it.")
    if text.lstrip().startswith("["):
        try:
            return _parse(json.loads(text), load_segment, MAX_DEPTH)
        except QueryError:
            raise
        except (ValueError, RecursionError):
            # Also of a number with thousands of digits.
            raise FilterError(
                "filters: one that begins with [ is not JSON: choose it again on the page."
            ) from None
    found = _PIECES.findall(text + ",")
    if sum(map(len, found)) + len(found) != len(text) + 1:
        raise FilterError("A filter ends with a backslash: write two for one.")
    pieces = [_ESCAPED.sub(r"\1", each) for each in found]
    if len(pieces) < 3:
        raise FilterError(
            "A filter needs an operator, a dimension and a value: is,visit:source,Google."
        )
    operator, dimension, *values = pieces
    if dimension == "segment":
        return _segment(operator, values, load_segment, MAX_DEPTH)
    return _condition(operator.removesuffix(_FOLDED), dimension, values, _FOLDED not in operator)


def _text_of(part: Filter) -> str:
    if not isinstance(part, Condition):
        return json.dumps(_json_of(part), ensure_ascii=False, separators=(",", ":"))
    operator = part.op if part.case_sensitive else part.op + _FOLDED
    return ",".join(re.sub(r"([\\,])", r"\\\1", each) for each in (operator, *_rest(part)))


def _rest(part: Condition) -> tuple[str, ...]:
    return (part.dimension, *part.values)


def _json_of(part: Filter) -> list[Any]:
    match part:
        case Condition(op, dimension, values, case_sensitive):
            plain: list[Any] = [op, dimension, list(values)]
            return plain if case_sensitive else [*plain, {"case_sensitive": False}]
        case Every(parts):
            return ["and", [_json_of(each) for each in parts]]
        case Either(parts):
            return ["or", [_json_of(each) for each in parts]]
        case Negated(each):
            return ["not", _json_of(each)]
        case Done(each, negated):
            return ["has_not_done" if negated else "has_done", _json_of(each)]


def _parse(value: Any, load_segment: LoadSegment | None, depth: int) -> Filter:
    if depth == 0:
        raise FilterError(f"filters: nested more than {MAX_DEPTH} deep; send a flatter filter.")
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], str):
        raise FilterError(
            f"filters: {_shown(value)} is no filter; "
            'write one as ["is", "visit:source", ["Google"]].'
        )
    operator = value[0]
    match operator:
        case "and" | "or":
            return _joined(value, load_segment, depth)
        case "not":
            return Negated(_parse(_only(value), load_segment, depth - 1))
        case "has_done" | "has_not_done":
            return Done(_parse(_only(value), load_segment, depth - 1), operator != "has_done")
    if len(value) not in {3, 4} or not isinstance(value[1], str):
        raise FilterError(
            f'filters: after "{_shown(operator)}" send a dimension and a list of values.'
        )
    if value[1] == "segment":
        return _segment(operator, value[2], load_segment, depth)
    return _condition(operator, value[1], value[2], _case(value))


def _joined(value: list[Any], load_segment: LoadSegment | None, depth: int) -> Filter:
    parts = _only(value)
    if not isinstance(parts, list) or not parts:
        raise FilterError(f'filters: after "{value[0]}" send a list of filters.')
    found = tuple(_parse(each, load_segment, depth - 1) for each in parts)
    return Every(found) if value[0] == "and" else Either(found)


def _only(value: list[Any]) -> Any:
    if len(value) != 2:
        raise FilterError(f'filters: "{value[0]}" takes one thing after it, not {len(value) - 1}.')
    return value[1]


def _case(value: list[Any]) -> bool:
    if len(value) == 3:
        return True
    options = value[3]
    if not isinstance(options, dict) or set(options) - {"case_sensitive"}:
        raise FilterError('filters: the last part may be {"case_sensitive": false} only.')
    sensitive = options.get("case_sensitive", True)
    if not isinstance(sensitive, bool):
        raise FilterError("filters: case_sensitive is true or false.")
    return sensitive


def _condition(operator: str, dimension: str, values: Any, case_sensitive: bool) -> Condition:
    if operator not in OPERATORS:
        raise FilterError(
            f'filters: "{_shown(operator)}" is no operator; use one of {", ".join(OPERATORS)}, '
            "and, or, not, has_done, has_not_done."
        )
    if is_time(dimension):
        raise FilterError(f"filters: {dimension} cannot be filtered on; use the date range.")
    if source_of(dimension) is None:
        raise FilterError(
            f'filters: "{_shown(dimension)}" is no dimension that can be filtered on; '
            "use one such as visit:source or event:page."
        )
    if not isinstance(values, list | tuple) or not values:
        raise FilterError(f"filters: send at least one value for {dimension}, in a list.")
    if len(values) > MAX_VALUES:
        raise FilterError(f"filters: at most {MAX_VALUES} values for {dimension}; send fewer.")
    if dimension == GOAL and operator.startswith("matches"):
        raise FilterError("filters: goals cannot be matched by a pattern; use is or contains.")
    return Condition(
        operator, dimension, tuple(_value(dimension, each) for each in values), case_sensitive
    )


def _value(dimension: str, value: Any) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str) and not is_number:
        raise FilterError(f"filters: each value for {dimension} is a text.")
    text = str(value)
    if len(text) > MAX_TEXT or not is_stored_text(text):
        raise FilterError(
            f"filters: a value for {dimension} is longer than {MAX_TEXT} characters, or holds a "
            "NUL or half a character; no stored value is like that: write another."
        )
    return text


def _segment(operator: str, ids: Any, load_segment: LoadSegment | None, depth: int) -> Filter:
    if operator != "is" or not isinstance(ids, list | tuple) or not ids:
        raise FilterError('filters: write a segment as ["is", "segment", [7]].')
    if load_segment is None:
        raise FilterError("filters: a segment cannot stand inside a segment.")
    found = []
    for each in ids:
        number = _segment_id(each)
        stored = load_segment(number) if 0 < number < 2**63 else None
        if stored is None:
            raise FilterError("filters: there is no such segment; choose another.")
        # Without a loader: segments do not nest.
        part = _every([_parse(one, None, depth - 1) for one in stored])
        if part is not None:
            found.append(part)
    if not found:
        raise FilterError("filters: the segment is empty; choose another.")
    return found[0] if len(found) == 1 else Either(tuple(found))


def _segment_id(value: Any) -> int:
    """Its number; 0 for what is none. A longer text is no number of ours, and slow to read."""
    if isinstance(value, int):
        return int(value)
    is_number = isinstance(value, str) and len(value) < 20 and value.isascii()
    return int(value) if is_number and value.isdecimal() else 0


def _shown(value: Any) -> str:
    """What was sent, short. Values of conditions are never shown: they may be anybody's data."""
    text = value if isinstance(value, str) else type(value).__name__
    return text if len(text) <= 40 else text[:40] + "…"
