"""Logging in and out."""

from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from agency.demo.logins import demo_logins
from agency.hosts import bind_session
from tenants.access import find_role
from tenants.models import Client, User


class LogInForm(AuthenticationForm):
    """E-mail address and password; refuses who has no business on this host."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget.input_type = "email"
        self.error_messages["invalid_login"] = (
            "This e-mail address and password do not go together. Check both; "
            "after eight wrong tries the account waits a quarter of an hour."
        )

    def clean_username(self) -> str:
        """Addresses are stored in small letters."""
        return str(self.cleaned_data["username"]).strip().lower()

    def confirm_login_allowed(self, user: Any) -> None:
        """Outsiders of this host are told so, once their password was right."""
        super().confirm_login_allowed(user)
        client: Client | None = getattr(self.request, "client", None)
        if isinstance(user, User) and find_role(user, client) is None:
            raise ValidationError(
                "This account has nothing to see here. Ask the agency for access."
            )


class LogInView(auth_views.LoginView):
    """The log-in page of the agency's and of each client's host."""

    template_name = "agency/log_in.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log in, and tie the session to this host."""
        response = super().form_valid(form)
        bind_session(self.request)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """In the demo, the page names the people who exist."""
        context = super().get_context_data(**kwargs)
        if not settings.PRODUCTION:
            client = getattr(self.request, "client", None)
            slug = client.slug if client else None
            context["logins"] = [login for login in demo_logins() if login.slug == slug]
        return context


class LogOutView(auth_views.LogoutView):
    """Ends the session; by POST only."""
