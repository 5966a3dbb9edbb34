"""Changing what a client is called, where it is, its colour, and its groups."""

from collections.abc import Collection, Mapping

from django.db import transaction

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.models import Client, ClientGroup

FIELDS = ("name", "timezone", "locale", "currency", "accent_colour")


def change_client(client: Client, wanted: Mapping[str, str], *, acting_user: str) -> bool:
    """Store what differs; False when nothing does. Raises ValidationError by field."""
    with transaction.atomic():
        held: Client = Client.objects.select_for_update().get(pk=client.pk)
        changes = {
            name: (getattr(held, name), wanted[name])
            for name in FIELDS
            if name in wanted and getattr(held, name) != wanted[name]
        }
        if not changes:
            return False
        for name, (_, to) in changes.items():
            setattr(held, name, to)
        held.clean_fields()
        held.save(update_fields=list(changes))
        record_act(
            "client.change",
            acting_user=acting_user,
            client_id=held.pk,
            details={
                "from": {name: before for name, (before, _) in changes.items()},
                "to": {name: to for name, (_, to) in changes.items()},
            },
        )
        announce_change()
    return True


def change_groups(client: Client, groups: Collection[ClientGroup], *, acting_user: str) -> bool:
    """Put the client into these groups and into no other; False when it was in them already."""
    with transaction.atomic():
        held = set(client.groups.values_list("name", flat=True))
        wanted = {group.name for group in groups}
        if held == wanted:
            return False
        client.groups.set(groups)
        record_act(
            "client.change",
            acting_user=acting_user,
            client_id=client.pk,
            details={"from": {"groups": sorted(held)}, "to": {"groups": sorted(wanted)}},
        )
    return True
