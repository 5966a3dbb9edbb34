from collections.abc import Callable

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from tenants.clients import create_client, delete_client
from tenants.models import Client
from tenants.schemas import entered
from tracking import labels
from tracking.labels import MAX_BYTES, clean_label, forget_labels, get_labels


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    return new_client()


def stored(client: Client) -> dict[str, int]:
    with entered(client), connection.cursor() as cursor:
        cursor.execute("SELECT value, id FROM labels")
        return dict(cursor.fetchall())


def test_a_text_gets_one_id_that_stays(client: Client) -> None:
    with entered(client):
        first = dict(get_labels(client, ["/pricing", "", "/about"]))
        forget_labels()
        again = get_labels(client, ["/about", "/pricing", "/new"])
        assert again["/pricing"] == first["/pricing"] != again["/about"]
    assert first[""] == 0
    assert stored(client)["/new"] == again["/new"] >= 100


def test_what_is_known_costs_one_query(client: Client) -> None:
    with entered(client):
        get_labels(client, ["/known"])
        statements: list[str] = []

        def note(execute, sql, params, many, context):
            statements.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            get_labels(client, ["/known"])
    assert len(statements) == 1


def test_a_label_that_was_rolled_back_is_not_remembered(client: Client) -> None:
    with entered(client):
        with transaction.atomic():
            inside = get_labels(client, ["/rolled-back"])["/rolled-back"]
            transaction.set_rollback(True)
        assert "/rolled-back" not in stored(client)
        outside = get_labels(client, ["/rolled-back"])["/rolled-back"]
    assert stored(client)["/rolled-back"] == outside != inside


def test_a_label_of_a_committed_transaction_is_remembered(client: Client) -> None:
    with entered(client), transaction.atomic():
        inside = get_labels(client, ["/committed"])["/committed"]
        assert get_labels(client, ["/committed"])["/committed"] == inside
    with entered(client):
        assert get_labels(client, ["/committed"])["/committed"] == inside


def test_a_schema_made_anew_does_not_inherit_ids(new_client: Callable[..., Client]) -> None:
    first = new_client("phoenix")
    with entered(first):
        get_labels(first, ["/one", "/two", "/three"])
    delete_client(first, acting_user="tests")
    second = create_client(
        "phoenix", name="Phoenix", hosts=["www.phoenix.example"], acting_user="tests"
    )
    number, second.pk = second.pk, first.pk  # as after restoring a backup
    with entered(second):
        ids = dict(get_labels(second, ["/three"]))
    second.pk = number
    assert stored(second)["/three"] == ids["/three"]
    assert "/one" not in stored(second)


def test_the_cache_of_a_client_is_bounded(client: Client, monkeypatch) -> None:
    monkeypatch.setattr(labels, "MAX_TEXTS", 10)
    with entered(client):
        for number in range(40):
            ids = get_labels(client, [f"/bounded-{number}"])
            assert len(ids) <= 12
            assert ids[f"/bounded-{number}"] >= 100


def test_the_client_not_used_for_longest_is_forgotten_first(
    client: Client, new_client: Callable[..., Client], monkeypatch
) -> None:
    forget_labels()
    monkeypatch.setattr(labels, "MAX_ALL_TEXTS", 30)
    other = new_client()
    with entered(client):
        get_labels(client, [f"/kept-{number}" for number in range(20)])
    with entered(other):
        get_labels(other, [f"/kept-{number}" for number in range(20)])
        get_labels(other, [])
    cached = labels._cache._known
    assert [key[0] for key in cached] == [other.pk]


def test_texts_that_are_cut_to_the_same_label_share_its_id(client: Client) -> None:
    one, two = "x" * MAX_BYTES + "one", "x" * MAX_BYTES + "two"
    with entered(client):
        ids = get_labels(client, [one, two, "\0", "nul\0inside"])
    assert ids[one] == ids[two] == stored(client)["x" * MAX_BYTES]
    assert ids["\0"] == 0
    assert ids["nul\0inside"] == stored(client)["nulinside"]


@given(st.text(st.characters(), max_size=3000) | st.text("é€😀\0\ud800", max_size=1500))
def test_a_clean_label_is_what_postgres_and_its_index_take(text: str) -> None:
    clean = clean_label(text)
    assert len(clean.encode()) <= MAX_BYTES
    assert "\0" not in clean
    assert clean_label(clean) == clean
