"""Forms of alerts: each kind asks for its own numbers."""

from typing import Any

from django import forms
from django.conf import settings

from agency.alert_sending import sections_told
from agency.forms.delivery import chosen_people, people_field
from agency.forms.fields import NameField
from tenants.models import Client, Site, User
from tracking.delivery.webhooks import WebhookError, check_address
from tracking.models import Alert, GoalKind
from tracking.models.delivery import AlertKind

FIELDS: dict[AlertKind, tuple[str, ...]] = {
    AlertKind.NO_HITS: ("hours", "minimum"),
    AlertKind.FALL: ("percent", "minimum"),
    AlertKind.RISE: ("percent", "minimum"),
    AlertKind.NOT_FOUND_BURST: ("count", "factor"),
    AlertKind.GOAL_REACHED: ("goal_id", "count"),
}
"""The numbers that each kind asks for."""
MEANINGS: dict[AlertKind, str] = {
    AlertKind.NO_HITS: (
        "Nothing comes in, at a time when something usually does: the script may be gone."
    ),
    AlertKind.FALL: "Today’s visits fall below the same weekday’s mean of the last four weeks.",
    AlertKind.RISE: "Today’s visits rise above the same weekday’s mean of the last four weeks.",
    AlertKind.NOT_FOUND_BURST: "Many visitors land on pages that do not exist.",
    AlertKind.GOAL_REACHED: "A goal is reached as often in a day as you hoped.",
}
NAMES: dict[AlertKind, str] = {
    AlertKind.NO_HITS: "Nothing comes in",
    AlertKind.FALL: "Visits fall",
    AlertKind.RISE: "Visits rise",
    AlertKind.NOT_FOUND_BURST: "Pages not found",
    AlertKind.GOAL_REACHED: "Goal reached",
}
"""A name to begin with."""


class AlertForm(forms.Form):
    """Makes or changes an alert of one kind."""

    name = NameField(label="Name", max_length=80)
    goal_id = forms.TypedChoiceField(label="Goal", coerce=int)
    hours = forms.IntegerField(label="Hours without a hit", min_value=1, max_value=168, initial=3)
    percent = forms.IntegerField(
        label="Percent",
        min_value=1,
        max_value=1000,
        initial=50,
        help_text="Compared with the same hours of the same weekday, mean of four weeks.",
    )
    minimum = forms.IntegerField(
        label="Only where so many visits are usual",
        min_value=1,
        max_value=1_000_000,
        initial=20,
        help_text="Keeps nights and small hours from raising alarms.",
    )
    count = forms.IntegerField(label="How many", min_value=1, max_value=1_000_000, initial=30)
    factor = forms.FloatField(
        label="And so many times the usual",
        min_value=1,
        max_value=1000,
        initial=3,
        help_text="The usual: an hour’s mean over the week before.",
    )
    webhook_url = forms.CharField(
        label="Webhook",
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        help_text="An address of yours that gets a signed message. Empty: none.",
    )
    tell_end = forms.BooleanField(label="Tell when it is over, too", required=False, initial=True)
    quiet_from = forms.TimeField(
        label="Quiet from",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    quiet_to = forms.TimeField(
        label="Quiet to",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def __init__(
        self,
        *args: Any,
        kind: AlertKind,
        client: Client,
        site: Site,
        user: User,
        goals: list[tuple[int, str, str]],
        people: list[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self._k = client.privacy.k_threshold
        self._outcode_goals = {pk for pk, _, of in goals if of == GoalKind.OUTCODE}
        for name in ("hours", "percent", "minimum", "count", "factor", "goal_id"):
            if name not in FIELDS[kind]:
                del self.fields[name]
        goal = self.fields.get("goal_id")
        if isinstance(goal, forms.TypedChoiceField):
            goal.choices = [(pk, name) for pk, name, _ in goals]
            self.fields["count"].label = "Visits in a day that reach it"
            self.fields["count"].initial = 10
            del self.fields["tell_end"]
        elif "count" in self.fields:
            self.fields["count"].label = "Views of missing pages in an hour"
        self.fields["name"].initial = NAMES[kind]
        self.fields["people"] = people_field(client, site, user, people, needed=sections_told(kind))
        self.fields["people"].label = "Who gets an e-mail"
        self.fields[
            "quiet_from"
        ].help_text = f"E-mails and webhooks of these hours wait ({site.timezone}). Empty: none."
        self.order_fields(
            [
                *("name", "goal_id", "hours", "percent", "count", "factor", "minimum"),
                *("people", "webhook_url", "tell_end", "quiet_from", "quiet_to"),
            ]
        )

    @staticmethod
    def initial_of(alert: Alert) -> dict[str, Any]:
        """What the fields hold for an alert."""
        names = (
            *("name", "hours", "percent", "minimum", "count", "factor", "goal_id"),
            *("webhook_url", "tell_end", "quiet_from", "quiet_to"),
        )
        found = {name: getattr(alert, name) for name in names}
        return found | {"people": [str(pk) for pk in alert.user_ids]}

    def clean_webhook_url(self) -> str:
        """A public https address; in the demo the machine itself as well."""
        url = str(self.cleaned_data["webhook_url"]).strip()
        if url:
            try:
                check_address(url, allow_local=not settings.PRODUCTION)
            except WebhookError as error:
                raise forms.ValidationError(str(error)) from None
        return url

    def clean(self) -> dict[str, Any]:
        """Quiet hours have two ends; few visitors of a district are told of nowhere."""
        cleaned: dict[str, Any] = super().clean() or {}
        begin, end = cleaned.get("quiet_from"), cleaned.get("quiet_to")
        if (begin is None) != (end is None):
            name = "quiet_to" if end is None else "quiet_from"
            self.add_error(name, "Quiet hours need both ends: fill in both, or empty both.")
        count = cleaned.get("count")
        if count and cleaned.get("goal_id") in self._outcode_goals and count < self._k:
            self.add_error(
                "count", f"A goal on outward codes is told of from {self._k} visitors on."
            )
        return cleaned

    def values(self) -> dict[str, Any]:
        """The alert's fields as they were sent; call once the form is valid."""
        found = {name: value for name, value in self.cleaned_data.items() if name != "people"}
        return found | {"user_ids": chosen_people(self.cleaned_data["people"])}
