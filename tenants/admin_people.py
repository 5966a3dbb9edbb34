"""The admin's pages of people."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import action
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.access import May
from tenants.accounts import close_account, open_account, rename_person
from tenants.admin_base import (
    BAD,
    GOOD,
    QUIET,
    WARNING,
    ClientFilter,
    HouseAdmin,
    Workflow,
    acting,
    clients_in_scope,
    counted,
    names,
    shown,
)
from tenants.models import Invitation, Membership, Role, Section, User
from tenants.people import PeopleError


class UserAdmin(HouseAdmin):
    """People: names and accounts. What they may see: see memberships."""

    client_path = "memberships__client_id"
    list_display = ("email", "full_name", "state", "belongs", "last_login", "date_joined")
    list_filter = ("is_active", "memberships__role")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    fields = ("email", "first_name", "last_name", "state", "belongs", "last_login", "date_joined")
    editable = ("first_name", "last_name")
    change_may = May.MANAGE_PEOPLE
    actions: ClassVar[Sequence[str]] = ("close_accounts", "open_accounts")
    workflow = Workflow(
        "People are invited, and their roles changed, on the people pages.", "People", "people"
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what they belong to within the scope, without their passwords' hashes."""
        memberships = Membership.objects.select_related("client")
        scope = clients_in_scope(request)
        if scope is not None:
            memberships = memberships.filter(client_id__in=scope)
        rows = super().get_queryset(request).defer("password")
        return rows.prefetch_related(Prefetch("memberships", queryset=memberships))

    @shown("Account", label={"open": GOOD, "closed": BAD}, ordering="is_active")
    def state(self, user: User) -> str:
        """Whether one can log in with it."""
        return "open" if user.is_active else "closed"

    @shown("Name", ordering="first_name")
    def full_name(self, user: User) -> str:
        """First and last name."""
        return user.get_full_name()

    @shown("Belongs to")
    def belongs(self, user: User) -> str:
        """Roles and where."""
        return ", ".join(_belonging(one) for one in user.memberships.all()) or "nobody"

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The name, and nothing else."""
        first, last = obj.first_name, obj.last_name
        rename_person(obj, first_name=first, last_name=last, acting_user=acting(request))

    @action(description="Close accounts", permissions=["change"])
    def close_accounts(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        """Ask, then close; says who cannot be closed and why."""
        page = self.ask_first(
            request,
            rows,
            action="close_accounts",
            title="Close these accounts?",
            consequence="Nobody can log in with them, and their open sessions end at once. Their "
            "memberships stay, so that they work again when you open the accounts again.",
            verb="Close accounts",
        )
        if page is None:
            _each(request, rows, close_account, "account is closed", "accounts are closed")
        return page

    @action(description="Open accounts again", permissions=["change"])
    def open_accounts(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        """Nothing is lost by it, so nobody is asked."""
        _each(request, rows, open_account, "account is open", "accounts are open")


class MembershipAdmin(HouseAdmin):
    """Who belongs where; changed on the people pages, whose rules hold here too."""

    list_display = ("user", "place", "role_name", "reach", "created_at")
    list_filter = (ClientFilter, "role")
    search_fields = ("user__email", "user__first_name", "user__last_name", "client__name")
    list_select_related = ("user", "client")
    ordering = ("user__email", "id")
    fields = ("user", "place", "role_name", "reach", "created_at")
    workflow = Workflow(
        "Memberships are changed on the people pages: the agency's here, a client's on its host.",
        "People of the agency",
        "people",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what they reach."""
        return super().get_queryset(request).prefetch_related("clients", "sites")

    @shown("At", ordering="client__name")
    def place(self, row: Membership) -> str:
        """The client, or the agency."""
        return row.client.name if row.client else "the agency"

    @shown("Role", ordering="role")
    def role_name(self, row: Membership) -> str:
        """In words."""
        return str(Role(row.role).label)

    @shown("Reaches")
    def reach(self, row: Membership) -> str:
        """How much of what the role reaches."""
        if row.client_id is None:
            return "all clients" if row.all_clients else names(row.clients.all(), "no client")
        sites = "all websites" if row.all_sites else names(row.sites.all(), "no website")
        if row.all_sections:
            return sites
        return f"{sites}; {names([Section(one).label for one in row.sections], 'no section')}"


class InvitationAdmin(HouseAdmin):
    """Memberships that were offered."""

    list_display = ("email", "place", "role", "state", "invited_by", "created_at", "expires_at")
    list_filter = (ClientFilter, "role")
    search_fields = ("email", "client__name")
    list_select_related = ("client", "invited_by")
    fields = (
        *("email", "place", "role", "state", "invited_by", "mailing"),
        *("created_at", "expires_at", "accepted_at", "withdrawn_at"),
    )
    workflow = Workflow("People are invited on the people pages.", "People", "people")

    @shown("At", ordering="client__name")
    def place(self, row: Invitation) -> str:
        """The client, or the agency."""
        return row.client.name if row.client else "the agency"

    @shown(
        "State",
        label={"taken up": GOOD, "withdrawn": BAD, "too old": WARNING, "open": QUIET},
    )
    def state(self, row: Invitation) -> str:
        """What became of it."""
        if row.accepted_at:
            return "taken up"
        if row.withdrawn_at:
            return "withdrawn"
        return "open" if row.expires_at > timezone.now() else "too old"


def _belonging(row: Membership) -> str:
    return f"{Role(row.role).label}, {row.client.name if row.client else 'the agency'}"


def _each(
    request: HttpRequest, rows: Iterable[User], act: Callable[..., bool], one: str, many: str
) -> None:
    """Do it to each, and say of whom it cannot be done, and why."""
    number = 0
    for user in rows:
        try:
            number += act(user, acting_user=acting(request))
        except PeopleError as error:
            messages.error(request, f"{user}: {error}")
    messages.success(request, f"{counted(number, one, many)}.")
