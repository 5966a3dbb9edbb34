"""Mail of the embedded default: readable files in var/mail/ instead of a server.

One file a mail, `20261123-084612-reset-your-password-3f9c.eml`: the mail as it would be sent
(RFC 5322), with its text unencoded (8bit), so that it can be read in an editor and opened in a mail
program. No address of a person is in a file's name.
"""

import dataclasses
import datetime as dt
import email
import email.policy
import re
import secrets
from collections.abc import Sequence
from email.message import EmailMessage as ParsedMail
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone
from django.utils.text import slugify

POLICY = email.policy.SMTPUTF8.clone(linesep="\n", cte_type="8bit", max_line_length=998)
NAME = re.compile(r"\d{8}-\d{6}-[a-z0-9-]*\.eml")


class FileBackend(BaseEmailBackend):
    """Writes each mail into EMAIL_FILE_PATH."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write them; returns how many. Raises OSError when the folder cannot be written."""
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for message in email_messages:
            _write(folder, message)
        return len(email_messages)


def _write(folder: Path, message: EmailMessage) -> None:
    now = timezone.now()
    words = slugify(message.subject)[:60].strip("-") or "mail"
    path = folder / f"{now:%Y%m%d-%H%M%S}-{words}-{secrets.token_hex(2)}.eml"
    beside = path.with_suffix(".part")
    beside.write_bytes(_readable(message).as_bytes(policy=POLICY))
    beside.rename(path)  # nobody reads half a mail


def _readable(message: EmailMessage) -> ParsedMail:
    """The mail with its texts unencoded; attachments stay as they are."""
    raw = message.message().as_bytes()
    parsed: ParsedMail = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
    for part in parsed.walk():
        if part.get_content_maintype() == "text" and not part.is_attachment():
            subtype = part.get_content_subtype()
            part.set_content(part.get_content(), subtype=subtype, cte="8bit")
    return parsed


@dataclasses.dataclass(frozen=True)
class StoredMail:
    """A mail in the folder."""

    name: str
    """Name of its file."""
    subject: str
    sender: str
    to: str
    at: dt.datetime
    text: str
    """Plain text; empty when it has none."""
    html: str
    attachments: tuple[str, ...]
    """Names of what is attached."""


def list_mails(limit: int = 100) -> list[StoredMail]:
    """Mails in the folder, the newest first."""
    folder = Path(settings.EMAIL_FILE_PATH)
    found = [path for path in folder.glob("*.eml") if NAME.fullmatch(path.name)]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [_read(path) for path in found[:limit]]


def find_mail(name: str) -> StoredMail | None:
    """The mail in a file of that name; None when there is none."""
    path = Path(settings.EMAIL_FILE_PATH) / name
    return _read(path) if NAME.fullmatch(name) and path.is_file() else None


def _read(path: Path) -> StoredMail:
    parsed: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.SMTPUTF8)
    bodies = {kind: parsed.get_body(preferencelist=(kind,)) for kind in ("plain", "html")}
    return StoredMail(
        name=path.name,
        subject=str(parsed.get("Subject", "")),
        sender=str(parsed.get("From", "")),
        to=str(parsed.get("To", "")),
        at=dt.datetime.strptime(path.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC),
        text=bodies["plain"].get_content() if bodies["plain"] else "",
        html=bodies["html"].get_content() if bodies["html"] else "",
        attachments=tuple(part.get_filename() or "" for part in parsed.iter_attachments()),
    )
