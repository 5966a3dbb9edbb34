"""A new client while it is being described: what was entered for each step, right or wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.forms import BaseFormSet, Form
from django.http import QueryDict

from agency.forms.wizard import LookForm, NameForm, PeopleForms, PrivacyForm, SiteForms
from tenants.logos import Logo
from tenants.models import ClientDraft, Site, User

STEPS: dict[str, str] = {
    "name": "Name",
    "sites": "Websites",
    "privacy": "Privacy",
    "look": "Look",
    "people": "People",
    "review": "Review",
}
"""Key and words, in order."""
FORM_STEPS = tuple(key for key in STEPS if key != "review")
FIELD_STEPS = {
    "hosts": "sites",
    "own_domain": "name",
    "domain": "name",
    "slug": "name",
    "name": "name",
    "accent_colour": "look",
}
"""Which step to go back to when the client cannot be made because of a field."""
_FORMSET_STEPS = {"sites": "site", "people": "person"}

StepForm = Form | BaseFormSet  # type: ignore[type-arg]  # takes no type at run time


@dataclass
class Draft:
    """A user's draft; `row` is its row in the database."""

    row: ClientDraft

    @classmethod
    def of(cls, user: User) -> "Draft":
        """The user's draft, a new one if there is none."""
        row, _ = ClientDraft.objects.get_or_create(user=user)
        return cls(row)

    def store(self, step: str, data: QueryDict) -> None:
        """Keep what was entered, also if it is wrong."""
        entered = {name: data.getlist(name) for name in data if name != "csrfmiddlewaretoken"}
        self.row.steps = {**self.row.steps, step: entered}
        self.row.save()

    def store_logo(self, logo: Logo | None) -> None:
        """Keep the logo, or none."""
        self.row.logo = logo.content if logo else b""
        self.row.logo_type = logo.media_type if logo else ""
        self.row.save()

    @property
    def logo(self) -> Logo | None:
        """The logo that was accepted."""
        content = bytes(self.row.logo)
        return Logo(content, self.row.logo_type) if content else None

    def form(
        self, step: str, *, files: Mapping[str, Any] | None = None, more: bool = False
    ) -> StepForm:
        """The step's form with what was entered; unbound where nothing was.

        `more` adds an empty row to a step of many rows.
        """
        entered = self.row.steps.get(step)
        data = _query(entered) if entered is not None else None
        if step in _FORMSET_STEPS:
            prefix = _FORMSET_STEPS[step]
            if data is not None and more:
                total = f"{prefix}-TOTAL_FORMS"
                data[total] = str(int(data.get(total, "0") or 0) + 1)
            if step == "people":
                return PeopleForms(data, prefix=prefix)
            return SiteForms(data, prefix=prefix, form_kwargs={"timezone": self._timezone()})
        if step == "name":
            return NameForm(data)
        if step == "privacy":
            return PrivacyForm(data)
        return LookForm(data, files, has_logo=self.logo is not None)

    def _timezone(self) -> str:
        return str((self.row.steps.get("name", {}).get("timezone") or [""])[0])

    def is_done(self, step: str) -> bool:
        """Whether the step was filled in without an error."""
        form = self.form(step)
        return form.is_bound and form.is_valid()

    def first_open(self) -> str:
        """The first step that is not done; `review` when all are."""
        return next((step for step in FORM_STEPS if not self.is_done(step)), "review")

    def values(self, step: str) -> dict[str, Any]:
        """The cleaned fields of a step that is done."""
        form = self.form(step)
        return form.cleaned_data if isinstance(form, Form) and form.is_valid() else {}

    def rows(self, step: str) -> list[dict[str, Any]]:
        """The cleaned rows of a step of many; empty ones left out."""
        form = self.form(step)
        if not isinstance(form, BaseFormSet) or not form.is_valid():
            return []
        return [one.cleaned_data for one in form.forms if one.cleaned_data and one.has_changed()]

    def sites(self) -> list[Site]:
        """The websites, unsaved and without a key."""
        return [
            Site(name=row["name"], hosts=row["hosts"], timezone=row["timezone"])
            for row in self.rows("sites")
        ]

    def discard(self) -> None:
        """Forget everything that was entered."""
        self.row.delete()


def _query(entered: Mapping[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, values in entered.items():
        data.setlist(name, list(values))
    return data
