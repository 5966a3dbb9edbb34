"""Accounts of people: closed, opened again, renamed. What they may see: see `tenants.people`."""

from django.db import transaction

from tenants.audit import record_act
from tenants.models import LogInSession, Membership, Role, User
from tenants.people import PeopleError


@transaction.atomic
def close_account(user: User, *, acting_user: User) -> bool:
    """Nobody logs in with it from now on, and its sessions end; False when it is closed already.

    Raises PeopleError for one's own account and for the agency's last owner.
    """
    if user.pk == acting_user.pk:
        raise PeopleError("This is your own account: ask another owner to close it.")
    # Locked, so that two owners cannot close each other's account at once.
    owners = Membership.objects.select_for_update().filter(role=Role.OWNER, user__is_active=True)
    ids = {owner.user_id for owner in owners}
    if ids == {user.pk}:
        raise PeopleError("This is the last owner of the agency: make another one first.")
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        return False
    LogInSession.objects.filter(user=user).delete()
    _record("account.close", user, acting_user)
    return True


@transaction.atomic
def open_account(user: User, *, acting_user: User) -> bool:
    """Its owner may log in again; False when it was open."""
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        return False
    _record("account.open", user, acting_user)
    return True


@transaction.atomic
def rename_person(user: User, *, first_name: str, last_name: str, acting_user: User) -> bool:
    """Another name; False when it is the one they have."""
    held = User.objects.select_for_update().get(pk=user.pk)
    if (held.first_name, held.last_name) == (first_name, last_name):
        return False
    User.objects.filter(pk=user.pk).update(first_name=first_name, last_name=last_name)
    _record("account.rename", user, acting_user)
    return True


def _record(act: str, user: User, acting_user: User) -> None:
    record_act(act, acting_user=acting_user.email, details={"user": user.pk, "person": user.email})
