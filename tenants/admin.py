"""The admin's pages of clients, and the list of all pages of this package.

`agency.admin` puts them on its site.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import action
from django.db import transaction
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from tenants.access import May
from tenants.admin_base import (
    BAD,
    GOOD,
    WARNING,
    ClientFilter,
    HouseAdmin,
    Workflow,
    acting,
    allowed,
    clients_in_scope,
    counted,
    shown,
)
from tenants.admin_keys import ApiKeyAdmin, DataKeyAdmin
from tenants.admin_people import InvitationAdmin, MembershipAdmin, UserAdmin
from tenants.admin_records import AuditAdmin, LogUploadAdmin
from tenants.audit import record_act
from tenants.closing import close_client, reopen_client
from tenants.keystore.models import DataKey
from tenants.models import (
    ApiKey,
    AuditEntry,
    Client,
    ClientGroup,
    Domain,
    Invitation,
    LogUpload,
    Membership,
    PrivacySettings,
    Site,
    User,
)
from tenants.privacy import SETTINGS

IN_USE = {"in use": GOOD, "closed": BAD, "out of use": WARNING}


class ClientAdmin(HouseAdmin):
    """Clients: made by the wizard, changed in their settings, taken out of service here."""

    client_path = "pk"
    list_display = ("name", "slug", "standing", "site_count", "timezone", "locale", "created_at")
    list_filter = ("is_active", "groups")
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = (
        *("name", "slug", "standing", "schema_name", "db_role"),
        *("timezone", "locale", "currency", "accent_colour"),
        *("domain_names", "site_names", "group_names", "created_at"),
    )
    actions: ClassVar[Sequence[str]] = ("close_clients", "reopen_clients")
    workflow = Workflow(
        "Clients are made by the wizard and changed in their settings.",
        "New client",
        "new_client",
    )
    row_workflow = Workflow(
        "A client is changed in its settings. Its short name, schema and role never change.",
        "Open the settings",
        "client_settings",
        by_slug=True,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what the list counts."""
        return super().get_queryset(request).prefetch_related("sites", "domains", "groups")

    def client_of(self, row: Any) -> Client | None:
        """Itself."""
        return row if isinstance(row, Client) else None

    def _ruled_by(self, row: Any) -> dict[str, Any]:
        if row is None:
            return super()._ruled_by(row)
        rule = self.row_workflow
        words = {"words": rule.words, "label": rule.label, "url": rule.url(row)}
        return {"workflow": words}

    @shown("State", label=IN_USE, ordering="is_active")
    def standing(self, client: Client) -> str:
        """Whether it is served."""
        return "in use" if client.is_active else "closed"

    @shown("Websites")
    def site_count(self, client: Client) -> int:
        """Those in use."""
        return sum(site.is_active for site in client.sites.all())

    @shown("Served at")
    def domain_names(self, client: Client) -> str:
        """Host names, the main one first."""
        domains = sorted(client.domains.all(), key=lambda one: not one.is_primary)
        return ", ".join(domain.domain for domain in domains)

    @shown("Websites")
    def site_names(self, client: Client) -> str:
        """By age."""
        return ", ".join(site.name for site in client.sites.all())

    @shown("Groups")
    def group_names(self, client: Client) -> str:
        """In their order."""
        return ", ".join(group.name for group in client.groups.all()) or "none"

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Who changes clients' settings."""
        return allowed(request, May.EDIT_SETTINGS)

    @action(description="Take out of service", permissions=["close"])
    def close_clients(self, request: HttpRequest, rows: QuerySet[Client]) -> HttpResponse | None:
        """Ask, then close."""
        page = self.ask_first(
            request,
            rows,
            action="close_clients",
            title="Take these clients out of service?",
            consequence="Their people can no longer read their reports, and hits of their websites "
            "are refused: they are not collected later. Nothing is deleted, and you can put the "
            "clients back into service at any time.",
            verb="Take out of service",
        )
        if page is not None:
            return page
        number = sum(close_client(row, acting_user=acting(request).email) for row in rows)
        messages.success(request, counted(number, "client is", "clients are") + " out of service.")
        return None

    @action(description="Put back into service", permissions=["close"])
    def reopen_clients(self, request: HttpRequest, rows: QuerySet[Client]) -> None:
        """Nothing is lost by it, so nobody is asked."""
        number = sum(reopen_client(row, acting_user=acting(request).email) for row in rows)
        messages.success(request, counted(number, "client is", "clients are") + " in service.")


