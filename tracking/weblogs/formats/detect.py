"""Which format a file has, from its first lines."""

from collections.abc import Callable, Sequence

from tracking.weblogs.formats.entry import BadLineError, Parser, SkippedLineError
from tracking.weblogs.formats.jsonlines import JsonParser
from tracking.weblogs.formats.logformat import NAMED, LogFormatError, compile_log_format
from tracking.weblogs.formats.text import ChainParser, CombinedParser
from tracking.weblogs.formats.w3c import W3CParser

_MAKERS: dict[str, Callable[[], Parser]] = {
    "combined": lambda: CombinedParser("combined", vhost=False),
    "vhost_combined": lambda: CombinedParser("vhost_combined", vhost=True),
    "w3c": W3CParser,
    "json": JsonParser,
    "nginx-proxy-manager": lambda: _chain("nginx-proxy-manager", "npm-proxy", "npm-standard"),
    "s3": lambda: compile_log_format(NAMED["s3"], "s3"),
}
_ALIASES = {"common": "combined", "iis": "w3c", "caddy": "json", "traefik": "json"}
FORMATS = (*_MAKERS, *_ALIASES)
"""Names that --log-format takes; "common" is read by the parser of "combined"."""
SAMPLE_LINES = 400


def _chain(name: str, *formats: str) -> Parser:
    return ChainParser(name, [compile_log_format(NAMED[each], each) for each in formats])


class UnknownFormatError(Exception):
    """No known format fits the file's first lines."""

    code = "weblog-unknown-format"


def parser_named(name: str) -> Parser:
    """The parser of a format's name, or of an nginx log_format string; raises LogFormatError."""
    maker = _MAKERS.get(_ALIASES.get(name, name))
    if maker is not None:
        return maker()
    if "$" not in name:
        raise LogFormatError(
            f"--log-format: {name!r} is neither one of {', '.join(FORMATS)} "
            "nor an nginx log_format with $variables"
        )
    return compile_log_format(name)


def detect(lines: Sequence[bytes]) -> str:
    """Name of the format that fits most of the lines; of equals, the commoner.

    Empty lines do not count; no lines at all is "combined". Raises UnknownFormatError.
    """
    sample = [line for line in lines[:SAMPLE_LINES] if line.strip()]
    if not sample:
        return "combined"
    if any(line[:8].lower() == b"#fields:" for line in sample):
        return "w3c"
    scores = {name: _score(maker(), sample) for name, maker in _MAKERS.items() if name != "w3c"}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] == 0:
        raise UnknownFormatError(
            "its first lines fit none of: Apache or nginx common, combined and vhost combined, "
            "W3C extended, JSON lines of Caddy, nginx or Traefik, nginx-proxy-manager, S3. "
            "Give the server's nginx log_format with --log-format"
        )
    if best == "combined" and not any(b'" "' in line for line in sample):
        return "common"
    return best


def _score(parser: Parser, sample: Sequence[bytes]) -> int:
    matches = getattr(parser, "matches", None)
    if matches is not None:
        return sum(1 for line in sample if matches(line))
    score = 0
    for line in sample:
        try:
            parser.parse(line)
        except BadLineError:
            continue
        except SkippedLineError:
            pass
        score += 1
    return score
