"""Data of the report's charts as JSON.

The page carries the same data with it, so that its charts are drawn without another request.
"""

from chartjs.views.lines import BaseLineChartView
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from agency.report_figures import METRIC
from agency.report_numbers import load_courses, load_table
from agency.report_series import CountryChart, SeriesChart
from agency.report_tables import SPEC_OF
from agency.views.reading import Reading, reads
from tenants.models import Section
from tenants.schemas import entered
from tracking.analysis.annotations import load_annotations


@reads(kept=(METRIC,))
def series(request: HttpRequest, reading: Reading) -> HttpResponse:
    """The chosen figure over the period."""
    reading.check(Section.OVERVIEW)
    with entered(reading.client):
        now, before = load_courses(reading)
        annotations = load_annotations(reading.site, reading.period)
    return _answer(reading, SeriesChart(reading, now, before, annotations))


@reads()
def countries(request: HttpRequest, reading: Reading) -> HttpResponse:
    """Visitors by country."""
    reading.check(Section.PLACES)
    with entered(reading.client):
        found = load_table(reading, SPEC_OF["countries"])
    return _answer(reading, CountryChart(found))


def _answer(reading: Reading, chart: BaseLineChartView) -> HttpResponse:
    with translation.override(reading.client.locale):
        response: HttpResponse = chart.render_to_response(chart.get_context_data())
    return response
