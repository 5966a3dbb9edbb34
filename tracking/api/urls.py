"""Addresses of the statistics API, under /api/v1/ of a client's host."""

from django.urls import path

from tracking.api.views import QueryView, SitesView

urlpatterns = [
    path("api/v1/query", QueryView.as_view(), name="api_query"),
    path("api/v1/sites", SitesView.as_view(), name="api_sites"),
]
