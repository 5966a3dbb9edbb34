"""The cast and the stage: embedded Postgres and Valkey under OUTWARD_VAR (var/test unless set).

The databases are made anew for each run, migrated once, and shared by all tests: a test that
needs a schema of its own takes `new_client`. Nothing is rolled back, since collectors, writers
and browsers work through connections of their own.
"""

import functools
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agency.embedded import Postgres, Valkey

ROOT = Path(__file__).resolve().parent.parent
# Each process of `pytest -n` has a stage of its own; the one that hands out the tests needs none.
VAR = Path(
    os.environ.get("OUTWARD_VAR", ROOT / "var" / "test"), os.environ.get("PYTEST_XDIST_WORKER", "")
).resolve()


def _stage() -> None:
    """Start the servers and point the settings at them, before Django is set up."""
    from agency.embedded import start_postgres, start_valkey

    for name in ("spool", "mail", "static", "stacks"):
        shutil.rmtree(VAR / name, ignore_errors=True)
    VAR.mkdir(parents=True, exist_ok=True)
    os.environ["OUTWARD_VAR"] = str(VAR)
    os.environ["DJANGO_SETTINGS_MODULE"] = "agency.settings"
    postgres = start_postgres(VAR, fast=True)
    os.environ["OUTWARD_DATABASE_URL"] = postgres.default_url
    os.environ["OUTWARD_KEYS_DATABASE_URL"] = postgres.keys_url
    valkey = start_valkey(VAR, fast=True)
    os.environ["OUTWARD_REDIS_URL"] = valkey.url
    _servers.extend((postgres, valkey))


_servers: list["Postgres | Valkey"] = []


def pytest_unconfigure() -> None:
    """Stop what was started, unless another run of the suite shares it."""
    for server in _servers:
        server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start a whole product come first: the two processes then end together."""

    def starts_a_stack(item: pytest.Item) -> bool:
        return "stack" in getattr(item, "fixturenames", ())

    files = {item.path for item in items if starts_a_stack(item)}
    longest = ROOT / "tests" / "test_every_page.py"
    items.sort(key=lambda item: (item.path != longest, item.path not in files))


_stage()

import django  # noqa: E402 - the environment must name the servers first

django.setup()

import psycopg  # noqa: E402
import redis  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from agency.embedded_urls import postgres_url  # noqa: E402
from tenants.clients import create_client  # noqa: E402
from tenants.migrating import migrate_all  # noqa: E402
from tenants.models import Client, Membership, Role, Section, Site, User  # noqa: E402
from tests.browser import launch  # noqa: E402
from tests.sql_rules import broken_rules  # noqa: E402

settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # a slow one is meant to be slow

_numbers = itertools.count(1)


def _check_rules(
    execute: Callable[..., object], sql: object, params: object, many: bool, context: object
) -> object:
    """Every statement of the suite keeps the rules of design section 9."""
    if isinstance(sql, str):
        text = _PLACEHOLDER.sub("NULL", sql)
        broken = broken_rules(text, *_known_tables())
        assert not broken, f"{broken}: {sql}"
    return execute(sql, params, many, context)


_PLACEHOLDER = re.compile(r"%s|%\(\w+\)s")


@functools.lru_cache(maxsize=1)
def _known_tables() -> tuple[frozenset[str], frozenset[str]]:
    def names(labels: set[str]) -> frozenset[str]:
        return frozenset(
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            if model._meta.app_label in labels
        )

    clients = {app.rpartition(".")[2] for app in settings.TENANT_APPS}
    labels = {config.label for config in apps.get_app_configs()}
    return names(clients), names(labels - clients)


def _watch(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if _check_rules not in connection.execute_wrappers:
        connection.execute_wrappers.append(_check_rules)


connection_created.connect(_watch)


@pytest.fixture(scope="session", autouse=True)
def databases() -> Iterator[None]:
    """Fresh, migrated databases for the whole run."""
    setup_test_environment()
    with psycopg.connect(postgres_url(VAR, "postgres"), autocommit=True) as server:
        _drop_everything(server)
    connections.close_all()
    migrate_all()
    call_command("collectstatic", interactive=False, verbosity=0)
    yield
    connections.close_all()


def _drop_everything(server: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Leave two empty databases and no client role, whatever a former run left."""
    for name in ("outward", "outward_keys"):
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    roles = server.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^c_'").fetchall()
    for (role,) in roles:
        server.execute(f'DROP ROLE "{role}"')
    for name in ("outward", "outward_keys"):
        server.execute(f"CREATE DATABASE {name}")


