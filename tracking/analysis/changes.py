"""Changing what a client's people have defined: each change with its audit entry, or neither."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from tenants.audit import record_act
from tenants.models import Client
from tenants.schemas import entered


class DefinitionError(ValueError):
    """A goal, funnel, segment or annotation that cannot be kept; the message says what to do."""

    code = "definition"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        """Which field of a form it is about; "" for the whole."""


@contextmanager
def recorded(client: Client, act: str, *, acting_user: str, **details: Any) -> Iterator[Any]:
    """A transaction whose block works in the client's schema, and an audit entry at its end.

    The block may add to the details, which it is given. Works outside a client's schema only.
    """
    with transaction.atomic():
        with entered(client):
            yield details
        record_act(act, acting_user=acting_user, client_id=client.pk, details=details)
