"""Taking a client out of service, and back: nothing is lost, nothing is served or collected."""

from django.db import transaction

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.models import Client


def close_client(client: Client, *, acting_user: str) -> bool:
    """Its host answers 404 and its hits are refused from now on; False when it was closed.

    Retention goes on: what is past its period is destroyed, as the policy promises.
    """
    return _set(client, is_active=False, act="client.close", acting_user=acting_user)


def reopen_client(client: Client, *, acting_user: str) -> bool:
    """Served and measured again; False when it was."""
    return _set(client, is_active=True, act="client.reopen", acting_user=acting_user)


@transaction.atomic
def _set(client: Client, *, is_active: bool, act: str, acting_user: str) -> bool:
    # A conditional update, not `save`: django-tenants' models do more than that in theirs.
    wanted = Client.objects.filter(pk=client.pk, is_active=not is_active)
    if not wanted.update(is_active=is_active):
        return False
    record_act(act, acting_user=acting_user, client_id=client.pk, details={"slug": client.slug})
    announce_change()
    return True
