"""Sessions in our own table; settings.SESSION_ENGINE names this module.

The session says who it is of and where it was begun (`session["outward_..."]`); the store copies
that into the row's columns, so that sessions can be listed and ended by their owner.
"""

import datetime as dt
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from tenants.models import LogInSession

HOST = "outward_host"
DEVICE = "outward_device"
BEGUN_AT = "outward_begun_at"
SEEN_AT = "outward_seen_at"
USER_ID = "_auth_user_id"
"""Django's own key (django.contrib.auth.SESSION_KEY)."""


class SessionStore(DatabaseStore):
    """Django's store of sessions, on `LogInSession`."""

    @classmethod
    def get_model_class(cls) -> type[LogInSession]:
        """The model with the columns."""
        return LogInSession

    def create_model_instance(self, data: dict[str, Any]) -> LogInSession:
        """The row to store: Django's three columns, and ours."""
        row: LogInSession = super().create_model_instance(data)  # type: ignore[assignment]  # the stubs name Django's own model
        user_id = data.get(USER_ID)
        row.user_id = int(user_id) if user_id else None
        row.host = data.get(HOST, "")
        row.device = data.get(DEVICE, "")
        row.begun_at = _time(data.get(BEGUN_AT))
        row.seen_at = _time(data.get(SEEN_AT))
        return row


def _time(seconds: float | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else None
