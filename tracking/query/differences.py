"""What the difference of two questions would tell.

A question without one of its conditions selects more. What it has more, number by number, is a
group by itself: *everybody* less *everybody who is not in X* is X. So a protected row is told only
where each such group has no visitor or k of them, and no visitor or k of them who are not in the
row besides.

What a single condition leaves out is the rest of everybody, whom the rollups know: they mostly
say how many there are besides, and nothing more is read. Otherwise, of a large site, a sample of
visits settles most rows; the others are counted whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection

from tenants.models import Site
from tracking.models import Dimension
from tracking.query.arrays import Flags
from tracking.query.buckets import Buckets
from tracking.query.counting import Counter, Groups, count_groups
from tracking.query.model import Condition, Filter, Grain, Negated, both, is_time, source_of
from tracking.query.naming import name_labels
from tracking.query.parts import joined, parts_of
from tracking.query.reading import Raw
from tracking.query.stored import Asked, read_sketches
from tracking.reports.periods import Period
from tracking.rollups.hours import Ints
from tracking.sketches import count_both, merge_sketches

SAMPLE = 40_000
"""Page views and events that are looked at first."""
MOST_PARTS = 24
"""Conditions up to which differences are looked for; with more, nothing protected is told."""


@dataclass(frozen=True)
class Differs:
    """What a table's groups would tell by subtraction."""

    alone: Flags
    """Groups that must not stand alone."""
    together: Callable[[Sequence[int]], bool]
    """Whether some groups must not stand as one."""


@dataclass(frozen=True)
class Asking:
    """How the differences of a question are read: `read` takes filter, dimensions, sample."""

    site: Site
    period: Period
    filters: Filter | None
    """As they were asked."""
    meant: Callable[[Filter | None], Filter | None]
    """What filters mean in this question."""
    read: Callable[[Filter | None, Sequence[str], int], Raw]
    grain: Grain
    k: int


class Differences:
    """Of one question, or of all panels of a page."""

    def __init__(self, asking: Asking, dimensions: Sequence[str]) -> None:
        self.asking = asking
        # In one order, so that the same conditions always hide the same.
        parts = sorted(set(parts_of(asking.filters)), key=repr)
        self.too_many = len(parts) > MOST_PARTS
        self.rests: list[_Rest] = []
        if asking.meant(asking.filters) is None or self.too_many:
            return
        one_in = _one_in(asking.site, asking.period)
        self.rests = _rests(asking, parts, tuple(dimensions), one_in)
        # A condition that leaves out nobody shields another that says the same in other words:
        # without either of them nothing changes, and without both of them somebody shows.
        while len(parts) > 1 and (idle := _first_idle(self.rests)) is not None:
            del parts[idle]
            self.rests = _rests(asking, parts, tuple(dimensions), one_in)

    def of(
        self,
        raw: Raw,
        groups: Groups,
        dimensions: Sequence[str],
        buckets: Buckets,
        step: str = "",
    ) -> Differs:
        """Of the groups that were counted of the raw rows by these dimensions and that step."""
        size = groups.bucket.size
        if self.too_many:
            return Differs(np.ones(size, dtype=bool), lambda _: True)
        views = [_View(rest, raw, groups, tuple(dimensions), buckets, step) for rest in self.rests]
        alone = np.zeros(size, dtype=bool)
        for view in views:
            alone |= view.alone(np.flatnonzero(~alone & (groups.visitors >= self.asking.k)))
        return Differs(alone, lambda which: any(view.together(which) for view in views))


