"""Fields that forms of links, scheduled mails and alerts share: sections and people."""

from collections.abc import Collection
from typing import Any

from django import forms

from tenants.access import accessible_sites, sections_of
from tenants.models import Client, Section, Site, User
from tenants.people import members


def sections_field(
    user: User, client: Client, words: str, *, among: Collection[Section] = tuple(Section)
) -> forms.MultipleChoiceField:
    """Sections of the report that the user sees: nobody gives away more than they have."""
    own = sections_of(user, client) & frozenset(among)
    return forms.MultipleChoiceField(
        label=words,
        choices=[(one.value, one.label) for one in Section if one in own],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one section."},
    )


def people_field(
    client: Client,
    site: Site,
    user: User,
    chosen: list[int],
    *,
    needed: frozenset[Section] = frozenset(),
) -> forms.Field:
    """The client's people who see the site and the `needed` sections of its report.

    Whoever fills in the form or is chosen already is among them, if they see these too.
    """
    people = {one.user_id: one.user for one in members(client)}
    people[user.pk] = user
    for one in User.objects.filter(pk__in=[pk for pk in chosen if pk not in people]):
        people[one.pk] = one
    reaching = [
        one
        for one in people.values()
        if site in accessible_sites(one, client) and needed <= sections_of(one, client)
    ]
    return forms.MultipleChoiceField(
        label="People",
        required=False,
        choices=[(str(one.pk), _who(one)) for one in sorted(reaching, key=str)],
        widget=forms.CheckboxSelectMultiple,
        help_text="They get it as long as they may see this website.",
    )


def _who(user: User) -> str:
    return f"{user}" if str(user) == user.email else f"{user} ({user.email})"


def chosen_people(values: Any) -> list[int]:
    """Numbers of the users that were ticked."""
    return [int(value) for value in values or []]
