"""A filter that somebody puts together: what, how, which values."""

from collections.abc import Sequence
from typing import Any

from django import forms

from agency.filter_words import OPERATORS
from tracking.query.model import MAX_VALUES, Condition
from tracking.query.text import MAX_TEXT

EXACT = ("is", "is_not")
MANY = "values"
TYPED = "typed"
JOIN = "join"
ALL = "all"
"""Value of JOIN: beside the other filters."""


class FilterForm(forms.Form):
    """One condition. `known` are values of the data, with their names for people.

    `joinable` are texts of filters in force, with their words, to which it may be an alternative.
    """

    dimension = forms.ChoiceField(label="What")
    op = forms.ChoiceField(label="How", choices=list(OPERATORS.items()))
    values = forms.MultipleChoiceField(
        label="Values",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Those most seen in the period. Several are joined by or.",
    )
    typed = forms.CharField(
        label="Other values",
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="One on each line. Matches takes patterns such as ^/blog/.*",
    )
    join = forms.ChoiceField(
        label="With the other filters",
        help_text="Of alternatives at least one has to hold.",
    )

    def __init__(
        self,
        *args: Any,
        dimensions: Sequence[tuple[str, str]],
        known: Sequence[tuple[str, str]],
        joinable: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.choices("dimension").choices = list(dimensions)
        self.choices(MANY).choices = list(known)
        self.choices(JOIN).choices = [
            (ALL, "All of them must hold"),
            *((text, f"Alternative to: {words}") for text, words in joinable),
        ]
        if not known:
            del self.fields[MANY]
        if not joinable:
            del self.fields[JOIN]

    def choices(self, name: str) -> forms.ChoiceField:
        """The field by that name, which has choices."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        return field

    def clean(self) -> dict[str, Any]:
        """At least one value, and not too many."""
        cleaned: dict[str, Any] = super().clean() or {}
        wanted = self.wanted(cleaned)
        if not wanted:
            self.add_error(TYPED, "Choose a value, or write one.")
        if len(wanted) > MAX_VALUES:
            self.add_error(TYPED, f"Write {MAX_VALUES} values at most.")
        return cleaned

    def wanted(self, cleaned: dict[str, Any]) -> tuple[str, ...]:
        """Values chosen and typed, each once."""
        typed = [line.strip() for line in cleaned.get(TYPED, "").splitlines()]
        return tuple(dict.fromkeys([*cleaned.get(MANY, []), *(one for one in typed if one)]))

    @property
    def alternative_to(self) -> str:
        """Text of the filter to which this is an alternative; empty where all must hold."""
        joined = str(self.cleaned_data.get(JOIN, ALL))
        return "" if joined == ALL else joined

    @property
    def condition(self) -> Condition:
        """What was put together; of a valid form."""
        op = self.cleaned_data["op"]
        return Condition(
            op,
            self.cleaned_data["dimension"],
            self.wanted(self.cleaned_data),
            # Whoever searches for a piece of text does not mean its capitals.
            case_sensitive=op in EXACT or op.startswith("matches"),
        )
