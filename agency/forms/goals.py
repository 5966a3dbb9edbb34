"""Forms of goals: one for each kind, since each asks for something else."""

from typing import Any

from django import forms

from tracking.analysis.goals import Rule
from tracking.models import GoalKind
from tracking.models.analysis import MAX_MATCH, MAX_NAME
from tracking.outcode import outcode

STAR = "* stands for any text."


class _GoalForm(forms.Form):
    """What every goal has; `kind` says which one it is."""

    kind: GoalKind
    name = forms.CharField(
        label="Name", max_length=MAX_NAME, help_text="As it stands in reports, such as Newsletter."
    )

    @classmethod
    def initial_of(cls, rule: Rule) -> dict[str, Any]:
        """What the fields hold for a goal."""
        return {
            "name": rule.name,
            "match": rule.match,
            "property_name": rule.property_name,
            "property_value": rule.property_value,
            "least": rule.least or None,
        }

    def rule(self) -> Rule:
        """The goal that was sent; call once the form is valid."""
        fields = self.cleaned_data
        return Rule(
            name=fields.get("name") or "",
            kind=self.kind,
            match=fields.get("match") or "",
            property_name=fields.get("property_name") or "",
            property_value=fields.get("property_value") or "",
            least=fields.get("least") or 0,
        )


class PageGoalForm(_GoalForm):
    """A page was viewed."""

    kind = GoalKind.PAGE
    match = forms.CharField(
        label="Path of the page",
        max_length=MAX_MATCH,
        help_text=f"/thank-you, or /shop/* for every page below /shop. {STAR}",
        widget=forms.TextInput({"autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean_match(self) -> str:
        """Paths begin with a slash; what was pasted with its host loses it."""
        path: str = self.cleaned_data["match"].strip()
        if "://" in path:
            path = "/" + path.partition("://")[2].partition("/")[2]
        path = path.partition("#")[0].partition("?")[0]
        if not path.startswith(("/", "*")):
            raise forms.ValidationError("A path begins with a slash: write /" + path)
        return path


class EventGoalForm(_GoalForm):
    """An event was sent."""

    kind = GoalKind.EVENT
    match = forms.CharField(
        label="Name of the event",
        max_length=MAX_MATCH,
        help_text="As the website sends it. For an outbound link or a download, the address that "
        f"it leads to. {STAR}",
        widget=forms.TextInput({"autocapitalize": "none", "spellcheck": "false"}),
    )
    property_name = forms.CharField(
        label="Property",
        max_length=80,
        required=False,
        help_text="Only events that have this property. Empty: any event of the name.",
    )
    property_value = forms.CharField(
        label="Value of the property",
        max_length=200,
        required=False,
        help_text=f"Empty: any value. {STAR}",
    )

    def clean(self) -> dict[str, Any]:
        """A value needs a property."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("property_value") and not cleaned.get("property_name"):
            self.add_error("property_name", "Name the property that has this value.")
        return cleaned


class OutcodeGoalForm(_GoalForm):
    """The visitor gave a postcode of certain outcodes."""

    kind = GoalKind.OUTCODE
    match = forms.CharField(
        label="Outcodes",
        max_length=MAX_MATCH,
        help_text="The outward half of postcodes, with commas: SW1A, SW2, LA*. "
        f"With a country where it matters: GB LA1. {STAR}",
        widget=forms.TextInput({"autocapitalize": "characters", "spellcheck": "false"}),
    )

    def clean_match(self) -> str:
        """Whole postcodes are refused: only the outward half is ever stored, here too."""
        codes = [
            " ".join(part.upper().split())
            for part in self.cleaned_data["match"].split(",")
            if part.strip()
        ]
        if not codes:
            raise forms.ValidationError("Name at least one outcode, such as SW1A.")
        for code in codes:
            cut = outcode(code, keep_outcode=True, zip_mode="zip5")
            if "*" not in code and cut and len(_bare(cut)) < len(_bare(code)):
                raise forms.ValidationError(
                    f"A whole postcode names a street. Write its first half only: {_bare(cut)}."
                )
        return ", ".join(codes)


class ScrollGoalForm(_GoalForm):
    """A page was read down to a depth."""

    kind = GoalKind.SCROLL
    least = forms.IntegerField(
        label="Percent of the page",
        min_value=1,
        max_value=100,
        help_text="75: three quarters of the page came into view.",
    )
    match = forms.CharField(
        label="Path of the page",
        max_length=MAX_MATCH,
        required=False,
        help_text=f"Empty: any page. {STAR}",
        widget=forms.TextInput({"autocapitalize": "none", "spellcheck": "false"}),
    )


class EngagedGoalForm(_GoalForm):
    """A visit lasted, with a page in view and in use."""

    kind = GoalKind.ENGAGED
    least = forms.IntegerField(
        label="Seconds",
        min_value=1,
        max_value=86_400,
        help_text="Engaged time of the whole visit: 60 is a minute.",
    )


GOAL_FORMS: dict[GoalKind, type[_GoalForm]] = {
    form.kind: form
    for form in (PageGoalForm, EventGoalForm, ScrollGoalForm, EngagedGoalForm, OutcodeGoalForm)
}
"""The form of each kind, in the order of the tabs."""


def _bare(code: str) -> str:
    """The code without country and spaces."""
    country, _, rest = code.partition(" ")
    return (rest if len(country) == 2 and country.isalpha() and rest else code).replace(" ", "")
