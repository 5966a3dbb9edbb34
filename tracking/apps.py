"""App of each client's schema: what happened."""

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """Visits, hits, origins, rollups."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "tracking"
    verbose_name = "Tracking"