@pytest.fixture(scope="session")
def valkey(databases: None) -> Iterator["redis.Redis"]:
    """The suite's Valkey, emptied at the start of the run."""
    client = redis.Redis.from_url(os.environ["OUTWARD_REDIS_URL"])
    client.flushdb()
    yield client
    client.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's browser. Not for the whole run: its loop forbids the ORM while it lives."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _close_pages(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close what a test opened: pages that poll and draw on take a core from the tests after."""
    if "chromium" not in request.fixturenames:
        yield
        return
    browser: Browser = request.getfixturevalue("chromium")
    before = list(browser.contexts)
    yield
    for context in browser.contexts:
        if context not in before:
            context.close()


@pytest.fixture(scope="session")
def new_client(databases: None, valkey: "redis.Redis") -> Callable[..., Client]:
    """Makes a client of its own for a test: `new_client(timezone_name="Asia/Kolkata")`."""

    def make(slug: str = "", **fields: object) -> Client:
        slug = slug or f"test-{next(_numbers)}"
        fields.setdefault("name", slug.title())
        fields.setdefault("hosts", [f"www.{slug}.example"])
        return create_client(slug, acting_user="tests", **fields)  # type: ignore[arg-type]  # passed through

    return make


@pytest.fixture(scope="session")
def client_a(new_client: Callable[..., Client]) -> Client:
    """A client shared by all tests that only read its settings."""
    return new_client("alpha", name="Alpha & Sons")


@pytest.fixture(scope="session")
def client_b(new_client: Callable[..., Client]) -> Client:
    """Another client."""
    return new_client("bravo", name="Bravo Ltd")


def site_of(client: Client) -> Site:
    """The client's first site."""
    return Site.objects.filter(client=client).order_by("pk")[0]


PASSWORD = "a long phrase for the tests"


def _person(email: str, client: Client | None, role: Role, **scope: object) -> User:
    user = User.objects.create_user(email, PASSWORD)
    Membership.objects.create(user=user, client=client, role=role, **scope)
    return user


@pytest.fixture(scope="session")
def agency_owner(databases: None) -> User:
    """Owner of the agency: may do everything at every client."""
    return _person("owner@agency.example", None, Role.OWNER)


@pytest.fixture(scope="session")
def analyst(databases: None) -> User:
    """Staff of the agency: reads, edits reports and settings, makes clients."""
    return _person("analyst@agency.example", None, Role.ANALYST)


@pytest.fixture(scope="session")
def privacy_officer(databases: None) -> User:
    """Staff of the agency: edits privacy settings, keeps the registers."""
    return _person("privacy@agency.example", None, Role.PRIVACY_OFFICER)


@pytest.fixture(scope="session")
def analyst_of_b(client_b: Client) -> User:
    """Staff of the agency whose scope is client B alone."""
    user = _person("analyst.b@agency.example", None, Role.ANALYST, all_clients=False)
    user.memberships.get().clients.set([client_b])
    return user


@pytest.fixture(scope="session")
def manager_a(client_a: Client) -> User:
    """One of client A's people, who may invite others."""
    return _person("manager@alpha.example", client_a, Role.MANAGER)


@pytest.fixture(scope="session")
def viewer_a(client_a: Client) -> User:
    """One of client A's people, who reads."""
    return _person("viewer@alpha.example", client_a, Role.VIEWER)


@pytest.fixture(scope="session")
def realtime_viewer_a(client_a: Client) -> User:
    """One of client A's people, who reads one section of the report."""
    return _person(
        "realtime@alpha.example",
        client_a,
        Role.VIEWER,
        all_sections=False,
        sections=[Section.REALTIME],
    )


@pytest.fixture(scope="session")
def manager_b(client_b: Client) -> User:
    """One of client B's people."""
    return _person("manager@bravo.example", client_b, Role.MANAGER)


@pytest.fixture(scope="session")
def stranger(databases: None) -> User:
    """Somebody who is nobody's member."""
    return User.objects.create_user("stranger@elsewhere.example", PASSWORD)
