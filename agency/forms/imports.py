"""What to do with an uploaded weblog."""

from typing import Any

from django import forms

from tenants.models import Site
from tracking.weblogs.formats.detect import FORMATS
from tracking.weblogs.options import Options


class ImportForm(forms.Form):
    """Website, format, and which lines count. The file itself is sent in pieces by a script."""

    site = forms.ChoiceField(label="Website")
    log_format = forms.CharField(
        label="Format",
        required=False,
        max_length=400,
        help_text=f"Left empty, it is told from the first lines. Else one of "
        f"{', '.join(sorted(FORMATS))}, or the server's nginx log_format.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )
    include = forms.MultipleChoiceField(
        label="Also count",
        required=False,
        choices=[
            ("include_bots", "Bots"),
            ("include_static", "Pictures, style sheets, scripts and other static files"),
            ("include_errors", "Errors (status 4xx and 5xx; 404 counts as page not found)"),
            ("include_redirects", "Redirects (status 3xx)"),
            ("any_host", "Lines of other hosts than the website's"),
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Without a tick: pages that people saw, by GET. Lines older than the client "
        "keeps single hits are counted into days and hours, and removed within a day.",
    )

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sites = {str(site.pk): site for site in sites}
        field = self.fields["site"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - it is declared so
        field.choices = [
            (key, f"{site.name} ({site.main_host})") for key, site in self._sites.items()
        ]

    def site_chosen(self) -> Site:
        """The website; call it on a valid form."""
        return self._sites[self.cleaned_data["site"]]

    def options(self) -> Options:
        """What the import is asked to do; call it on a valid form."""
        chosen = set(self.cleaned_data["include"])
        return Options(
            log_format=self.cleaned_data["log_format"].strip(),
            include_bots="include_bots" in chosen,
            include_static="include_static" in chosen,
            include_errors="include_errors" in chosen,
            include_redirects="include_redirects" in chosen,
            any_host="any_host" in chosen,
        )
