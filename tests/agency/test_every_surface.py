"""One number on every surface: page, file, API, and a recount from the raw rows."""

import csv
import datetime as dt
import io
import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agency import figures
from agency.report_rows import metric_words
from agency.report_tables import SPEC_OF, TOTALS
from tenants.api_keys import create_api_key
from tenants.models import Client, PrivacySettings, Role, Site
from tests.agency.delivery_stage import browser_of, person
from tests.agency.test_report_page import figures_of, rows_of
from tests.tracking.query_recount import Store, answer, load
from tests.tracking.query_strategies import FIRST, LAST, NOW, filters, make_query_client
from tracking.analysis.definitions import save_goal
from tracking.analysis.goals import Rule
from tracking.api.replies import told
from tracking.models import GoalKind
from tracking.query.model import Filter, Query
from tracking.query.text import filter_json, filter_texts
from tracking.reports.periods import Period

MODEST = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
GOALS = (
    Rule("Page", GoalKind.PAGE, "/p1"),
    Rule("Event", GoalKind.EVENT, "n1"),
    Rule("Long", GoalKind.ENGAGED, least=40),
    Rule("London", GoalKind.OUTCODE, "SW1A, EC*"),
)
TABLES = (
    ("sources", "sources", "visit:source"),
    ("places", "countries", "visit:country"),
    ("pages", "pages", "event:page"),
)
"""Panel, table and dimension."""


class Surfaces:
    """A client's page, files and API; not a dataclass, whose rows hypothesis would print."""

    def __init__(self, client: Client, site: Site, store: Store) -> None:
        self.client, self.site, self.store = client, site, store
        self.host = client.domains.get(is_primary=True).domain
        with time_machine.travel(NOW, tick=False):
            user = person("manager@surfaces.example", client, Role.MANAGER)
            self.browser = browser_of(client, user)
            _, self.secret = create_api_key(client, name="Tests", acting_user="tests")

    def get(self, path: str, period: Period, part: Filter | None) -> Any:
        pairs = [("from", period.starts_on.isoformat()), ("to", period.ends_on.isoformat())]
        pairs += [("f", text) for text in filter_texts(part)]
        with time_machine.travel(NOW, tick=False):
            reply = self.browser.get(f"/sites/{self.site.pk}/{path}?{urlencode(pairs)}&head=no")
            assert reply.status_code == 200, reply.content.decode()[-600:]
            return reply

    def page(self, path: str, period: Period, part: Filter | None) -> str:
        return str(self.get(path, period, part).content.decode())

    def file(self, table: str, period: Period, part: Filter | None) -> list[list[str]]:
        text = b"".join(self.get(f"export/{table}.csv", period, part).streaming_content).decode()
        rows = list(csv.reader(io.StringIO(text)))[1:]
        return rows[: rows.index([])] if [] in rows else rows

    def api(self, period: Period, part: Filter | None, metrics: Any, dimensions: Any) -> Any:
        body = {
            "site_id": self.site.key,
            "metrics": list(metrics),
            "date_range": [period.starts_on.isoformat(), period.ends_on.isoformat()],
            "dimensions": list(dimensions),
            "filters": filter_json(part),
        }
        headers = {"host": self.host, "Authorization": f"Bearer {self.secret}"}
        cache.clear()
        with time_machine.travel(NOW, tick=False):
            reply: Any = Browser(headers=headers).post(
                "/api/v1/query", json.dumps(body), content_type="application/json"
            )
        assert reply.status_code == 200, reply.content
        return [(row["dimensions"], row["metrics"]) for row in reply.json()["results"]]

    def recount(
        self, period: Period, part: Filter | None, metrics: Any, *dimensions: str
    ) -> dict[tuple[str, ...], tuple[int | float | None, ...]]:
        query = Query(tuple(metrics), period.starts_on, period.ends_on, dimensions, part)
        return answer(self.store, query)


@pytest.fixture(scope="module")
def surfaces(new_client) -> Surfaces:
    client, site = make_query_client(new_client)
    for rule in GOALS:
        save_goal(client, site, rule, now=NOW, acting_user="the tests")
    return Surfaces(client, site, load(client, site))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    days = (LAST - FIRST).days
    start = draw(st.integers(0, days))
    end = draw(st.integers(start, days))
    return Period(FIRST + dt.timedelta(days=start), FIRST + dt.timedelta(days=end))


def as_cells(metrics: Any) -> list[str]:
    """Metrics as a file has them: two places at most, nothing where they are hidden."""
    return [
        "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"
        for value in metrics
    ]


def rounded(metrics: tuple[str, ...], values: Any) -> list[Any]:
    return [told(name, value) for name, value in zip(metrics, values, strict=True)]


