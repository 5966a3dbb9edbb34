"""Sessions of people who are logged in: Django's own table, with what its owner may see of it."""

import hashlib
from importlib import import_module
from typing import ClassVar

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models

from tenants.models.people import User


class LogInSession(AbstractBaseSession):
    """One browser on one host. Holds no address and no user agent, only their plain kinds.

    Django's documented way to add columns to sessions, so that the list of sessions is the table
    of sessions, and a row that is deleted is a session that has ended. allauth's `usersessions`
    keeps a second list beside it, with an IP address that may not be null.
    https://docs.djangoproject.com/en/5.2/topics/http/sessions/#extending-database-backed-session-engines
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, related_name="log_in_sessions"
    )
    host = models.CharField(max_length=253, default="")
    device = models.CharField(max_length=80, default="")
    """Browser and system without versions: *Firefox on Windows*."""
    begun_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    """To a few minutes."""

    objects: ClassVar[BaseSessionManager["LogInSession"]] = BaseSessionManager()  # type: ignore[assignment]  # the base's manager is of its own type

    class Meta(AbstractBaseSession.Meta):
        db_table = "tenants_session"

    def __str__(self) -> str:
        # Django's own prints the key, which is as good as a password.
        return f"session {self.public_id[:6]} on {self.host}"

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        """The store that settings name; it knows this model, not the other way round."""
        store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
        return store

    @property
    def public_id(self) -> str:
        """Names the session on pages; its key would be as good as a password."""
        return hashlib.sha256(f"outward.session.{self.session_key}".encode()).hexdigest()[:24]
