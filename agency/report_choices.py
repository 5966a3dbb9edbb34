"""What the address of a report chooses: period, comparison, step of the series, filters. Pure.

Each reader takes what makes no sense as if it were not there, and adds to `errors` what was left
out and why, naming the field.
"""

import dataclasses
import datetime as dt
import enum
from collections.abc import Collection, Sequence
from typing import Any, cast

import babel
from django.http import QueryDict

from agency.filter_words import dimension_words, filter_words, segment_words
from agency.forms.periods import read_dates
from agency.report_tables import SPECS
from tenants.models import Section
from tracking.models import Segment
from tracking.query.model import GOAL, MAX_VALUES, PROPS, Condition, Filter, conditions_of
from tracking.query.text import FilterError, filter_texts, parse_filters
from tracking.reports.periods import Period, Preset, before_of

DEFAULT = Preset.LAST_30_DAYS


class Compare(enum.StrEnum):
    """What a period is compared with."""

    PREVIOUS = "previous"
    YEAR = "year"
    CUSTOM = "custom"
    NONE = "none"


STEPS: dict[str, tuple[int, int]] = {
    "hour": (1, 7),
    "day": (2, 750),
    "week": (14, 3800),
    "month": (56, 3800),
}
"""From and up to how many days a step of the series makes sense."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A filter in force: as it stands in the address, and what it says."""

    text: str
    part: Filter
    name: str
    words: str
    is_segment: bool = False

    def is_exactly(self, dimension: str, value: str) -> bool:
        """Whether it asks for this one value, and nothing else."""
        return self.text == filter_text(dimension, value)


def filter_text(dimension: str, *values: str, op: str = "is") -> str:
    """A filter as it stands in an address."""
    return filter_texts(Condition(op, dimension, values))[0]


def steps_for(period: Period) -> tuple[str, ...]:
    """Steps that make sense for so many days; at least one."""
    return tuple(step for step, (least, most) in STEPS.items() if least <= period.days <= most)


def default_step(period: Period) -> str:
    """Hours of two days, days of a quarter, weeks of half a year, months of more."""
    if period.days <= 2:
        return "hour"
    if period.days <= 92:
        return "day"
    return "week" if period.days <= 200 else "month"


def read_period(
    values: QueryDict, today: dt.date, first_day: dt.date | None, errors: list[str]
) -> tuple[Period, Preset | None]:
    """The period, and its name if it has one; without any it is the default."""
    if "from" in values or "to" in values:
        period, problems = read_dates(_first(values), "from", "to")
        if period is not None:
            return period, None
        errors += problems
    name = values.get("period", DEFAULT.value)
    if name not in set(Preset):
        errors.append("Period: there is none of that name. The last 30 days are shown instead.")
        name = DEFAULT.value
    preset = Preset(name)
    return Period.of(preset, today, first_day=first_day), preset


def read_comparison(
    values: QueryDict, preset: Preset | None, period: Period, errors: list[str]
) -> tuple[Compare, Period | None]:
    """What is compared with: of *all* nothing, since there is nothing before."""
    name = values.get("compare", Compare.PREVIOUS.value)
    if name not in set(Compare):
        errors.append("Comparison: choose previous, year, custom or none.")
        name = Compare.PREVIOUS.value
    compare = Compare(name)
    if compare is Compare.CUSTOM:
        other, problems = read_dates(_first(values), "compare_from", "compare_to")
        if other is not None:
            return compare, other
        errors += [f"Comparison: {problem}" for problem in problems]
        compare = Compare.PREVIOUS
    if compare is Compare.YEAR:
        return compare, period.year_before()
    if compare is Compare.NONE or preset is Preset.ALL:
        return compare, None
    return compare, before_of(preset, period)


def _first(values: QueryDict) -> dict[str, str]:
    return cast(dict[str, str], values.dict())


def read_step(values: QueryDict, period: Period, errors: list[str]) -> str:
    """hour, day, week or month."""
    name = values.get("by", "")
    if not name or name in steps_for(period):
        return name or default_step(period)
    if name in STEPS:
        errors.append(f"Step: a period of {period.days} days is not shown by {name}.")
    else:
        errors.append("Step: choose hour, day, week or month.")
    return default_step(period)


def read_filters(
    values: QueryDict,
    segments: Sequence[Segment],
    sections: Collection[Section],
    locale: babel.Locale,
    errors: list[str],
) -> tuple[Chosen, ...]:
    """Filters in the order of the address, each once; segments first."""
    stored = {segment.pk: segment for segment in segments}
    texts = [f"is,segment,{number}" for number in values.getlist("segment") if number]
    texts = list(dict.fromkeys([*texts, *(each for each in values.getlist("f") if each.strip())]))

    def load(number: int) -> Any:
        return stored[number].filters if number in stored else None

    found: dict[str, Chosen] = {}
    room = MAX_VALUES
    for text in texts:
        try:
            part = parse_filters([text], load_segment=load)
        except FilterError as error:
            errors.append(f"Filter left out: {str(error).removeprefix('filters: ')}")
            continue
        if part is None:
            continue
        if closed := closed_dimension(part, sections):
            errors.append(f"Filter left out: {dimension_words(closed)} is not open to you.")
            continue
        room -= sum(1 for _ in conditions_of(part))
        if room < 0:
            errors.append(f"Filters left out: at most {MAX_VALUES} conditions hold at once.")
            break
        segment = segment_words(text, stored)
        plain = text if segment else filter_texts(part)[0]
        name, words = ("Segment", segment) if segment else filter_words(part, locale)
        found[plain] = Chosen(plain, part, name, words, is_segment=bool(segment))
    return tuple(found.values())


SECTION_OF = {spec.dimension: spec.section for spec in SPECS} | {
    GOAL: Section.GOALS,
    "event:hostname": Section.PAGES,
}
"""The section whose tables tell of a dimension."""


def closed_dimension(part: Filter, sections: Collection[Section]) -> str:
    """A dimension of the filter that the reader may not see; empty if there is none.

    Filtering by what is closed would tell of it.
    """
    for each in conditions_of(part):
        is_property = each.dimension.startswith(PROPS)
        section = Section.EVENTS if is_property else SECTION_OF.get(each.dimension)
        if section not in sections:
            return each.dimension
    return ""
