"""Static files: which are collected, how they are compressed, and when that is done again.

Hashing and compressing take seconds, so only what a browser is sent is compressed, and files are
collected only when one has changed.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import brotli
from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, get_finders
from django.core.management import call_command
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

UNUSED_APPS = {"rest_framework"}
"""Their pages are not served: the API's reference has files of its own."""
_SENT = re.compile(r"\.[0-9a-f]{12}\.(?!.*map$)|^front/[a-z]+-[0-9A-Z]{8}\.js$")
"""Names that the manifest gives, and pieces of scripts that other scripts name."""
OURS_ARE_SMALLER = 200_000
"""Bytes: what is larger comes from packages whose pages few people open."""


class AppFinder(AppDirectoriesFinder):
    """The files of installed apps, but for those that nothing shows."""

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        """Every file and the storage it is in."""
        wanted = {app: storage for app, storage in self.storages.items() if app not in UNUSED_APPS}
        self.storages = wanted
        yield from super().list(ignore_patterns)


class _Compressor(Compressor):  # type: ignore[misc]  # WhiteNoise has no types
    """Brotli's best for what every page loads; for what is large a tenth of the time."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        """As WhiteNoise does, with a quality by size."""
        compressed: bytes = brotli.compress(data, quality=11 if len(data) < OURS_ARE_SMALLER else 9)
        return compressed


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # as above
    """Hashed names, and compressed copies of what is asked for by them."""

    def create_compressor(self, **options: Any) -> _Compressor:
        """Ours."""
        return _Compressor(**options)

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Only those that a page names: the unhashed originals are never sent."""
        yield from super().compress_files(path for path in paths if _SENT.search(path))


def collect_static_files() -> bool:
    """Bring STATIC_ROOT up to date; whether there was anything to do."""
    root = Path(settings.STATIC_ROOT)
    stamp = root.with_name(f"{root.name}.stamp")
    wanted = _fingerprint()
    if root.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return False
    stamp.unlink(missing_ok=True)  # a collection that is killed must not count as done
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(wanted)
    return True


def _fingerprint() -> str:
    """Of names, sizes and times of all source files, and of where and how they are stored."""
    seen = hashlib.sha256(repr((settings.STORAGES, settings.STATIC_URL)).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            prefix = getattr(storage, "prefix", "")
            seen.update(repr((prefix, name, found.st_size, found.st_mtime_ns)).encode())
    return seen.hexdigest()
