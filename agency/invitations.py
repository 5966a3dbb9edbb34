"""Letters of invitation."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from agency.addresses import origin_of
from tenants.models import Invitation, Role
from tenants.people import INVITATION_DAYS, invitation_token


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
