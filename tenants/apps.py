"""App of the shared (public) schema: clients, sites, people."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Clients, sites, people, audit trail."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "tenants"
    verbose_name = "Clients and people"

    def ready(self) -> None:
        """Register the system checks, which need the settings."""
        from tenants import checks  # noqa: F401 - importing registers them
