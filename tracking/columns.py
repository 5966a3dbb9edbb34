"""Hits as columns: the numbers of a batch as arrays, the hits themselves behind them. Pure.

A batch has tens of thousands of hits, and to look at each of them in Python is what a writer
spends most of its time on. What is asked of every hit is therefore kept in arrays; the hit itself
is decoded only for what few hits have, or what only the first of a visit says.
"""

import dataclasses
from array import array
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from tracking.hits import MAX_ENGAGED_S, Hit, Kind
from tracking.streams import (
    HAS_MORE,
    HAS_OUTCODE,
    IS_INTERACTIVE,
    decode_hit,
    encode_hit,
    record_of,
)

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_RECORD = np.dtype(
    [
        ("at_us", "<i8"),
        ("tag", ">i8"),
        ("visitor", "<i8"),
        ("client_id", "<i4"),
        ("site_id", "<i4"),
        ("engaged_s", "<i4"),
        ("kind", "u1"),
        ("scroll", "u1"),
        ("flags", "u1"),
    ]
)


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """Some hits in some order, an element of each array for each."""

    source: Sequence[Hit | bytes]
    """Where the hits lie, open or encoded, in an order of its own and others between them."""
    index: Ints
    """Of each hit in `source`."""
    at_us: Ints
    tag: Ints
    """As `tracking.hits.tag_of`: with the time it names the hit."""
    visitor: Ints
    client_id: Ints
    site_id: Ints
    kind: Bytes
    engaged_s: Ints
    scroll: Bytes
    has_more: Flags
    """As `tracking.hits.has_more`."""
    has_outcode: Flags
    is_interactive: Flags
    path: Ints
    """Number of its path in `texts`."""
    texts: list[str]
    """Distinct paths; those of other hits may be among them."""

    def __len__(self) -> int:
        return len(self.index)

    def hits(self, numbers: "Ints | slice" = slice(None)) -> Iterator[Hit]:
        """The hits at these places, or all. Raises msgspec.DecodeError if one is damaged."""
        return map(_open, map(self.source.__getitem__, self.index[numbers].tolist()))

    def encoded(self) -> list[bytes]:
        """The hits encoded each for itself."""
        sources = map(self.source.__getitem__, self.index.tolist())
        return [hit if isinstance(hit, bytes) else encode_hit(hit) for hit in sources]

    def damaged(self) -> list[tuple[int, str]]:
        """Place and reason of each hit that cannot be decoded."""
        found = []
        for number, hit in enumerate(self.encoded()):
            try:
                decode_hit(hit)
            except msgspec.DecodeError as error:
                found.append((number, f"hit has the wrong form: {error}"))
        return found

    def are_in_range(self) -> Flags:
        """Which have only numbers that a hit may have, as far as columns know them."""
        return (
            ((self.kind >= 1) & (self.kind <= max(Kind)))
            & (self.scroll <= 100)
            & ((self.engaged_s >= 0) & (self.engaged_s <= MAX_ENGAGED_S))
            & (self.client_id >= 0)
            & (self.site_id >= 0)
        )

    def take(self, which: "Ints | Flags | slice") -> "Columns":
        """The hits at these places, or those of which this is true."""
        arrays = {name: getattr(self, name)[which] for name in _ARRAYS}
        return Columns(source=self.source, texts=self.texts, **arrays)

    def in_order_of_time(self) -> "Columns":
        """Sorted; hits of one moment keep their order."""
        if (self.at_us[1:] >= self.at_us[:-1]).all():
            return self
        return self.take(np.argsort(self.at_us, kind="stable"))

    def path_numbers(self) -> list[int]:
        """Numbers in `texts` of the paths that these hits have, ascending."""
        has = np.zeros(len(self.texts), np.bool_)
        has[self.path] = True
        numbers: list[int] = np.flatnonzero(has).tolist()
        return numbers

    def paths(self) -> set[str]:
        """The paths that these hits have."""
        return set(map(self.texts.__getitem__, self.path_numbers()))

    def path_labels(self, ids: Mapping[str, int]) -> Ints:
        """Label id of each hit's path; `ids` must know all of them."""
        labels = np.zeros(len(self.texts), np.int64)
        for number in self.path_numbers():
            labels[number] = ids[self.texts[number]]
        return labels[self.path]


_ARRAYS = tuple(
    field.name for field in dataclasses.fields(Columns) if field.name not in {"source", "texts"}
)


def _open(hit: Hit | bytes) -> Hit:
    return decode_hit(hit) if isinstance(hit, bytes) else hit


class _Numbering(dict[str, int]):
    """Numbers texts from 0 as they are asked for."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


class Gathering:
    """Columns in the making, of entries of the stream."""

    def __init__(self) -> None:
        self._source: list[Hit | bytes] = []
        self._records: list[bytes] = []
        self._paths = array("i")
        self._texts = _Numbering()

    def __len__(self) -> int:
        return len(self._source)

    def add(self, records: bytes, paths: Sequence[str], hits: Sequence[Hit | bytes]) -> None:
        """Append hits by the parts of an entry, which are of equal length."""
        texts = self._texts
        self._records.append(records)
        self._paths.extend([texts[path] for path in paths])
        self._source += hits

    def columns(self) -> Columns:
        """What was gathered, in the order in which it was added."""
        records = np.frombuffer(b"".join(self._records), _RECORD)
        flags = records["flags"]
        return Columns(
            source=self._source,
            index=np.arange(len(self._source)),
            at_us=records["at_us"].astype(np.int64),
            tag=records["tag"].astype(np.int64),
            visitor=records["visitor"].astype(np.int64),
            client_id=records["client_id"].astype(np.int64),
            site_id=records["site_id"].astype(np.int64),
            kind=records["kind"].copy(),
            engaged_s=records["engaged_s"].astype(np.int64),
            scroll=records["scroll"].copy(),
            has_more=(flags & HAS_MORE).astype(np.bool_),
            has_outcode=(flags & HAS_OUTCODE).astype(np.bool_),
            is_interactive=(flags & IS_INTERACTIVE).astype(np.bool_),
            path=np.frombuffer(self._paths, np.int32).astype(np.int64),
            texts=list(self._texts),
        )


def columns_of(hits: Sequence[Hit]) -> Columns:
    """Columns of these hits in their order; they must be valid (tracking.writer.validity)."""
    gathering = Gathering()
    gathering.add(b"".join(map(record_of, hits)), [hit.path for hit in hits], hits)
    return gathering.columns()
