"""Taking filters apart, and what they mean beside a goal. Pure."""

from collections.abc import Iterable, Iterator

from tracking.query.model import (
    GOAL,
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Grain,
    Negated,
    both,
    conditions_of,
    source_of,
)


def asks_goals(part: Filter | None) -> bool:
    """Whether the filter names a goal."""
    return any(each.dimension == GOAL for each in conditions_of(part))


def parts_of(part: Filter | None) -> list[Filter]:
    """The smallest parts all of which must hold: *neither a nor b* is two of them."""
    match part:
        case None:
            return []
        case Every(parts):
            return [found for each in parts for found in parts_of(each)]
        case Negated(Negated(each)):
            return parts_of(each)
        case Negated(Either(parts)):
            return [found for each in parts for found in parts_of(Negated(each))]
        case Negated(Condition(op, dimension, values, case)) if not op.endswith("_not"):
            return parts_of(Condition(f"{op}_not", dimension, values, case))
        case Done(Either(parts), negated=True):
            return [found for each in parts for found in parts_of(Done(each, negated=True))]
        case Condition(op, dimension, values, case) if op.endswith("_not") and dimension != GOAL:
            return [Condition(op, dimension, (value,), case) for value in values]
        case _:
            return [part]


def joined(parts: Iterable[Filter]) -> Filter | None:
    """All parts; None without any."""
    found: Filter | None = None
    for each in parts:
        found = both(found, each)
    return found


def asks_hits(part: Filter) -> bool:
    """Whether the filter may be true of some hits of a visit only."""
    match part:
        case Condition(_, dimension, _, _):
            source = source_of(dimension)
            return source is not None and source.grain is Grain.HIT
        case Every(parts) | Either(parts):
            return any(map(asks_hits, parts))
        case Negated(each):
            return asks_hits(each)
        case Done():
            return False


def visits_of(part: Filter | None) -> Filter | None:
    """Visits with a hit of which the filter is true, with all their hits."""
    parts = list(part.parts) if isinstance(part, Every) else [part] if part else []
    of_hits = joined(each for each in parts if asks_hits(each))
    of_visits = [each for each in parts if not asks_hits(each)]
    return joined(of_visits if of_hits is None else [*of_visits, Done(of_hits)])


def beside_goals(part: Filter | None) -> Filter | None:
    """The filter, of which whatever is no goal selects visits, if it names a goal at all.

    A page beside a goal asks which visits saw the page and reached the goal, not whether one hit
    is both.
    """
    parts = list(part.parts) if isinstance(part, Every) else [part] if part else []
    goals = [each for each in parts if asks_goals(each)]
    others = visits_of(joined(each for each in parts if not asks_goals(each)))
    return part if not goals or others is None else joined([others, *goals])


def without_goals(part: Filter | None) -> Filter | None:
    """The filter without its goals, as far as these are joined by *and*."""
    if isinstance(part, Condition) and part.dimension == GOAL:
        return None
    if not isinstance(part, Every):
        return part
    parts = [without_goals(each) for each in part.parts]
    return joined(each for each in parts if each is not None)


def names_in(part: Filter | None, done: Filter | None = None) -> Iterator[str]:
    """What the filter names, as dimensions of a cross.

    A goal is one of its own, and so is a hit that a visit must have: two pages of one visit are
    two dimensions, though both are pages.
    """
    match part:
        case None:
            return
        case Condition(_, dimension, values, _):
            source = source_of(dimension)
            if dimension == GOAL:
                yield f"{GOAL} {sorted(values)}"
            elif done is not None and source is not None and source.grain is Grain.HIT:
                yield f"{dimension} of {done!r}"
            else:
                yield dimension
        case Every(parts) | Either(parts):
            for each in parts:
                yield from names_in(each, done)
        case Negated(each):
            yield from names_in(each, done)
        case Done(each):
            yield from names_in(each, each)
