"""A client is made whole, or nothing of it is left; and it is deleted whole."""

from collections.abc import Callable

import pytest
from django.db import connection

import tenants.clients
from tenants.clients import ClientError, create_client, delete_client
from tenants.keystore.models import DataKey
from tenants.models import AuditEntry, Client, Domain, Site
from tenants.schemas import entered, in_public
from tracking.models import Label, Visit


def _exists(kind: str, name: str) -> bool:
    query = {
        "schema": "SELECT 1 FROM pg_namespace WHERE nspname = %s",
        "role": "SELECT 1 FROM pg_roles WHERE rolname = %s",
    }[kind]
    with connection.cursor() as cursor:
        cursor.execute(query, [name])
        return cursor.fetchone() is not None


def test_a_new_client_has_schema_role_keys_domain_site_and_settings(
    new_client: Callable[..., Client],
) -> None:
    client = new_client("whole-one", hosts=["WWW.Whole.example "], own_domain="stats.whole.example")
    assert _exists("schema", "c_whole_one")
    assert _exists("role", "c_whole_one")
    assert {d.domain for d in Domain.objects.filter(tenant=client)} == {
        "whole-one.localhost",
        "stats.whole.example",
    }
    assert Site.objects.get(client=client).hosts == ["www.whole.example"]
    assert client.privacy.ip_mode == "encrypted"
    assert DataKey.objects.filter(client_id=client.pk).count() == 5
    assert AuditEntry.objects.get(client_id=client.pk).act == "client.create"
    with entered(client):
        assert Label.objects.count() == 2
        assert Visit.objects.count() == 0


@pytest.mark.parametrize("step", ["create_role", "create_schema", "record_act", "get_key"])
def test_a_client_that_fails_halfway_leaves_nothing(
    step: str, databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = getattr(tenants.clients, step)

    def fail_after(*args: object, **kwargs: object) -> None:
        made(*args, **kwargs)
        raise RuntimeError("the power went out")

    monkeypatch.setattr(tenants.clients, step, fail_after)
    before = DataKey.objects.count()
    with pytest.raises(RuntimeError, match="power"):
        create_client("half-one", name="Half", hosts=["half.example"], acting_user="tests")
    assert not Client.objects.filter(slug="half-one").exists()
    assert not Domain.objects.filter(domain__startswith="half-one").exists()
    assert not _exists("schema", "c_half_one")
    assert not _exists("role", "c_half_one")
    assert DataKey.objects.count() == before
    assert in_public()


@pytest.mark.parametrize(
    ("slug", "hosts", "field"),
    [
        ("Big Letters", ["x.example"], "slug"),
        ("a", ["x.example"], "slug"),
        ("agency", ["x.example"], "domain"),
        ("no-hosts", [], "hosts"),
        ("bad-host", ["not a host"], "hosts"),
        ("alpha", ["x.example"], "slug"),
    ],
)
def test_bad_input_names_its_field(
    slug: str, hosts: list[str], field: str, client_a: Client
) -> None:
    with pytest.raises(ClientError) as caught:
        create_client(slug, name="X", hosts=hosts, acting_user="tests")
    assert caught.value.field == field
    assert not _exists("schema", "c_agency")


def test_a_deleted_client_takes_schema_role_and_keys_along(
    new_client: Callable[..., Client],
) -> None:
    client = new_client("short-lived")
    key_ids = list(DataKey.objects.filter(client_id=client.pk).values_list("pk", flat=True))
    number = client.pk
    delete_client(client, acting_user="tests")
    assert not _exists("schema", "c_short_lived")
    assert not _exists("role", "c_short_lived")
    assert all(bytes(key.wrapped) == b"" for key in DataKey.objects.filter(pk__in=key_ids))
    assert AuditEntry.objects.filter(client_id=number, act="client.delete").exists()
    again = new_client("short-lived")
    assert again.pk != number
