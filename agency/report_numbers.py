"""The numbers of the report page, as the query engine gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agency.report_alerts import load_alerts
from agency.report_panels import panel_metrics
from agency.report_tables import Spec
from agency.views.reading import Reading
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.annotations import load_annotations
from tracking.analysis.goals import Rule, load_goals
from tracking.models import AlertEvent, Annotation
from tracking.query.model import Grain, Query, Result, Row, source_of
from tracking.query.overview import Course, Overview, Panel, run_overview
from tracking.query.run import run_query
from tracking.reports.live import count_live_visitors
from tracking.reports.tops import TopRow
from tracking.reports.totals import Point, Totals

Value = int | float | None
Values = Mapping[str, Value]
ROWS = 9
MOST_COUNTRIES = 300
"""More than there are: a map shows them all."""
COUNTRY = "visit:country"
AT_ONCE = 50_000
"""Page views and events, times goals, up to which goals are counted with the rest of the page:
each is counted from single hits, even where nothing is filtered."""


@dataclass(frozen=True)
class Numbers:
    """All that the page counts."""

    now: Course
    before: Course | None
    """Of the period compared with; None without one."""
    tables: Mapping[str, Result]
    """By the table's key; at most ROWS and *other*, but countries all. Without goals where they
    take long."""
    annotations: Sequence[Annotation]
    live: int
    alerts: Sequence[AlertEvent]
    """What holds now and nobody has seen to."""
    from_raw: bool

    @property
    def has_any(self) -> bool:
        """Whether there is anything in the period, or something that is hidden."""
        totals = self.now.totals
        return self.now.is_hidden or bool(totals.visits or totals.pageviews or totals.events)


def load_goals_of(reading: Reading) -> tuple[Rule, ...]:
    """The site's goals, where the reader may see them. Called outside the client's schema."""
    if Section.GOALS not in reading.sections:
        return ()
    with entered(reading.client):
        return tuple(load_goals(reading.site))


def load_numbers(reading: Reading, specs: Sequence[Spec], goals: tuple[Rule, ...] = ()) -> Numbers:
    """Count what the page shows. Called outside the client's schema; raises QueryError."""
    plain = [spec for spec in specs if not spec.needs_goals]
    with entered(reading.client):
        found = _overview(reading, plain)
        tables = {
            spec.key: _result(spec, found.panels[spec.dimension], found.now.totals)
            for spec in plain
        }
        totals = found.now.totals
        if (totals.pageviews + totals.events) * len(goals) <= AT_ONCE:
            of_goals = [spec for spec in specs if spec.needs_goals]
            tables |= {spec.key: load_table(reading, spec, goals) for spec in of_goals}
        return Numbers(
            now=found.now,
            before=found.before,
            tables=tables,
            annotations=load_annotations(reading.site, reading.period),
            live=count_live_visitors(reading.site, now=reading.now),
            alerts=load_alerts(reading),
            from_raw=found.from_raw,
        )


def load_courses(reading: Reading) -> tuple[Course, Course | None]:
    """Totals and series alone; called inside the client's schema, raises QueryError."""
    found = _overview(reading, ())
    return found.now, found.before


def _overview(reading: Reading, specs: Sequence[Spec]) -> Overview:
    return run_overview(
        reading.site,
        reading.period,
        reading.comparison,
        reading.filters,
        [spec.dimension for spec in specs],
        k=reading.k,
        step=reading.step,
        limit=ROWS,
        limits={COUNTRY: MOST_COUNTRIES},
    )


def values_of(totals: Totals) -> Values:
    """Totals under the names of metrics, percentages from 0 to 100."""
    return {
        "visitors": totals.visitors,
        "visits": totals.visits,
        "pageviews": totals.pageviews,
        "events": totals.events,
        "views_per_visit": totals.views_per_visit,
        "bounce_rate": _percent(totals.bounce_rate),
        "visit_duration": totals.mean_duration_s,
        "engaged_time": totals.mean_engaged_s,
    }


def values_of_course(course: Course) -> Values:
    """Its totals under the names of metrics; all of them None where it is hidden."""
    values = values_of(course.totals)
    return dict.fromkeys(values) if course.is_hidden else values


def series_of(course: Course, metric: str) -> list[tuple[Point, Value]]:
    """Each piece of the period with its value; None where it is hidden."""
    return [
        (point, None if point.is_hidden else values_of(point.totals)[metric])
        for point in course.series
    ]


def _result(spec: Spec, panel: Panel, totals: Totals) -> Result:
    """A panel's rows as the query engine would answer for them."""
    rows = tuple(_row(spec, row, totals) for row in panel.rows)
    others = sum(row.is_other for row in panel.rows)
    return Result(rows, panel.values + others, from_raw=False)


def _row(spec: Spec, row: TopRow, totals: Totals) -> Row:
    of_hit = (source := source_of(spec.dimension)) is not None and source.grain is Grain.HIT
    values: Values = {
        "visitors": row.visitors,
        "visits": row.visits,
        "pageviews": row.pageviews,
        "events": row.events,
        "percentage": 100 * row.visitors / totals.visitors if totals.visitors else None,
        "bounce_rate": _percent(row.bounce_rate),
        "visit_duration": row.duration_s / row.visits if row.visits and not of_hit else None,
        "time_on_page": row.engaged_s / row.visits if row.visits else None,
    }
    metrics = tuple(None if row.is_hidden else values[name] for name in panel_metrics(spec))
    return Row((row.value,), metrics, is_other=row.is_other, is_hidden=row.is_hidden)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def load_table(reading: Reading, spec: Spec, goals: tuple[Rule, ...] = ()) -> Result:
    """The first rows of one table; called inside the client's schema, raises QueryError."""
    query = Query(
        panel_metrics(spec),
        reading.period.starts_on,
        reading.period.ends_on,
        (spec.dimension,),
        reading.filters,
        limit=MOST_COUNTRIES if spec.dimension == COUNTRY else ROWS,
        goals=goals or None,
    )
    return run_query(reading.site, query, k=reading.k, now=reading.now)
