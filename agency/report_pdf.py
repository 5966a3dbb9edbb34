"""The report as a PDF in the client's look: A4, one or two pages, with a chart drawn by us.

WeasyPrint needs Pango of the system (`apt-get install libpango-1.0-0 libpangoft2-1.0-0
libharfbuzz-subset0`); where it is absent, PdfUnavailableError says so and the rest works on.
Nothing is fetched from anywhere: the fetcher knows the page's own font and the client's logo by
name, and refuses all else.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from agency import figures
from agency.report_chart import Ink, line_chart, nice_top
from agency.report_digest import Sheet
from agency.reports_mail import Look
from tenants.models import Client

STYLE = Path(settings.ROOT) / "static" / "css" / "pdf.css"
FONT = (
    Path(settings.ROOT)
    / "node_modules/@fontsource-variable/figtree/files/figtree-latin-wght-normal.woff2"
)
FONT_URL = "outward:font"
LOGO_URL = "outward:logo"
INSTALL = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


class PdfUnavailableError(Exception):
    """This machine cannot make PDF files; the message says what to install."""

    code = "pdf-unavailable"


class _RefusedError(ValueError):
    """A document asked for something that is not its own."""


def _load_weasyprint() -> Any:
    """The library, which loads Pango as it is imported."""
    try:
        import weasyprint
    except OSError:
        raise PdfUnavailableError(
            f"PDF files need Pango, which this machine does not have: {INSTALL}"
        ) from None
    return weasyprint


def render_pdf(client: Client, sheet: Sheet, look: Look, *, text: str = "") -> bytes:
    """The sheet as PDF. Takes about a second. Raises PdfUnavailableError."""
    weasyprint = _load_weasyprint()
    context = {
        "client": client,
        "sheet": sheet,
        "look": look,
        "text": text,
        "chart": chart_of(sheet, look),
        "logo_url": LOGO_URL if look.logo else "",
        "agency_name": settings.AGENCY_NAME,
    }
    with translation.override(client.locale):
        html = render_to_string("pdf/report.html", context)
    fetcher = _own_files(weasyprint, look)
    fonts = weasyprint.text.fonts.FontConfiguration()
    style = STYLE.read_text().replace("#0b6b57", look.accent).replace("#dcece7", look.bar)
    sheets = [weasyprint.CSS(string=style, url_fetcher=fetcher, font_config=fonts)]
    document = weasyprint.HTML(string=html, base_url=None, url_fetcher=fetcher)
    pdf: bytes = document.write_pdf(stylesheets=sheets, font_config=fonts, pdf_tags=True)
    return pdf


def chart_of(sheet: Sheet, look: Look) -> str:
    """The sheet's chart of visitors by day; empty without days."""
    if not sheet.days:
        return ""
    now = [day.visitors for day in sheet.days]
    before = [day.before for day in sheet.days]
    top = nice_top(max([*(value or 0 for value in (*now, *before)), 1]))
    return line_chart(
        [day.words for day in sheet.days],
        now,
        before,
        ink=Ink(look.accent, look.soft),
        words=f"Visitors by day, {sheet.period}",
        number_words=[figures.number(top * part // 4) for part in range(5)],
    )


def _own_files(weasyprint: Any, look: Look) -> Any:
    """A fetcher of the font and the logo, which refuses every other address."""
    response = weasyprint.urls.URLFetcherResponse

    class OwnFiles(weasyprint.urls.URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        def fetch(self, url: str, headers: object = None) -> Any:
            if url == LOGO_URL and look.logo:
                return response(url, look.logo, {"Content-Type": look.logo_type})
            if url == FONT_URL and FONT.is_file():
                return response(url, FONT.read_bytes(), {"Content-Type": "font/woff2"})
            raise _RefusedError("A report loads nothing but its own font and logo.")

    return OwnFiles(allowed_protocols=["outward"])
