"""Addresses of clients on the agency's host."""

from django.urls import path

from agency.views import clients, groups, imports, install_pages, rollup, settings_pages, wizard

urlpatterns = [
    # all of them
    path("", clients.overview, name="home"),
    path("live/", clients.live, name="clients_live"),
    path("roll-up/", rollup.rollup, name="rollup"),
    path("roll-up/<slug:measure>.json", rollup.series, name="rollup_series"),
    path("groups/", groups.groups, name="groups"),
    path("groups/<int:group_id>/", groups.change, name="change_group"),
    path("groups/<int:group_id>/delete/", groups.delete, name="delete_group"),
    # a new one
    path("clients/new/", wizard.begin, name="new_client"),
    path("clients/new/logo/", wizard.logo, name="new_client_logo"),
    path("clients/new/preview/", wizard.preview, name="new_client_preview"),
    path("clients/new/create/", wizard.create, name="new_client_create"),
    path("clients/new/discard/", wizard.discard, name="new_client_discard"),
    path("clients/new/<slug:step>/", wizard.step, name="new_client_step"),
    # one of them
    path("clients/<slug:slug>/", clients.client, name="client"),
    path("clients/<slug:slug>/logo/", settings_pages.logo, name="client_logo"),
    # installing
    path(
        "clients/<slug:slug>/sites/<int:site_id>/install/",
        install_pages.install,
        name="client_install",
    ),
    path(
        "clients/<slug:slug>/sites/<int:site_id>/install/waiting/",
        install_pages.waiting,
        name="client_waiting",
    ),
    path(
        "clients/<slug:slug>/sites/<int:site_id>/install/look/",
        install_pages.look,
        name="client_look_at_page",
    ),
    path(
        "clients/<slug:slug>/sites/<int:site_id>/install/check/",
        install_pages.check,
        name="client_check",
    ),
    # settings
    path("clients/<slug:slug>/settings/", settings_pages.general, name="client_settings"),
    path("clients/<slug:slug>/settings/look/", settings_pages.look, name="client_look"),
    path(
        "clients/<slug:slug>/settings/look/remove-logo/",
        settings_pages.remove_logo,
        name="client_remove_logo",
    ),
    path("clients/<slug:slug>/settings/domains/", settings_pages.domains, name="client_domains"),
    path(
        "clients/<slug:slug>/settings/domains/<int:domain_id>/check/",
        settings_pages.check_domain,
        name="client_check_domain",
    ),
    path(
        "clients/<slug:slug>/settings/domains/<int:domain_id>/remove/",
        settings_pages.remove_domain,
        name="client_remove_domain",
    ),
    path("clients/<slug:slug>/settings/sites/", settings_pages.sites, name="client_sites"),
    path(
        "clients/<slug:slug>/settings/sites/add/", settings_pages.add_site, name="client_add_site"
    ),
    path(
        "clients/<slug:slug>/settings/sites/<int:site_id>/",
        settings_pages.change_site,
        name="client_site",
    ),
    path(
        "clients/<slug:slug>/settings/sites/<int:site_id>/key/",
        settings_pages.renew_key,
        name="client_renew_key",
    ),
    path(
        "clients/<slug:slug>/settings/sites/<int:site_id>/use/",
        settings_pages.use_site,
        name="client_use_site",
    ),
    # imports
    path("clients/<slug:slug>/imports/", imports.imports, name="imports"),
    path("clients/<slug:slug>/imports/begin/", imports.begin, name="begin_import"),
    path("clients/<slug:slug>/imports/<uuid:upload_id>/", imports.upload, name="import"),
    path("clients/<slug:slug>/imports/<uuid:upload_id>/piece/", imports.piece, name="import_piece"),
    path(
        "clients/<slug:slug>/imports/<uuid:upload_id>/cancel/",
        imports.cancel,
        name="cancel_import",
    ),
]
