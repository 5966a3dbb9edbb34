"""The admin site: at /admin/ of the agency's host, for owners and privacy officers.

It has no log-in of its own: who comes without a session goes to the house's log-in page, with
its second factor. `access_agency` decides who is let in.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import Any

import redis
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from agency import operations
from agency.acts import act_words
from tenants.access import May, access_agency
from tenants.admin import ADMINS
from tenants.admin_base import clients_in_scope, membership_of, name_clients, name_of_client
from tenants.models import AuditEntry
from tracking.admin import DeadLetterPages
from tracking.refusals import Reason

CSP = {
    # Unfold's Alpine.js turns the expressions of its templates into functions.
    "script-src": ["'self'", "'unsafe-eval'"],
    # It also sets `style` attributes; style elements stay forbidden.
    "style-src-attr": ["'unsafe-inline'"],
}
"""What the admin's pages need beyond the house's policy. Nothing of it lets in another host, and
no script or style element of a page itself is run."""
DROPPED = frozenset(
    {"login", "logout", "password_change", "password_change_done", "view_on_site", "autocomplete"}
)
"""Django's pages for which the house has its own, or has no use."""
LATEST = 8
REFUSAL_DAYS = 7

View = Callable[..., HttpResponse]


class OutwardAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """The registers and the machine room."""

    final_catch_all_view = False
    index_title = "At a glance"

    def has_permission(self, request: HttpRequest) -> bool:
        """By the membership of the agency; `is_staff` decides nothing."""
        return membership_of(request) is not None

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Behind the house's doors: log-in, then 404 for outsiders and 403 for too small a role."""
        inner: View = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if isinstance(request.user, AnonymousUser):
                return redirect_to_login(request.get_full_path())
            access_agency(request.user, may=May.ADMINISTER)
            return inner(request, *args, **kwargs)

        relaxed: Any = csp_replace(CSP)(guarded)
        wrapped: View = update_wrapper(relaxed, inner)
        return wrapped

    def get_urls(self) -> list[URLPattern]:
        """Ours first, then Django's that are of use."""
        pages: list[tuple[str, View, str]] = [
            ("streams/", self.streams, "streams"),
            ("jobs/", self.jobs, "jobs"),
            ("refusals/", self.refusals, "refusals"),
        ]
        own = [path(where, self.admin_view(view), name=name) for where, view, name in pages]
        django = super().get_urls()
        kept = [one for one in django if getattr(one, "name", None) not in DROPPED]
        return [*own, *DeadLetterPages(self).urls(), *kept]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Without Unfold's colours in a style element: ours are in static/admin_house/look.css."""
        return {**super().each_context(request), "colors": None}

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The operations at a glance, for who reaches every client; the latest acts for all."""
        scope = clients_in_scope(request)
        entries = AuditEntry.objects.order_by("-at", "-pk")
        if scope is not None:
            entries = entries.filter(client_id__in=scope)
        latest = list(entries[:LATEST])
        name_clients(latest)
        context: dict[str, Any] = {
            "latest": [
                {"entry": one, "what": act_words(one.act), "client": name_of_client(one)}
                for one in latest
            ],
            "groups": _shown(navigation(request)),
        }
        if scope is None:
            context["glance"] = operations.unscoped_glance()
            context["troubled_jobs"] = _troubled_jobs()
        page: TemplateResponse = super().index(request, {**context, **(extra_context or {})})
        return page

    def streams(self, request: HttpRequest) -> HttpResponse:
        """Partitions, their lag, writers, spool files."""
        _whole_agency(request)
        context: dict[str, Any] = {"title": "Streams and lag", "is_away": False}
        client = operations.valkey()
        try:
            context["partitions"] = operations.read_partitions(client)
            context["writers"] = operations.read_writers(client, context["partitions"])
        except redis.RedisError:
            context["is_away"] = True
        context["spool"] = operations.read_spool(settings.SPOOL_PATH)
        return self._page(request, "admin/operations/streams.html", context)

    def jobs(self, request: HttpRequest) -> HttpResponse:
        """The schedule, last runs, failures, the queue."""
        _whole_agency(request)
        context: dict[str, Any] = {"title": "Jobs", "is_away": False}
        try:
            context["jobs"] = operations.read_jobs()
            context["queue"] = operations.read_queue(operations.valkey())
            context["backlog"] = operations.BACKLOG
        except redis.RedisError:
            context["is_away"] = True
        return self._page(request, "admin/operations/jobs.html", context)

    def refusals(self, request: HttpRequest) -> HttpResponse:
        """What collectors did not count, by reason and day."""
        _whole_agency(request)
        today = dt.datetime.now(dt.UTC).date()
        days = [today - dt.timedelta(days=ago) for ago in range(REFUSAL_DAYS - 1, -1, -1)]
        context: dict[str, Any] = {"title": "Refusals", "days": days, "is_away": False}
        try:
            found = operations.unscoped_refusals(operations.valkey(), days)
        except redis.RedisError:
            context["is_away"] = True
        else:
            context["rows"] = [
                {
                    "words": REASON_WORDS[reason],
                    "code": reason.value,
                    "numbers": [by_day[day] for day in days],
                    "total": sum(by_day.values()),
                }
                for reason, by_day in found.items()
            ]
        return self._page(request, "admin/operations/refusals.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(request, template, {**self.each_context(request), **context})


REASON_WORDS = {
    Reason.BOT: "The sender is a bot",
    Reason.GPC: "The browser asks not to be tracked (GPC)",
    Reason.DNT: "The browser asks not to be tracked (DNT)",
    Reason.PREFETCH: "The page was fetched before it was wanted",
    Reason.METHOD: "The request's method is not POST",
    Reason.CONTENT_TYPE: "The request's type of content is none that we read",
    Reason.TOO_LARGE: "The request is too large",
    Reason.MALFORMED: "The request cannot be read",
    Reason.HOST: "No client is served under this host name",
    Reason.SITE: "No website in use has this key",
    Reason.ORIGIN: "The page is on none of the website's hosts",
    Reason.RATE: "The visitor sends too many hits a minute",
    Reason.NOT_STORED: "The stream and the spool could not take it",
    Reason.ERROR: "A fault of the collector",
}
"""Why a request was not counted, for people."""


def _whole_agency(request: HttpRequest) -> None:
    """What crosses clients is for who reaches them all; raises PermissionDenied."""
    if clients_in_scope(request) is not None:
        raise PermissionDenied("This page shows all clients together, and you reach some of them.")


def _troubled_jobs() -> list[operations.Job] | None:
    """Jobs that failed last time, or should have run by now; None when Valkey is away."""
    try:
        return [job for job in operations.read_jobs() if job.has_failed or job.is_late]
    except redis.RedisError:
        return None


def stylesheet(request: HttpRequest) -> str:
    """Our colours over Unfold's."""
    return static("admin_house/look.css")


