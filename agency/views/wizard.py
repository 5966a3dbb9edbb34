"""A new client, step by step; nothing entered is lost by an error or by going back."""

from smtplib import SMTPException
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agency.colours import (
    DARK_PAPER,
    LIGHT_PAPER,
    READABLE,
    Rgb,
    accents,
    contrast,
    parse_colour,
    write_colour,
)
from agency.components import Fact, Step
from agency.drafts import FIELD_STEPS, FORM_STEPS, STEPS, Draft
from agency.forms.wizard import PRESET_WORDS, LookForm
from agency.invitations import send_invitation
from agency.logos import logo_reply
from tenants.access import May, access_agency, allows
from tenants.clients import ClientError, create_client
from tenants.logos import set_logo
from tenants.models import Client, Role, User
from tenants.people import PeopleError, Reach, invite
from tenants.privacy import PRESETS


def _person(request: HttpRequest) -> User:
    access_agency(request.user, may=May.CREATE_CLIENTS)
    if not isinstance(request.user, User):
        raise Http404("There is nothing here.")
    return request.user


@require_safe
@login_required
@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """Go on where the draft stands."""
    draft = Draft.of(_person(request))
    return redirect("new_client_step", step=draft.first_open())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def step(request: HttpRequest, step: str) -> HttpResponse:
    """One step: its form, or the review of all."""
    draft = Draft.of(_person(request))
    if step not in STEPS:
        raise Http404("There is no such step.")
    if step == "review":
        return _review(request, draft)
    if request.method != "POST":
        return _show(request, draft, step)
    draft.store(step, request.POST)
    form = draft.form(step, files=request.FILES)
    if step == "look" and isinstance(form, LookForm):
        _keep_logo(draft, form)
    if not form.is_valid():
        return _show(request, draft, step, form=form, status=422)
    if "more" in request.GET:
        return redirect(f"{reverse('new_client_step', args=[step])}?more=1#more")
    return redirect("new_client_step", step=list(STEPS)[list(STEPS).index(step) + 1])


def _keep_logo(draft: Draft, form: LookForm) -> None:
    """An accepted logo stays, also if the colour beside it is wrong."""
    form.is_valid()
    if form.cleaned_data.get("remove_logo"):
        draft.store_logo(None)
    elif form.cleaned_data.get("logo"):
        draft.store_logo(form.cleaned_data["logo"])


def _show(
    request: HttpRequest, draft: Draft, step: str, *, form: Any = None, status: int = 200
) -> HttpResponse:
    if form is None:
        form = draft.form(step, more="more" in request.GET)
    context = {
        "form": form,
        "step": step,
        "steps": _steps(draft, step),
        "title": STEPS[step],
        "may_invite": allows(request.user, None, May.MANAGE_PEOPLE),
        "presets": [
            {"key": key, "words": words, "meaning": meaning}
            for key, (words, meaning) in PRESET_WORDS.items()
        ],
        "has_logo": draft.logo is not None,
        "preview": _preview(_colour_of(draft), _name_of(draft)),
    }
    return render(request, f"agency/wizard_{step}.html", context, status=status)


def _steps(draft: Draft, current: str) -> list[Step]:
    found = []
    for key, words in STEPS.items():
        is_done = key != "review" and key != current and draft.is_done(key)
        state = "current" if key == current else ("done" if is_done else "")
        found.append(Step(words=words, state=state, url=reverse("new_client_step", args=[key])))
    return found


def _review(request: HttpRequest, draft: Draft) -> HttpResponse:
    if request.method == "POST":
        raise Http404("There is nothing here.")
    open_steps = [one for one in FORM_STEPS if not draft.is_done(one)]
    return render(
        request,
        "agency/wizard_review.html",
        {
            "steps": _steps(draft, "review"),
            "title": "Review",
            "open_steps": [
                {"words": STEPS[one], "url": reverse("new_client_step", args=[one])}
                for one in open_steps
            ],
            "facts": _facts(draft),
            "preview": _preview(_colour_of(draft), _name_of(draft)),
            "has_logo": draft.logo is not None,
        },
    )


def _facts(draft: Draft) -> list[Fact]:
    name, look = draft.values("name"), draft.values("look")
    preset = draft.values("privacy").get("preset", "")
    sites = "; ".join(f"{one.name} ({', '.join(one.hosts)})" for one in draft.sites())
    people = ", ".join(f"{one['email']} ({one['role']})" for one in draft.rows("people"))
    rows = [
        ("Name", name.get("name", ""), "name"),
        ("Short name", name.get("slug", ""), "name"),
        ("Own address", name.get("own_domain", "") or "None", "name"),
        ("Time zone", name.get("timezone", ""), "name"),
        ("Websites", sites, "sites"),
        ("Privacy", PRESET_WORDS[preset][0] if preset else "", "privacy"),
        ("Colour", look.get("accent_colour", ""), "look"),
        ("Logo", "Chosen" if draft.logo else "None", "look"),
        ("Invited", people or "Nobody yet", "people"),
    ]
    return [
        Fact(name=words, value=value or "Missing", url=reverse("new_client_step", args=[key]))
        for words, value, key in rows
    ]


