import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.clients import delete_client
from tenants.models import AuditEntry, Client, Site
from tests.tracking.test_store import Shop
from tests.tracking.test_writer import PARTITIONS, Stream, stored
from tracking.streams import dead_name, encode_hits
from tracking.writer.consume import Writer
from tracking.writer.dead_letters import (
    ALL,
    DeadLetter,
    Which,
    by_reason,
    count_letters,
    discard,
    put_back,
    read_letters,
)


@pytest.fixture
def shop(new_client: Callable[..., Client]) -> Shop:
    return Shop(new_client())


@pytest.fixture
def stream(valkey: Any, request: pytest.FixtureRequest) -> Stream:
    prefix = f"test-letters-{request.node.name}"
    for key in valkey.scan_iter(f"{prefix}:*"):
        valkey.delete(key)
    return Stream(valkey, prefix)


def letters_of(stream: Stream, which: Which = ALL) -> list[DeadLetter]:
    return read_letters(stream.valkey, prefix=stream.prefix, partitions=PARTITIONS, which=which)


def put_all_back(stream: Stream, which: Which = ALL, who: str = "tests") -> Any:
    return put_back(
        stream.valkey, acting_user=who, prefix=stream.prefix, partitions=PARTITIONS, which=which
    )


def drained(stream: Stream) -> Writer:
    writer = stream.drain()
    writer._valkey.close()
    return writer


def bury(stream: Stream, shop: Shop, *hits: Any) -> None:
    """As the writer does while the site is out of use; then it is in use again."""
    sites = Site.objects.filter(pk=shop.site.pk)
    sites.delete()
    stream.add(*hits, partition=0)
    drained(stream)
    shop.site.save(force_insert=True)


def test_a_letter_says_its_reason_time_client_partition_and_number_of_hits(
    shop: Shop, stream: Stream
) -> None:
    bury(stream, shop, shop.hit(0, visitor=6, path="/secret/of/nobody"))
    (letter,) = letters_of(stream)
    assert letter.reason == "site is unknown or inactive"
    assert (letter.hits, letter.client_ids, letter.partitions) == (1, (shop.client.pk,), (2,))
    assert letter.can_go_back
    assert "secret" not in repr(letter)
    assert count_letters(stream.valkey, prefix=stream.prefix) == 1


def test_what_goes_back_is_stored_exactly_once(shop: Shop, stream: Stream) -> None:
    hits = [shop.hit(second, visitor=second) for second in range(8)]
    bury(stream, shop, *hits)
    assert len(letters_of(stream)) == 8
    # Three of them have been stored meanwhile, by another way.
    shop.store(*hits[:3])
    outcome = put_all_back(stream)
    assert (outcome.letters, outcome.hits, outcome.unreadable) == (8, 8, 0)
    writer = drained(stream)
    assert (writer.stored, writer.duplicates) == (5, 3)
    assert stored(shop) == 8
    assert len({row[0] for row in shop.rows("SELECT tag FROM hits")}) == 8
    assert letters_of(stream) == []
    assert put_all_back(stream).letters == 0


def test_two_people_who_put_a_letter_back_at_once_put_it_back_once(
    shop: Shop, stream: Stream
) -> None:
    bury(stream, shop, *(shop.hit(second, visitor=second) for second in range(40)))
    outcomes: list[Any] = []
    ready = threading.Barrier(4)

    def act() -> None:
        try:
            ready.wait()
            outcomes.append(put_all_back(stream))
        finally:
            connection.close()

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sum(outcome.letters for outcome in outcomes) == 40
    assert stream.entries() == 40
    assert drained(stream).duplicates == 0
    assert stored(shop) == 40


def test_a_letter_that_cannot_be_read_stays_and_can_be_discarded(
    shop: Shop, stream: Stream
) -> None:
    stream.add_raw(b"\xc1 no MessagePack")
    stream.add(shop.hit(0))
    drained(stream)
    (letter,) = letters_of(stream)
    assert not letter.can_go_back
    assert letter.hits == 0
    outcome = put_all_back(stream)
    assert (outcome.letters, outcome.unreadable) == (0, 1)
    gone = discard(stream.valkey, acting_user="tests", prefix=stream.prefix)
    assert gone.letters == 1
    assert letters_of(stream) == []
    entry = AuditEntry.objects.filter(act="dead_letters.discard", client_id=None).latest("pk")
    assert entry.details["letters"] == 1


