"""App of the keys database."""

from django.apps import AppConfig


class KeystoreConfig(AppConfig):
    """Wrapped data keys, in a database of their own."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "tenants.keystore"
    label = "keystore"
    verbose_name = "Keys"
