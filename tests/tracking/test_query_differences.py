"""What is told must not tell of few visitors by subtraction from what else is told."""

import dataclasses
import datetime as dt

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tenants.models import Client, Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.query_recount import Store, answer, load
from tests.tracking.query_strategies import (
    FIRST,
    LAST,
    NOW,
    conditions,
    filters,
    make_query_client,
    queries,
)
from tests.tracking.traffic import hit
from tracking.query import differences
from tracking.query.model import (
    Condition,
    Done,
    Either,
    Every,
    Filter,
    Negated,
    Query,
    Result,
    both,
)
from tracking.query.overview import run_overview
from tracking.query.parts import joined, parts_of
from tracking.query.run import run_query
from tracking.reports.periods import Period
from tracking.reports.thresholds import pick_small
from tracking.writer.store import site_zones, store_hits

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
K = 5


class Stage:
    """Not a dataclass, whose thousands of rows hypothesis would print."""

    def __init__(self, client: Client, site: Site, store: Store) -> None:
        self.client, self.site, self.store = client, site, store

    def ask(self, query: Query, *, k: int) -> Result:
        with entered(self.client):
            return run_query(self.site, query, k=k, now=NOW)


@pytest.fixture(scope="module")
def stage(new_client) -> Stage:
    client, site = make_query_client(new_client)
    return Stage(client, site, load(client, site))


def several() -> st.SearchStrategy[Filter | None]:
    """Two or three filters joined by *and*."""
    some = st.lists(st.one_of(conditions(), filters()), min_size=2, max_size=3)
    return some.map(lambda parts: joined(each for each in parts if each is not None)).filter(bool)


@given(query=queries(), part=several(), k=st.integers(2, 25))
@SLOW
def test_no_row_is_k_visitors_less_than_without_one_condition(stage, query, part, k):
    query = dataclasses.replace(query, metrics=("visitors",), filters=part)
    result = stage.ask(query, k=k)
    assume(result.is_protected)
    shown = {
        row.dimensions: row.metrics[0] for row in result.rows if not (row.is_other or row.is_hidden)
    }
    parts = parts_of(part)
    for number in range(len(parts)):
        wider = joined([*parts[:number], *parts[number + 1 :]])
        more = answer(stage.store, dataclasses.replace(query, filters=wider))
        for dimensions, visitors in shown.items():
            if visitors:
                (others,) = more[dimensions]
                difference = int(others or 0) - int(visitors)
                assert difference == 0 or difference >= k, (dimensions, parts[number])


@given(query=queries(), part=several(), k=st.integers(2, 25), data=st.data())
@SLOW
def test_a_condition_hides_the_same_however_often_it_is_said(stage, query, part, k, data):
    parts = [*(part.parts if isinstance(part, Every) else (part,))]
    told = data.draw(st.permutations([*parts, *parts]))
    query = dataclasses.replace(query, metrics=("visitors",), filters=part)
    once = stage.ask(query, k=k)
    twice = stage.ask(dataclasses.replace(query, filters=joined(told)), k=k)
    shown = {row for row in once.rows if not (row.is_other or row.is_hidden)}
    assert {row for row in twice.rows if not (row.is_other or row.is_hidden)} == shown


