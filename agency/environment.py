"""Typed readings of environment variables that fail loudly: name, value and remedy."""

import dataclasses
import ipaddress
import json
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


@dataclasses.dataclass(frozen=True)
class MailConfig:
    """Where mail goes: to a server, or (no address given) to readable files."""

    backend: str = "agency.mail_files.FileBackend"
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


def email_config(name: str) -> MailConfig:
    """From smtp://user:password@host:587?tls=1 (STARTTLS) or smtps://user:password@host:465.

    `smtp` without `tls=1` speaks in the clear: for a relay on the same machine. The address itself
    is not in the message of an error, since it holds a password.
    """
    text = env_text(name)
    if not text:
        return MailConfig()
    remedy = f"{name}: write smtp://user:password@mail.example.com:587?tls=1."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SettingError(f"The port is not a number. {remedy}") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise SettingError(f"This is not the address of a mail server. {remedy}")
    starttls = parse_qs(parts.query).get("tls", ["0"])[-1] in {"1", "true", "yes", "on"}
    tls = parts.scheme == "smtps"
    return MailConfig(
        backend="django.core.mail.backends.smtp.EmailBackend",
        host=parts.hostname,
        port=port or (465 if tls else 587 if starttls else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=starttls and not tls,
        tls=tls,
    )


def oidc_apps() -> list[dict[str, Any]]:
    """Providers of OpenID Connect log-in, as allauth takes them; [] without any.

    One by OUTWARD_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET and (words of its button) _NAME; several
    by OUTWARD_OIDC, a JSON list of objects with the keys issuer, client_id, client_secret, name.
    """
    text = env_text("OUTWARD_OIDC")
    if text:
        try:
            given = json.loads(text)
        except ValueError:
            raise SettingError("OUTWARD_OIDC is not JSON: write a list of objects.") from None
    elif env_text("OUTWARD_OIDC_ISSUER"):
        keys = ("issuer", "client_id", "client_secret", "name")
        given = [{key: env_text(f"OUTWARD_OIDC_{key.upper()}") for key in keys}]
    else:
        given = []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise SettingError('OUTWARD_OIDC is not a list: write [{"issuer": ...}].')
    return [_oidc_app(number, one) for number, one in enumerate(given, 1)]


def _oidc_app(number: int, given: dict[str, Any]) -> dict[str, Any]:
    for key in ("issuer", "client_id", "client_secret"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise SettingError(
                f"OpenID Connect log-in needs {key}: set OUTWARD_OIDC_{key.upper()}, or the key "
                f"{key} of each object of OUTWARD_OIDC."
            )
    if urlsplit(given["issuer"]).scheme not in {"https", "http"}:
        raise SettingError("OUTWARD_OIDC_ISSUER is no address: write https://login.example.com.")
    return {
        "provider_id": f"oidc-{number}",
        "name": given.get("name") or urlsplit(given["issuer"]).hostname,
        "client_id": given["client_id"],
        "secret": given["client_secret"],
        "settings": {"server_url": given["issuer"]},
    }
