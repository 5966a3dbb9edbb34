"""What the templates of the report page print, made of its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agency.components import BarTable, Choice, MenuItem, Tab
from agency.figures import number
from agency.filter_words import SEGMENT
from agency.report_alerts import alert_lines
from agency.report_figures import METRIC, WORDS, chosen_metric, figure_row
from agency.report_numbers import Numbers
from agency.report_panels import (
    PANELS,
    PLURALS,
    TERMS,
    PanelSpec,
    TabSpec,
    open_key,
)
from agency.report_rows import bar_table
from agency.report_series import CountryChart, SeriesChart
from agency.report_tables import SPEC_OF, Spec
from agency.report_tools import chips_of, clear_url, picker_of
from agency.report_ways import ways_of
from agency.views.reading import Reading
from agency.wording import date_words
from tenants.access import May
from tenants.models import Section
from tracking.analysis.goals import Rule
from tracking.query.model import Result

KEPT = (METRIC, *(panel.key for panel in PANELS))
"""The page's own names in its address: the figure of the chart, and each panel's open table."""
SECTIONS = frozenset(
    {Section.OVERVIEW, *(SPEC_OF[key].section for panel in PANELS for key in panel.keys)}
)
"""Parts of the report that this page shows."""
WIDE = frozenset({"places", "goals"})
"""Panels across the whole page: one has a map, one stands alone."""
STEP_WORDS = {"hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}


EXPORTS = (
    ("export_pdf", "PDF", "To print and to hand on"),
    ("export_all_xlsx", "Excel", "Every table, a sheet each"),
    ("export_all_zip", "CSV", "Every table, in one archive"),
)
"""Files of the whole report: names of their addresses."""


@dataclass(frozen=True)
class PanelView:
    """A panel as the template prints it."""

    key: str
    title: str
    spec: Spec
    tabs: Sequence[Tab]
    choices: Sequence[Tab]
    """Tables that share the open tab; empty for one alone."""
    table: BarTable
    more_url: str
    more_words: str
    """All 1,204 of them; empty where there is no more."""
    term: str
    has_map: bool

    @property
    def is_wide(self) -> bool:
        """Whether it takes the place of two."""
        return self.key in WIDE


def checked(reading: Reading) -> Reading:
    """The reading without names of figures and tables that do not exist, which are told."""
    allowed = {panel.key: frozenset(panel.keys) for panel in PANELS} | {METRIC: frozenset(WORDS)}
    wrong = [name for name, value in reading.kept if value not in allowed[name]]
    if not wrong:
        return reading
    return replace(
        reading,
        kept=tuple(pair for pair in reading.kept if pair[0] not in wrong),
        errors=(
            *reading.errors,
            *(f"{name.capitalize()}: there is none of that name." for name in wrong),
        ),
    )


def open_panels(reading: Reading, *, has_goals: bool) -> list[tuple[PanelSpec, Spec]]:
    """The panels that the reader may see, each with its open table."""
    asked = dict(reading.kept)
    found = []
    for panel in PANELS:
        within = panel.within(reading.sections, goals=has_goals)
        if within is not None:
            found.append((within, SPEC_OF[open_key(within, asked.get(panel.key, ""))]))
    return found


def panel_view(reading: Reading, panel: PanelSpec, spec: Spec, result: Result) -> PanelView:
    """A panel with one of its tables open."""
    tab = next(tab for tab in panel.tabs if spec.key in tab.keys)
    table = bar_table(reading, spec, result)
    hidden = result.total_rows - len(table.rows)
    return PanelView(
        key=panel.key,
        title=panel.title,
        spec=spec,
        tabs=[_tab(reading, panel, each, spec) for each in panel.tabs],
        choices=[
            Tab(
                words=PLURALS[key],
                url=_tab_url(reading, panel, key),
                partial=_partial(reading, key),
                is_current=key == spec.key,
            )
            for key in (tab.keys if len(tab.keys) > 1 else ())
        ],
        table=table,
        more_url=reading.below(f"table/{spec.key}/", own=False) if table.rows else "",
        more_words=f"All {number(result.total_rows)}" if hidden > 0 else "Details",
        term=TERMS.get(spec.key, ""),
        has_map=spec.key == "countries" and bool(table.rows),
    )


def _tab(reading: Reading, panel: PanelSpec, tab: TabSpec, spec: Spec) -> Tab:
    return Tab(
        words=tab.words,
        url=_tab_url(reading, panel, tab.keys[0]),
        partial=_partial(reading, tab.keys[0]),
        is_current=spec.key in tab.keys,
    )


def _partial(reading: Reading, key: str) -> str:
    return reading.below(f"panel/{key}/")


def _tab_url(reading: Reading, panel: PanelSpec, key: str) -> str:
    return reading.query({panel.key: None if key == panel.keys[0] else key})


def page_context(
    reading: Reading, numbers: Numbers, *, goals: Sequence[Rule] = ()
) -> dict[str, Any]:
    """Everything above and in the report."""
    metric = chosen_metric(reading)
    has_totals = Section.OVERVIEW in reading.sections
    return {
        **tools_context(reading),
        "figures": figure_row(reading, numbers) if has_totals else [],
        "series_title": f"{WORDS[metric]} by {reading.step}",
        "steps": [
            Choice(
                words=STEP_WORDS[step],
                url=reading.with_step(step),
                is_current=step == reading.step,
            )
            for step in reading.steps
        ],
        "annotations": numbers.annotations if has_totals else [],
        "panels": [
            panel_view(reading, panel, spec, numbers.tables[spec.key])
            if spec.key in numbers.tables
            else _later(reading, panel, spec)
            for panel, spec in open_panels(reading, has_goals=bool(goals))
        ],
        "has_any": numbers.has_any,
        "alerts": alert_lines(reading, numbers.alerts, goals),
        "live": numbers.live,
        "live_url": reading.below("live/", own=False),
        "ever": reading.first_day is not None,
        "step_word": STEP_WORDS[reading.step],
        "remark_url": _own_url(reading, "annotation_new") if reading.may_edit else "",
        "install_url": _own_url(reading, "install"),
        "series_url": reading.below("series.json"),
        "map_url": reading.below("countries.json"),
        "hidden": numbers.now.is_hidden,
        "hidden_words": (
            f"Fewer than {reading.k} visitors match these filters. Their figures are not shown, "
            "so that nobody can be picked out. Remove a filter, or choose a longer period."
        ),
        "exports": export_items(reading),
    }


def _own_url(reading: Reading, name: str) -> str:
    """A page of the site that only members have; empty for the reader of a shared link."""
    return "" if reading.door.link else reading.url(name)


def _later(reading: Reading, panel: PanelSpec, spec: Spec) -> dict[str, Any]:
    """A panel that the page asks for once it stands."""
    return {
        "key": panel.key,
        "title": panel.title,
        "is_wide": panel.key in WIDE,
        "later_url": _partial(reading, spec.key),
        "plain_url": _own_url(reading, panel.key),
    }


def export_items(reading: Reading) -> list[MenuItem]:
    """The whole report as files, for who may have them."""
    if May.EXPORT not in reading.door.may:
        return []
    return [
        MenuItem(words=words, url=reading.url(name), note=note) for name, words, note in EXPORTS
    ]


def tools_context(reading: Reading, *, of_visits: bool = False) -> dict[str, Any]:
    """Period, filters, segments, and what went wrong in the address.

    `of_visits`: the page counts single visits, whether it is filtered or not.
    """
    return {
        "reading": reading,
        "site": reading.site,
        "picker": picker_of(reading),
        "chips": chips_of(reading, edit_path="filter/"),
        "clear_url": clear_url(reading),
        "add_url": reading.below("filter/"),
        "segments": segment_items(reading),
        "save_url": (
            _own_url(reading, "segment_new") if reading.may_edit and reading.chosen else ""
        ),
        "manage_url": _own_url(reading, "segments"),
        "errors": reading.errors,
        "filterable_from": date_words(reading.filterable_from, reading.locale),
        "filter_limit": visits_limit(reading) if of_visits else filter_limit(reading),
        "base": base_template(reading),
        "ways": ways_of(reading),
    }


def filter_limit(reading: Reading) -> str:
    """What must be said where filters reach back less far than the page does."""
    since = reading.filterable_from
    compared = reading.comparison
    early = reading.period.starts_on < since
    if not reading.chosen or not (early or (compared and compared.starts_on < since)):
        return ""
    day = date_words(since, reading.locale)
    what = "the period" if early else "the period compared with"
    return (
        f"Filters need single visits, which are kept since {day}. Days of {what} before that "
        "are missing from these figures. Choose a later period, or remove the filters."
    )


def visits_limit(reading: Reading) -> str:
    """What must be said where single visits are counted, and reach back less far."""
    since = reading.filterable_from
    if reading.period.starts_on >= since:
        return ""
    day = date_words(since, reading.locale)
    return (
        f"Single visits are counted here, which are kept since {day}. Days of the period before "
        "that are missing from these figures. Choose a later period."
    )


def segment_items(reading: Reading) -> list[MenuItem]:
    """Each segment, chosen instead of the filters in force."""
    texts = {each.text for each in reading.chosen}
    return [
        MenuItem(
            words=segment.name,
            url=reading.with_filters([_segment_text(segment.pk)]),
            is_current=_segment_text(segment.pk) in texts,
        )
        for segment in reading.segments
    ]


def _segment_text(number: int) -> str:
    return f"is,{SEGMENT},{number}"


def base_template(reading: Reading) -> str:
    """The frame of the page: a member's, or that of a shared link."""
    return "client/shared.html" if reading.door.link else "client/base.html"


def chart_data(
    reading: Reading,
    numbers: Numbers | None,
    countries: Result | None = None,
    spec: Spec | None = None,
) -> dict[str, Any]:
    """Data of the charts that the page carries with it; none where it shows none."""
    found: dict[str, Any] = {}
    if numbers is not None and Section.OVERVIEW in reading.sections:
        series = SeriesChart(reading, numbers.now, numbers.before, numbers.annotations)
        found["series_data"] = series.get_context_data()
    table = numbers.tables.get("countries") if numbers is not None else countries
    if table is not None and (spec is None or spec.key == "countries"):
        found["map_data"] = CountryChart(table).get_context_data()
    return found
