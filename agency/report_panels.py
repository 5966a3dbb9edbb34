"""Panels of the report page: which tables stand together, under which tab, for whom."""

from collections.abc import Collection
from dataclasses import dataclass

from agency.report_tables import SPEC_OF, Spec
from tenants.models import Section


@dataclass(frozen=True)
class TabSpec:
    """A tab of a panel: tables that share it, the first one open. Mostly one."""

    words: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class PanelSpec:
    """A panel. `key` names its parameter in the address, whose value is a table's key."""

    key: str
    title: str
    tabs: tuple[TabSpec, ...]

    def within(self, sections: Collection[Section], *, goals: bool) -> "PanelSpec | None":
        """The panel as far as its tables are open to the reader; None if none is."""
        tabs = tuple(
            TabSpec(tab.words, keys)
            for tab in self.tabs
            if (keys := tuple(key for key in tab.keys if SPEC_OF[key].section in sections))
        )
        if not tabs or (SPEC_OF[tabs[0].keys[0]].needs_goals and not goals):
            return None
        return PanelSpec(self.key, self.title, tabs)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all its tables."""
        return tuple(key for tab in self.tabs for key in tab.keys)


PANELS = (
    PanelSpec(
        "pages",
        "Pages",
        (
            TabSpec("Pages", ("pages",)),
            TabSpec("Entry", ("entry-pages",)),
            TabSpec("Exit", ("exit-pages",)),
        ),
    ),
    PanelSpec(
        "sources",
        "Sources",
        (
            TabSpec("Sources", ("sources",)),
            TabSpec("Channels", ("channels",)),
            TabSpec(
                "Campaigns",
                (
                    *("campaigns", "campaign-sources", "campaign-mediums"),
                    *("campaign-terms", "campaign-contents"),
                ),
            ),
        ),
    ),
    PanelSpec(
        "places",
        "Places",
        (
            TabSpec("Countries", ("countries",)),
            TabSpec("Regions", ("regions",)),
            TabSpec("Outcodes", ("outcodes",)),
        ),
    ),
    PanelSpec(
        "devices",
        "Devices",
        (
            TabSpec("Devices", ("devices",)),
            TabSpec("Browsers", ("browsers",)),
            TabSpec("Systems", ("systems",)),
            TabSpec("Languages", ("languages",)),
        ),
    ),
    PanelSpec(
        "events",
        "Events",
        (
            TabSpec("Events", ("events",)),
            TabSpec("Outbound", ("outbound",)),
            TabSpec("Downloads", ("downloads",)),
            TabSpec("404", ("not-found",)),
            TabSpec("Status", ("status-codes",)),
        ),
    ),
    PanelSpec("goals", "Goals", (TabSpec("Goals", ("goals",)),)),
)
PANEL_OF = {key: panel for panel in PANELS for key in panel.keys}
"""The panel that a table stands in."""
PLURALS = {
    "campaigns": "Name",
    "campaign-sources": "Source",
    "campaign-mediums": "Medium",
    "campaign-terms": "Term",
    "campaign-contents": "Content",
}
"""Words of the choices inside a tab."""
TERMS = {
    "sources": "source",
    "channels": "channel",
    "campaigns": "campaign",
    "entry-pages": "entry-page",
    "exit-pages": "exit-page",
    "countries": "country",
    "regions": "region",
    "outcodes": "outcode",
    "goals": "goal",
}
"""Terms in the glossary."""
HEADINGS = {
    "visitors": "Visitors",
    "visits": "Visits",
    "pageviews": "Views",
    "events": "Events",
    "percentage": "Share",
    "conversion_rate": "Rate",
}
EMPTY = {
    "campaigns": "No visit came with campaign parameters (utm_campaign).",
    "outcodes": "Nobody gave a postcode. Mark its field with data-outward-postcode.",
    "regions": "Regions need a city database: see OUTWARD_GEO_PATH.",
    "events": 'No event. Send one with outward("event", "Newsletter").',
    "outbound": "Nobody followed a link to another website.",
    "downloads": "Nobody downloaded a file.",
    "not-found": "No page was missing.",
    "status-codes": "Status codes come with weblog imports; none covers this period.",
    "goals": "No goal was reached.",
}
NOTHING = "Nothing in this period."


def panel_metrics(spec: Spec) -> tuple[str, ...]:
    """What a panel's table counts: the first is told by the bars, the first two are columns."""
    if spec.needs_goals:
        return spec.metrics
    if "visitors" not in spec.metrics:
        return spec.metrics
    return ("visitors", "percentage", *spec.metrics[1:])


def open_key(panel: PanelSpec, asked: str) -> str:
    """The table that is open: the one asked for if the reader may see it, else the first."""
    return asked if asked in panel.keys else panel.keys[0]
