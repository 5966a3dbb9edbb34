"""The row of totals above the report: which there are, their change, and which the chart shows."""

from dataclasses import dataclass

from agency import figures
from agency.components import Figure
from agency.report_numbers import Numbers, Value, values_of_course
from agency.report_rows import metric_words
from agency.views.reading import Reading

METRIC = "metric"
"""Name in the address of the figure that the chart shows."""


@dataclass(frozen=True)
class FigureSpec:
    """A total: a metric, its words, its term in the glossary."""

    metric: str
    words: str
    term: str
    rising_is: str = "good"


FIGURES = (
    FigureSpec("visitors", "Visitors", "visitors"),
    FigureSpec("visits", "Visits", "visits"),
    FigureSpec("pageviews", "Page views", "pageviews"),
    FigureSpec("views_per_visit", "Views per visit", "views-per-visit"),
    FigureSpec("bounce_rate", "Bounce rate", "bounce-rate", "bad"),
    FigureSpec("visit_duration", "Visit duration", "visit-duration"),
    FigureSpec("engaged_time", "Engaged time", "engaged-time"),
)
WORDS = {spec.metric: spec.words for spec in FIGURES}


def chosen_metric(reading: Reading) -> str:
    """The metric of the chart; a word that names none is taken as the first."""
    asked = dict(reading.kept).get(METRIC, "")
    return asked if asked in WORDS else FIGURES[0].metric


def figure_row(reading: Reading, numbers: Numbers) -> list[Figure]:
    """Each total, its change, and the address of the page with its series."""
    current = chosen_metric(reading)
    now = values_of_course(numbers.now)
    then = values_of_course(numbers.before) if numbers.before else None
    found = []
    for number, spec in enumerate(FIGURES):
        value = now[spec.metric]
        before = then[spec.metric] if then else None
        change = figures.change(value, before, rising_is=spec.rising_is)
        compared = then is not None
        found.append(
            Figure(
                name=spec.words,
                value=_words(reading, spec.metric, value),
                change=change.words if compared else "",
                tone=change.tone if compared else "",
                before=_before_words(reading, spec.metric, before) if compared else "",
                term=spec.term,
                url=reading.query({METRIC: spec.metric if number else None}),
                is_current=spec.metric == current,
            )
        )
    return found


def _words(reading: Reading, metric: str, value: Value) -> str:
    """The value; visitors have none only where they are too few to be shown."""
    if value is None and metric == "visitors":
        return figures.fewer_than(reading.k)
    return metric_words(metric, value)


def _before_words(reading: Reading, metric: str, value: Value) -> str:
    return "" if value is None and metric != "visitors" else _words(reading, metric, value)
