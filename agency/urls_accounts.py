"""Addresses of one's own account, the same on every host.

allauth's views under our own paths; their names are those by which allauth finds them.
"""

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as providers
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.urls import path, re_path

from agency.views import accounts

urlpatterns = [
    # logging in and out
    path("log-in/", accounts.LogInView.as_view(), name="log_in"),
    path("log-in/", accounts.LogInView.as_view(), name="account_login"),
    path("log-in/second-step/", second_factor.authenticate, name="mfa_authenticate"),
    path("log-in/passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("log-in/closed/", account.account_inactive, name="account_inactive"),
    path("log-out/", accounts.LogOutView.as_view(), name="log_out"),
    path("log-out/", accounts.LogOutView.as_view(), name="account_logout"),
    # OpenID Connect
    path("log-in/with/cancelled/", providers.login_cancelled, name="socialaccount_login_cancelled"),
    path("log-in/with/error/", providers.login_error, name="socialaccount_login_error"),
    path("log-in/with/<slug:provider_id>/", oidc.login, name="openid_connect_login"),
    path("log-in/with/<slug:provider_id>/callback/", oidc.callback, name="openid_connect_callback"),
    # a new password
    path("password-reset/", account.password_reset, name="account_reset_password"),
    path("password-reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password-reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        accounts.PasswordResetView.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password-reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    # the account
    path("account/", accounts.own_account, name="account"),
    path("account/password/", account.password_change, name="account_change_password"),
    path("account/password/set/", account.password_set, name="account_set_password"),
    path("account/sessions/", accounts.sessions, name="sessions"),
    path("account/sessions/end/", accounts.end_session, name="end_session"),
    path("account/sessions/end-others/", accounts.end_other_sessions, name="end_other_sessions"),
    # showing again that it is you
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/confirm/code/", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path(
        "account/confirm/passkey/",
        passkeys.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    # second factor
    path("account/second-factor/", second_factor.index, name="mfa_index"),
    path("account/second-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/second-factor/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/second-factor/codes/new/",
        codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/second-factor/codes/file/",
        codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("account/second-factor/passkeys/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("account/second-factor/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path(
        "account/second-factor/passkeys/<int:pk>/remove/",
        passkeys.remove_webauthn,
        name="mfa_remove_webauthn",
    ),
    path(
        "account/second-factor/passkeys/<int:pk>/edit/",
        passkeys.edit_webauthn,
        name="mfa_edit_webauthn",
    ),
]
