"""Collecting static files only when one has changed: hashing and compressing takes seconds."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


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
