"""Addresses of a client's host."""

from django.urls import include, path

from agency.views import accounts, api_keys, api_reference, install, people, privacy, settings_pages

urlpatterns = [
    # the report
    path("", include("agency.urls_report")),
    # goals, funnels, journeys, retention, realtime, segments, annotations
    path("", include("agency.urls_analysis")),
    # files, links, mails, alerts
    path("", include("agency.urls_delivery")),
    # installing
    path("sites/<int:site_id>/install/", install.snippet, name="install"),
    # people
    path("", include("agency.urls_accounts")),
    path("enter/", accounts.enter, name="enter"),
    path("access/", accounts.access_log, name="access_log"),
    path("people/", people.people, name="people"),
    path("people/invite/", people.invite_person, name="invite_person"),
    path("people/<int:membership_id>/", people.change_person, name="change_person"),
    path("people/<int:membership_id>/remove/", people.remove_person, name="remove_person"),
    path(
        "people/invitations/<int:invitation_id>/resend/",
        people.resend_invitation,
        name="resend_invitation",
    ),
    path(
        "people/invitations/<int:invitation_id>/withdraw/",
        people.withdraw,
        name="withdraw_invitation",
    ),
    path("invitation/<str:token>/", people.accept, name="accept_invitation"),
    # privacy, keys
    path("privacy/", privacy.privacy, name="privacy"),
    path("privacy/change/", privacy.change, name="change_privacy"),
    path("api-keys/", api_keys.api_keys, name="api_keys"),
    path("api-keys/<int:key_id>/revoke/", api_keys.revoke, name="revoke_api_key"),
    # statistics API
    path("", include("tracking.api.urls")),
    path("api/v1/schema", api_reference.openapi, name="api_schema"),
    path("api/v1/docs", api_reference.reference, name="api_docs"),
    # the house
    path("logo", settings_pages.own_logo, name="logo"),
    path("accent.css", install.accent, name="accent"),
    path("mark.svg", install.mark, name="mark"),
]
