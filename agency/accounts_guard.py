"""What is settled before any page: sessions in use, second factors of staff, their visits."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve

from agency.accounts_adapter import has_second_factor
from agency.accounts_sessions import note_seen
from agency.hosts import Handler, client_or_none
from tenants.access import find_role
from tenants.audit import record_act
from tenants.models import User
from tenants.models.people import AGENCY_ROLES

VISIT_IN_SESSION = "outward_visit"
SET_UP = frozenset(
    {
        *("mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn"),
        *("mfa_view_recovery_codes", "mfa_download_recovery_codes"),
        *("mfa_generate_recovery_codes", "mfa_edit_webauthn", "mfa_remove_webauthn"),
        *("account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
        *("log_in", "log_out", "account_login", "account_logout", "accent"),
    }
)
"""Names of the pages that staff without a second factor still reach."""
SET_UP_FIRST = (
    "The agency's staff need a second factor before they see anything of a client: set one up."
)


class SeenMiddleware:
    """Notes when a session was last used."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Note it, pass on."""
        if request.user.is_authenticated:
            note_seen(request)
        return self.get_response(request)


class SecondFactorMiddleware:
    """Sends staff without a second factor to its set-up, where OUTWARD_STAFF_2FA asks for one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One query for who has a second factor, two for who has not."""
        user = request.user
        if settings.STAFF_2FA and isinstance(user, User) and not has_second_factor(user):
            is_staff = user.is_staff or find_role(user, None) is not None
            if is_staff and _name_of(request) not in SET_UP:
                messages.warning(request, SET_UP_FIRST)
                return redirect("mfa_index")
        return self.get_response(request)


def _name_of(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info, urlconf=request.urlconf).url_name or ""
    except Resolver404:
        return ""


class StaffVisitMiddleware:
    """Writes down, once a session, that somebody of the agency is on a client's host.

    The client reads it at /access/. Who is refused (out of scope) has seen nothing and is not
    written down.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look at the role once a session."""
        client = client_or_none(request)
        user = request.user
        if (
            client is not None
            and isinstance(user, User)
            and request.session.get(VISIT_IN_SESSION) != client.pk
        ):
            role = find_role(user, client)
            if role in AGENCY_ROLES:
                record_act(
                    "client.enter",
                    acting_user=user.email,
                    client_id=client.pk,
                    details={"role": role.value, "name": str(user)},
                )
            request.session[VISIT_IN_SESSION] = client.pk
        return self.get_response(request)
