"""Addresses of a client's host."""

from django.urls import path

from agency.views import accounts, install, report

urlpatterns = [
    # reports
    path("", report.overview, name="home"),
    path("sites/<int:site_id>/", report.overview, name="report"),
    path("sites/<int:site_id>/live/", report.live, name="live"),
    path("sites/<int:site_id>/series.json", report.series, name="series"),
    path("sites/<int:site_id>/top/<slug:dimension>/", report.top, name="top"),
    path("sites/<int:site_id>/top/<slug:dimension>.json", report.top_chart, name="top_chart"),
    # installing
    path("sites/<int:site_id>/install/", install.snippet, name="install"),
    # people
    path("log-in/", accounts.LogInView.as_view(), name="log_in"),
    path("log-out/", accounts.LogOutView.as_view(), name="log_out"),
    # the house
    path("accent.css", install.accent, name="accent"),
]
