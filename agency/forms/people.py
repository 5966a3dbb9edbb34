"""Forms about people: whom to invite, what they may see, and taking an invitation up."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from tenants.access import accessible_sites, sections_of
from tenants.models import Client, Role, Section, User
from tenants.models.people import AGENCY_ROLES, CLIENT_ROLES
from tenants.people import Reach

ALL, CHOSEN = "all", "chosen"


def _switch(label: str, everything: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=[(ALL, everything), (CHOSEN, "Only those chosen below")],
        widget=forms.RadioSelect,
        initial=ALL,
    )


class ReachForm(forms.Form):
    """A role, and all or some of what it reaches.

    `client=None` asks for the agency's roles and clients; else for the client's roles, and for
    the sites and sections that the acting user sees.
    """

    def __init__(
        self,
        *args: Any,
        client: Client | None,
        acting_user: User,
        reach: Reach | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._client = client
        roles = CLIENT_ROLES if client else AGENCY_ROLES
        self.fields["role"] = forms.ChoiceField(
            choices=[(role.value, ROLE_WORDS[role]) for role in Role if role in roles],
            widget=forms.RadioSelect,
        )
        if client is None:
            self._add_clients()
        else:
            self._add_sites_and_sections(client, acting_user)
        if reach is not None:
            self.initial.update(_initial(reach))

    def _add_clients(self) -> None:
        self.fields["which_clients"] = _switch("Clients", "All clients, those to come too")
        self.fields["clients"] = forms.ModelMultipleChoiceField(
            Client.objects.filter(is_active=True).order_by("name"),
            label="Chosen clients",
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )

    def _add_sites_and_sections(self, client: Client, acting_user: User) -> None:
        sites = [site.pk for site in accessible_sites(acting_user, client)]
        self.fields["which_sites"] = _switch("Websites", "All websites")
        self.fields["sites"] = forms.ModelMultipleChoiceField(
            client.sites.filter(pk__in=sites).order_by("pk"),
            label="Chosen websites",
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        self.fields["which_sections"] = _switch("Sections of the report", "All sections")
        own = sections_of(acting_user, client)
        self.fields["sections"] = forms.MultipleChoiceField(
            choices=[(one.value, one.label) for one in Section if one in own],
            label="Chosen sections",
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )

    def clean(self) -> dict[str, Any]:
        """Where *chosen* is chosen, one is chosen."""
        cleaned: dict[str, Any] = super().clean() or {}
        for which, field, one in (
            ("which_clients", "clients", "client"),
            ("which_sites", "sites", "website"),
            ("which_sections", "sections", "section"),
        ):
            if cleaned.get(which) == CHOSEN and field in cleaned and not cleaned[field]:
                self.add_error(field, f"Choose one {one} at least, or all.")
        if cleaned.get("role") == Role.OWNER and cleaned.get("which_clients") == CHOSEN:
            self.add_error("which_clients", "An owner reaches all clients.")
        return cleaned

    def reach(self) -> Reach:
        """What the form says, once it is valid."""
        given = self.cleaned_data

        def chosen(which: str, field: str) -> tuple[Any, ...] | None:
            return tuple(given[field]) if given.get(which) == CHOSEN else None

        sections = chosen("which_sections", "sections")
        return Reach(
            role=Role(given["role"]),
            clients=chosen("which_clients", "clients"),
            sites=chosen("which_sites", "sites"),
            sections=None if sections is None else tuple(Section(one) for one in sections),
        )


ROLE_WORDS = {
    Role.OWNER: "Owner: everything, people of the agency too",
    Role.ANALYST: "Analyst: reads and edits reports, settings, imports; makes clients",
    Role.PRIVACY_OFFICER: "Privacy officer: reads reports, edits privacy settings, the registers",
    Role.MANAGER: "Manager: reads and edits reports, invites people",
    Role.VIEWER: "Viewer: reads reports",
}


def _initial(reach: Reach) -> dict[str, Any]:
    return {
        "role": reach.role.value,
        "which_clients": ALL if reach.clients is None else CHOSEN,
        "clients": list(reach.clients or ()),
        "which_sites": ALL if reach.sites is None else CHOSEN,
        "sites": list(reach.sites or ()),
        "which_sections": ALL if reach.sections is None else CHOSEN,
        "sections": [section.value for section in reach.sections or ()],
    }


class InviteForm(ReachForm):
    """Whom to invite, as what."""

    email = forms.EmailField(
        label="E-mail address",
        help_text="They get a letter with a link that is good for seven days.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


class AcceptForm(forms.Form):
    """Name and password of a new account."""

    name = forms.CharField(
        label="Your name", max_length=300, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        label="Password",
        help_text="Eight characters or more; a few words are better than a clever one.",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email = email

    def clean_password(self) -> str:
        """Not short, common, a number, or one's own address."""
        password = str(self.cleaned_data["password"])
        validate_password(password, User(email=self._email))
        return password


class AcceptAsForm(forms.Form):
    """Password of the account that exists already."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
