"""What every page of the admin site keeps to: who may see which rows, and no change untold.

Who is let in is `tenants.access`' business: `is_staff` and Django's permissions decide nothing.
Rows can be read and not changed, unless a class says otherwise, and then by a service that
writes to the audit trail; Django's own log of the admin stays empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from tenants.access import MAY, May, find_membership
from tenants.models import Client, Membership, Role, User

GOOD, BAD, WARNING, QUIET = "success", "danger", "warning", "info"
"""Unfold's names of the colours of a state."""
Method = TypeVar("Method", bound=Callable[..., Any])
_KEPT_ON_REQUEST = "admin_membership"


def membership_of(request: HttpRequest) -> Membership | None:
    """The user's membership of the agency, where it lets into the admin. One query a request."""
    if not hasattr(request, _KEPT_ON_REQUEST):
        found = find_membership(request.user, None)
        if found is not None and May.ADMINISTER not in MAY[Role(found.role)]:
            found = None
        setattr(request, _KEPT_ON_REQUEST, found)
    kept: Membership | None = getattr(request, _KEPT_ON_REQUEST)
    return kept


def allowed(request: HttpRequest, may: May) -> bool:
    """Whether the user is in the admin by a role that may do this."""
    membership = membership_of(request)
    return membership is not None and may in MAY[Role(membership.role)]


def clients_in_scope(request: HttpRequest) -> frozenset[int] | None:
    """Ids of the clients that the user's membership reaches; None: all of them."""
    membership = membership_of(request)
    if membership is None:
        return frozenset()
    if membership.all_clients:
        return None
    return frozenset(membership.clients.values_list("pk", flat=True))


def shown(
    description: str, *, ordering: str | None = None, label: Mapping[str, str] | None = None
) -> Callable[[Method], Method]:
    """Unfold's `display`, typed: a column's heading, what it sorts by, colours of its states."""

    def decorate(method: Method) -> Method:
        display(method, description=description, ordering=ordering, label=label)
        return method

    return decorate


def acting(request: HttpRequest) -> User:
    """Who acts; the site lets nobody in who is no user."""
    return cast(User, request.user)


def counted(number: int, one: str, many: str) -> str:
    """*1 key is*, *2 keys are*."""
    return f"{number} {one if number == 1 else many}"


def names(rows: Iterable[Any], none: str) -> str:
    """Joined, or the words for none."""
    return ", ".join(str(row) for row in rows) or none


def name_clients(rows: Iterable[Any]) -> None:
    """Give each row the name of its client, for rows that have a plain `client_id`. One query."""
    found = dict(Client.objects.values_list("pk", "name"))
    for row in rows:
        row.client_label = found.get(row.client_id, "")


def name_of_client(row: Any) -> str:
    """Name of the row's client, or its number if it is gone; empty without a client."""
    if row.client_id is None:
        return ""
    label = getattr(row, "client_label", None)
    if label is None:
        client = Client.objects.filter(pk=row.client_id).first()
        label = client.name if client else ""
    return label or f"client {row.client_id}, deleted"


@dataclass(frozen=True)
class Workflow:
    """The page that rules what the admin only shows."""

    words: str
    label: str = ""
    name: str = ""
    """Of its URL, on the agency's host."""
    by_slug: bool = False
    """Whether there is one for each client, by its slug."""
    at_client: str = ""
    """Name of the URL of a page on the client's own host instead, which one is led to."""

    def url(self, client: Client | None = None) -> str:
        """Its address; empty where there is none, or none without a client."""
        here = settings.PUBLIC_SCHEMA_URLCONF
        if self.at_client and client is not None:
            there = reverse(self.at_client, urlconf=settings.ROOT_URLCONF)
            way = reverse("enter_client", urlconf=here, args=[client.pk])
            return f"{way}?{urlencode({'next': there})}"
        if self.by_slug and client is not None:
            return reverse(self.name, urlconf=here, args=[client.slug])
        return reverse(self.name, urlconf=here) if self.name and not self.by_slug else ""


