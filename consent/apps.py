"""App of each client's schema: what is permitted."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """What visitors permit."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "consent"
    verbose_name = "Consent"
