"""Who belongs where: inviting people, taking invitations up, changing and ending memberships.

Nobody gives away more than they have: who sees chosen sites or sections of a client invites to
those, and changes only memberships that lie within them. Each act is in the audit trail.
"""

import dataclasses
import datetime as dt

from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction

from tenants.access import May, access_agency, access_client, find_membership
from tenants.audit import record_act
from tenants.models import (
    Client,
    Domain,
    Invitation,
    LogInSession,
    Membership,
    Role,
    Section,
    Site,
    User,
)
from tenants.models.people import AGENCY_ROLES, CLIENT_ROLES, Scope

INVITATION_DAYS = 7
_SALT = "outward.invitation"


class PeopleError(Exception):
    """Something about people cannot be done; the message says what to do instead."""

    code = "people"


class InvitationVoidError(PeopleError):
    """An invitation's link is too old, withdrawn, used, replaced by a newer one, or made up."""

    code = "invitation-void"


@dataclasses.dataclass(frozen=True)
class Reach:
    """A role and how much of what it reaches; None: all of it."""

    role: Role
    clients: tuple[Client, ...] | None = None
    """Of an agency role."""
    sites: tuple[Site, ...] | None = None
    """Of a client role."""
    sections: tuple[Section, ...] | None = None
    """Of a client role."""

    def details(self) -> dict[str, object]:
        """For the audit trail: ids and names of settings."""
        found: dict[str, object] = {"role": self.role.value}
        if self.clients is not None:
            found["clients"] = sorted(client.pk for client in self.clients)
        if self.sites is not None:
            found["sites"] = sorted(site.pk for site in self.sites)
        if self.sections is not None:
            found["sections"] = sorted(section.value for section in self.sections)
        return found


def reach_of(scope: Scope) -> Reach:
    """The reach that a membership or an invitation stands for. Up to two queries."""
    role = Role(scope.role)
    if role in AGENCY_ROLES:
        return Reach(role, clients=None if scope.all_clients else tuple(scope.clients.all()))
    return Reach(
        role,
        sites=None if scope.all_sites else tuple(scope.sites.all()),
        sections=None if scope.all_sections else tuple(Section(one) for one in scope.sections),
    )


def _store_reach(scope: Scope, reach: Reach) -> None:
    scope.role = reach.role
    scope.all_clients = reach.clients is None
    scope.all_sites = reach.sites is None
    scope.all_sections = reach.sections is None
    scope.sections = [section.value for section in reach.sections or ()]
    scope.save()
    scope.clients.set(reach.clients or ())
    scope.sites.set(reach.sites or ())


def _check_fits(client: Client | None, reach: Reach) -> None:
    """Raises PeopleError where role and place do not go together."""
    if reach.role not in (CLIENT_ROLES if client else AGENCY_ROLES):
        raise PeopleError(f"{reach.role.label} is no role here: choose another.")
    if reach.role is Role.OWNER and reach.clients is not None:
        raise PeopleError("An owner reaches all clients: choose all, or another role.")
    for what, chosen in (
        ("client", reach.clients),
        ("site", reach.sites),
        ("section", reach.sections),
    ):
        if chosen is not None and not chosen:
            raise PeopleError(f"Choose one {what} at least, or all.")
    if any(site.client_id != (client.pk if client else None) for site in reach.sites or ()):
        raise PeopleError("A chosen site is not of this client.")


def _check_within(acting_user: User, client: Client | None, reach: Reach) -> None:
    """Raises PermissionDenied where the reach is larger than the acting user's own."""
    own = find_membership(acting_user, client)
    if own is None or own.client_id is None:
        return  # the door has let them in: owners of the agency reach everything
    mine = reach_of(own)
    for limit, asked in ((mine.sites, reach.sites), (mine.sections, reach.sections)):
        if limit is not None and (asked is None or not set(asked) <= set(limit)):
            raise PermissionDenied("You cannot give others more than you see yourself.")


def _access(acting_user: User, client: Client | None) -> None:
    if client is None:
        access_agency(acting_user, may=May.MANAGE_PEOPLE)
    else:
        access_client(acting_user, client, may=May.MANAGE_PEOPLE)


