"""Label ids of texts: the dictionary behind every dimension column.

The cache is per process and bounded, and knows the table that its ids came from: a client whose
schema was dropped and made again starts afresh. What an unfinished transaction inserted is not
remembered, since it may yet be rolled back.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import partial

from django.db import connection, transaction

from tenants.models import Client
from tracking.models.raw import NOT_SET

MAX_BYTES = 2_000
"""Longest label in UTF-8, what a B-tree entry surely takes."""
MAX_TEXTS = 200_000
"""Texts remembered for a client; about 30 MB of them."""
MAX_ALL_TEXTS = 500_000

_CacheKey = tuple[int, int]


class _Cache:
    """Texts and ids by client and labels table, least recently used clients forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[_CacheKey, dict[str, int]] = OrderedDict()

    def texts_of(self, key: _CacheKey) -> dict[str, int]:
        with self._lock:
            texts = self._known.get(key)
            if texts is None or len(texts) > MAX_TEXTS:
                texts = self._known[key] = {"": NOT_SET}
            self._known.move_to_end(key)
            while len(self._known) > 1 and sum(map(len, self._known.values())) > MAX_ALL_TEXTS:
                self._known.popitem(last=False)
            return texts

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


_cache = _Cache()


def forget_labels() -> None:
    """Empty the cache of this process."""
    _cache.forget()


def clean_label(text: str) -> str:
    """The text as stored: no NUL, which PostgreSQL refuses, and at most `MAX_BYTES` in UTF-8.

    What UTF-8 cannot say (lone surrogates) becomes a question mark.
    """
    raw = text.replace("\0", "").encode("utf-8", "replace")
    return raw[:MAX_BYTES].decode("utf-8", "ignore")


def get_labels(client: Client, texts: Iterable[str]) -> Mapping[str, int]:
    """Ids of at least these texts, missing ones inserted; call inside `entered(client)`.

    Outside a transaction the insertion is a short one of its own; inside, it is part of it, in
    sorted order, so that two importers cannot lock each other out. One query when all is known,
    up to four otherwise. The mapping is the cache itself: read it, and do not keep it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'labels'::regclass::oid::bigint")
        known = _cache.texts_of((client.pk, cursor.fetchone()[0]))
    missing = set(texts).difference(known)
    if not missing:
        return known
    cleaned = {text: clean_label(text) for text in missing}
    ids = _insert_missing(sorted({value for value in cleaned.values() if value}))
    ids[""] = NOT_SET
    fresh = {text: ids[value] for text, value in cleaned.items()}
    if connection.in_atomic_block:
        transaction.on_commit(partial(known.update, fresh))
        return {**known, **fresh}
    known.update(fresh)
    return known


def _insert_missing(values: list[str]) -> dict[str, int]:
    """Ids of the values; those not stored are inserted in the order given."""
    ids = _select(values)
    missing = [value for value in values if value not in ids]
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO labels (value) SELECT unnest(%s::text[]) "
                "ON CONFLICT (value) DO NOTHING RETURNING id, value",
                [missing],
            )
            ids.update((value, number) for number, value in cursor.fetchall())
        # What another writer inserted meanwhile has committed by now: the insert waited for it.
        ids.update(_select([value for value in missing if value not in ids]))
    return ids


def _select(values: list[str]) -> dict[str, int]:
    if not values:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT value, id FROM labels WHERE value = ANY(%s)", [values])
        return dict(cursor.fetchall())
