"""The admin's pages of what was done: the audit trail, imported logs."""

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html

from tenants.admin_base import (
    ClientFilter,
    HouseAdmin,
    Workflow,
    name_clients,
    name_of_client,
    shown,
)
from tenants.models import AuditEntry, Client


class AuditAdmin(HouseAdmin):
    """What was done, by whom: to be read and searched, by nobody changed."""

    list_display = ("at", "actor", "act", "client_name", "summary")
    list_filter = (ClientFilter, "act")
    search_fields = ("actor", "act", "details")
    search_help_text = "Search people, acts and details"
    date_hierarchy = "at"
    show_full_result_count = False  # the trail only grows
    ordering = ("-at", "-id")
    fields = ("at", "actor", "act", "client_name", "all_details")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With names of clients, read once: an entry outlives its client and has a plain id."""
        page = super().get_changelist_instance(request)
        name_clients(page.result_list)
        return page

    def client_of(self, row: Any) -> Client | None:
        """By its plain id."""
        found: Client | None = Client.objects.filter(pk=row.client_id or 0).first()
        return found

    @shown("Client", ordering="client_id")
    def client_name(self, entry: AuditEntry) -> str:
        """Empty for what concerns the agency."""
        return name_of_client(entry)

    @shown("Details")
    def summary(self, entry: AuditEntry) -> str:
        """The beginning."""
        text = ", ".join(f"{name}: {value}" for name, value in entry.details.items())
        return text if len(text) <= 90 else f"{text[:89]}…"

    @shown("Details")
    def all_details(self, entry: AuditEntry) -> str:
        """As they were recorded."""
        text = json.dumps(entry.details, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="house-json">{}</pre>', text)


class LogUploadAdmin(HouseAdmin):
    """Weblogs that were uploaded, and what became of them."""

    list_display = ("name", "client", "site", "state", "lines", "stored", "created_at")
    list_filter = (ClientFilter, "state")
    search_fields = ("name", "client__name")
    list_select_related = ("client", "site")
    fields = (
        *("name", "client", "site", "state", "size", "received", "lines", "stored", "error"),
        *("requested_by", "attempts", "created_at", "started_at", "finished_at"),
    )
    workflow = Workflow(
        "Logs are uploaded, watched and cancelled on the client's page of imports.",
        "Open the imports",
        "imports",
        by_slug=True,
    )
