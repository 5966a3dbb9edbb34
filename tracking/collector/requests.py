"""What a browser sends: the body of POST /collect, the headers that matter, the refusals."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from tracking.refusals import NO_CLIENT, Reason

MAX_BODY_BYTES = 8_192
MAX_SITE_KEY = 24
MAX_PROPS = 30
MAX_KEY_BYTES = 100
MAX_VALUE_BYTES = 500
MAX_NAME_BYTES = 200

KindName = Literal["pageview", "event", "engagement", "outbound", "download", "not_found"]
Text = Annotated[str, msgspec.Meta(max_length=MAX_BODY_BYTES)]
Key = Annotated[str, msgspec.Meta(max_length=MAX_KEY_BYTES)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Props = Annotated[dict[Key, str | int | float | bool | None], msgspec.Meta(max_length=MAX_PROPS)]


class RawHit(msgspec.Struct, gc=False):
    """The body, as it comes: nothing in it is fit to store. Unknown fields are ignored."""

    site: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SITE_KEY)]
    kind: KindName
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_BODY_BYTES)]
    referrer: Text = ""
    name: Text = ""
    props: Props | None = None
    engaged_s: Amount = 0.0
    scroll: Amount = 0.0
    outcode: Annotated[str, msgspec.Meta(max_length=40)] = ""
    language: Annotated[str, msgspec.Meta(max_length=100)] = ""
    nonce: Annotated[str, msgspec.Meta(max_length=64)] = ""
    cookie: Annotated[str, msgspec.Meta(max_length=256)] = ""
    interactive: bool = True


REMEDIES = {
    "body": "send one JSON object in UTF-8",
    "site": "send the site key of the snippet",
    "kind": "send pageview, event, engagement, outbound, download or not_found",
    "url": "send the page's address with http(s):// and a host of this site",
    "referrer": "send the address of the page before, as text",
    "name": "send a text; events, outbound links and downloads need one",
    "props": f"send at most {MAX_PROPS} texts, numbers or booleans; keys of {MAX_KEY_BYTES}"
    " characters at most",
    "engaged_s": "send seconds, 0 or more",
    "scroll": "send percent, 0 to 100",
    "outcode": "send an outward code, such as SW1A",
    "language": "send a language tag, such as en-GB",
    "nonce": "send 16 hexadecimal digits",
    "cookie": "send 32 hexadecimal digits",
    "interactive": "send true or false",
}
"""What to do about each field. The header names the field and never repeats what was sent."""

_FIELD = re.compile(r"(?:field `|\$\.)(\w+)")
_decoder = msgspec.json.Decoder(RawHit)


class RefusedError(Exception):
    """A request that is not counted: what to answer, and what to count."""

    def __init__(
        self,
        status: int,
        reason: Reason,
        *,
        error: str = "",
        dropped: str = "",
        retry_after_s: int = 0,
        client_id: int = NO_CLIENT,
    ) -> None:
        super().__init__(reason.value)
        self.status = status
        self.reason = reason
        self.error = error
        """`<field>: <remedy>`, "" when nothing is wrong with the request."""
        self.dropped = dropped
        """Why a good request is not counted on purpose."""
        self.retry_after_s = retry_after_s
        self.client_id = client_id


def malformed(field: str, client_id: int = NO_CLIENT) -> RefusedError:
    """400 for a field, with its remedy."""
    return RefusedError(
        400, Reason.MALFORMED, error=f"{field}: {REMEDIES[field]}", client_id=client_id
    )


def too_large() -> RefusedError:
    """413, whose remedy names the limit."""
    return RefusedError(413, Reason.TOO_LARGE, error=f"body: send {MAX_BODY_BYTES} bytes at most")


def read_body(body: bytes | bytearray) -> RawHit:
    """The hit in a body; raises RefusedError naming the field."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        # The message may quote the value; only the field's name is taken from it.
        found = _FIELD.search(str(error))
        field = found[1] if found else "body"
        raise malformed(field if field in REMEDIES else "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed("body") from None


Headers = Mapping[str, str]
"""Header values by name in small letters; any bytes are some text in latin-1."""

_LISTS = frozenset({"x-forwarded-for", "accept-encoding", "if-none-match"})


def read_headers(lines: list[tuple[str, str]]) -> Headers:
    """Header lines by name.

    Lists are joined with a comma; of `sec-gpc` and `dnt` a line with a signal wins (W3C GPC: one
    of several is enough); of the rest the last line stands.
    """
    headers = dict(lines)
    if len(headers) == len(lines):
        return headers
    headers = {}
    for name, value in lines:
        before = headers.get(name)
        if before is not None and name in _LISTS:
            headers[name] = before + "," + value
        elif before != "1" or name not in ("sec-gpc", "dnt"):
            headers[name] = value
    return headers
