"""A client's logo: what is accepted, and how it is stored.

A PNG is decoded and written anew, so that nothing but its pixels is kept. An SVG is a document
that browsers would run scripts of; it is refused unless it consists of shapes and text alone
(allow-list below), and is served with a policy that runs nothing besides.
"""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from django.db import transaction
from PIL import Image, UnidentifiedImageError

from tenants.audit import record_act
from tenants.models import Client, ClientLogo

MAX_BYTES = 100_000
MAX_PIXELS = 2_000
"""Of a PNG's longer side."""
PNG, SVG = "image/png", "image/svg+xml"

_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "metadata", "symbol", "use", "path", "rect"),
        *("circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "clipPath"),
        *("mask", "linearGradient", "radialGradient", "stop", "pattern", "marker", "style"),
    }
)
_EDITORS = (
    "http://www.inkscape.org/",
    "http://sodipodi.sourceforge.net/",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://creativecommons.org/ns#",
    "http://web.resource.org/cc/",
    "http://purl.org/dc/",
    "http://ns.adobe.com/",
    "http://www.bohemiancoding.com/sketch/",
)
"""Namespaces of notes that programs for drawing leave; browsers draw and run nothing of them."""
_ACTIVE_STYLE = re.compile(r"@import|url\s*\(\s*['\"]?(?!#)|expression|javascript:", re.IGNORECASE)


class LogoError(Exception):
    """The file cannot be a logo; the message says what to do."""

    code = "logo"


@dataclass(frozen=True)
class Logo:
    """A file that may be served."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Names this very content."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def check_logo(content: bytes) -> Logo:
    """The logo as it may be stored; raises LogoError."""
    if len(content) > MAX_BYTES:
        raise LogoError(
            f"The file has {len(content) // 1_000:,} kB; a logo may have {MAX_BYTES // 1_000} kB. "
            "Save it smaller."
        )
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Logo(_clean_png(content), PNG)
    if b"<svg" in content[:4_000].lower():
        _check_svg(content)
        return Logo(content, SVG)
    raise LogoError("This is neither a PNG nor an SVG file: export the logo as one of both.")


def set_logo(client: Client, logo: Logo | None, *, acting_user: str) -> None:
    """Store the logo, or take it away with None."""
    with transaction.atomic():
        if logo is None:
            ClientLogo.objects.filter(client=client).delete()
        else:
            ClientLogo.objects.update_or_create(
                client=client,
                defaults={"content": logo.content, "media_type": logo.media_type},
            )
        client.logo_digest = logo.digest if logo else ""
        client.save(update_fields=["logo_digest"])
        record_act(
            "client.logo",
            acting_user=acting_user,
            client_id=client.pk,
            details={"logo": client.logo_digest},
        )


def _clean_png(content: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if max(image.size) > MAX_PIXELS:
                raise LogoError(
                    f"The picture is {image.width} by {image.height} pixels; "
                    f"{MAX_PIXELS} on a side are enough."
                )
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            pixels = image.convert("RGBA" if has_alpha else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise LogoError("The PNG file is damaged: export it again.") from None
    written = io.BytesIO()
    pixels.save(written, "PNG", optimize=True)
    if written.tell() > 2 * MAX_BYTES:
        raise LogoError("The picture is too detailed for a logo: save it smaller.")
    return written.getvalue()


def _check_svg(content: bytes) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LogoError("The SVG file is not in UTF-8: export it again.") from None
    if re.search(r"<!(DOCTYPE|ENTITY)|<\?xml-stylesheet", text, re.IGNORECASE):
        raise LogoError("The SVG file refers to other files: export it as a plain SVG.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a DTD there are no entities to expand
    except ET.ParseError:
        raise LogoError("The SVG file is damaged: export it again.") from None
    if root.tag != f"{_SVG}svg":
        raise LogoError("This is no SVG file: export the logo as one.")
    for element in root.iter():
        _check_element(element)


def _check_element(element: ET.Element) -> None:
    name = element.tag.rpartition("}")[2]
    if element.tag.removeprefix("{").startswith(_EDITORS):
        return
    if name not in _ELEMENTS or not element.tag.startswith(_SVG):
        raise LogoError(f"The SVG file has a <{name}> in it: keep shapes and text only.")
    if name == "style" and _ACTIVE_STYLE.search(element.text or ""):
        raise LogoError("The SVG file loads something from elsewhere: embed nothing.")
    for key, value in element.attrib.items():
        attribute = key.rpartition("}")[2].lower()
        if attribute.startswith("on"):
            raise LogoError("The SVG file has a script in it: export it without interaction.")
        if attribute == "href" and not value.strip().startswith("#"):
            raise LogoError("The SVG file points to something elsewhere: embed nothing.")
        if _ACTIVE_STYLE.search(value):
            raise LogoError("The SVG file loads something from elsewhere: embed nothing.")
