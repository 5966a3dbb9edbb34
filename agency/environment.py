"""Typed readings of environment variables that fail loudly: name, value and remedy."""

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingError(Exception):
    """An environment variable cannot be used; the message says what to set instead."""


def env_text(name: str, default: str = "") -> str:
    """The variable's text, stripped."""
    return os.environ.get(name, default).strip()


def env_bool(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off."""
    value = env_text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise SettingError(f"{name}={value!r} is not a yes or no: set it to 1 or 0.")


def env_int(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """A whole number between both bounds, inclusive."""
    text = env_text(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingError(f"{name}={text!r} is not a whole number.") from None
    if not minimum <= value <= maximum:
        raise SettingError(f"{name}={value} is out of range: set {minimum} to {maximum}.")
    return value


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated values, stripped, empty ones left out."""
    return [part.strip() for part in env_text(name, default).split(",") if part.strip()]


def env_networks(name: str) -> list[IpNetwork]:
    """Comma-separated CIDR networks."""
    networks: list[IpNetwork] = []
    for part in env_list(name):
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise SettingError(
                f"{name}: {part!r} is not a network ({error}): write it as 10.0.0.0/8."
            ) from None
    return networks


def env_path(name: str, default: Path) -> Path:
    """An absolute path; a relative one counts from the working directory."""
    text = env_text(name)
    return Path(text).expanduser().resolve() if text else default


def database_config(name: str, url: str, engine: str) -> dict[str, Any]:
    """Django's settings of a database from postgresql://user:password@host:port/name?host=/dir."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or len(parts.path) < 2:
        raise SettingError(
            f"{name} is not a database address: write postgresql://user:password@host:5432/name."
        )
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": engine,
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "OPTIONS": query,
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }


def broker_url(redis_url: str) -> str:
    """The address as Celery wants it: redis+socket for a unix socket, else unchanged."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?virtual_host={database}"
