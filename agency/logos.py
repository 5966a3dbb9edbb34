"""Serving logos: as pictures, with a policy under which an opened SVG runs nothing."""

from django.http import HttpResponse

from tenants.logos import SVG

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def logo_reply(content: bytes | memoryview, media_type: str) -> HttpResponse:
    """The logo; its address changes with its content, so that browsers may keep it."""
    reply = HttpResponse(bytes(content), content_type=media_type)
    # django-csp leaves a header that is there alone.
    reply.headers["Content-Security-Policy"] = POLICY
    reply.headers["X-Content-Type-Options"] = "nosniff"
    reply.headers["Cache-Control"] = "private, max-age=86400"
    suffix = "svg" if media_type == SVG else "png"
    reply.headers["Content-Disposition"] = f'inline; filename="logo.{suffix}"'
    return reply
