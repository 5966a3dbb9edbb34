"""Forms of annotations."""

from django import forms


class AnnotationForm(forms.Form):
    """A remark on a day."""

    on_date = forms.DateField(
        label="Day", widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    text = forms.CharField(
        label="What happened",
        max_length=120,
        help_text="Up to 120 characters: New shop opened. Never name a visitor.",
    )
