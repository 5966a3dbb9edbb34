"""A client's privacy settings, with a reason."""

from typing import Any

from django import forms

from agency.privacy_words import LABELS
from tenants.models import PrivacySettings
from tenants.privacy import MAX_REASON, SETTINGS, Value

_HELP = {
    "ip_mode": "For hits from now on; what is encrypted stays so until its key is destroyed.",
    "ip_retention_days": "Days, 1 to 400. A shorter time holds for what is there too; a longer one "
    "for new days only.",
    "keep_outcode": "The half that names a district. Unticked, no postcode of any country is kept.",
    "zip_mode": "Five digits can name a few streets; three name a region.",
    "cookie_mode": "First-party, random, at most 13 months. “Always” needs the client's written "
    "reasons for an exemption.",
    "honour_gpc": "Browsers that send it are not counted.",
    "honour_dnt": "Browsers that send it are not counted.",
    "k_threshold": "Visitors, 2 to 1,000. Smaller groups are folded into “other” or hidden where "
    "a figure is about a postcode or crosses two things.",
    "hits_retention_days": "Days, 1 to 3,700. Older ones are removed each day; reports can be "
    "filtered as far back.",
}


class PrivacyForm(forms.ModelForm):  # type: ignore[type-arg]  # a ModelForm takes no type at run time
    """The switches, and why they are changed. Limits are those of the model."""

    reason = forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Goes into the history, which the client can read: who asked for it, and why.",
    )

    class Meta:
        model = PrivacySettings
        fields = SETTINGS
        labels = LABELS
        help_texts = _HELP
        widgets = {
            "ip_mode": forms.RadioSelect,
            "zip_mode": forms.RadioSelect,
            "cookie_mode": forms.RadioSelect,
        }

    def wanted(self) -> dict[str, Value]:
        """The settings as entered; call it on a valid form."""
        data: dict[str, Any] = self.cleaned_data
        return {name: data[name] for name in SETTINGS}

    def _post_clean(self) -> None:
        """Validate, but leave the settings in force in the instance: a service changes them."""
        before = {name: getattr(self.instance, name) for name in SETTINGS}
        super()._post_clean()  # type: ignore[misc]  # Django's hook, which its stubs leave out
        for name, value in before.items():
            setattr(self.instance, name, value)
