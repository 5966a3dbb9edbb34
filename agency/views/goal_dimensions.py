"""Conversions of a goal by a dimension, as a panel with a tab for each."""

from agency import figures
from agency.components import BarRow, BarTable, Column, Panel, Tab
from agency.filter_words import dimension_words, value_words
from agency.views.reading import Reading
from tracking.analysis.goals import Rule, load_goals
from tracking.query.model import Condition, Query, Row, both
from tracking.query.parts import asks_goals, beside_goals, visits_of
from tracking.query.run import run_query

DIMENSIONS = {
    "source": "visit:source",
    "channel": "visit:channel",
    "campaign": "visit:utm_campaign",
    "entry": "visit:entry_page",
    "country": "visit:country",
    "outcode": "visit:outcode",
    "device": "visit:device",
    "browser": "visit:browser",
    "system": "visit:os",
    "language": "visit:language",
}
"""Tabs, by the word in the address."""
BY = "dimension"
"""Name in the address of the open tab."""
ROWS = 12


def goal_panel(asked: Reading, rule: Rule, by: str) -> Panel:
    """The panel with one tab open; call inside the client's schema."""
    by = by if by in DIMENSIONS else "source"
    return Panel(
        key="goal-by",
        title="Conversions by",
        tabs=[
            Tab(
                words=dimension_words(dimension),
                url=asked.query({BY: slug}),
                partial=asked.query({BY: slug}),
                is_current=slug == by,
            )
            for slug, dimension in DIMENSIONS.items()
        ],
        table=_table(asked, rule, DIMENSIONS[by]),
    )


def _table(asked: Reading, rule: Rule, dimension: str) -> BarTable:
    # A filter on another goal selects visits that reached it, not hits that are both.
    filters = visits_of(beside_goals(asked.filters))
    others = load_goals(asked.site) if asks_goals(filters) else []
    query = Query(
        metrics=("visitors", "group_conversion_rate"),
        starts_on=asked.period.starts_on,
        ends_on=asked.period.ends_on,
        dimensions=(dimension,),
        filters=both(filters, Condition("is", "event:goal", (rule.name,))),
        limit=ROWS,
        goals=(*(each for each in others if each.name != rule.name), rule),
    )
    found = run_query(asked.site, query, k=asked.k, now=asked.now)
    most = max((row.metrics[0] or 0 for row in found.rows if not row.is_other), default=0)
    return BarTable(
        title=dimension_words(dimension),
        columns=[Column(words="Visitors"), Column(words="Rate", term="group-conversion-rate")],
        rows=[_row(asked, dimension, row, most) for row in found.rows],
        note=(
            f"Groups of fewer than {asked.k} converting visitors are folded into other."
            if any(row.is_other for row in found.rows)
            else ""
        ),
        empty="Nobody reached this goal in this period.",
    )


def _row(asked: Reading, dimension: str, row: Row, most: float) -> BarRow:
    if row.is_hidden:
        return BarRow(words="Other", cells=[f"fewer than {asked.k}", ""], is_quiet=True)
    visitors, rate = row.metrics
    words = "Other" if row.is_other else value_words(dimension, row.dimensions[0], asked.locale)
    share = 0.0 if row.is_other or not most else 100 * float(visitors or 0) / most
    return BarRow(
        words=words,
        cells=[
            figures.number(int(visitors or 0)),
            figures.share(None if rate is None else rate / 100),
        ],
        share=share,
        is_quiet=row.is_other,
    )