@given(period=periods(), part=filters(), k=st.sampled_from([5, 9, 20]))
@MODEST
def test_page_file_and_api_have_the_numbers_of_a_recount(surfaces, period, part, k):
    PrivacySettings.objects.filter(client=surfaces.client).update(k_threshold=k)
    page = surfaces.page("", period, part)
    check_totals(surfaces, page, period, part, k)
    check_days(surfaces, period, part)
    for panel, table, dimension in TABLES:
        check_table(surfaces, page, period, part, (panel, table, dimension))


def check_totals(
    surfaces: Surfaces, page: str, period: Period, part: Filter | None, k: int
) -> None:
    ((_, told_totals),) = surfaces.api(period, part, TOTALS, ())
    (totals,) = surfaces.recount(period, part, TOTALS).values()
    if told_totals[0] is None:
        assert set(told_totals) == {None}
        assert totals[0], "nobody is never hidden"
        words = [figures.fewer_than(k), *[figures.NO_FIGURE] * (len(TOTALS) - 1)]
    else:
        assert told_totals == rounded(TOTALS, totals)
        words = [metric_words(*each) for each in zip(TOTALS, totals, strict=True)]
    assert list(figures_of(page).values()) == words


def check_days(surfaces: Surfaces, period: Period, part: Filter | None) -> None:
    asked = {dims[0]: metrics for dims, metrics in surfaces.api(period, part, TOTALS, ["time:day"])}
    counted = surfaces.recount(period, part, TOTALS, "time:day")
    rows = surfaces.file("days", period, part)
    assert [row[0] for row in rows] == [day.isoformat() for day in period.dates()]
    for day, *cells in rows:
        if day not in asked:
            assert (day,) not in counted
            assert cells[:3] == ["0", "0", "0"]
        elif asked[day][0] is None:
            assert cells == [""] * len(TOTALS)
            assert counted[day,][0]
        else:
            assert asked[day] == rounded(TOTALS, counted[day,])
            assert cells == as_cells(counted[day,])


def check_table(
    surfaces: Surfaces,
    page: str,
    period: Period,
    part: Filter | None,
    names: tuple[str, str, str],
) -> None:
    panel, table, dimension = names
    metrics = SPEC_OF[table].metrics
    asked = surfaces.api(period, part, metrics, [dimension])
    counted = surfaces.recount(period, part, metrics, dimension)
    rows = surfaces.file(table, period, part)
    assert len(rows) == len(asked)
    shown = []
    for (value,), told_metrics in asked:
        own = counted.get(("" if value == "Direct / None" else value,))
        if value != "(other)":
            assert own is not None
            assert told_metrics == rounded(metrics, own)
        shown.append(told_metrics)
    for row, told_metrics, (value, *_) in zip(rows, shown, (a[0] for a in asked), strict=True):
        if told_metrics[0] is None:
            assert row[1:] == [""] * len(metrics)
        else:
            assert row[1] == str(told_metrics[0]), value
    first = [m[0] for (value,), m in asked if value != "(other)"][:9]
    others = [m[0] for (value,), m in asked if value == "(other)"]
    cells = list(rows_of(page, panel).values()) if asked else []
    wanted = ["" if each is None else figures.number(each) for each in [*first, *others]]
    if panel == "places":
        wanted = ["" if m[0] is None else figures.number(m[0]) for _, m in asked]
    assert [cell[0] for cell in cells] == wanted


@given(period=periods(), part=filters(), k=st.sampled_from([5, 9, 20]))
@MODEST
def test_goals_are_the_same_on_their_page_in_the_panel_and_in_the_api(surfaces, period, part, k):
    PrivacySettings.objects.filter(client=surfaces.client).update(k_threshold=k)
    metrics = ("visitors", "conversion_rate")
    asked = {dims[0]: m for dims, m in surfaces.api(period, part, metrics, ["event:goal"])}
    page = surfaces.page("goals/", period, part)
    panel = rows_of(surfaces.page("panel/goals/", period, part), "goals")
    file = {row[0]: row[1:] for row in surfaces.file("goals", period, part)}
    assert asked.keys() == panel.keys() == file.keys() == {rule.name for rule in GOALS}
    found = re.findall(
        r'class="over is-stacked"><a [^>]*>([^<]*)</a>.*?data-words="Visitors">([^<]*)<',
        page,
        flags=re.DOTALL,
    )
    on_page = {unescape(name): words for name, words in found}
    for name, (visitors, _rate) in asked.items():
        words = figures.fewer_than(k) if visitors is None else figures.number(visitors)
        assert on_page[name] == panel[name][0] == words, name
        assert file[name][0] == ("" if visitors is None else str(visitors))
