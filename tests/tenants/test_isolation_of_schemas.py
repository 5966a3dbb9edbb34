"""Promise 4 at its root: with a client's role, another client's rows cannot be read."""

from collections.abc import Callable

import pytest
from celery import shared_task
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django_tenants.utils import tenant_context

from agency.celery import app
from tenants.models import Client
from tenants.schemas import entered, owning
from tracking.models import Label


def run(statement: str) -> list[tuple[object, ...]]:
    """Raw SQL, in a savepoint of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def who() -> str:
    """The role in force."""
    return str(run("SELECT current_user")[0][0])


def test_raw_sql_on_another_clients_schema_is_denied(client_a: Client, client_b: Client) -> None:
    with entered(client_a):
        assert who() == client_a.db_role
        for table in ("labels", "visits", "hits", "hits_default", "origins", "day_stats"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                run(f"SELECT * FROM {client_b.schema_name}.{table}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.tenants_user",
        "SELECT * FROM public.tenants_client",
        "SELECT * FROM public.tenants_session",
        "CREATE TABLE public.mine (id int)",
        "SELECT * FROM pg_authid",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
    ],
)
def test_a_clients_role_reaches_nothing_public(client_a: Client, statement: str) -> None:
    with entered(client_a), pytest.raises(DatabaseError, match="permission denied"):
        run(statement)


@pytest.mark.parametrize("table", ["hits", "hits_default"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "UPDATE {} SET path = 1", "TRUNCATE {}", "DROP TABLE {}"]
)
def test_hits_can_only_be_added(client_a: Client, table: str, statement: str) -> None:
    with entered(client_a), pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        run(statement.format(table))


def test_leaving_a_client_gives_its_role_back(client_a: Client, client_b: Client) -> None:
    owner = who()
    with entered(client_a):
        with entered(client_b):
            assert who() == client_b.db_role
        assert who() == client_a.db_role
        with owning(client_a):
            assert who() == owner
        assert who() == client_a.db_role
    assert who() == owner


def test_a_rolled_back_transaction_does_not_leave_the_role_behind(client_a: Client) -> None:
    owner = who()
    with pytest.raises(RuntimeError), transaction.atomic():
        with entered(client_a):
            assert who() == client_a.db_role
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                run("SELECT 1")
                raise ZeroDivisionError
            assert who() == client_a.db_role
            with pytest.raises(DatabaseError):
                run("SELECT 1/0")
            assert who() == client_a.db_role
        assert who() == owner
        raise RuntimeError
    assert who() == owner
    with entered(client_a):
        assert who() == client_a.db_role


def test_a_role_taken_inside_a_failed_transaction_is_not_trusted_afterwards(
    client_a: Client, client_b: Client
) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT 1/0")
        with entered(client_a):
            run("SELECT 1")
    with entered(client_b):
        assert who() == client_b.db_role
        assert run("SELECT current_schema()") == [(client_b.schema_name,)]


def test_the_library_s_own_context_takes_the_role_too(client_a: Client) -> None:
    with tenant_context(client_a):
        assert who() == client_a.db_role


def test_a_client_whose_role_is_gone_is_not_served_with_the_owners_rights(
    new_client: Callable[..., Client],
) -> None:
    client = new_client()
    client.db_role = "c_no_such_role"
    with pytest.raises(DatabaseError), entered(client):
        who()
    assert who() != "c_no_such_role"


@shared_task
def _who_works() -> tuple[str, int]:
    return who(), Label.objects.count()


def test_a_task_sent_for_a_client_works_with_its_role(client_a: Client) -> None:
    app.conf.task_always_eager = True
    try:
        with tenant_context(client_a):
            result = _who_works.apply_async(headers={"_schema_name": client_a.schema_name})
    finally:
        app.conf.task_always_eager = False
    assert result.get()[0] == client_a.db_role
    assert who() != client_a.db_role
