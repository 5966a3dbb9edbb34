"""Scheduled mails as they are sent: HTML and plain text, nothing loaded from anywhere.

Rendering only: who gets which mail when is decided in tracking.delivery.schedules, and the sending
is a task's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.mime.image import MIMEImage
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

from agency.colours import (
    BAR_LIGHT,
    BLACK,
    LIGHT_PAPER,
    LIGHT_PAPERS,
    SOFT_LIGHT,
    mix,
    parse_colour,
    readable,
    write_colour,
)
from agency.report_digest import Sheet
from tenants.logos import PNG
from tenants.models import Client, ClientLogo

LOGO_ID = "logo"
_PLAIN_SPACES = str.maketrans({"\u2009": " ", "\u202f": " ", "\xa0": " "})
"""Thin and protected spaces of dates look odd in lists of mails."""


@dataclass(frozen=True)
class Look:
    """A client's look on paper: colours as #0b6b57, the logo if it has one."""

    accent: str
    bar: str
    soft: str
    logo: bytes = b""
    logo_type: str = ""

    def without_logo(self) -> "Look":
        """The colours alone."""
        return replace(self, logo=b"", logo_type="")


@dataclass(frozen=True)
class Letter:
    """What a mail says besides its figures. Addresses are whole URLs."""

    name: str
    """The scheduled mail's."""
    text: str
    report_url: str
    unsubscribe_url: str = ""
    """Empty on a preview and in a test."""
    is_test: bool = False


def look_of(client: Client) -> Look:
    """The client's colours and logo. One query, outside the client's schema."""
    accent = readable(parse_colour(client.accent_colour), LIGHT_PAPERS, BLACK, SOFT_LIGHT)
    found = ClientLogo.objects.filter(client=client).first() if client.logo_digest else None
    return Look(
        write_colour(accent),
        write_colour(mix(accent, LIGHT_PAPER, BAR_LIGHT)),
        write_colour(mix(accent, LIGHT_PAPER, SOFT_LIGHT)),
        bytes(found.content) if found else b"",
        found.media_type if found else "",
    )


def report_mail(
    client: Client, sheet: Sheet, letter: Letter, look: Look, to: str, *, pdf: bytes = b""
) -> EmailMultiAlternatives:
    """A scheduled mail, ready to be sent. Reads nothing."""
    subject = f"{sheet.site_name}, {sheet.period}".translate(_PLAIN_SPACES)
    visitors = next((figure for figure in sheet.figures if figure.name == "Visitors"), None)
    if visitors is not None:
        subject += f": {visitors.value} {'visitor' if visitors.value == '1' else 'visitors'}"
    mail = EmailMultiAlternatives(
        f"Test: {subject}" if letter.is_test else subject,
        report_text(client, sheet, letter),
        sender_of(client),
        [to],
        headers=_headers(letter),
    )
    mail.attach_alternative(report_html(client, sheet, letter, look), "text/html")
    if pdf:
        # An attachment beside the alternatives; the name has neither spaces nor signs.
        mail.attach(f"{client.slug}-report.pdf", pdf, "application/pdf")
    if look.logo_type == PNG:
        mail.attach(_logo_part(look))
    return mail


def report_html(client: Client, sheet: Sheet, letter: Letter, look: Look) -> str:
    """The mail's HTML: tables and inline styles, since mail programs know no more."""
    context = {
        "client": client,
        "sheet": sheet,
        "letter": letter,
        "look": look,
        "logo_id": LOGO_ID if look.logo_type == PNG else "",
        "agency_name": settings.AGENCY_NAME,
    }
    with translation.override(client.locale):
        return render_to_string("mail/report.html", context)


def report_text(client: Client, sheet: Sheet, letter: Letter) -> str:
    """The mail's text for programs that show no HTML."""
    context = {
        "client": client,
        "sheet": sheet,
        "figures": _lines([(f.name, f.value, f.change) for f in sheet.figures]),
        "tables": [
            (table, _lines([(row.words, *row.cells) for row in table.rows]))
            for table in sheet.tables
        ],
        "letter": letter,
        "agency_name": settings.AGENCY_NAME,
    }
    with translation.override(client.locale):
        return render_to_string("mail/report.txt", context).strip() + "\n"


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first cell to the left, the others to the right, in columns."""
    if not rows:
        return []
    columns = list(zip(*[[cell[:48] for cell in row] for row in rows], strict=True))
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in zip(*columns, strict=True)
    ]


def sender_of(client: Client) -> str:
    """The house's address under the client's name."""
    return formataddr((f"{client.name} reports", parseaddr(settings.DEFAULT_FROM_EMAIL)[1]))


def _headers(letter: Letter) -> dict[str, str]:
    """By which mail programs offer to unsubscribe (RFC 2369, RFC 8058), and know a robot."""
    headers = {"Auto-Submitted": "auto-generated"}
    if letter.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _logo_part(look: Look) -> MIMEImage:
    part = MIMEImage(look.logo, "png")
    part.add_header("Content-ID", f"<{LOGO_ID}>")
    part.add_header("Content-Disposition", "inline", filename="logo.png")
    return part
