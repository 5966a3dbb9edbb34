"""The funnel's name and its steps, each a line of the builder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from tracking.analysis.definitions import StepDraft
from tracking.analysis.funnels import FEWEST_STEPS, MOST_STEPS
from tracking.analysis.goals import Rule
from tracking.models import FunnelStep, StepKind
from tracking.models.analysis import MAX_MATCH, MAX_NAME

GOAL_PREFIX = "goal:"
_FIELDS = ("asks", "match", "property_name", "property_value")
_PLAIN = {"autocapitalize": "none", "spellcheck": "false"}


class NameForm(forms.Form):
    """What the funnel is called."""

    name = forms.CharField(
        label="Name", max_length=MAX_NAME, help_text="What visitors should get done: Booking."
    )


class StepForm(forms.Form):
    """One step. `asks` is page, event, or `goal:` and a goal's id."""

    asks = forms.ChoiceField(label="What")
    match = forms.CharField(
        label="Path or name",
        max_length=MAX_MATCH,
        error_messages={"required": "Write the page's path or the event's name."},
        widget=forms.TextInput({"placeholder": "/path or event name", **_PLAIN}),
    )
    property_name = forms.CharField(
        label="Property", max_length=80, required=False, widget=forms.TextInput(_PLAIN)
    )
    property_value = forms.CharField(label="Value", max_length=200, required=False)

    def __init__(self, *args: Any, goals: Sequence[Rule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = [
            (StepKind.PAGE.value, "Visited a page"),
            (StepKind.EVENT.value, "Triggered an event"),
        ]
        reached = [(f"{GOAL_PREFIX}{goal.id}", goal.name) for goal in goals]
        choices: list[Any] = [*own, ("Reached a goal", reached)] if reached else list(own)
        self.fields["asks"] = forms.ChoiceField(label="What", choices=choices)
        asks = self["asks"].value() or ""
        self.fields["match"].required = not str(asks).startswith(GOAL_PREFIX)

    def clean(self) -> dict[str, Any]:
        """A page's path begins with a slash; a value needs a property."""
        cleaned: dict[str, Any] = super().clean() or {}
        asks, match = cleaned.get("asks", ""), (cleaned.get("match") or "").strip()
        if asks == StepKind.PAGE and match and not match.startswith(("/", "*")):
            self.add_error("match", "Write the page's path: it begins with a slash.")
        has_value = cleaned.get("property_value") and not cleaned.get("property_name")
        if asks == StepKind.EVENT and has_value:
            self.add_error("property_name", "Name the property that has this value.")
        return cleaned

    def draft(self) -> StepDraft:
        """The step that was sent; call once the form is valid."""
        fields = self.cleaned_data
        asks: str = fields["asks"]
        if asks.startswith(GOAL_PREFIX):
            return StepDraft(StepKind.GOAL, goal_id=int(asks.removeprefix(GOAL_PREFIX)))
        is_event = asks == StepKind.EVENT
        return StepDraft(
            StepKind(asks),
            fields["match"].strip(),
            fields["property_name"] if is_event else "",
            fields["property_value"] if is_event else "",
        )


Values = dict[str, str]


@dataclass(frozen=True)
class Builder:
    """The whole form: a name and some steps, whose values may be half written."""

    name: NameForm
    steps: list[StepForm]

    def is_valid(self) -> bool:
        """Whether every part is; too few steps count as an error of the name's form."""
        parts = [self.name.is_valid(), *(step.is_valid() for step in self.steps)]
        if not FEWEST_STEPS <= len(self.steps) <= MOST_STEPS:
            words = f"A funnel has {FEWEST_STEPS} to {MOST_STEPS} steps."
            self.name.add_error(None, words)
            return False
        return all(parts)

    def drafts(self) -> list[StepDraft]:
        """The steps that were sent, in order."""
        return [step.draft() for step in self.steps]


def blank_builder(goals: Sequence[Rule]) -> Builder:
    """A new funnel: two empty steps."""
    return _builder({}, [{} for _ in range(FEWEST_STEPS)], goals, is_bound=False)


def stored_builder(name: str, steps: Sequence[FunnelStep], goals: Sequence[Rule]) -> Builder:
    """A funnel as it is stored."""
    values = [
        {
            "asks": f"{GOAL_PREFIX}{step.goal_id}" if step.goal_id else step.kind,
            "match": step.match,
            "property_name": step.property_name,
            "property_value": step.property_value,
        }
        for step in steps
    ]
    return _builder({"name": name}, values, goals, is_bound=False)


def sent_builder(data: QueryDict, goals: Sequence[Rule]) -> Builder:
    """A funnel as it was sent, to be checked."""
    return _builder({"name": data.get("name", "")}, _sent_steps(data), goals, is_bound=True)


def changed_builder(data: QueryDict, change: str, goals: Sequence[Rule]) -> Builder:
    """What was sent with a step added (`add`), removed (`remove-2`) or moved (`up-2`, `down-0`).

    Nothing is checked and nothing that was written is lost. A change that makes no sense is none.
    """
    steps = _sent_steps(data)
    verb, _, number = change.partition("-")
    at = int(number) if number.isascii() and number.isdecimal() else -1
    if verb == "add" and len(steps) < MOST_STEPS:
        steps.append({})
    elif 0 <= at < len(steps):
        other = {"up": at - 1, "down": at + 1}.get(verb, -1)
        if verb == "remove":
            del steps[at]
        elif 0 <= other < len(steps):
            steps[at], steps[other] = steps[other], steps[at]
    return _builder({"name": data.get("name", "")}, steps, goals, is_bound=False)


def _sent_steps(data: QueryDict) -> list[Values]:
    count = data.get("steps", "")
    number = min(int(count), MOST_STEPS) if count.isascii() and count.isdecimal() else 0
    return [{name: data.get(f"step{at}-{name}", "") for name in _FIELDS} for at in range(number)]


def _builder(
    name: Values, steps: Sequence[Values], goals: Sequence[Rule], *, is_bound: bool
) -> Builder:
    if not is_bound:
        return Builder(
            NameForm(initial=name),
            [
                StepForm(initial=values, prefix=f"step{at}", goals=goals)
                for at, values in enumerate(steps)
            ],
        )
    return Builder(
        NameForm(name),
        [
            StepForm(
                {f"step{at}-{field}": value for field, value in values.items()},
                prefix=f"step{at}",
                goals=goals,
            )
            for at, values in enumerate(steps)
        ],
    )
