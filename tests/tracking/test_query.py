"""The query engine against a recount of raw rows, and what it must not tell."""

import dataclasses
import datetime as dt
import zoneinfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.models import Client, Site
from tenants.schemas import entered
from tests.tracking.query_recount import Store, answer, load
from tests.tracking.query_strategies import (
    FIRST,
    LAST,
    NOW,
    TIMEZONE,
    make_query_client,
    queries,
)
from tracking.query import run
from tracking.query.model import DIMENSIONS, Query, Result
from tracking.query.run import run_query

ENOUGH = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Stage:
    """Not a dataclass, whose thousands of rows hypothesis would print."""

    def __init__(self, client: Client, site: Site, store: Store) -> None:
        self.client, self.site, self.store = client, site, store

    def ask(self, query: Query, *, k: int = 1) -> Result:
        with entered(self.client):
            return run_query(self.site, query, k=k, now=NOW)


@pytest.fixture(scope="module")
def stage(new_client):
    client, site = make_query_client(new_client)
    return Stage(client, site, load(client, site))


def as_told(result: Result) -> dict[tuple[str, ...], object]:
    assert len({row.dimensions for row in result.rows}) == len(result.rows) == result.total_rows
    return {row.dimensions: pytest.approx(row.metrics) for row in result.rows}


@given(query=queries())
@ENOUGH
def test_any_question_has_the_answer_of_a_recount(stage, query):
    assert as_told(stage.ask(query)) == answer(stage.store, query)


@given(query=queries(), hour=st.integers(1, 23))
@ENOUGH
def test_a_question_that_ends_within_a_day_has_the_answer_of_a_recount(stage, query, hour):
    ends = dt.datetime.combine(query.ends_on, dt.time(hour), zoneinfo.ZoneInfo(TIMEZONE))
    query = dataclasses.replace(query, ends_before=ends.astimezone(dt.UTC))
    assert as_told(stage.ask(query)) == answer(stage.store, query)


@given(query=queries(with_filters=False, most_dimensions=1))
@ENOUGH
def test_rollups_and_raw_rows_answer_alike(stage, query):
    wanted = stage.ask(query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "stored_dimension", lambda *_: None)
        found = stage.ask(query)
    assert found.from_raw
    assert not wanted.from_raw or "scroll_depth" in query.metrics or is_unstored(query)
    told = {row.dimensions: row.metrics for row in wanted.rows}
    assert told.keys() == {row.dimensions for row in found.rows}
    for row in found.rows:
        for one, other in zip(row.metrics, told[row.dimensions], strict=True):
            # Sketches of more than 190 visitors are estimates.
            assert (one is None) == (other is None)
            assert one is None or one == pytest.approx(other, rel=0.05)


def is_unstored(query: Query) -> bool:
    return any(each.startswith(("event:props:", "event:hostname")) for each in query.dimensions)


STEPS = ("", "time:hour", "time:day")


@pytest.mark.parametrize("name", [name for name in DIMENSIONS if DIMENSIONS[name].stored])
def test_every_rollup_has_the_answers_of_a_recount(stage, name):
    metrics = ("visits", "pageviews", "events", "bounce_rate", "visit_duration", "engaged_time")
    for step in STEPS:
        dimensions = (name, step) if step else (name,)
        query = Query(metrics, FIRST, LAST, dimensions)
        result = stage.ask(query)
        assert not result.from_raw
        assert as_told(result) == answer(stage.store, query)
