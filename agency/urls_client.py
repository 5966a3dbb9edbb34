"""Addresses of a client's host."""

urlpatterns: list = []
