"""Addresses of the agency's host."""

from django.urls import include, path

from agency.admin import site as admin_site
from agency.views import accounts, mails, people, style

urlpatterns = [
    # clients
    path("", include("agency.urls_clients")),
    # people
    path("", include("agency.urls_accounts")),
    path("clients/<int:client_id>/enter/", accounts.enter_client, name="enter_client"),
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
    path("mail/", mails.mails, name="mails"),
    path("mail/<str:name>/", mails.mail, name="mail"),
    path("mail/<str:name>/html/", mails.mail_html, name="mail_html"),
    # the look
    path("style/", style.style, name="style"),
    path("style/chart/<slug:kind>/", style.style_chart, name="style_chart"),
    # the admin site
    path("admin/", admin_site.urls),
]
