"""Production refuses to start with what is only fit for a demo."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = {
    "OUTWARD_PRODUCTION": "1",
    "OUTWARD_DATABASE_URL": "postgresql://outward@db.example/outward",
    "OUTWARD_KEYS_DATABASE_URL": "postgresql://outward@keys.example/outward_keys",
    "OUTWARD_REDIS_URL": "redis://stream.example/0",
    "OUTWARD_SECRET_KEY": "x7" * 30 + "!?klmnopqrst",
    "OUTWARD_TRUSTED_PROXIES": "10.0.0.0/8",
}


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` with nothing else of Outward's in the environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OUTWARD_")}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_production_environment_that_names_everything_is_accepted() -> None:
    done = check(GOOD)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "OUTWARD_DATABASE_URL",
        "OUTWARD_KEYS_DATABASE_URL",
        "OUTWARD_REDIS_URL",
        "OUTWARD_SECRET_KEY",
        "OUTWARD_TRUSTED_PROXIES",
    ],
)
def test_production_says_what_is_missing(name: str) -> None:
    done = check({k: v for k, v in GOOD.items() if k != name})
    assert done.returncode != 0
    assert name in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("OUTWARD_PORT", "eighty", "whole number"),
        ("OUTWARD_PORT", "70000", "1 to 65535"),
        ("OUTWARD_PRODUCTION", "perhaps", "1 or 0"),
        ("OUTWARD_TRUSTED_PROXIES", "10.0.0.300/8", "10.0.0.0/8"),
        ("OUTWARD_DATABASE_URL", "mysql://x/y", "postgresql://"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(name: str, value: str, remedy: str) -> None:
    done = check({name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_the_readme_names_every_variable_and_none_that_is_not_read() -> None:
    code = "".join(
        (ROOT / "agency" / name).read_text()
        for name in ("settings.py", "environment.py", "asgi.py")
    )
    read = set(re.findall(r"OUTWARD_[A-Z0-9_]*[A-Z0-9]\b", code))
    read |= {f"OUTWARD_OIDC_{key}" for key in ("CLIENT_ID", "CLIENT_SECRET", "NAME")}
    lines = (ROOT / "README.md").read_text().splitlines()
    rows = [line.split("|")[1] for line in lines if line.startswith("| `OUTWARD_")]
    told = set(re.findall(r"OUTWARD_[A-Z0-9_]+", " ".join(rows)))
    assert read - told == set(), "the README's table does not say what these are for"
    assert told - read == set(), "nothing reads these"


def test_the_readme_says_how_the_first_owner_comes_in() -> None:
    text = (ROOT / "README.md").read_text()
    assert "manage.py invite_owner EMAIL" in text
    assert "privacy@outward.example" in text