@given(query=queries(), part=several(), k=st.integers(2, 25))
@SLOW
def test_a_sample_hides_what_all_rows_hide(stage, query, part, k):
    query = dataclasses.replace(query, metrics=("visitors", "percentage"), filters=part)
    wanted = stage.ask(query, k=k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(differences, "SAMPLE", 150)
        assert stage.ask(query, k=k) == wanted


@given(part=several(), k=st.integers(2, 25))
@SLOW
def test_a_page_hides_what_its_questions_hide(stage, part, k):
    period, names = Period(FIRST, LAST), ("visit:source", "event:page", "visit:entry_page")
    with entered(stage.client):
        page = run_overview(stage.site, period, None, part, names, k=k, limit=100)
    for name in names:
        rows = stage.ask(Query(("visitors",), FIRST, LAST, (name,), part), k=k).rows
        wanted = {row.dimensions[0]: row.metrics[0] for row in rows if not row.is_other}
        panel = page.panels[name].rows
        assert {row.value: row.visitors for row in panel if not row.is_other} == wanted
        others = [row.metrics[0] for row in rows if row.is_other]
        assert [None if row.is_hidden else row.visitors for row in panel if row.is_other] == others
    days = stage.ask(Query(("visitors",), FIRST, LAST, ("time:day",), part), k=k).rows
    found = {f"{p.starts_at:%Y-%m-%d}": None if p.is_hidden else p.totals for p in page.now.series}
    for row in days:
        totals = found[row.dimensions[0]]
        assert (totals.visitors if totals else None) == row.metrics[0]


@pytest.fixture(scope="module")
def village(new_client) -> Client:
    """A thousand visitors: one of GB LA1, who came by a letter; nobody else did."""
    client: Client = new_client("village", timezone_name="Europe/London")
    site, at = site_of(client), dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
    hits = [
        hit(
            client.pk,
            site.pk,
            at + dt.timedelta(seconds=number),
            number,
            outcode="GB EC1" if number else "GB LA1",
            source="google" if number else "letter",
            language="en" if number else "",
            country="GB" if number % 2 == 0 else "IN",
            path="/a" if number % 3 else "/b",
        )
        for number in range(1_000)
    ]
    store_hits(client, hits, zones=site_zones(client))
    return client


NOT_LA1 = Condition("is_not", "visit:outcode", ("GB LA1",))
GB = Condition("is", "visit:country", ("GB",))
NOT_LETTER = Condition("is_not", "visit:source", ("letter",))


@pytest.mark.parametrize(
    "shield",
    [
        NOT_LETTER,
        Condition("matches_not", "visit:source", ("^letter$",)),
        Condition("contains_not", "visit:source", ("ett",)),
        Negated(Either((Condition("is", "visit:source", ("letter",)),))),
        Condition("is", "visit:language", ("en",)),
    ],
)
@pytest.mark.parametrize("sample", [differences.SAMPLE, 100])
def test_saying_it_in_other_words_as_well_shields_nobody(village, shield, sample, monkeypatch):
    monkeypatch.setattr(differences, "SAMPLE", sample)
    site, day = site_of(village), dt.date(2026, 11, 3)
    query = Query(("visitors",), day, day, (), Every((GB, NOT_LETTER, shield)))
    with entered(village):
        (row,) = run_query(site, query, k=K, now=NOW).rows
    assert row.is_hidden


@pytest.mark.parametrize(
    ("part", "dimensions"),
    [
        (NOT_LA1, ()),
        (Negated(Condition("is", "visit:outcode", ("GB LA1",))), ("time:day",)),
        (both(GB, NOT_LETTER), ()),
        (both(GB, Negated(Either((Condition("is", "visit:source", ("letter", "x")),)))), ()),
        (Condition("is_not", "visit:outcode", ("GB LA1", "GB EC2")), ()),
    ],
)
def test_everybody_but_one_is_not_told(village, part, dimensions):
    site, day = site_of(village), dt.date(2026, 11, 3)
    with entered(village):
        query = Query(("visitors", "visits", "percentage"), day, day, dimensions, part)
        result = run_query(site, query, k=K, now=NOW)
    assert all(row.is_hidden for row in result.rows)


def test_a_share_does_not_tell_a_hidden_whole(village):
    site, day = site_of(village), dt.date(2026, 11, 3)
    query = Query(("visitors", "percentage"), day, day, ("visit:language",), NOT_LA1)
    with entered(village):
        (row,) = run_query(site, query, k=K, now=NOW).rows
    # The one of GB LA1 has no language: the row is told, but not its share of a hidden whole.
    assert (row.dimensions, row.metrics) == (("en",), (999, None))


def test_too_many_conditions_tell_nothing(village):
    site, day = site_of(village), dt.date(2026, 11, 3)
    parts = tuple(Condition("is_not", "visit:outcode", (f"GB E{n}",)) for n in range(25))
    with entered(village):
        result = run_query(site, Query(("visitors",), day, day, (), Every(parts)), k=K, now=NOW)
    assert result.rows[0].is_hidden


def test_hits_of_a_visit_are_a_cross_like_two_dimensions(village):
    site, day = site_of(village), dt.date(2026, 11, 3)
    one, other = (Done(Condition("is", "event:page", (page,))) for page in ("/a", "/b"))
    for part, protected in ((one, False), (both(one, other), True), (Every((one, GB)), True)):
        with entered(village):
            result = run_query(site, Query(("visitors",), day, day, (), part), k=K, now=NOW)
        assert result.is_protected is protected


def test_what_the_folded_would_tell_hides_them():
    sizes = [3, 9, 9, 9]
    kept, folded, hidden = pick_small(sizes, lambda which: sum(sizes[n] for n in which), 5)
    assert (kept, folded, hidden) == ([2, 3], [0, 1], False)

    def tells(which):
        return set(which) == {0, 1}

    found = pick_small(sizes, lambda which: sum(sizes[n] for n in which), 5, tells=tells)
    assert found == ([3], [0, 1, 2], False)
    assert pick_small(sizes, len, 5, tells=lambda _: True) == ([], [], True)
