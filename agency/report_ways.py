"""Where the reader of a shared link may go: the pages of the link's sections.

Members are led by agency.navigation.
"""

from agency.components import Choice
from agency.views.reading import Reading
from tenants.models import Section

WAYS = (
    (Section.REALTIME, "Realtime", "realtime/"),
    (Section.GOALS, "Goals", "goals/"),
    (Section.FUNNELS, "Funnels", "funnels/"),
    (Section.JOURNEYS, "Journeys", "journeys/"),
    (Section.RETENTION, "Retention", "retention/"),
)
"""Sections that have a page of their own, its words, and its path below the report's."""
ELSEWHERE = frozenset({Section.FUNNELS, Section.JOURNEYS, Section.RETENTION})
"""Sections of which the first page of the report shows nothing."""


def ways_of(reading: Reading) -> list[Choice]:
    """Pages that the link opens; empty for members, and where there is only one."""
    if reading.door.link is None or reading.door.link.is_embed:
        return []
    found = []
    if reading.sections - ELSEWHERE:
        found.append(_way(reading, "Overview", ""))
    found += [
        _way(reading, words, path) for section, words, path in WAYS if section in reading.sections
    ]
    return found if len(found) > 1 else []


def first_way(reading: Reading) -> str:
    """Address of the first page of a section that has its own; empty when there is none."""
    ways = [path for section, _, path in WAYS if section in reading.sections]
    return reading.below(ways[0], own=False) if ways else ""


def _way(reading: Reading, words: str, path: str) -> Choice:
    address = reading.door.base + path
    here = reading.path == address if not path else reading.path.startswith(address)
    return Choice(words=words, url=reading.below(path, own=False), is_current=here)
