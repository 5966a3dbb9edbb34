"""One's own account: logging in and out, name, sessions; staff going to a client's host."""

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import get_adapter as get_provider_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.accounts_adapter import has_second_factor, verify_address
from agency.accounts_guesses import forget_guesses
from agency.accounts_handover import HandOverError, local_path, make_token, redeem_token
from agency.accounts_sessions import begin_session, begun_at
from agency.accounts_visits import begin_visit
from agency.acts import changes_at, visits_of_staff
from agency.addresses import origin_of
from agency.demo.logins import demo_logins
from agency.forms.accounts import NameForm
from agency.hosts import client_of, client_or_none
from tenants.access import access_agency, access_client
from tenants.audit import record_act
from tenants.models import Client, LogInSession, User


class LogInView(allauth_views.LoginView):  # type: ignore[misc]  # allauth has no types
    """The log-in page of the agency's and of each client's host."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Other ways in; in the demo, the page names the people who exist."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        next_url = self.get_next_url() or ""
        context["next"] = next_url
        context["providers"] = [
            {
                "name": provider.name,
                "url": provider.get_login_url(self.request, next=next_url or "/"),
            }
            for provider in get_provider_adapter().list_providers(self.request)
        ]
        if not settings.PRODUCTION:
            client = client_or_none(self.request)
            slug = client.slug if client else None
            context["logins"] = [login for login in demo_logins() if login.slug == slug]
        return context


class LogOutView(allauth_views.LogoutView):  # type: ignore[misc]  # allauth has no types
    """Ends the session; by POST only, a GET asks first."""


class PasswordResetView(allauth_views.PasswordResetFromKeyView):  # type: ignore[misc]  # allauth has no types
    """Sets a new password; the link came by mail, so the address is its owner's."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Note it, and that the address is verified; wrong guesses of before lock nobody out."""
        response: HttpResponse = super().form_valid(form)
        forget_guesses(self.reset_user.email, self.request)
        verify_address(self.reset_user)
        record_act("password.reset", acting_user=self.reset_user.email)
        return response


def _person(request: HttpRequest) -> User:
    """The user of a page behind `login_required`."""
    if not isinstance(request.user, User):
        raise Http404("There is nothing here.")
    return request.user


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def own_account(request: HttpRequest) -> HttpResponse:
    """Name, password, second factor, sessions."""
    user = _person(request)
    form = NameForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is saved.")
        return redirect("account")
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    context = {
        "form": form,
        "has_second_factor": has_second_factor(user),
        "kinds": kinds,
        "sessions": LogInSession.objects.filter(user=user, expire_date__gt=timezone.now()).count(),
        "needs_second_factor": settings.STAFF_2FA,
    }
    return render(request, "account/account.html", context)


@require_safe
@login_required
@never_cache
def sessions(request: HttpRequest) -> HttpResponse:
    """Where the account is logged in, on all hosts; the present session first."""
    user = _person(request)
    found = LogInSession.objects.filter(user=user, expire_date__gt=timezone.now())
    current = request.session.session_key
    rows = sorted(found.order_by("-seen_at"), key=lambda one: one.session_key != current)
    context = {
        "rows": [
            {
                "id": row.public_id,
                "device": row.device,
                "host": row.host,
                "begun_at": row.begun_at,
                "seen_at": row.seen_at,
                "is_current": row.session_key == current,
            }
            for row in rows
        ],
        "others": len(rows) - 1,
    }
    return render(request, "account/sessions.html", context)


@require_POST
@login_required
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions; it is named by a hash, never by its key."""
    user = _person(request)
    for row in LogInSession.objects.filter(user=user):
        if row.public_id == request.POST.get("session"):
            row.delete()
            messages.success(request, f"The session of {row.device} is ended.")
            return redirect("sessions")
    messages.info(request, "This session has ended already.")
    return redirect("sessions")


@require_POST
@login_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    user = _person(request)
    found = LogInSession.objects.filter(user=user)
    count, _ = found.exclude(session_key=request.session.session_key).delete()
    messages.success(request, f"{count} other {'session' if count == 1 else 'sessions'} ended.")
    return redirect("sessions")


@require_safe
@login_required
@never_cache
def enter_client(request: HttpRequest, client_id: int) -> HttpResponse:
    """On the agency's host: go to a client's host, logged in.

    A link, since a form may not lead to another host (Content-Security-Policy, form-action).
    Another website's link leads to a page that asks first, or it could make it seem that staff
    looked (Sec-Fetch-Site, https://www.w3.org/TR/fetch-metadata/).
    """
    access_agency(request.user)
    client = get_object_or_404(Client, pk=client_id, is_active=True)
    access_client(request.user, client)
    path = local_path(request.GET.get("next", "/"))
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return render(request, "account/enter.html", {"entered": client, "path": path})
    token = make_token(_person(request), client, path=path, begun_at=begun_at(request))
    there = reverse("enter", urlconf=settings.ROOT_URLCONF)
    return redirect(f"{origin_of(request, client)}{there}?token={token}")


@require_safe
@never_cache
def enter(request: HttpRequest) -> HttpResponse:
    """On a client's host: begin the session of staff who come from the agency's host."""
    client = client_of(request)
    try:
        hand_over = redeem_token(request.GET.get("token", ""), client=client)
    except HandOverError as error:
        messages.error(request, str(error))
        return redirect("home" if request.user.is_authenticated else "log_in")
    if request.user != hand_over.user:
        try:
            get_adapter(request).login(request, hand_over.user)
        except ImmediateHttpResponse as refused:
            response: HttpResponse = refused.response
            return response
        begin_session(request, begun_at=hand_over.begun_at)
    begin_visit(request)
    return redirect(hand_over.path)


@require_safe
@login_required
@never_cache
def access_log(request: HttpRequest) -> HttpResponse:
    """On a client's host: who of the agency was here, and what the agency changed."""
    client = client_of(request)
    access_client(request.user, client)
    context = {"visits": visits_of_staff(client), "changes": changes_at(client)}
    return render(request, "client/people_access.html", context)
