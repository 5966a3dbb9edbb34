"""Shared links: their list, making and ending them, and coming in by one."""

import datetime as dt
from collections.abc import Collection
from typing import Any

import babel
from babel.dates import format_date
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency import link_changes as changes
from agency.components import Tab
from agency.forms.links import LinkForm, LinkPasswordForm
from agency.hosts import client_of
from agency.shared import let_in, shared_link_of
from agency.wording import locale_of
from tenants.access import May, access_site, sections_of
from tenants.models import Client, Section, Site, User
from tenants.schemas import entered
from tracking.delivery.links import find_link, is_password_right, links_of, record_use
from tracking.models import SharedLink

NEW_IN_SESSION = "outward_new_link"
TRIES = 10
TRIES_EVERY_S = 600
"""Wrong passwords of one link in ten minutes, whoever tries: 192 bits of token come before."""


def editor_of(
    request: HttpRequest, site_id: int, *, section: Section | None = None
) -> tuple[User, Client, Site]:
    """Who may edit what leaves this site's report; errors as the access door's."""
    client = client_of(request)
    site = access_site(request.user, client, site_id, may=May.EDIT_REPORTS, section=section)
    if not isinstance(request.user, User):
        raise Http404("There is nothing here.")
    return request.user, client, site


def delivery_tabs(site: Site, current: str) -> list[Tab]:
    """Links and mails are one place in the navigation."""
    return [
        Tab(words=words, url=reverse(name, args=[site.pk]), is_current=name == current)
        for name, words in (("links", "Shared links"), ("schedules", "Scheduled mails"))
    ]


def section_words(names: list[str], among: Collection[Section] = tuple(Section)) -> str:
    """Pages, Sources; *Everything* for all there could be."""
    labels = [section.label for section in among if section.value in names]
    return "Everything" if len(labels) == len(among) else ", ".join(labels)


@require_safe
@login_required
@never_cache
def links(request: HttpRequest, site_id: int) -> HttpResponse:
    """All links of the site; the address of one just made is shown this once."""
    user, client, site = editor_of(request, site_id)
    own = sections_of(user, client)
    with entered(client):
        found = links_of(site)
    made = request.session.pop(NEW_IN_SESSION, None)
    authors = {link.created_by for link in found if link.created_by is not None}
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=authors)}
    now = timezone.now()
    context = {
        "site": site,
        "tabs": delivery_tabs(site, "links"),
        "rows": [
            _row(link, names, now, locale_of(client.locale))
            | {"may_change": changes.may_change(link, own)}
            for link in found
        ],
        "made": _made(request, found, made) if made else None,
    }
    return render(request, "client/links.html", context)


def _row(
    link: SharedLink, names: dict[int, str], now: dt.datetime, locale: babel.Locale
) -> dict[str, Any]:
    is_over = link.expires_at is not None and link.expires_at <= now
    return {
        "link": link,
        "key": str(link.pk),
        "sections": section_words(link.sections),
        "made_on": format_date(link.created_at.date(), "medium", locale=locale),
        "ends_on": format_date(link.expires_at.date(), "medium", locale=locale)
        if link.expires_at
        else "Never",
        "by": names.get(
            link.created_by or 0, "the demo" if link.created_by is None else "Somebody"
        ),
        "state": "Revoked" if link.revoked_at else "Ended" if is_over else "Open",
        "is_open": not link.revoked_at and not is_over,
    }


def _made(request: HttpRequest, found: list[SharedLink], made: dict[str, Any]) -> Any:
    """The new link's address, or the lines that embed it."""
    link = next((each for each in found if each.pk == made["id"]), None)
    if link is None:
        return None
    name = "embed" if link.is_embed else "share"
    url = request.build_absolute_uri(reverse(name, args=[made["token"]]))
    frame = (
        f'<iframe src="{url}" title="Visitors" width="100%" height="420" loading="lazy" '
        'style="border:0"></iframe>'
    )
    return {"link": link, "url": url, "text": frame if link.is_embed else url}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@sensitive_post_parameters("password")
