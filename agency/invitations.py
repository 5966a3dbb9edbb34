"""Letters of invitation, and an invitation that waits for a log-in to be whole."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agency.addresses import origin_of
from agency.hosts import client_or_none
from tenants.models import Invitation, Role, User
from tenants.people import (
    INVITATION_DAYS,
    InvitationVoidError,
    accept_invitation,
    get_invitation,
    invitation_token,
)

WAITING_IN_SESSION = "outward_invitation"


def send_invitation(invitation: Invitation, *, request: HttpRequest) -> None:
    """Mail the link, which leads to the host of the client or of the agency.

    Raises what the mail server raises; the invitation stands, and can be sent again.
    """
    client = invitation.client
    urlconf = settings.ROOT_URLCONF if client else settings.PUBLIC_SCHEMA_URLCONF
    path = reverse(
        "accept_invitation", kwargs={"token": invitation_token(invitation)}, urlconf=urlconf
    )
    context: dict[str, Any] = {
        "inviter": str(invitation.invited_by),
        "place": client.name if client else settings.AGENCY_NAME,
        "is_client": client is not None,
        "role": Role(invitation.role).label,
        "url": f"{origin_of(request, client)}{path}",
        "days": INVITATION_DAYS,
        "expires_at": invitation.expires_at,
    }
    message = get_adapter(request).render_mail(
        "account/email/invitation", invitation.email, context
    )
    message.send()


def let_wait(request: HttpRequest, invitation: Invitation) -> None:
    """Keep an invitation until who gave the right password has shown the second factor too."""
    request.session[WAITING_IN_SESSION] = invitation_token(invitation)


def find_waiting(request: HttpRequest, user: User) -> Invitation | None:
    """The user's own open invitation to this host that waits for the end of the log-in."""
    token = request.session.get(WAITING_IN_SESSION)
    if not token:
        return None
    try:
        found = get_invitation(token, client=client_or_none(request), now=timezone.now())
    except InvitationVoidError:
        return None
    return found if found.email == user.email else None


def take_up_waiting(request: HttpRequest, user: User) -> bool:
    """Take it up, once; False: none waits, or it has been withdrawn or taken meanwhile."""
    invitation = find_waiting(request, user)
    request.session.pop(WAITING_IN_SESSION, None)
    if invitation is None:
        return False
    try:
        accept_invitation(invitation, user=user, name="", password="", now=timezone.now())
    except InvitationVoidError:
        return False
    return True
