"""Groups by which the agency sorts its clients."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from agency.doors import acting_user
from agency.forms.clients import GroupForm
from tenants.access import May, access_agency, accessible_clients
from tenants.audit import record_act
from tenants.models import Client, ClientGroup


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def groups(request: HttpRequest) -> HttpResponse:
    """All groups, and a form for another."""
    access_agency(request.user, may=May.EDIT_SETTINGS)
    clients = accessible_clients(request.user)
    form = GroupForm(request.POST or None, clients=clients)
    if request.method == "POST" and form.is_valid():
        group = _save(form, clients, "group.create", acting_user(request))
        messages.success(request, f"{group.name} is a group now.")
        return redirect("groups")
    found = ClientGroup.objects.annotate(count=Count("clients"))
    return render(
        request,
        "agency/groups.html",
        {"groups": found, "form": form},
        status=422 if form.errors else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def change(request: HttpRequest, group_id: int) -> HttpResponse:
    """Another name, place, or other clients."""
    access_agency(request.user, may=May.EDIT_SETTINGS)
    group = get_object_or_404(ClientGroup, pk=group_id)
    clients = accessible_clients(request.user)
    form = GroupForm(request.POST or None, instance=group, clients=clients)
    if request.method == "POST" and form.is_valid():
        _save(form, clients, "group.change", acting_user(request))
        messages.success(request, "Saved.")
        return redirect("groups")
    return render(
        request,
        "agency/groups_change.html",
        {"group": group, "form": form},
        status=422 if form.errors else 200,
    )


@require_POST
@login_required
def delete(request: HttpRequest, group_id: int) -> HttpResponse:
    """Take the group away; its clients stay."""
    access_agency(request.user, may=May.EDIT_SETTINGS)
    group = get_object_or_404(ClientGroup, pk=group_id)
    with transaction.atomic():
        record_act("group.delete", acting_user=acting_user(request), details={"group": group.name})
        group.delete()
    messages.success(request, f"{group.name} is no group any more; its clients are as they were.")
    return redirect("groups")


def _save(form: GroupForm, visible: list[Client], act: str, who: str) -> ClientGroup:
    """Store the group; clients out of the user's scope stay in it or out of it as they were."""
    with transaction.atomic():
        group: ClientGroup = form.save(commit=False)
        hidden: list[int] = []
        if group.pk is not None:
            seen = [one.pk for one in visible]
            hidden = list(group.clients.exclude(pk__in=seen).values_list("pk", flat=True))
        group.save()
        group.clients.set([*form.cleaned_data["clients"].values_list("pk", flat=True), *hidden])
        record_act(act, acting_user=who, details={"group": group.name})
    return group
