"""Addresses of the agency's host."""

from django.urls import path

from agency.views import accounts
from agency.views.clients import overview

urlpatterns = [
    # clients
    path("", overview, name="home"),
    # people
    path("log-in/", accounts.LogInView.as_view(), name="log_in"),
    path("log-out/", accounts.LogOutView.as_view(), name="log_out"),
]
