"""App of the agency's own tables and pages."""

from django.apps import AppConfig

# Bound here, so that tasks sent from pages and commands find their broker.
from agency.celery import app as celery_app


class AgencyConfig(AppConfig):
    """Dashboards, registers, jobs."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "agency"
    verbose_name = "Agency"
    celery_app = celery_app
