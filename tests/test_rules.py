"""Design section 9: what keeps one code base running on plain PostgreSQL and on Citus."""

import io
import re

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL
from pglast import parse_sql

from tenants.grants import APPEND_ONLY
from tenants.models import Client
from tests.conftest import ROOT
from tests.sql_rules import broken_rules
from tracking.partitions import PARTITIONED

CLIENT_TABLES = frozenset({"hits", "visits", "origins", "labels"})
PUBLIC_TABLES = frozenset({"tenants_site", "tenants_client"})


def client_models() -> list[type[models.Model]]:
    """Models of the client schema."""
    return [m for app in settings.TENANT_APPS for m in apps.get_app_config(app).get_models()]


def test_no_client_model_has_a_foreign_key_out_of_its_schema() -> None:
    for model in client_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and getattr(field, "db_constraint", True):
                assert field.related_model in client_models(), f"{model.__name__}.{field.name}"


def test_no_public_model_points_at_a_client_model() -> None:
    clients = set(client_models())
    for model in set(apps.get_models()) - clients:
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey):
                assert field.related_model not in clients, f"{model.__name__}.{field.name}"


def test_no_model_has_a_field_with_a_column_check() -> None:
    for model in client_models():
        for field in model._meta.get_fields():
            assert not isinstance(field, models.fields.PositiveIntegerRelDbTypeMixin), (
                f"{model.__name__}.{field.name}: use a named CheckConstraint"
            )


def test_every_model_has_a_big_or_composite_primary_key() -> None:
    for model in client_models():
        assert isinstance(
            model._meta.pk, models.BigAutoField | models.UUIDField | models.CompositePrimaryKey
        ), model.__name__


def _rows(query: str, *parameters: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def test_every_client_table_has_a_primary_key(client_a: Client) -> None:
    without = _rows(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p')",
        client_a.schema_name,
    )
    assert without == []


def test_no_client_table_has_a_trigger_or_a_foreign_key_out(client_a: Client) -> None:
    triggers = _rows(
        "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND NOT t.tgisinternal",
        client_a.schema_name,
    )
    foreign = _rows(
        "SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "JOIN pg_class f ON f.oid = k.confrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND k.contype = 'f' AND f.relnamespace <> c.relnamespace",
        client_a.schema_name,
    )
    assert triggers == []
    assert foreign == []


def test_partitions_are_one_level_in_one_schema_with_a_default(client_a: Client) -> None:
    rows = _rows(
        "SELECT p.relname, c.relname, c.relkind, pn.nspname = cn.nspname, "
        "pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
        "JOIN pg_namespace cn ON cn.oid = c.relnamespace "
        "JOIN pg_namespace pn ON pn.oid = p.relnamespace "
        "WHERE pn.nspname = %s AND c.relkind IN ('r', 'p')",
        client_a.schema_name,
    )
    assert {row[0] for row in rows} == set(PARTITIONED)
    assert all(row[2] == "r" and row[3] for row in rows)
    assert {row[0] for row in rows if row[4] == "DEFAULT"} == set(PARTITIONED)


def test_append_only_tables_refuse_change_on_each_partition(client_a: Client) -> None:
    rows = _rows(
        "SELECT c.relname, has_table_privilege(%s, c.oid, 'INSERT'), "
        "has_table_privilege(%s, c.oid, 'UPDATE, DELETE, TRUNCATE') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p')",
        client_a.db_role,
        client_a.db_role,
        client_a.schema_name,
    )
    guarded = [row for row in rows if str(row[0]).split("_")[0] in APPEND_ONLY]
    assert len(guarded) >= 4
    assert all(insert and not change for _, insert, change in guarded), guarded


def _migrations() -> list[tuple[str, str]]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return sorted(key for key in loader.disk_migrations if key[0] in settings.TENANT_APPS)


def test_migrations_of_the_client_schema_keep_the_rules() -> None:
    assert _migrations()
    for app, name in _migrations():
        out = io.StringIO()
        call_command("sqlmigrate", app, name, stdout=out)
        assert broken_rules(out.getvalue(), CLIENT_TABLES, PUBLIC_TABLES) == (), f"{app}.{name}"


def test_each_runsql_element_is_one_statement() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    checked = 0
    for key in _migrations():
        for operation in loader.disk_migrations[key].operations:
            if isinstance(operation, RunSQL):
                assert isinstance(operation.sql, list), f"{key}: write a list, one statement each"
                for statement in operation.sql:
                    assert len(parse_sql(str(statement))) == 1, f"{key}: {statement}"
                    checked += 1
    assert checked


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("INSERT INTO visits SELECT * FROM hits", "rule 6"),
        ("INSERT INTO visits SELECT * FROM (SELECT * FROM hits) AS s", "rule 6"),
        ("WITH s AS (SELECT * FROM hits) INSERT INTO visits SELECT * FROM hits", "rule 6"),
        (
            "INSERT INTO labels (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = nextval('x')",
            "rule 7",
        ),
        (
            "INSERT INTO labels (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = (SELECT 1)",
            "rule 7",
        ),
        ("UPDATE visits SET last_at = now()", "rule 7"),
        ("UPDATE visits SET last_at = CURRENT_TIMESTAMP", "rule 7"),
        ("DELETE FROM visits WHERE last_at < now() - interval '1 day'", "rule 7"),
        ("SELECT * FROM hits JOIN tenants_site s ON s.id = site_id", "rule 9"),
        ("SELECT * FROM c_a.hits UNION ALL SELECT * FROM c_b.hits", "rule 9"),
        ("COPY hits FROM STDIN WHERE site_id = 1", "rule 8"),
        ("CREATE TRIGGER t AFTER INSERT ON hits FOR EACH ROW EXECUTE FUNCTION f()", "rule 1"),
    ],
)
def test_the_check_sees_each_broken_rule(statement: str, rule: str) -> None:
    found = broken_rules(statement, CLIENT_TABLES, PUBLIC_TABLES)
    assert any(text.startswith(rule) for text in found), found


@pytest.mark.parametrize(
    "statement",
    [
        "WITH s AS MATERIALIZED (SELECT * FROM hits) INSERT INTO visits SELECT * FROM s",
        "INSERT INTO labels (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = excluded.id",
        "INSERT INTO labels (value) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING".replace(
            "%s", "$1"
        ),
        "SELECT count(*) FROM hits JOIN visits v ON v.id = visit_id WHERE at > now()",
        "SELECT * FROM tenants_site JOIN tenants_client c ON c.id = client_id",
    ],
)
def test_the_check_lets_good_statements_pass(statement: str) -> None:
    assert broken_rules(statement, CLIENT_TABLES, PUBLIC_TABLES) == ()


def test_the_suite_refuses_a_statement_that_breaks_a_rule(client_a: Client) -> None:
    with pytest.raises(AssertionError, match="rule 9"), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {client_a.schema_name}.hits, public.tenants_site s WHERE false"
        )


def test_each_file_of_tests_names_its_clients_differently() -> None:
    """Files share a process, and so its databases, in whichever way they are handed out."""
    named = re.compile(r'new_client\(\s*"([a-z0-9-]+)"')
    owners: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for slug in named.findall(path.read_text()):
            owners.setdefault(slug, set()).add(path.name)
    assert len(owners) > 10
    assert not {slug: files for slug, files in owners.items() if len(files) > 1}
