"""Charts of the report page as django-chartjs makes them; their JSON is that of docs/look.md."""

import bisect
from collections.abc import Sequence
from typing import Any

from chartjs.views.lines import BaseLineChartView

from agency.report_figures import chosen_metric
from agency.report_numbers import Value, series_of
from agency.report_tables import METRICS
from agency.views.reading import Reading
from agency.wording import period_words, point_words
from tracking.models import Annotation
from tracking.query.buckets import whole_days
from tracking.query.model import Result
from tracking.query.overview import Course

UNITS = {"percent": "percent", "seconds": "seconds", "decimal": "decimal"}


class SeriesChart(BaseLineChartView):  # type: ignore[misc]  # django-chartjs has no types
    """One metric over the period and, dashed, over the one it is compared with."""

    def __init__(
        self,
        reading: Reading,
        now: Course,
        before: Course | None,
        annotations: Sequence[Annotation],
    ) -> None:
        super().__init__()
        self.reading = reading
        self.metric = chosen_metric(reading)
        self.points = series_of(now, self.metric)
        self.points_before = series_of(before, self.metric) if before else []
        self.annotations = annotations

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The JSON's keys. The view object itself stays out of them."""
        context = super().get_context_data(**kwargs)
        kind = METRICS[self.metric][1]
        return {
            "labels": context["labels"],
            "datasets": context["datasets"],
            "titles": [title for _, title in self._words()],
            "unfinished": self._is_unfinished(),
            "unit": UNITS.get(kind, "number"),
            "annotations": self._marks(),
        }

    def _words(self) -> list[tuple[str, str]]:
        reading = self.reading
        return [
            point_words(point.starts_at, step=reading.step, locale=reading.locale)
            for point, _ in self.points
        ]

    def _is_unfinished(self) -> bool:
        return self.reading.period.starts_on <= self.reading.today <= self.reading.period.ends_on

    def _marks(self) -> list[dict[str, Any]]:
        """Where the annotations stand: at the piece that holds their day."""
        starts = [point.starts_at.date() for point, _ in self.points]
        return [
            {"index": max(0, bisect.bisect_right(starts, each.on_date) - 1), "text": each.text}
            if self.reading.step != "hour"
            else {"index": bisect.bisect_left(starts, each.on_date), "text": each.text}
            for each in sorted(self.annotations, key=lambda one: (one.on_date, one.pk))
        ]

    def get_labels(self) -> list[str]:
        """Words under the axis."""
        return [label for label, _ in self._words()]

    def get_providers(self) -> list[str]:
        """Names of the lines: their periods."""
        periods = [self.reading.period, self.reading.comparison]
        # Each is drawn to the end of its last day, wherever its totals end.
        return [period_words(whole_days(each), self.reading.locale) for each in periods if each]

    def get_data(self) -> list[list[Value]]:
        """Values of each point; pieces that have not begun yet are left out."""
        now = self.reading.now
        lines = [[value for point, value in self.points if point.starts_at <= now]]
        if self.reading.comparison:
            lines.append([value for _, value in self.points_before])
        return lines

    def get_dataset_options(self, index: int, color: Any) -> dict[str, Any]:
        """Colours are the page's own."""
        return {"kind": "before" if index else "now"}


class CountryChart(BaseLineChartView):  # type: ignore[misc]  # as above
    """Visitors by country, for the map."""

    def __init__(self, countries: Result) -> None:
        super().__init__()
        self.rows = [row for row in countries.rows if row.dimensions[0] and not row.is_other]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Labels are ISO 3166 codes."""
        context = super().get_context_data(**kwargs)
        return {key: context[key] for key in ("labels", "datasets")}

    def get_labels(self) -> list[str]:
        """Codes of two letters."""
        return [row.dimensions[0] for row in self.rows]

    def get_providers(self) -> list[str]:
        """What the tints stand for."""
        return ["Visitors"]

    def get_data(self) -> list[list[Value]]:
        """Visitors of each country."""
        return [[row.metrics[0] for row in self.rows]]

    def get_dataset_options(self, index: int, color: Any) -> dict[str, Any]:
        """Colours are the page's own."""
        return {}
