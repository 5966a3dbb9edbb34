"""Addresses of the report, below a site for members and below a link for its readers."""

from django.urls import path

from agency.views import report, report_charts, report_filter, report_table

_PAGES = (
    ("", report.overview, "report"),
    ("live/", report.live, "live"),
    ("panel/<slug:table>/", report.panel, "panel"),
    ("table/<slug:table>/", report_table.all_rows, "table"),
    ("filter/", report_filter.edit_filter, "filter"),
    ("series.json", report_charts.series, "series"),
    ("countries.json", report_charts.countries, "countries"),
)

urlpatterns = [
    path("", report.home, name="home"),
    *(path(f"sites/<int:site_id>/{end}", view, name=name) for end, view, name in _PAGES),
    *(
        path(f"shared/<int:link_id>/{end}", view, name=f"shared_{name}")
        for end, view, name in _PAGES
    ),
]
