"""Where allauth asks the house: who may log in on a host, and what is never kept about it.

Three choices differ from allauth's own:

- Nobody signs up. Accounts are made by invitations (`tenants.people`), and OpenID Connect lets in
  who has an account with that address, proven to be theirs.
- No address of a visitor leaves the request. allauth counts floods per IP address in its cache and
  writes the address into mails; here the count is by a keyed hash whose key changes every hour, and
  the mails say the kind of browser only.
- A right password is worth something on a host on which its owner is a member, and nowhere else.
"""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.core import context, ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from agency.accounts_guesses import derived_key, network_of
from agency.accounts_sessions import begin_session, device_words
from agency.hosts import bind_session, client_or_none
from agency.invitations import find_waiting, take_up_waiting
from tenants.access import find_role
from tenants.models import LogInSession, User

NOTHING_HERE = "This account has nothing to see here. Ask the agency for access."
WRONG = (
    "This e-mail address and password do not go together. Check both; "
    "after eight wrong tries the account waits a quarter of an hour."
)
TOO_MANY_CODES = "Five codes were wrong. Wait five minutes, then try again."


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts: by invitation, by e-mail address, on hosts where they are members."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": WRONG,
        "flood": "Too many tries from your network. Wait a minute, try again.",
        "too_many_login_attempts": TOO_MANY_CODES,
        "rate_limited": TOO_MANY_CODES,
        "incorrect_password": "This is not your password.",
        "enter_current_password": "Type the password that you have now.",
        "account_inactive": "This account is closed. Ask the agency.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: people are invited."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Hold back a flood of passwords; how many an account may get wrong, axes says.

        allauth counts them under the name that it gives to wrong codes too, where they would
        be held to five in five minutes, before axes has its say.
        """
        if not ratelimit.consume(request, action="password"):
            raise self.validation_error("flood")

    def pre_login(
        self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any
    ) -> HttpResponse | None:
        """Refuse who has nothing on this host, before a second factor is asked for."""
        bind_session(request)
        refused = self._refuse_outsider(request, user)
        return refused or super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Begin the session, tied to this host; outsiders are refused a second time.

        Here the log-in is whole: an invitation that waited for it is taken up.
        """
        if isinstance(user, User) and take_up_waiting(request, user):
            verify_address(user)
        refused = self._refuse_outsider(request, user)
        if refused is not None:
            raise ImmediateHttpResponse(refused)
        super().login(request, user)
        bind_session(request)
        begin_session(request)

    def _refuse_outsider(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse | None:
        if isinstance(user, User):
            if find_role(user, client_or_none(request)) is not None:
                return None
            if find_waiting(request, user) is not None:
                return None
        clear_login(request)
        messages.error(request, NOTHING_HERE)
        return redirect("log_in")

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """A new password ends the sessions begun with the old one, but for this one."""
        super().set_password(user, password)
        LogInSession.objects.filter(user_id=user.pk).exclude(
            session_key=context.request.session.session_key or ""
        ).delete()

    def get_client_ip(self, request: HttpRequest) -> str:
        """Not the address: what counts floods in its place."""
        return network_of(request)

    def get_http_user_agent(self, request: HttpRequest) -> str:
        """Kind of browser and system, for a mail that says what was changed."""
        return device_words(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the account."""
        return "/account/"

    def get_reauthentication_methods(
        self, user: AbstractBaseUser | AnonymousUser
    ) -> list[dict[str, Any]]:
        """The ways to show again that it is you, in our words."""
        words = {
            "reauthenticate": "Use your password",
            "mfa_reauthenticate": "Use a code from your authenticator app",
            "mfa_reauthenticate:webauthn": "Use a passkey",
        }
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [{**one, "description": words[one["id"]]} for one in methods]


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Second factors: their secrets are encrypted at rest, and staff keep at least one."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not right, or it has been used. Take the next one.",
        "cannot_delete_authenticator": (
            "The agency's staff need a second factor. Add another one first."
        ),
    }

    def encrypt(self, text: str) -> str:
        """With a key of the secret key, so a copy of the database gives no codes away."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Back again."""
        return _box().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Not the last one of staff where staff must have one."""
        user = authenticator.user
        if not settings.STAFF_2FA or find_role(user, None) is None:
            return True
        return has_second_factor(user, besides=authenticator)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The host is the relying party: a passkey of one host is worth nothing on another."""
        entity = super().get_public_key_credential_rp_entity()
        client = client_or_none(context.request)
        return {**entity, "name": client.name if client else settings.AGENCY_NAME}

    def generate_authenticator_name(
        self,
        user: AbstractBaseUser,
        type: Authenticator.Type,  # noqa: A002 - allauth's name
    ) -> str:
        """The device it is made on names a passkey best."""
        return device_words(context.request)


def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key("outward.second-factor")))


def has_second_factor(user: AbstractBaseUser, *, besides: Authenticator | None = None) -> bool:
    """Whether an app or a passkey stands behind the account. One query."""
    found = Authenticator.objects.filter(
        user_id=user.pk, type__in=(Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    )
    others: bool = found.exclude(pk=besides.pk if besides else None).exists()
    return others


def verify_address(user: User) -> None:
    """Note that a link sent to the user's address has come back."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """OpenID Connect: for people who have an account, by an address both sides have verified."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never: people are invited."""
        return False

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[Any, str] | None:
        """The account of an address that the provider vouches for and that we have verified."""
        for given in sociallogin.email_addresses:
            if not given.verified:
                continue
            known = (
                EmailAddress.objects.select_related("user")
                .filter(email=given.email.strip().lower(), verified=True, user__is_active=True)
                .first()
            )
            if known is not None:
                return known.user, known.email
        return None