@transaction.atomic
def invite(
    email: str, reach: Reach, *, client: Client | None, acting_user: User, now: dt.datetime
) -> Invitation:
    """Offer a membership (of the agency with `client=None`) to an address; the caller mails it.

    An open invitation to the same address is replaced: its link is void from now on. Raises
    PeopleError for members and for a reach that makes no sense, PermissionDenied for more than
    the acting user has.
    """
    _access(acting_user, client)
    _check_fits(client, reach)
    _check_within(acting_user, client, reach)
    email = email.strip().lower()
    if Membership.objects.filter(user__email=email, client=client).exists():
        raise PeopleError("This person is a member already: change the role in the list.")
    invitation = (
        Invitation.objects.select_for_update()
        .filter(email=email, client=client, accepted_at=None, withdrawn_at=None)
        .first()
    )
    if invitation is None:
        invitation = Invitation(email=email, client=client, mailing=0)
    invitation.invited_by = acting_user
    invitation.mailing += 1
    invitation.expires_at = now + dt.timedelta(days=INVITATION_DAYS)
    _store_reach(invitation, reach)
    _record("invite", invitation, acting_user, **reach.details())
    return invitation


@transaction.atomic
def invite_first_owner(email: str, *, now: dt.datetime) -> Invitation:
    """Offer the agency to its first owner, whom nobody is there to invite.

    Raises PeopleError once there is an owner. An invitation of before is replaced.
    """
    if Membership.objects.filter(role=Role.OWNER, user__is_active=True).exists():
        raise PeopleError("The agency has an owner, who invites others at /people/.")
    email = email.strip().lower()
    invitation, _ = Invitation.objects.get_or_create(
        email=email,
        client=None,
        accepted_at=None,
        withdrawn_at=None,
        defaults={"role": Role.OWNER, "mailing": 0, "expires_at": now},
    )
    invitation.mailing += 1
    invitation.expires_at = now + dt.timedelta(days=INVITATION_DAYS)
    reach = Reach(Role.OWNER)
    _store_reach(invitation, reach)
    record_act(
        "invite",
        acting_user="system:invite_owner",
        details={"invitation": invitation.pk, "person": email, **reach.details()},
    )
    return invitation


@transaction.atomic
def renew_invitation(invitation: Invitation, *, acting_user: User, now: dt.datetime) -> Invitation:
    """A new letter with a new link and seven days more; the link before it is void."""
    _access(acting_user, invitation.client)
    _check_within(acting_user, invitation.client, reach_of(invitation))
    changed = Invitation.objects.filter(
        pk=invitation.pk, mailing=invitation.mailing, accepted_at=None, withdrawn_at=None
    ).update(
        mailing=invitation.mailing + 1,
        expires_at=now + dt.timedelta(days=INVITATION_DAYS),
        invited_by=acting_user,
    )
    if not changed:
        raise PeopleError("This invitation is no longer open: look at the list again.")
    _record("invitation.renew", invitation, acting_user)
    invitation.refresh_from_db()
    return invitation


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, acting_user: User, now: dt.datetime) -> None:
    """Its link is void from now on. Raises PeopleError when it was taken up already."""
    _access(acting_user, invitation.client)
    _check_within(acting_user, invitation.client, reach_of(invitation))
    changed = Invitation.objects.filter(
        pk=invitation.pk, accepted_at=None, withdrawn_at=None
    ).update(withdrawn_at=now)
    if not changed:
        raise PeopleError("This invitation is no longer open: look at the list again.")
    _record("invitation.withdraw", invitation, acting_user)


def invitation_token(invitation: Invitation) -> str:
    """What the link carries: which invitation, which of its letters, signed."""
    return signing.dumps([invitation.pk, invitation.mailing], salt=_SALT)


def get_invitation(token: str, *, client: Client | None, now: dt.datetime) -> Invitation:
    """The open invitation of a link on this host; InvitationVoidError for any other link."""
    try:
        number, mailing = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise InvitationVoidError("This link is not whole. Copy it from the letter.") from None
    invitation = (
        Invitation.objects.select_related("client", "invited_by")
        .filter(pk=number, client=client)
        .first()
    )
    if invitation is None:
        raise InvitationVoidError("This invitation does not exist. Ask for a new one.")
    if invitation.accepted_at is not None:
        raise InvitationVoidError("This invitation has been taken up. Log in instead.")
    if invitation.withdrawn_at is not None:
        raise InvitationVoidError("This invitation was withdrawn. Ask who sent it.")
    if invitation.mailing != mailing:
        raise InvitationVoidError("A newer letter has replaced this one. Use the link in that.")
    if invitation.expires_at <= now:
        raise InvitationVoidError("This invitation is too old. Ask for a new one.")
    return invitation


