"""Forms of scheduled mails."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from agency.forms.delivery import chosen_people, people_field, sections_field
from agency.forms.fields import NameField
from agency.report_digest import SECTIONS
from tenants.models import Client, Site, User
from tracking.models import ScheduledReport
from tracking.models.delivery import Cadence

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_ADDRESSES = 50


class ScheduleForm(forms.Form):
    """Makes or changes a scheduled mail."""

    name = NameField(
        label="Name", max_length=80, help_text="The mail’s heading, such as The week in figures."
    )
    cadence = forms.ChoiceField(
        label="How often", choices=Cadence.choices, widget=forms.RadioSelect, initial="weekly"
    )
    weekday = forms.TypedChoiceField(
        label="Day",
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        initial=0,
        help_text="Of weekly mails: they are about the seven days before. Monthly mails go out on "
        "the first.",
    )
    hour = forms.TypedChoiceField(
        label="Time",
        choices=[(hour, f"{hour:02d}:00") for hour in range(24)],
        coerce=int,
        initial=7,
    )
    text = forms.CharField(
        label="Your own words",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Above the figures. No formatting; an empty line begins a paragraph.",
    )
    addresses = forms.CharField(
        label="Other addresses",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line. Each is asked by mail first, and gets nothing before it agrees.",
    )
    with_pdf = forms.BooleanField(
        label="Attach the report as PDF",
        required=False,
        help_text="With more tables than the mail.",
    )

    def __init__(
        self,
        *args: Any,
        client: Client,
        site: Site,
        user: User,
        people: list[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hour"].help_text = f"On the website’s clock ({site.timezone})."
        self.fields["sections"] = sections_field(user, client, "What it shows", among=SECTIONS)
        self.fields["people"] = people_field(client, site, user, people)
        self.order_fields(
            [
                *("name", "cadence", "weekday", "hour", "sections", "text"),
                *("people", "addresses", "with_pdf"),
            ]
        )

    @staticmethod
    def initial_of(report: ScheduledReport, people: list[int], addresses: list[str]) -> Any:
        """What the fields hold for a scheduled mail."""
        return {
            "name": report.name,
            "cadence": report.cadence,
            "weekday": report.weekday,
            "hour": report.hour,
            "text": report.text,
            "sections": report.sections,
            "with_pdf": report.with_pdf,
            "people": [str(pk) for pk in people],
            "addresses": "\n".join(addresses),
        }

    def clean_addresses(self) -> list[str]:
        """One address a line."""
        found = []
        for line in self.cleaned_data["addresses"].replace(",", "\n").split():
            try:
                validate_email(line)
            except ValidationError:
                raise ValidationError(
                    f"{line!r} is no e-mail address: write it as name@example.com."
                ) from None
            found.append(line.lower())
        if len(found) > MOST_ADDRESSES:
            raise ValidationError(f"At most {MOST_ADDRESSES} addresses: leave some out.")
        return found

    def clean(self) -> dict[str, Any]:
        """Somebody must get it."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("people") and not cleaned.get("addresses") and not self.errors:
            self.add_error("people", "Choose who gets it, or name an address below.")
        return cleaned

    @property
    def people(self) -> list[int]:
        """The members that were ticked."""
        return chosen_people(self.cleaned_data["people"])