def test_each_act_is_in_the_audit_trail_of_its_client(
    shop: Shop, stream: Stream, new_client: Callable[..., Client]
) -> None:
    other = Shop(new_client())
    bury(stream, shop, shop.hit(0), shop.hit(1))
    bury(stream, other, other.hit(0))
    put_all_back(stream, who="officer@agency.example")
    for whose, number in ((shop, 2), (other, 1)):
        (entry,) = AuditEntry.objects.filter(act="dead_letters.put_back", client_id=whose.client.pk)
        assert entry.actor == "officer@agency.example"
        assert entry.details == {
            "letters": number,
            "hits": number,
            "reasons": {"site is unknown or inactive": number},
        }


def test_letters_are_chosen_by_id_by_reason_and_by_client(
    shop: Shop, stream: Stream, new_client: Callable[..., Client]
) -> None:
    other = Shop(new_client())
    bury(stream, shop, shop.hit(0), shop.hit(1))
    bury(stream, other, other.hit(0))
    stream.add_raw(b"\xc1")
    drained(stream)
    letters = letters_of(stream)
    assert len(letters) == 4
    assert by_reason(letters)[0] == ("site is unknown or inactive", 3, 3)
    own = letters_of(stream, Which(clients={other.client.pk}))
    assert [letter.client_ids for letter in own] == [(other.client.pk,)]
    assert letters_of(stream, Which(ids={own[0].id})) == own
    assert put_all_back(stream, Which(reason="no such reason")).letters == 0
    assert put_all_back(stream, Which(ids={own[0].id})).letters == 1
    assert len(letters_of(stream)) == 3


def test_more_letters_than_are_read_at_once_all_go_back(shop: Shop, stream: Stream) -> None:
    pipe = stream.valkey.pipeline()
    for number in range(2_100):
        payload = encode_hits([shop.hit(number / 10, visitor=number)])
        pipe.xadd(dead_name(stream.prefix), {"reason": "a test", "payload": payload, "at": 1})
    pipe.execute()
    assert put_all_back(stream).letters == 2_100
    assert (stream.entries(), letters_of(stream)) == (2_100, [])


def test_the_command_says_first_and_puts_back_then(
    new_client: Callable[..., Client], valkey: Any
) -> None:
    valkey.delete(dead_name(settings.STREAM_PREFIX))
    shop = Shop(new_client())
    stream = Stream(valkey, settings.STREAM_PREFIX)
    bury(stream, shop, shop.hit(0), shop.hit(1, visitor=2))
    said = StringIO()
    call_command("retry_dead_letters", "--dry-run", stdout=said)
    assert "2 letters (2 hits): site is unknown or inactive" in said.getvalue()
    assert "2 letters (2 hits) would go back" in said.getvalue()
    assert len(letters_of(stream)) == 2
    said = StringIO()
    call_command("retry_dead_letters", stdout=said)
    assert said.getvalue().startswith("2 letters (2 hits) are back on their streams; 0 cannot")
    drained(stream)
    assert stored(shop) == 2
    entry = AuditEntry.objects.filter(client_id=shop.client.pk).latest("pk")
    assert entry.actor == "system:retry_dead_letters"


def test_the_command_says_what_to_do_when_valkey_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(CommandError, match="start it, then run this again"):
        call_command("retry_dead_letters")


def test_letters_of_a_client_that_is_gone_are_buried_again(
    new_client: Callable[..., Client], stream: Stream
) -> None:
    shop = Shop(new_client())
    hit = shop.hit(0)
    delete_client(shop.client, acting_user="tests")
    stream.add(hit)
    drained(stream)
    assert put_all_back(stream).letters == 1
    drained(stream)
    assert [letter.reason for letter in letters_of(stream)] == ["client is unknown"]
