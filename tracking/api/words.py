"""Words for values that are not set, as Plausible's clients know them. Pure."""

from collections.abc import Callable
from dataclasses import replace

from tracking.query.model import (
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    Row,
    is_time,
)

DIRECT = "Direct / None"
OTHER = "(other)"
SOURCE = "visit:source"


def dimensions_of(row: Row, dimensions: tuple[str, ...]) -> list[str]:
    """A row's values in the API's words."""
    return [_word(row, name, text) for name, text in zip(dimensions, row.dimensions, strict=True)]


def _word(row: Row, name: str, text: str) -> str:
    if is_time(name):
        return text
    if row.is_other and not text:
        return OTHER
    return DIRECT if name == SOURCE and not text else text


def understood(part: Filter | None) -> Filter | None:
    """A filter in which `Direct / None` stands for the source that is not set."""
    return None if part is None else _each(part, _direct)


def _direct(part: Condition) -> Condition:
    if part.dimension != SOURCE or part.op not in {"is", "is_not"}:
        return part
    return replace(part, values=tuple("" if value == DIRECT else value for value in part.values))


def _each(part: Filter, change: Callable[[Condition], Condition]) -> Filter:
    match part:
        case Condition():
            return change(part)
        case Every(parts):
            return Every(tuple(_each(each, change) for each in parts))
        case Either(parts):
            return Either(tuple(_each(each, change) for each in parts))
        case Negated(each):
            return Negated(_each(each, change))
        case Done(each, negated):
            return Done(_each(each, change), negated)