def link_new(request: HttpRequest, site_id: int) -> HttpResponse:
    """Make a link."""
    user, client, site = editor_of(request, site_id)
    form = LinkForm(request.POST or None, client=client, user=user)
    if request.method == "POST" and form.is_valid():
        is_embed = form.cleaned_data["kind"] == "embed"
        link, token = changes.make_link(
            client,
            site,
            acting_user=user,
            now=timezone.now(),
            name=form.cleaned_data["name"],
            sections=form.cleaned_data["sections"],
            password=form.cleaned_data["password"],
            expires_at=form.expires_at,
            is_embed=is_embed,
            frame_hosts=form.cleaned_data["frame_hosts"] if is_embed else [],
        )
        request.session[NEW_IN_SESSION] = {"id": link.pk, "token": token}
        return redirect("links", site_id=site.pk)
    context = {"site": site, "form": form}
    status = 422 if form.errors else 200
    return render(request, "client/links_form.html", context, status=status)


@require_POST
@login_required
def link_renew(request: HttpRequest, site_id: int, link_id: int) -> HttpResponse:
    """Another address; the old one ends."""
    user, client, site = editor_of(request, site_id)
    link = changes.get_link(client, site, link_id, sections=sections_of(user, client))
    token = changes.renew_link(client, link, acting_user=user)
    request.session[NEW_IN_SESSION] = {"id": link.pk, "token": token}
    return redirect("links", site_id=site.pk)


@require_POST
@login_required
def link_revoke(request: HttpRequest, site_id: int, link_id: int) -> HttpResponse:
    """End a link for good."""
    user, client, site = editor_of(request, site_id)
    link = changes.get_link(client, site, link_id, sections=sections_of(user, client))
    changes.revoke_link(client, link, acting_user=user, now=timezone.now())
    messages.success(request, f"“{link.name}” opens nothing any more.")
    return redirect("links", site_id=site.pk)


@require_POST
@login_required
def link_delete(request: HttpRequest, site_id: int, link_id: int) -> HttpResponse:
    """Take a link off the list."""
    user, client, site = editor_of(request, site_id)
    link = changes.get_link(client, site, link_id, sections=sections_of(user, client))
    changes.delete_link(client, link, acting_user=user)
    messages.success(request, f"“{link.name}” is deleted.")
    return redirect("links", site_id=site.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
def share(request: HttpRequest, link_token: str) -> HttpResponse:
    """Come in by a link: its password if it has one, then the report."""
    client, now = client_of(request), timezone.now()
    with entered(client):
        link = find_link(link_token, now)
    if link is None or link.is_embed:
        return render(request, "client/shared_gone.html", status=404)
    if shared_link_of(request, link.pk) is not None:
        return redirect("shared_report", link_id=link.pk)
    form = LinkPasswordForm(request.POST if request.method == "POST" else None)
    if link.password and not _opens(form, client, link):
        status = 200 if request.method != "POST" else 422
        return render(request, "client/shared_password.html", {"form": form}, status=status)
    with entered(client):
        record_use(link, now)
    let_in(request, link)
    return redirect("shared_report", link_id=link.pk)


def _tries(counter: str) -> int:
    """Count one more, for ten minutes from the first."""
    if cache.add(counter, 1, TRIES_EVERY_S):
        return 1
    try:
        return int(cache.incr(counter))
    except ValueError:  # it has just run out
        cache.set(counter, 1, TRIES_EVERY_S)
        return 1


def _opens(form: LinkPasswordForm, client: Client, link: SharedLink) -> bool:
    """Whether the form holds the right password; counts wrong ones, and tells of too many."""
    if not form.is_bound or not form.is_valid():
        return False
    counter = f"link-tries:{client.pk}:{link.pk}"
    if _tries(counter) > TRIES:
        form.add_error("password", "Too many wrong passwords: try again in ten minutes.")
        return False
    if not is_password_right(link, form.cleaned_data["password"]):
        form.add_error("password", "This is not the password. Ask who sent you the link.")
        return False
    cache.delete(counter)
    return True
