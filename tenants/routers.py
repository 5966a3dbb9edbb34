"""Which database a model lives in."""

from typing import Any

from django.db.models import Model

KEYS_DATABASE = "keys"
KEYS_APP = "keystore"


class KeysRouter:
    """Sends the key store to its own database, and nothing else there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Database to read the model from; None leaves it to the next router."""
        # `_meta` is Django's public model API, whatever its name says.
        return KEYS_DATABASE if model._meta.app_label == KEYS_APP else None  # noqa: SLF001 - as said

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """Database to write the model to; None leaves it to the next router."""
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Keep the key store and the other apps apart."""
        if db == KEYS_DATABASE or app_label == KEYS_APP:
            return db == KEYS_DATABASE and app_label == KEYS_APP
        return None
