"""People of the agency (on its host) and of a client (on theirs): list, invite, change, remove."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.utils import perform_login
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.accounts_adapter import WRONG, verify_address
from agency.forms.people import AcceptAsForm, AcceptForm, InviteForm, ReachForm
from agency.hosts import client_or_none
from agency.invitations import let_wait, send_invitation
from tenants.access import May, access_agency, access_client, allows
from tenants.models import Client, Invitation, LogInSession, Membership, Role, Section, User
from tenants.people import (
    InvitationVoidError,
    PeopleError,
    Reach,
    accept_invitation,
    change_membership,
    get_invitation,
    invite,
    members,
    open_invitations,
    reach_of,
    remove_membership,
    renew_invitation,
    withdraw_invitation,
)


def _access(request: HttpRequest, may: May) -> tuple[User, Client | None]:
    """The user and whose people this host keeps; errors as the access door's."""
    client = client_or_none(request)
    if client is None:
        access_agency(request.user, may=may)
    else:
        access_client(request.user, client, may=may)
    if not isinstance(request.user, User):
        raise Http404("There is nothing here.")
    return request.user, client


def scope_words(reach: Reach) -> str:
    """How much of what the role reaches: *All clients*, *Shop and Blog · Pages, Goals*."""
    if reach.role in {Role.OWNER, Role.ANALYST, Role.PRIVACY_OFFICER}:
        if reach.clients is None:
            return "All clients"
        return ", ".join(sorted(one.name for one in reach.clients)) or "No client"
    sites = "All websites"
    if reach.sites is not None:
        sites = ", ".join(one.name for one in reach.sites) or "No website"
    if reach.sections is None:
        return sites
    chosen = [one.label for one in Section if one in reach.sections]
    return f"{sites} · {', '.join(chosen) or 'no section'}"


@require_safe
@login_required
@never_cache
def people(request: HttpRequest) -> HttpResponse:
    """Who belongs here; with invitations and menus for those who may manage them."""
    user, client = _access(request, May.VIEW)
    manages = allows(user, client, May.MANAGE_PEOPLE)
    rows = [_member_row(one, user) for one in members(client)]
    seen = _last_seen([row["user_id"] for row in rows])
    factors = _second_factors([row["user_id"] for row in rows])
    for row in rows:
        row["seen_at"] = seen.get(row["user_id"]) or row["last_login"]
        row["second_factor"] = row["user_id"] in factors
    now = timezone.now()
    context = {
        "rows": rows,
        "manages": manages,
        "invitations": [_invitation_row(one, now) for one in open_invitations(client)]
        if manages
        else [],
    }
    folder = "client" if client else "agency"
    return render(request, f"{folder}/people.html", context)


def _member_row(membership: Membership, user: User) -> dict[str, Any]:
    reach = reach_of(membership)
    return {
        "id": membership.pk,
        "user_id": membership.user_id,
        "key": str(membership.pk),
        "name": str(membership.user),
        "question": f"Remove {membership.user}?",
        "email": membership.user.email,
        "role": reach.role.label,
        "scope": scope_words(reach),
        "last_login": membership.user.last_login,
        "is_self": membership.user_id == user.pk,
    }


def _invitation_row(invitation: Invitation, now: Any) -> dict[str, Any]:
    reach = reach_of(invitation)
    return {
        "id": invitation.pk,
        "email": invitation.email,
        "role": reach.role.label,
        "scope": scope_words(reach),
        "by": str(invitation.invited_by or ""),
        "expires_at": invitation.expires_at,
        "is_over": invitation.expires_at <= now,
    }


def _last_seen(user_ids: list[int]) -> dict[int, Any]:
    rows = LogInSession.objects.filter(user_id__in=user_ids).values("user_id")
    return {row["user_id"]: row["at"] for row in rows.annotate(at=Max("seen_at"))}


def _second_factors(user_ids: list[int]) -> set[int]:
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    found = Authenticator.objects.filter(user_id__in=user_ids, type__in=kinds)
    return set(found.values_list("user_id", flat=True))


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def invite_person(request: HttpRequest) -> HttpResponse:
    """Whom, as what; sends the letter."""
    user, client = _access(request, May.MANAGE_PEOPLE)
    form = InviteForm(request.POST or None, client=client, acting_user=user)
    form.order_fields(["email"])
    if request.method == "POST" and form.is_valid():
        try:
            invitation = invite(
                form.cleaned_data["email"],
                form.reach(),
                client=client,
                acting_user=user,
                now=timezone.now(),
            )
        except PeopleError as error:
            form.add_error(None, str(error))
        else:
            _send(request, invitation)
            return redirect("people")
    return _form_page(request, form, "Invite somebody", "Send invitation")


def _send(request: HttpRequest, invitation: Invitation) -> None:
    """Mail it; a server that is away is told of, and the invitation stays in the list."""
    try:
        send_invitation(invitation, request=request)
    except OSError:  # smtplib's errors are OSErrors too
        messages.error(
            request, "The mail server did not take the letter. Send it again from the list."
        )
    else:
        messages.success(request, f"The invitation is on its way to {invitation.email}.")