class ClientFilter(SimpleListFilter):
    """Rows of one client."""

    title = "client"
    parameter_name = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Clients in scope, by name."""
        clients = Client.objects.order_by("name")
        scope = clients_in_scope(request)
        if scope is not None:
            clients = clients.filter(pk__in=scope)
        return [(str(pk), name) for pk, name in clients.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Ids only: a text that is none chooses nothing."""
        value = self.value()
        if value is None:
            return queryset
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            return queryset.none()
        path = CLIENT_PATHS.get(queryset.model, "client_id")
        found = queryset.filter(**{path: int(value)})
        return found.distinct() if "__" in path else found


CLIENT_PATHS: dict[type[Model], str] = {}
"""How a row is found by its client's id, where it is not `client_id`; filled by the admins."""


class HouseAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Rows of one model: to be read by who may, within the clients they reach."""

    client_path: ClassVar[str] = "client_id"
    """Lookup from a row to its client's id; empty: rows of the whole agency."""
    editable: ClassVar[Sequence[str]] = ()
    """Of `fields`; the others are shown."""
    change_may: ClassVar[May | None] = None
    """What changing a row takes; None: nobody may."""
    add_may: ClassVar[May | None] = None
    delete_may: ClassVar[May | None] = None
    workflow: ClassVar[Workflow | None] = None
    list_per_page = 50
    list_filter_submit = False
    compressed_fields = True
    list_before_template = "admin/workflow.html"
    change_form_outer_before_template = "admin/workflow.html"

    def __init__(self, model: type[Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        if self.client_path:
            CLIENT_PATHS[model] = self.client_path

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows of clients in scope; of the agency's own none for who reaches some clients only."""
        rows: QuerySet[Any] = super().get_queryset(request)
        scope = clients_in_scope(request)
        if scope is None:
            return rows
        if not self.client_path:
            return rows.none()
        found = rows.filter(**{f"{self.client_path}__in": scope})
        return found.distinct() if "__" in self.client_path else found

    def get_urls(self) -> list[URLPattern]:
        """Without addresses that nobody may use, and one of long ago that has no name."""
        unused = {
            f"{self.opts.app_label}_{self.opts.model_name}_{what}"
            for what, may in (("add", self.add_may), ("delete", self.delete_may))
            if may is None
        }
        return [one for one in super().get_urls() if one.name and one.name not in unused]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Whatever is not `editable`."""
        return [name for name in self.fields or () if name not in self.editable]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """All who are let into the admin."""
        return allowed(request, May.ADMINISTER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return allowed(request, May.ADMINISTER)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By `add_may`."""
        return self.add_may is not None and allowed(request, self.add_may)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """By `change_may`."""
        return self.change_may is not None and allowed(request, self.change_may)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """By `delete_may`."""
        return self.delete_may is not None and allowed(request, self.delete_may)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Nothing: the service that acted has written to the audit trail."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Nothing, as above."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing, as above."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit trail, of the row's client where it has one."""
        row = self.get_object(request, object_id)
        client = self.client_of(row) if row is not None else None
        entries = reverse("admin:tenants_auditentry_changelist")
        return redirect(f"{entries}?client={client.pk}" if client else entries)

    def client_of(self, row: Any) -> Client | None:
        """The row's client, if it has one."""
        found = getattr(row, "client", None)
        return found if isinstance(found, Client) else None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the page that rules these rows."""
        return super().changelist_view(  # type: ignore[no-any-return]  # unfold has no types
            request, {**self._ruled_by(None), **(extra_context or {})}
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the page that rules this row."""
        row = self.get_object(request, object_id) if object_id and self.workflow else None
        extra = {**self._ruled_by(row), "show_save_and_add_another": False}
        return super().changeform_view(  # type: ignore[no-any-return]  # unfold has no types
            request, object_id, form_url, {**extra, **(extra_context or {})}
        )

    def _ruled_by(self, row: Any) -> dict[str, Any]:
        if self.workflow is None:
            return {}
        client = self.client_of(row) if row is not None else None
        return {
            "workflow": {
                "words": self.workflow.words,
                "label": self.workflow.label,
                "url": self.workflow.url(client),
            }
        }

    def ask_first(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        *,
        action: str,
        title: str,
        consequence: str,
        verb: str,
    ) -> TemplateResponse | None:
        """A page that asks whether it is meant; None when the answer was yes."""
        if request.POST.get("confirmed") == "yes":
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "rows": list(rows),
            "action": action,
            "consequence": consequence,
            "verb": verb,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)