@require_POST
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Make the client, whole or not at all; then wait for its first hit."""
    person = _person(request)
    draft = Draft.of(person)
    missing = draft.first_open()
    if missing != "review":
        messages.error(request, f"{STEPS[missing]}: something is missing or not right yet.")
        return redirect("new_client_step", step=missing)
    name = draft.values("name")
    first, *others = draft.sites()
    try:
        client = create_client(
            name["slug"],
            name=name["name"],
            hosts=first.hosts,
            site_name=first.name,
            site_timezone=first.timezone,
            more_sites=others,
            timezone_name=name["timezone"],
            locale=name["locale"],
            currency=name["currency"],
            own_domain=name["own_domain"],
            accent_colour=draft.values("look")["accent_colour"],
            privacy=PRESETS[draft.values("privacy")["preset"]],
            acting_user=person.email,
            made_by=person,
        )
    except ClientError as error:
        messages.error(request, f"The client was not made. {error}")
        return redirect("new_client_step", step=FIELD_STEPS.get(error.field, "review"))
    if draft.logo:
        set_logo(client, draft.logo, acting_user=person.email)
    invited = _invite(request, client, draft.rows("people"), person)
    draft.discard()
    messages.success(
        request,
        f"{client.name} is made."
        + (
            f" {invited} letter{'s' if invited != 1 else ''} of invitation sent." if invited else ""
        ),
    )
    return redirect("client_install", slug=client.slug, site_id=client.sites.order_by("pk")[0].pk)


def _invite(
    request: HttpRequest, client: Client, people: list[dict[str, str]], person: User
) -> int:
    """Mail invitations; what cannot be mailed is told, and does not undo the client."""
    sent = 0
    for row in people:
        try:
            invitation = invite(
                row["email"],
                Reach(Role(row["role"])),
                client=client,
                acting_user=person,
                now=timezone.now(),
            )
            send_invitation(invitation, request=request)
            sent += 1
        except PermissionDenied:
            messages.warning(request, "Nobody was invited: ask an owner of the agency to do it.")
            break
        except (PeopleError, SMTPException, OSError):
            messages.warning(
                request, "An invitation could not be sent: look at the client's people."
            )
    return sent


@require_POST
@login_required
def discard(request: HttpRequest) -> HttpResponse:
    """Throw the draft away."""
    Draft.of(_person(request)).discard()
    messages.info(request, "The draft is thrown away.")
    return redirect("home")


@require_safe
@login_required
@never_cache
def logo(request: HttpRequest) -> HttpResponse:
    """The draft's logo."""
    found = Draft.of(_person(request)).logo
    if found is None:
        raise Http404("There is no logo.")
    return logo_reply(found.content, found.media_type)


@require_safe
@login_required
@never_cache
def preview(request: HttpRequest) -> HttpResponse:
    """How a colour looks on light and dark paper, while it is being chosen."""
    draft = Draft.of(_person(request))
    colour = request.GET.get("accent_colour", _colour_of(draft))
    context = {"preview": _preview(colour, _name_of(draft)), "has_logo": draft.logo is not None}
    return render(request, "agency/_wizard_preview.html", context)


def _colour_of(draft: Draft) -> str:
    return str((draft.row.steps.get("look", {}).get("accent_colour") or ["#0b6b57"])[0])


def _name_of(draft: Draft) -> str:
    return str((draft.row.steps.get("name", {}).get("name") or [""])[0]) or "The client"


def _preview(text: str, name: str) -> dict[str, Any]:
    """The colour as it will be used; contrast as WCAG 2.2, 1.4.3 wants it: 4.5 at least."""
    try:
        colour = parse_colour(text)
    except ValueError:
        colour = parse_colour("#0b6b57")
    light, dark = accents(colour)
    words = f"Contrast on white: {contrast(colour, LIGHT_PAPER):.1f} to 1."
    if write_colour(light) != write_colour(colour):
        words += (
            f" Text needs {READABLE} on every shade of paper, so it is darkened to "
            f"{write_colour(light)} there."
        )
    return {
        "name": name,
        "words": words,
        "papers": [
            _paper("light", LIGHT_PAPER, "#1b1d1c", light),
            _paper("dark", DARK_PAPER, "#eceeec", dark),
        ],
    }


def _paper(name: str, paper: Rgb, ink: str, accent: Rgb) -> dict[str, str]:
    return {"name": name, "paper": write_colour(paper), "ink": ink, "accent": write_colour(accent)}
