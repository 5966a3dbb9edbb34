"""Addresses of the agency's host."""

urlpatterns: list = []
