"""Dates that somebody chose: the period of a report, and the one it is compared with."""

from collections.abc import Mapping
from typing import Any

from django import forms

from tracking.reports.periods import Period

LONGEST_DAYS = 3700
YEARS = range(2000, 2101)


class DatesForm(forms.Form):
    """Two dates, both included."""

    starts_on = forms.DateField(label="From")
    ends_on = forms.DateField(label="To")

    def clean(self) -> dict[str, Any]:
        """The first may not come after the second, nor a decade before."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("starts_on"), cleaned.get("ends_on")
        for name, day in (("starts_on", start), ("ends_on", end)):
            if day and day.year not in YEARS:
                self.add_error(name, f"Choose a year from {YEARS[0]} to {YEARS[-1]}.")
        if start and end and start > end:
            raise forms.ValidationError("From comes after To: exchange the two dates.")
        if start and end and (end - start).days > LONGEST_DAYS:
            raise forms.ValidationError("Choose ten years at most.")
        return cleaned

    def problems(self) -> list[str]:
        """What is wrong, each with the name of its field."""
        return [
            f"{self.fields[name].label}: {text}" if name in self.fields else str(text)
            for name, texts in self.errors.items()
            for text in texts
        ]


def read_dates(values: Mapping[str, str], first: str, last: str) -> tuple[Period | None, list[str]]:
    """The period between two values, or None and what is wrong with them."""
    form = DatesForm({"starts_on": values.get(first), "ends_on": values.get(last)})
    if not form.is_valid():
        return None, form.problems()
    return Period(form.cleaned_data["starts_on"], form.cleaned_data["ends_on"]), []
