"""Which of the libraries' static files are collected: those that a page of ours asks for."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class HouseStaticFilesConfig(StaticFilesConfig):
    """Leaves out what no page asks for: to hash and compress it takes half a minute a start."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "highcharts",  # django-chartjs brings two drawing libraries; ours comes from npm
        "Chart.js",
        "Chart.min.js",
        "rest_framework",  # pages of the browsable API, which is off
        "swagger-ui-dist",  # the other of two reference pages
    ]
