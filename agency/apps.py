"""App of the agency's own tables and pages."""

from django.apps import AppConfig


class AgencyConfig(AppConfig):
    """Dashboards, registers, jobs."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "agency"
    verbose_name = "Agency"