def theme_script(request: HttpRequest) -> str:
    """Takes over the theme that was chosen elsewhere in the house."""
    return static("admin_house/theme.js")


def keyboard_script(request: HttpRequest) -> str:
    """Lets the keyboard reach what Unfold made for the mouse alone."""
    return static("admin_house/keyboard.js")


def mark(request: HttpRequest) -> str:
    """The house's mark."""
    return static("img/mark.svg")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, in groups."""
    whole = clients_in_scope(request) is None
    rows = _models_link
    return [
        _group("", [_link("At a glance", "monitoring", reverse("admin:index"))]),
        _group(
            "Operations",
            [
                _link("Streams and lag", "water", reverse("admin:streams"), shown=whole),
                _link("Dead letters", "mail_off", reverse("admin:dead_letters")),
                _link("Jobs", "schedule", reverse("admin:jobs"), shown=whole),
                _link("Refusals", "block", reverse("admin:refusals"), shown=whole),
                rows("Imported logs", "upload_file", "logupload"),
            ],
        ),
        _group(
            "Clients",
            [
                rows("Clients", "business_center", "client"),
                rows("Websites", "language", "site"),
                rows("Host names", "dns", "domain"),
                rows("Groups", "folder", "clientgroup", shown=whole),
                rows("Privacy settings", "policy", "privacysettings"),
            ],
        ),
        _group(
            "People",
            [
                rows("People", "person", "user"),
                rows("Memberships", "badge", "membership"),
                rows("Invitations", "outgoing_mail", "invitation"),
            ],
        ),
        _group(
            "Keys and records",
            [
                rows("API keys", "key", "apikey"),
                _link("Key store", "lock", reverse("admin:keystore_datakey_changelist")),
                rows("Audit trail", "history", "auditentry"),
            ],
        ),
    ]


def _group(title: str, items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"title": title, "separator": bool(title), "items": [one for one in items if one]}


def _link(title: str, icon: str, url: str, *, shown: bool = True) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": url} if shown else {}


def _models_link(title: str, icon: str, model: str, *, shown: bool = True) -> dict[str, Any]:
    return _link(title, icon, reverse(f"admin:tenants_{model}_changelist"), shown=shown)


def _shown(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [group for group in groups if group["title"]]


site = OutwardAdminSite()
for _model, _admin in ADMINS.items():
    site.register(_model, _admin)