class SiteAdmin(HouseAdmin):
    """Websites; changed in their client's settings."""

    list_display = ("name", "client", "state", "host_names", "timezone", "created_at")
    list_filter = (ClientFilter, "is_active")
    search_fields = ("name", "key", "client__name")
    list_select_related = ("client",)
    ordering = ("client__name", "id")
    fields = ("name", "client", "state", "key", "host_names", "timezone", "created_at")
    workflow = Workflow(
        "Websites are added and changed in their client's settings.",
        "Open the client's websites",
        "client_sites",
        by_slug=True,
    )

    @shown("State", label=IN_USE, ordering="is_active")
    def state(self, site: Site) -> str:
        """Whether its hits are taken."""
        return "in use" if site.is_active else "out of use"

    @shown("Hosts")
    def host_names(self, site: Site) -> str:
        """The main one first."""
        return ", ".join(site.hosts)


class DomainAdmin(HouseAdmin):
    """Host names that serve clients; changed in their settings."""

    client_path = "tenant_id"
    list_display = ("domain", "tenant", "is_primary")
    list_filter = (ClientFilter, "is_primary")
    search_fields = ("domain", "tenant__name")
    list_select_related = ("tenant",)
    ordering = ("domain",)
    fields = ("domain", "tenant", "is_primary")
    workflow = Workflow(
        "Host names are added and removed in their client's settings.",
        "Open the client's host names",
        "client_domains",
        by_slug=True,
    )

    def client_of(self, row: Any) -> Client | None:
        """Under django-tenants' name."""
        return super().client_of(row) or getattr(row, "tenant", None)


class PrivacyAdmin(HouseAdmin):
    """What clients let us collect; changed with a reason on the privacy page."""

    list_display = (
        *("client", "ip_mode", "ip_retention_days", "keep_outcode", "zip_mode"),
        *("cookie_mode", "honour_gpc", "honour_dnt", "k_threshold", "hits_retention_days"),
    )
    list_filter = ("ip_mode", "cookie_mode", "zip_mode", "honour_gpc")
    search_fields = ("client__name", "client__slug")
    list_select_related = ("client",)
    ordering = ("client__name",)
    fields = ("client", *SETTINGS)
    workflow = Workflow(
        "Privacy settings are changed on the client's privacy page, each change with its reason.",
        "Open the privacy page",
        at_client="privacy",
    )


class GroupAdmin(HouseAdmin):
    """Groups of clients. For who reaches every client: a group may hold any of them."""

    client_path = ""
    list_display = ("name", "order", "client_names")
    search_fields = ("name",)
    fields = ("name", "order", "clients")
    editable = fields
    # Boxes to tick: Django's two lists side by side do not pass axe.
    formfield_overrides: ClassVar[dict[Any, Any]] = {
        ManyToManyField: {"widget": UnfoldAdminCheckboxSelectMultipleWidget}
    }
    add_may = change_may = delete_may = May.EDIT_SETTINGS

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Not within a scope of some clients."""
        return super().has_add_permission(request) and clients_in_scope(request) is None

    @shown("Clients")
    def client_names(self, group: ClientGroup) -> str:
        """By name."""
        return ", ".join(client.name for client in group.clients.all()) or "none yet"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With their clients."""
        return super().get_queryset(request).prefetch_related("clients")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Store which clients, then say so: in the same transaction as the group."""
        super().save_related(request, form, formsets, change)
        group: ClientGroup = form.instance
        record_act(
            "group.change" if change else "group.create",
            acting_user=acting(request).email,
            details={
                "group": group.name,
                "clients": sorted(group.clients.values_list("pk", flat=True)),
            },
        )

    def delete_model(self, request: HttpRequest, obj: ClientGroup) -> None:
        """The group, not its clients."""
        with transaction.atomic():
            who = acting(request).email
            record_act("group.delete", acting_user=who, details={"group": obj.name})
            obj.delete()


ADMINS: dict[type[Model], type[HouseAdmin]] = {
    Client: ClientAdmin,
    Site: SiteAdmin,
    Domain: DomainAdmin,
    ClientGroup: GroupAdmin,
    PrivacySettings: PrivacyAdmin,
    User: UserAdmin,
    Membership: MembershipAdmin,
    Invitation: InvitationAdmin,
    ApiKey: ApiKeyAdmin,
    DataKey: DataKeyAdmin,
    AuditEntry: AuditAdmin,
    LogUpload: LogUploadAdmin,
}
"""Which model is shown by which page."""
