"""Forms of segments."""

from django import forms

from tracking.models.analysis import MAX_NAME


class SegmentForm(forms.Form):
    """What the filters are called."""

    name = forms.CharField(
        label="Name", max_length=MAX_NAME, help_text="Who these visits are: Phones from search."
    )