def _form_page(request: HttpRequest, form: ReachForm, title: str, submit: str) -> HttpResponse:
    folder = "client" if client_or_none(request) else "agency"
    context = {"form": form, "title": title, "submit": submit}
    status = 422 if form.errors else 200
    return render(request, f"{folder}/people_form.html", context, status=status)


def _membership(client: Client | None, membership_id: int) -> Membership:
    found = Membership.objects.select_related("user", "client")
    return get_object_or_404(found, pk=membership_id, client=client)


def _invitation(client: Client | None, invitation_id: int) -> Invitation:
    found = Invitation.objects.select_related("client", "invited_by")
    return get_object_or_404(found, pk=invitation_id, client=client)


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def change_person(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Another role or scope."""
    user, client = _access(request, May.MANAGE_PEOPLE)
    membership = _membership(client, membership_id)
    form = ReachForm(
        request.POST or None, client=client, acting_user=user, reach=reach_of(membership)
    )
    if request.method == "POST" and form.is_valid():
        try:
            change_membership(membership, form.reach(), acting_user=user)
        except PeopleError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"What {membership.user} may see is changed.")
            return redirect("people")
    return _form_page(request, form, f"What {membership.user} may see", "Save")


@require_POST
@login_required
def remove_person(request: HttpRequest, membership_id: int) -> HttpResponse:
    """End a membership; the page asked before."""
    user, client = _access(request, May.MANAGE_PEOPLE)
    membership = _membership(client, membership_id)
    name = str(membership.user)
    try:
        remove_membership(membership, acting_user=user)
    except PeopleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{name} is removed and logged out.")
    return redirect("people")


@require_POST
@login_required
def resend_invitation(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """A new letter; the link of the one before is void."""
    user, client = _access(request, May.MANAGE_PEOPLE)
    invitation = _invitation(client, invitation_id)
    try:
        _send(request, renew_invitation(invitation, acting_user=user, now=timezone.now()))
    except PeopleError as error:
        messages.error(request, str(error))
    return redirect("people")


@require_POST
@login_required
def withdraw(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Make an invitation's link void."""
    user, client = _access(request, May.MANAGE_PEOPLE)
    invitation = _invitation(client, invitation_id)
    try:
        withdraw_invitation(invitation, acting_user=user, now=timezone.now())
    except PeopleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The invitation of {invitation.email} is withdrawn.")
    return redirect("people")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@never_cache
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Take an invitation up: name and password, or the password of an account that exists."""
    client = client_or_none(request)
    now = timezone.now()
    try:
        invitation = get_invitation(token, client=client, now=now)
    except InvitationVoidError as error:
        return render(request, "account/invitation_void.html", {"why": str(error)}, status=410)
    existing = User.objects.filter(email=invitation.email).first()
    data = request.POST if request.method == "POST" else None
    form: AcceptForm | AcceptAsForm = (
        AcceptAsForm(data) if existing else AcceptForm(data, email=invitation.email)
    )
    if request.method == "POST" and form.is_valid():
        response = _take_up(request, invitation, existing, form)
        if response is not None:
            return response
    context = {
        "form": form,
        "invitation": invitation,
        "place": client.name if client else None,
        "role": Role(invitation.role).label,
        "scope": scope_words(reach_of(invitation)),
        "existing": existing,
    }
    return render(request, "account/invitation.html", context, status=422 if form.errors else 200)


def _take_up(
    request: HttpRequest,
    invitation: Invitation,
    existing: User | None,
    form: AcceptForm | AcceptAsForm,
) -> HttpResponse | None:
    """Accept and log in; None: the form has an error.

    Who has an account already becomes a member at the end of the log-in, which may ask for a
    second factor: a password alone takes nothing up.
    """
    password = form.cleaned_data["password"]
    if existing is not None:
        if not _is_right(request, existing, password, form):
            return None
        let_wait(request, invitation)
        user = existing
    else:
        name = form.cleaned_data.get("name", "")
        try:
            user = accept_invitation(
                invitation, user=None, name=name, password=password, now=timezone.now()
            )
        except InvitationVoidError as error:
            context = {"why": str(error)}
            return render(request, "account/invitation_void.html", context, status=410)
        verify_address(user)
    response: HttpResponse = perform_login(request, user, redirect_url="/")
    return response


def _is_right(
    request: HttpRequest, user: User, password: str, form: AcceptForm | AcceptAsForm
) -> bool:
    """Whether the password is the account's; else the form says what is wrong."""
    try:
        found = get_adapter(request).authenticate(request, email=user.email, password=password)
    except ValidationError as error:  # a flood from this network
        form.add_error("password", error)
        return False
    if found is None or found.pk != user.pk:
        form.add_error("password", WRONG)
        return False
    return True