@transaction.atomic
def accept_invitation(
    invitation: Invitation, *, user: User | None, name: str, password: str, now: dt.datetime
) -> User:
    """Take it up once: as an account that exists (`user`), or by making one.

    Raises InvitationVoidError when it is no longer open, whoever came first.
    """
    taken = Invitation.objects.filter(
        pk=invitation.pk,
        mailing=invitation.mailing,
        accepted_at=None,
        withdrawn_at=None,
        expires_at__gt=now,
    ).update(accepted_at=now)
    if not taken:
        raise InvitationVoidError("This invitation is no longer open. Ask for a new one.")
    if user is None:
        first, _, last = name.strip().partition(" ")
        user = User.objects.create_user(
            invitation.email, password, first_name=first[:150], last_name=last.strip()[:150]
        )
    reach = reach_of(invitation)
    membership = Membership.objects.filter(user=user, client=invitation.client).first()
    _store_reach(membership or Membership(user=user, client=invitation.client), reach)
    record_act(
        "invitation.accept",
        acting_user=user.email,
        client_id=invitation.client_id,
        details={"invitation": invitation.pk, **reach.details()},
    )
    return user


@transaction.atomic
def change_membership(membership: Membership, reach: Reach, *, acting_user: User) -> None:
    """Give a member another role or scope; the last owner of the agency stays one."""
    client = membership.client
    _access(acting_user, client)
    _check_fits(client, reach)
    before = reach_of(membership)
    _check_within(acting_user, client, before)
    _check_within(acting_user, client, reach)
    if membership.role == Role.OWNER and reach.role is not Role.OWNER:
        _check_not_last_owner(membership)
    _store_reach(membership, reach)
    _record(
        "membership.change",
        membership,
        acting_user,
        before=before.details(),
        after=reach.details(),
    )


@transaction.atomic
def remove_membership(membership: Membership, *, acting_user: User) -> None:
    """End a membership and the sessions that it opened. The account itself stays."""
    client = membership.client
    _access(acting_user, client)
    before = reach_of(membership)
    _check_within(acting_user, client, before)
    if membership.role == Role.OWNER:
        _check_not_last_owner(membership)
    _record("membership.remove", membership, acting_user, **before.details())
    sessions = LogInSession.objects.filter(user=membership.user)
    if client is not None:
        sessions = sessions.filter(host__in=list(_hosts(client)))
    sessions.delete()
    membership.delete()


def _hosts(client: Client) -> list[str]:
    return list(Domain.objects.filter(tenant=client).values_list("domain", flat=True))


def _check_not_last_owner(membership: Membership) -> None:
    owners = Membership.objects.select_for_update().filter(role=Role.OWNER, user__is_active=True)
    if not any(owner.pk != membership.pk for owner in owners):
        raise PeopleError("This is the last owner of the agency: make another one first.")


def _record(
    act: str, subject: Membership | Invitation, acting_user: User, **details: object
) -> None:
    key = "membership" if isinstance(subject, Membership) else "invitation"
    email = subject.user.email if isinstance(subject, Membership) else subject.email
    record_act(
        act,
        acting_user=acting_user.email,
        client_id=subject.client_id,
        details={key: subject.pk, "person": email, **details},
    )


def open_invitations(client: Client | None) -> list[Invitation]:
    """Invitations not taken up nor withdrawn, the newest first; too old ones are among them."""
    return list(
        Invitation.objects.filter(client=client, accepted_at=None, withdrawn_at=None)
        .select_related("invited_by")
        .prefetch_related("clients", "sites")
    )


def members(client: Client | None) -> list[Membership]:
    """Members of the client (None: of the agency), by role and name. Three queries."""
    order = {role: number for number, role in enumerate(Role)}
    found = (
        Membership.objects.filter(client=client)
        .select_related("user")
        .prefetch_related("clients", "sites")
    )
    return sorted(found, key=lambda one: (order[Role(one.role)], str(one.user).lower()))
