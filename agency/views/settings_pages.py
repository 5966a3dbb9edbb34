"""A client's settings, for the agency's staff: general, look, domains, websites."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.components import Tab
from agency.doors import acting_user, client_named
from agency.forms.settings_pages import DomainForm, GeneralForm, LookForm, SiteForm
from agency.hosts import client_of
from agency.logos import logo_reply
from tenants.access import May
from tenants.client_settings import change_client, change_groups
from tenants.domains import add_domain as store_domain
from tenants.domains import check_domain as ask_name_service
from tenants.domains import remove_domain as drop_domain
from tenants.logos import set_logo
from tenants.models import Client, ClientLogo, Domain, Site
from tenants.sites import SiteFields, renew_site_key, set_site_active
from tenants.sites import add_site as store_site
from tenants.sites import change_site as store_site_change
from tracking.rollups.run import touch_all

_PAGES = (
    ("client_settings", "General"),
    ("client_look", "Look"),
    ("client_domains", "Addresses"),
    ("client_sites", "Websites"),
)


def _client(request: HttpRequest, slug: str) -> Client:
    return client_named(request, slug, may=May.EDIT_SETTINGS)


def _page(request: HttpRequest, client: Client, page: str, context: dict[str, Any]) -> HttpResponse:
    """A settings page under its tabs; 422 when its form has errors."""
    form = context.get("form")
    tabs = [
        Tab(words=words, url=reverse(name, args=[client.slug]), is_current=name == page)
        for name, words in _PAGES
    ]
    return render(
        request,
        f"agency/{page}.html",
        {"object": client, "tabs": tabs, **context},
        status=422 if isinstance(form, Form) and form.errors else 200,
    )


def _take(form: Form, error: ValidationError) -> None:
    """Show the errors of a service beside the fields they name."""
    if not hasattr(error, "error_dict"):
        form.add_error(next(iter(form.fields)), error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def general(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, time zone, locale, currency, groups."""
    client = _client(request, slug)
    fields = set(GeneralForm.base_fields) - {"groups"}
    initial = {name: getattr(client, name) for name in fields}
    initial["groups"] = list(client.groups.all())
    form = GeneralForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        who = acting_user(request)
        try:
            with transaction.atomic():
                changed = change_client(client, form.cleaned_data, acting_user=who)
                if "groups" in form.cleaned_data:
                    wanted = form.cleaned_data["groups"]
                    changed = change_groups(client, wanted, acting_user=who) or changed
        except ValidationError as error:
            _take(form, error)
        else:
            messages.success(request, "Saved." if changed else "Nothing was changed.")
            return redirect("client_settings", slug=slug)
    return _page(request, client, "client_settings", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def look(request: HttpRequest, slug: str) -> HttpResponse:
    """Accent colour and logo."""
    client = _client(request, slug)
    initial = {"accent_colour": client.accent_colour}
    form = LookForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        who = acting_user(request)
        change_client(
            client, {"accent_colour": form.cleaned_data["accent_colour"]}, acting_user=who
        )
        if form.cleaned_data["logo"]:
            set_logo(client, form.cleaned_data["logo"], acting_user=who)
        messages.success(request, "Saved. Browsers show the new colour within five minutes.")
        return redirect("client_look", slug=slug)
    return _page(request, client, "client_look", {"form": form})


@require_POST
@login_required
def remove_logo(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the client's name alone."""
    client = _client(request, slug)
    set_logo(client, None, acting_user=acting_user(request))
    messages.success(request, "The logo is removed.")
    return redirect("client_look", slug=slug)


@require_safe
@login_required
@never_cache
def logo(request: HttpRequest, slug: str) -> HttpResponse:
    """The client's logo, on the agency's host."""
    return _logo(client_named(request, slug))


@require_safe
@cache_control(private=True, max_age=86_400)
def own_logo(request: HttpRequest) -> HttpResponse:
    """The logo on the client's host; open to all, since the log-in page has it."""
    return _logo(client_of(request))


def _logo(client: Client) -> HttpResponse:
    found = ClientLogo.objects.filter(client=client).first()
    if found is None:
        raise Http404("There is no logo.")
    return logo_reply(found.content, found.media_type)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def domains(request: HttpRequest, slug: str) -> HttpResponse:
    """Host names that serve the client, and a form for another."""
    client = _client(request, slug)
    form = DomainForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            domain = store_domain(
                client, form.cleaned_data["domain"], acting_user=acting_user(request)
            )
        except ValidationError as error:
            _take(form, error)
        else:
            messages.success(
                request, f"{domain.domain} is served from now on, once its CNAME leads here."
            )
            return redirect("client_domains", slug=slug)
    return _page(request, client, "client_domains", {"form": form, **_domains(client)})


def _domains(client: Client) -> dict[str, Any]:
    found = list(client.domains.order_by("-is_primary", "domain"))
    return {"domains": found, "target": next(one.domain for one in found if one.is_primary)}


@require_POST
@login_required
def check_domain(request: HttpRequest, slug: str, domain_id: int) -> HttpResponse:
    """Ask the name service whether the host name leads here."""
    client = _client(request, slug)
    domain = get_object_or_404(Domain, pk=domain_id, tenant=client)
    found = ask_name_service(client, domain.domain)
    if found.is_right:
        messages.success(request, found.words)
    else:
        messages.warning(request, found.words)
    return redirect("client_domains", slug=slug)


@require_POST
@login_required
def remove_domain(request: HttpRequest, slug: str, domain_id: int) -> HttpResponse:
    """Stop serving the client under a name."""
    client = _client(request, slug)
    domain = get_object_or_404(Domain, pk=domain_id, tenant=client)
    try:
        drop_domain(domain, acting_user=acting_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, "The address is no longer served.")
    return redirect("client_domains", slug=slug)


@require_safe
@login_required
@never_cache
def sites(request: HttpRequest, slug: str) -> HttpResponse:
    """The client's websites."""
    client = _client(request, slug)
    found = Site.objects.filter(client=client).order_by("-is_active", "pk")
    return _page(request, client, "client_sites", {"sites": found})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def add_site(request: HttpRequest, slug: str) -> HttpResponse:
    """Another website."""
    client = _client(request, slug)
    form = SiteForm(request.POST or None, timezone=client.timezone)
    if request.method == "POST" and form.is_valid():
        try:
            site = store_site(
                client, SiteFields(**form.cleaned_data), acting_user=acting_user(request)
            )
        except ValidationError as error:
            _take(form, error)
        else:
            messages.success(request, f"{site.name} is ready: put its line on its pages.")
            return redirect("client_install", slug=slug, site_id=site.pk)
    return _page(request, client, "client_add_site", {"form": form})


def _site(client: Client, site_id: int) -> Site:
    return get_object_or_404(Site, pk=site_id, client=client)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def change_site(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """A website's name, hosts and time zone."""
    client = _client(request, slug)
    site = _site(client, site_id)
    initial = {"name": site.name, "hosts": site.hosts, "timezone": site.timezone}
    form = SiteForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            store_site_change(
                site, SiteFields(**form.cleaned_data), acting_user=acting_user(request)
            )
        except ValidationError as error:
            _take(form, error)
        else:
            if site.timezone != initial["timezone"]:
                # Its hours and days are cut on another clock now: the next rollup makes them anew.
                touch_all(client, site, now=timezone.now())
            messages.success(request, "Saved. It is in force already.")
            return redirect("client_sites", slug=slug)
    return _page(
        request,
        client,
        "client_site",
        {"form": form, "site": site, "has_others": _has_others(client, site)},
    )


def _has_others(client: Client, site: Site) -> bool:
    return Site.objects.filter(client=client, is_active=True).exclude(pk=site.pk).exists()


@require_POST
@login_required
def renew_key(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """Another key: the line on the pages has to be exchanged."""
    client = _client(request, slug)
    site = renew_site_key(_site(client, site_id), acting_user=acting_user(request))
    messages.warning(
        request, f"{site.name} has a new key. Hits are refused until its new line is on its pages."
    )
    return redirect("client_install", slug=slug, site_id=site.pk)


@require_POST
@login_required
def use_site(request: HttpRequest, slug: str, site_id: int) -> HttpResponse:
    """Take a website out of use, or back into it."""
    client = _client(request, slug)
    site = _site(client, site_id)
    try:
        set_site_active(site, is_active=not site.is_active, acting_user=acting_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        state = "in use again" if site.is_active else "not in use any more"
        messages.success(request, f"{site.name} is {state}.")
    return redirect("client_sites", slug=slug)
