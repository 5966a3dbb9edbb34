"""Filters in words: what they are about, how they compare, with what."""

from collections.abc import Mapping

import babel

from agency.wording import value_name
from tracking.models import Segment
from tracking.query.model import PROPS, Condition, Done, Either, Every, Filter, Negated, source_of

OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "contains": "contains",
    "contains_not": "does not contain",
    "matches": "matches",
    "matches_not": "does not match",
}
"""In the order in which a form offers them."""
DIMENSION_WORDS = {
    "event:page": "Page",
    "visit:entry_page": "Entry page",
    "visit:exit_page": "Exit page",
    "event:not_found": "Missing page",
    "event:status": "Status code",
    "visit:source": "Source",
    "visit:channel": "Channel",
    "visit:utm_campaign": "Campaign",
    "visit:utm_source": "Campaign source",
    "visit:utm_medium": "Campaign medium",
    "visit:utm_term": "Campaign term",
    "visit:utm_content": "Campaign content",
    "visit:country": "Country",
    "visit:region": "Region",
    "visit:outcode": "Outcode",
    "visit:device": "Device",
    "visit:browser": "Browser",
    "visit:os": "System",
    "visit:language": "Language",
    "event:name": "Event",
    "event:outbound": "Outbound link",
    "event:download": "Download",
    "event:goal": "Goal",
    "event:hostname": "Host",
}
"""What can be filtered on, in the order in which a form offers it."""
SEGMENT = "segment"


def dimension_words(dimension: str) -> str:
    """A dimension's name for people."""
    if dimension.startswith(PROPS):
        return f"Property {dimension.removeprefix(PROPS)}"
    return DIMENSION_WORDS.get(dimension, dimension)


def value_words(dimension: str, value: str, locale: babel.Locale) -> str:
    """A value's name for people; also of values that are not set."""
    source = source_of(dimension)
    return value_name(source.stored if source else None, value, locale)


def condition_words(part: Condition, locale: babel.Locale) -> str:
    """`is France or Spain`; what is searched for stands in quotation marks."""
    exact = part.op in {"is", "is_not"}
    values = [
        value_words(part.dimension, value, locale) if exact else f"“{value}”"
        for value in part.values
    ]
    return f"{OPERATORS[part.op]} {' or '.join(values)}"


def filter_words(part: Filter, locale: babel.Locale) -> tuple[str, str]:
    """What is filtered (empty where that is several things), and how."""
    if isinstance(part, Condition):
        return dimension_words(part.dimension), condition_words(part, locale)
    return "", _nested(part, locale)


def segment_words(text: str, segments: Mapping[int, Segment]) -> str:
    """Names of the segments that `is,segment,7` stands for; empty for another text."""
    operator, _, rest = text.partition(",")
    kind, _, ids = rest.partition(",")
    if operator != "is" or kind != SEGMENT:
        return ""
    numbers = [int(each) for each in ids.split(",") if each.isdecimal()]
    return " or ".join(segments[number].name for number in numbers if number in segments)


def _nested(part: Filter, locale: babel.Locale) -> str:
    match part:
        case Condition():
            return " ".join(filter_words(part, locale))
        case Every(parts):
            return " and ".join(_bracketed(each, locale) for each in parts)
        case Either(parts):
            return " or ".join(_bracketed(each, locale) for each in parts)
        case Negated(each):
            return f"not {_bracketed(each, locale)}"
        case Done(each, negated):
            return f"visits {'without' if negated else 'with'} {_bracketed(each, locale)}"


def _bracketed(part: Filter, locale: babel.Locale) -> str:
    words = _nested(part, locale)
    return words if isinstance(part, Condition) else f"({words})"
