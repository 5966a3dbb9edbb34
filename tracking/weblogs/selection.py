"""What kind of request a line's target is: page, download or static file. Pure."""

import enum
from collections.abc import Sequence


class TargetKind(enum.Enum):
    """Told by the file name's extension."""

    PAGE = "page"
    DOWNLOAD = "download"
    STATIC = "static"


_STATIC = (
    "css js mjs cjs map json jsonp xml rss atom txt webmanifest manifest wasm swf class "
    "gif jpg jpeg jpe jp2 png apng bmp tif tiff webp avif jxl heic svg svgz ico cur "
    "woff woff2 ttf ttc otf eot "
    "mp3 m4a aac ogg oga opus flac wav weba mp4 m4v m4s mov avi mkv webm ogv mpg mpeg mpd m3u8 ts "
    "vtt srt axd"
)
_DOWNLOADS = (
    "pdf epub mobi doc docx dot dotx odt rtf xls xlsx xlsm ods csv tsv ppt pptx odp key numbers "
    "pages vsd zip gz tgz tar bz2 xz zst 7z rar jar war exe msi msix dmg pkg deb rpm apk ipa "
    "appimage iso img bin torrent ics vcf gpx kml dwg dxf psd ai eps ps indd"
)
STATIC_EXTENSIONS = frozenset(_STATIC.split())
"""Files a page loads, or a machine: never what a person went to see."""
DOWNLOAD_EXTENSIONS = frozenset(_DOWNLOADS.split())
"""Files people fetch by a click: counted as downloads, as the script does."""
_STATIC_NAMES = frozenset(("/favicon.ico", "/robots.txt", "/ads.txt", "/humans.txt"))
_LONGEST_EXTENSION = 12
PARTIAL = 206
NOT_FOUND = 404


def target_kind(path: str) -> TargetKind:
    """Kind of a path without its query."""
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _LONGEST_EXTENSION:
        return TargetKind.PAGE
    extension = extension.lower()
    if extension in STATIC_EXTENSIONS or path in _STATIC_NAMES:
        return TargetKind.STATIC
    # ".pages" and the like: a name that is nothing but an extension is a page.
    if stem and extension in DOWNLOAD_EXTENSIONS:
        return TargetKind.DOWNLOAD
    return TargetKind.PAGE


def is_error(status: int) -> bool:
    """4xx and 5xx, nginx's 499 and the like."""
    return status >= 400


def is_redirect(status: int) -> bool:
    """A 3xx that leads elsewhere; 304 answers the page itself."""
    return 300 <= status < 400 and status != 304


def is_own_host(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is one of the site's, with or without www., or below a `*.` entry."""
    if not hosts:
        return True
    bare = host.removeprefix("www.")
    return any(
        bare == own.partition(":")[0].removeprefix("www.")
        or (own.startswith("*.") and (host.endswith(own[1:]) or host == own[2:]))
        for own in hosts
    )
