"""Addresses of a demo website; HostMiddleware gives them to hosts that end in -demo."""

from django.urls import path, re_path

from agency.demo import views

app_name = "demo"
urlpatterns = [
    path("downloads/<str:name>", views.download, name="download"),
    re_path(r"^(?P<path>.*)$", views.page, name="page"),
]