def _one_in(site: Site, period: Period) -> int:
    """Which share of the visits is looked at first; 1: all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pageviews + events), 0) FROM day_stats "
            "WHERE site_id = %s AND dimension = %s AND day BETWEEN %s AND %s",
            [site.pk, int(Dimension.TOTAL), period.starts_on, period.ends_on],
        )
        return max(1, int(cursor.fetchone()[0]) // SAMPLE)


def _rests(
    asking: Asking, parts: Sequence[Filter], dimensions: tuple[str, ...], one_in: int
) -> list["_Rest"]:
    """What all parts together leave out that each of them alone lets in, part by part."""
    whole = asking.meant(joined(parts))
    if whole is None:
        return []
    rests = []
    for number in range(len(parts)):
        wider = asking.meant(joined([*parts[:number], *parts[number + 1 :]]))
        rest = both(wider, Negated(whole))
        rests.append(_Rest(asking, rest, dimensions, one_in, is_of_all=wider is None))
    return rests


def _first_idle(rests: Sequence["_Rest"]) -> int | None:
    """Number of the first part that leaves out nobody; None where each leaves out somebody."""
    return next((number for number, rest in enumerate(rests) if rest.is_nobody), None)


class _Rest:
    """What the question has more without one of its conditions."""

    def __init__(
        self,
        asking: Asking,
        rest: Filter | None,
        dimensions: tuple[str, ...],
        one_in: int,
        *,
        is_of_all: bool,
    ) -> None:
        self.asking, self.filter, self.is_of_all = asking, rest, is_of_all
        self.dimensions, self.one_in = dimensions, one_in
        self._sample: Counter | None = None

    @property
    def sample(self) -> Counter:
        """Its rows, or those of one in so many visits; read once."""
        if self._sample is None:
            self._sample = Counter(self.asking.read(self.filter, self.dimensions, self.one_in))
        return self._sample

    @property
    def is_nobody(self) -> bool:
        """Whether it has no visit at all."""
        if not self.sample.raw.visits.id.size and self.one_in > 1:
            self.one_in, self._sample = 1, None
        return not self.sample.raw.visits.id.size

    def all_of(self, dimensions: Sequence[str], values: Sequence[set[int]]) -> Counter:
        """All its rows with one of these labels of each dimension; without dimensions all rows."""
        if not dimensions:
            self.one_in, self._sample = 1, None
            return self.sample
        asking, part = self.asking, self.filter
        for dimension, labels in zip(dimensions, values, strict=True):
            texts = name_labels(asking.site, asking.period, dimension, labels)
            part = both(part, Condition("is", dimension, tuple(sorted(texts.values()))))
        return Counter(asking.read(part, dimensions, 1))


class _Pairs:
    """Who is in which group; people have the numbers of both questions together."""

    def __init__(self, group: Ints, person: Ints) -> None:
        self.group, self.person = group, person

    def of(self, which: Sequence[int]) -> Ints:
        """People of some groups, each once."""
        return np.unique(self.person[np.isin(self.group, np.asarray(which, dtype=np.int64))])


class _View:
    """A rest beside the groups of a question."""

    def __init__(
        self,
        rest: _Rest,
        raw: Raw,
        groups: Groups,
        dimensions: tuple[str, ...],
        buckets: Buckets,
        step: str,
    ) -> None:
        self.rest, self.groups, self.buckets = rest, groups, buckets
        self.dimensions = dimensions
        self.k = rest.asking.k
        keys = zip(groups.bucket.tolist(), *(each.tolist() for each in groups.labels), strict=True)
        self.numbers = {key: number for number, key in enumerate(keys)}
        self.own = _Pairs(groups.pairs // groups.people, raw.people[groups.pairs % groups.people])
        self.everybody = _everybody(rest, self.numbers, dimensions, buckets, step)
        self._found: _Pairs | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the rest was read."""
        return self.rest.one_in == 1

    @property
    def found(self) -> _Pairs:
        """People of the rest, or of a sample of it."""
        if self._found is None:
            self._found = self._pairs(self.rest.sample)
        return self._found

    def _pairs(self, counter: Counter) -> _Pairs:
        """People of the rest by the question's groups; what is in none of them is left out."""
        grain = self.rest.asking.grain
        found = count_groups(counter, self.dimensions, self.buckets, at_least=grain)
        keys = zip(found.bucket.tolist(), *(each.tolist() for each in found.labels), strict=True)
        place = np.array([self.numbers.get(key, -1) for key in keys], dtype=np.int64)
        group = place[found.pairs // found.people]
        person = counter.raw.people[found.pairs % found.people]
        return _Pairs(group[group >= 0], person[group >= 0])

    def alone(self, which: Ints) -> Flags:
        """Which of these groups must not stand alone."""
        told = np.zeros(self.groups.bucket.size, dtype=bool)
        own = self.groups.visitors[which].tolist()
        known = [
            self._known(self.everybody.get(number, []), visitors)
            for number, visitors in zip(which.tolist(), own, strict=True)
        ]
        told[which] = [each is True for each in known]
        which = which[[each is None for each in known]]
        if not which.size:
            return told
        unsettled = which
        if self.is_whole or not (self.everybody and self.groups.labels):
            judged, open_ = self._judged(self.found, whole=self.is_whole)
            told[which] = judged[which]
            unsettled = np.intersect1d(which, np.flatnonzero(open_))
        if unsettled.size:
            exact, _ = self._judged(self._read(unsettled), whole=True)
            told[unsettled] = exact[unsettled]
        return told

    def _judged(self, found: _Pairs, *, whole: bool) -> tuple[Flags, Flags]:
        """Groups that must not stand alone, and those of which a sample cannot say it."""
        size, k = self.groups.bucket.size, self.k
        people = np.unique(np.concatenate([self.own.person, found.person]))
        own, others = (
            each.group * people.size + np.searchsorted(people, each.person)
            for each in (self.own, found)
        )
        new = ~np.isin(others, own)
        seen = np.bincount(found.group, minlength=size)
        further = np.bincount(found.group[new], minlength=size)
        if whole:
            return _is_few(seen, k) | _is_few(further, k), np.zeros(size, dtype=bool)
        return np.zeros(size, dtype=bool), (seen < k) | (further < k)

    def _known(self, sketches: Sequence[bytes], own: int) -> bool | None:
        """Whether the rollups say that a group must not stand alone; None: they don't.

        `sketches` are of everybody in it, `own` those whom the question finds.
        """
        if not self.everybody:
            return None
        estimate, surely = count_both(sketches)
        further = surely - own
        if further >= self.k:
            return False
        return True if surely == estimate and further > 0 else None

    def _merged(self, number: int) -> bytes:
        """The sketch of a group; of many days it is made once."""
        if len(self.everybody[number]) != 1:
            self.everybody[number] = [merge_sketches(self.everybody[number])]
        return self.everybody[number][0]

    def together(self, which: Sequence[int]) -> bool:
        """Whether these groups must not stand as one."""
        if self.everybody:
            merged = [self._merged(number) for number in which]
            known = self._known(merged, self.groups.joint(which))
            if known is not None:
                return known
        own = self.own.of(which)
        seen = self.found.of(which)
        further = np.setdiff1d(seen, own, assume_unique=True).size
        if not self.is_whole and (seen.size < self.k or further < self.k):
            seen = self._read(np.asarray(which, dtype=np.int64)).of(which)
            further = np.setdiff1d(seen, own, assume_unique=True).size
        return 0 < seen.size < self.k or 0 < further < self.k

    def _read(self, which: Ints) -> _Pairs:
        """People of the whole rest, in these groups at least."""
        labels = [set(each[which].tolist()) for each in self.groups.labels]
        named = [each for each in self.dimensions if not is_time(each)]
        pairs = self._pairs(self.rest.all_of(named, labels))
        if not named:
            self._found = pairs
        return pairs


def _everybody(
    rest: _Rest,
    numbers: Mapping[tuple[int, ...], int],
    dimensions: tuple[str, ...],
    buckets: Buckets,
    step: str,
) -> dict[int, list[bytes]]:
    """Sketches of all visitors of each group by its number; empty where no rollup has them."""
    named = [each for each in dimensions if not is_time(each)]
    stored: Dimension | None = Dimension.TOTAL
    if named:
        source = source_of(named[0])
        stored = source.stored if source and len(named) == 1 else None
    if not rest.is_of_all or stored is None or not numbers:
        return {}
    asked = Asked(rest.asking.site, rest.asking.period, step, by_name=buckets.codes is not None)
    labels = {key[1] if named else 0 for key in numbers}
    found = read_sketches(asked, [stored], [(int(stored), label) for label in labels])
    return {
        number: found.get((int(stored), key[1] if named else 0, key[0]), [])
        for key, number in numbers.items()
    }


def _is_few(counts: Ints, k: int) -> Flags:
    return (counts > 0) & (counts < k)
