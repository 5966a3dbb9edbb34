"""What is settled before any page: sessions in use, second factors of staff, their visits."""

import datetime as dt

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve

from agency.accounts_adapter import has_second_factor
from agency.accounts_sessions import note_seen, session_age
from agency.accounts_visits import note_visit
from agency.hosts import Handler
from tenants.access import find_role
from tenants.models import User

LONGEST_OF_STAFF = dt.timedelta(days=settings.STAFF_SESSION_DAYS)
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
    """Notes when a session was last used; ends one of staff that is too old, used or not."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Note it, pass on. One query more for who has been logged in for long."""
        user = request.user
        if isinstance(user, User):
            if session_age(request) >= LONGEST_OF_STAFF and _is_staff(user):
                logout(request)
            else:
                note_seen(request)
        return self.get_response(request)


class SecondFactorMiddleware:
    """Sends staff without a second factor to its set-up, where OUTWARD_STAFF_2FA asks for one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One query for who has a second factor, two for who has not."""
        user = request.user
        asked = settings.STAFF_2FA and isinstance(user, User) and not has_second_factor(user)
        if asked and _is_staff(user) and _name_of(request) not in SET_UP:
            messages.warning(request, SET_UP_FIRST)
            return redirect("mfa_index")
        return self.get_response(request)


def _is_staff(user: User | AnonymousUser) -> bool:
    return user.is_staff or find_role(user, None) is not None


def _name_of(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info, urlconf=request.urlconf).url_name or ""
    except Resolver404:
        return ""


class StaffVisitMiddleware:
    """Writes down each visit that somebody of the agency makes to a client's host (/access/)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing yet."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *args: object) -> None:
        """The address that staff come by writes it down itself, whatever was noted before."""
        match = request.resolver_match
        if match is not None and match.url_name != "enter":
            note_visit(request)
