"""The admin's pages of keys: that they are there, never what they are."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import action
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.admin_base import (
    BAD,
    GOOD,
    QUIET,
    WARNING,
    ClientFilter,
    HouseAdmin,
    Workflow,
    acting,
    counted,
    name_clients,
    name_of_client,
    names,
    shown,
)
from tenants.api_keys import revoke_api_key
from tenants.keystore.models import DataKey
from tenants.models import ApiKey, Client, Site


class ApiKeyAdmin(HouseAdmin):
    """Keys to the statistics API: their beginnings and scopes, never a hash."""

    list_display = (
        *("name", "client", "beginning", "scope_names", "state"),
        *("created_by", "last_used_at", "expires_at"),
    )
    list_filter = (ClientFilter,)
    search_fields = ("name", "prefix", "client__name")
    list_select_related = ("client", "created_by")
    fields = (
        *("name", "client", "beginning", "scope_names", "site_names", "state"),
        *("created_by", "created_at", "last_used_at", "expires_at", "revoked_at"),
    )
    actions: ClassVar[Sequence[str]] = ("revoke",)
    workflow = Workflow(
        "API keys are made on the client's page of keys; a lost one is revoked.",
        "Open the page of keys",
        at_client="api_keys",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without their hashes."""
        return super().get_queryset(request).defer("hash")

    @shown("Begins with", ordering="prefix")
    def beginning(self, key: ApiKey) -> str:
        """Enough to tell keys apart, and no more."""
        return f"{key.prefix}…"

    @shown("May")
    def scope_names(self, key: ApiKey) -> str:
        """Scopes."""
        return ", ".join(key.scopes)

    @shown("Websites")
    def site_names(self, key: ApiKey) -> str:
        """Which it reads."""
        if not key.sites:
            return "all of the client's"
        return names(Site.objects.filter(pk__in=key.sites), "none that exists")

    @shown("State", label={"valid": GOOD, "revoked": BAD, "too old": WARNING})
    def state(self, key: ApiKey) -> str:
        """Whether it opens anything."""
        if key.revoked_at:
            return "revoked"
        return "too old" if key.expires_at and key.expires_at <= timezone.now() else "valid"

    @action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask, then revoke."""
        page = self.ask_first(
            request,
            rows,
            action="revoke",
            title="Revoke these API keys?",
            consequence="Programs that use them are refused from now on. A revoked key cannot be "
            "brought back: make a new one and give it to the program.",
            verb="Revoke",
        )
        if page is None:
            number = sum(revoke_api_key(key, acting_user=acting(request).email) for key in rows)
            messages.success(request, counted(number, "key is", "keys are") + " revoked.")
        return page


class DataKeyAdmin(HouseAdmin):
    """Keys of the key store: that they exist, and when they were destroyed. Never their bytes."""

    list_display = (
        *("number", "client_name", "purpose", "epoch_words", "state"),
        *("created_at", "destroy_after", "destroyed_at"),
    )
    list_filter = (ClientFilter, "purpose")
    ordering = ("-created_at", "-id")
    fields = (
        *("number", "client_name", "purpose", "epoch_words", "state"),
        *("created_at", "destroy_after", "destroyed_at"),
    )
    workflow = Workflow(
        "Keys are made on first use and destroyed when their time has come, by a job. Nobody can "
        "see, copy or change one here."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the wrapped bytes: they do not even reach this process."""
        return super().get_queryset(request).defer("wrapped", "root_key_id")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With names of clients, read once: they are in another database than the keys."""
        page = super().get_changelist_instance(request)
        name_clients(page.result_list)
        return page

    def client_of(self, row: Any) -> Client | None:
        """By its plain id; None for a client that is gone."""
        found: Client | None = Client.objects.filter(pk=row.client_id).first()
        return found

    @shown("Number", ordering="id")
    def number(self, key: DataKey) -> str:
        """Its id, which stands in front of what was sealed with it."""
        return str(key.pk)

    @shown("Client", ordering="client_id")
    def client_name(self, key: DataKey) -> str:
        """Or its number, when the client is gone and its keys are the record of that."""
        return name_of_client(key)

    @shown("Epoch", ordering="epoch")
    def epoch_words(self, key: DataKey) -> str:
        """Its day or month, or the client's life."""
        return key.epoch.isoformat() if key.epoch else "the client's life"

    @shown("State", label={"in force": GOOD, "destroyed": QUIET})
    def state(self, key: DataKey) -> str:
        """Whether what was sealed with it can be read."""
        return "destroyed" if key.destroyed_at else "in force"
