"""Addresses of a client's host for what leaves the report: files, links, mails, alerts."""

from django.urls import path

from agency.views import alerts, embed, exports, links, schedules

_LINK = "sites/<int:site_id>/links/<int:link_id>/"
_MAIL = "sites/<int:site_id>/mails/<int:report_id>/"
_ALERT = "sites/<int:site_id>/alerts/<int:alert_id>/"

urlpatterns = [
    # files
    path("sites/<int:site_id>/export/report.pdf", exports.pdf_file, name="export_pdf"),
    path("sites/<int:site_id>/export/report.xlsx", exports.all_xlsx, name="export_all_xlsx"),
    path("sites/<int:site_id>/export/report.zip", exports.all_zip, name="export_all_zip"),
    path("sites/<int:site_id>/export/<slug:table>.csv", exports.csv_file, name="export_csv"),
    path("sites/<int:site_id>/export/<slug:table>.xlsx", exports.xlsx_file, name="export_xlsx"),
    # shared links
    path("sites/<int:site_id>/links/", links.links, name="links"),
    path("sites/<int:site_id>/links/new/", links.link_new, name="link_new"),
    path(f"{_LINK}renew/", links.link_renew, name="link_renew"),
    path(f"{_LINK}revoke/", links.link_revoke, name="link_revoke"),
    path(f"{_LINK}delete/", links.link_delete, name="link_delete"),
    path("share/<str:link_token>/", links.share, name="share"),
    path("embed/<str:embed_token>/", embed.embed, name="embed"),
    # scheduled mails
    path("sites/<int:site_id>/mails/", schedules.schedules_list, name="schedules"),
    path("sites/<int:site_id>/mails/new/", schedules.schedule_new, name="schedule_new"),
    path(_MAIL, schedules.schedule, name="schedule"),
    path(f"{_MAIL}change/", schedules.schedule_edit, name="schedule_edit"),
    path(f"{_MAIL}preview/", schedules.schedule_preview, name="schedule_preview"),
    path(f"{_MAIL}test/", schedules.schedule_test, name="schedule_test"),
    path(f"{_MAIL}pause/", schedules.schedule_pause, name="schedule_pause"),
    path(f"{_MAIL}resume/", schedules.schedule_resume, name="schedule_resume"),
    path(f"{_MAIL}delete/", schedules.schedule_delete, name="schedule_delete"),
    path(f"{_MAIL}sent/<int:delivery_id>/again/", schedules.schedule_again, name="schedule_again"),
    path("mails/<str:mail_token>/confirm/", schedules.mail_confirm, name="mail_confirm"),
    path("mails/<str:mail_token>/stop/", schedules.mail_unsubscribe, name="mail_unsubscribe"),
    # alerts
    path("sites/<int:site_id>/alerts/", alerts.alerts, name="alerts"),
    path("sites/<int:site_id>/alerts/new/", alerts.alert_new, name="alert_new"),
    path(_ALERT, alerts.alert, name="alert"),
    path(f"{_ALERT}change/", alerts.alert_edit, name="alert_edit"),
    path(f"{_ALERT}webhook/", alerts.alert_webhook, name="alert_webhook"),
    path(f"{_ALERT}webhook/secret/", alerts.alert_secret, name="alert_secret"),
    path(f"{_ALERT}webhook/try/", alerts.alert_try, name="alert_try"),
    path(f"{_ALERT}pause/", alerts.alert_pause, name="alert_pause"),
    path(f"{_ALERT}resume/", alerts.alert_resume, name="alert_resume"),
    path(f"{_ALERT}delete/", alerts.alert_delete, name="alert_delete"),
    path(
        f"{_ALERT}events/<int:event_id>/seen/", alerts.alert_acknowledge, name="alert_acknowledge"
    ),
]
