"""Bringing the databases to the code's state: keys, shared schema, every client's schema."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands.migrate import Command as PlainMigrate
from django.db.migrations.loader import MigrationLoader

from tenants.grants import grant_client_role
from tenants.models import Client
from tenants.routers import KEYS_DATABASE
from tenants.schemas import return_to_public

PARALLEL_FROM = 8
"""Clients from which several processes pay."""


def migrate_keys(*, verbosity: int = 0) -> None:
    """Migrate the keys database. django-tenants' own `migrate` knows the default one only."""
    call_command(PlainMigrate(), database=KEYS_DATABASE, interactive=False, verbosity=verbosity)


def migrate_shared(*, verbosity: int = 0) -> None:
    """Migrate the public schema."""
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=verbosity)
    return_to_public()


def migrate_schemas(**options: Any) -> None:
    """Migrate the apps that live in clients' schemas; options as of django-tenants' command.

    Only those: their migrations depend on no other app's, and to carry the history of all others
    along takes four fifths of the time of making a client.
    """
    migrated = {label for label, _ in MigrationLoader(None).graph.leaf_nodes()}
    for name in settings.TENANT_APPS:
        label = next(config.label for config in apps.get_app_configs() if config.name == name)
        if label in migrated:
            call_command("migrate_schemas", label, tenant=True, interactive=False, **options)
    return_to_public()


def migrate_clients(*, verbosity: int = 0) -> int:
    """Migrate every client's schema, in parallel, and set its role's rights; returns how many."""
    clients = list(Client.objects.order_by("pk"))
    if clients:
        executor = "multiprocessing" if len(clients) >= PARALLEL_FROM else "standard"
        migrate_schemas(executor=executor, verbosity=verbosity)
    for client in clients:
        grant_client_role(client)
    return len(clients)


def migrate_all(*, verbosity: int = 0) -> int:
    """Migrate everything; a run that was killed halfway goes on where it stopped.

    Every migration is one transaction, so there is no half of one.
    """
    migrate_keys(verbosity=verbosity)
    migrate_shared(verbosity=verbosity)
    return migrate_clients(verbosity=verbosity)
