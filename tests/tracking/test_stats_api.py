"""The statistics API: keys, questions, answers, errors."""

import datetime as dt
import json
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings

from tenants.api_keys import ApiKeyError, create_api_key, find_api_key, revoke_api_key
from tenants.clients import new_site_key
from tenants.models import ApiKey, AuditEntry, Client, PrivacySettings, Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.query_strategies import NOW, TIMEZONE, make_query_client, queries
from tests.tracking.traffic import hit
from tracking.api.keys import REQUESTS
from tracking.api.replies import told
from tracking.api.words import DIRECT
from tracking.models import Segment
from tracking.query.asking import order_of
from tracking.query.model import DIMENSIONS, METRICS, PROPS, TIMES, Query
from tracking.query.run import run_query
from tracking.query.text import filter_json
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

PROBLEM = "application/problem+json"


class Api:
    """A program with a key."""

    def __init__(self, client: Client, secret: str) -> None:
        host = client.domains.get(is_primary=True).domain
        self.browser = Browser(headers={"host": host})
        self.secret = secret

    def post(self, body: Any, **headers: str) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.secret}"} | headers
        with time_machine.travel(NOW, tick=False):
            return self.browser.post(
                "/api/v1/query", text, content_type="application/json", headers=headers
            )

    def get(self, path: str = "/api/v1/sites") -> Any:
        return self.browser.get(path, headers={"Authorization": f"Bearer {self.secret}"})


@pytest.fixture(scope="module")
def asked_client(new_client):
    """A client with traffic; its threshold shows every row, but for the tests of it."""
    client, site = make_query_client(new_client)
    return client, site


@pytest.fixture
def api(asked_client):
    client, _ = asked_client
    _, secret = create_api_key(client, name="Tests", acting_user="tests")
    cache.clear()
    return Api(client, secret)


def body_of(site: Site, query: Query) -> dict[str, Any]:
    return {
        "site_id": site.key,
        "metrics": list(query.metrics),
        "date_range": [query.starts_on.isoformat(), query.ends_on.isoformat()],
        "dimensions": list(query.dimensions),
        "filters": filter_json(query.filters),
        "include": {"total_rows": True},
    }


def words(query: Query, row: Any) -> list[str]:
    """The row's values as the API should say them."""
    found = []
    for name, text in zip(query.dimensions, row.dimensions, strict=True):
        if row.is_other and not name.startswith("time"):
            found.append("(other)")
        else:
            found.append(text or DIRECT)
    return found


@given(query=queries())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_api_tells_what_the_engine_answers(asked_client, api, query):
    client, site = asked_client
    cache.clear()
    k = client.privacy.k_threshold
    with entered(client):
        wanted = run_query(site, query, k=k, now=NOW)
    reply = api.post(body_of(site, query))
    assert reply.status_code == 200, reply.content
    found = reply.json()
    assert found["results"] == [
        {
            "dimensions": words(query, row),
            "metrics": [
                told(name, value) for name, value in zip(query.metrics, row.metrics, strict=True)
            ],
        }
        for row in wanted.rows
    ]
    assert found["meta"]["total_rows"] == wanted.total_rows
    assert ("k_threshold" in found["meta"]) == wanted.is_protected
    assert found["query"]["filters"] == filter_json(query.filters)
    assert found["query"]["order_by"] == [list(each) for each in order_of(query)]


def ask(site: Site, **changes: Any) -> dict[str, Any]:
    """A question that can be answered, with changes; None takes a field out."""
    body = {"site_id": site.key, "metrics": ["visitors"], "date_range": "30d"} | changes
    return {name: value for name, value in body.items() if value is not None}


def test_a_site_is_known_by_its_key_or_by_any_host(asked_client, api):
    _, site = asked_client
    by_key = api.post(ask(site)).json()
    by_host = api.post(ask(site, site_id=site.main_host.upper())).json()
    assert by_key["results"] == by_host["results"]
    assert by_key["results"][0]["metrics"][0] > 100


@pytest.mark.parametrize(
    ("changes", "field", "remedy"),
    [
        ({"site_id": None}, "site_id", "one of its hosts"),
        ({"site_id": "www.elsewhere.example"}, "site_id", "GET /api/v1/sites"),
        ({"metrics": []}, "metrics", "Name at least one"),
        ({"metrics": "visitors"}, "metrics", "list"),
        ({"metrics": ["uniques"]}, "metrics", "use one of visitors"),
        ({"metrics": ["visitors", "visitors"]}, "metrics", "name it once"),
        ({"metrics": ["scroll_depth"]}, "metrics", "event:page"),
        ({"metrics": ["conversion_rate"]}, "metrics", "event:goal"),
        ({"date_range": None}, "date_range", "30d"),
        ({"date_range": "fortnight"}, "date_range", "7d"),
        ({"date_range": ["2026-02-30", "2026-03-01"]}, "date_range", "no date"),
        ({"date_range": ["2026-03-02", "2026-03-01"]}, "date_range", "exchange"),
        ({"date_range": ["2000-01-01", "2026-03-01"]}, "date_range", "shorter"),
        (
            {"date_range": ["2026-11-01T12:30:00+00:00", "2026-11-01T13:00:00+00:00"]},
            "date_range",
            "full hours",
        ),
        (
            {"date_range": ["2026-11-01T12:00:00", "2026-11-01T13:00:00"]},
            "date_range",
            "offset",
        ),
        ({"dimensions": ["visit:shoe_size"]}, "dimensions", "use one of"),
        ({"dimensions": ["time:day", "time:hour"]}, "dimensions", "one time dimension"),
        ({"filters": [["is", "visit:source"]]}, "filters", "list of values"),
        ({"filters": [["equals", "visit:source", ["a"]]]}, "filters", "use one of"),
        ({"filters": [["is", "visit:nothing", ["a"]]]}, "filters", "visit:source"),
        ({"filters": [["is", "time:day", ["a"]]]}, "filters", "date range"),
        ({"filters": [["matches", "event:page", ["("]]]}, "filters", "regular expression"),
        ({"filters": [["matches", "event:props:a", ["["]]]}, "filters", "regular expression"),
        ({"filters": [["is", "segment", [99]]]}, "filters", "choose another"),
        ({"filters": [["is", "event:goal", ["Nope"]]]}, "filters", "no goal"),
        ({"filters": [["is", "event:page", ["a"], {"loud": True}]]}, "filters", "case_sensitive"),
        ({"order_by": [["visits", "desc"]]}, "order_by", "add it"),
        ({"order_by": [["visitors", "up"]]}, "order_by", "asc or desc"),
        ({"include": {"weather": True}}, "include", "time_labels"),
        ({"include": {"imports": 1}}, "include", "true or false"),
        ({"pagination": {"limit": 0}}, "pagination", "from 1"),
        ({"pagination": {"limit": True}}, "pagination", "whole number"),
        ({"pagination": {"page": 2}}, "pagination", "limit and offset"),
        ({"colour": "red"}, "body", "send only"),
        ({"\ud800": 1}, "body", "send only"),
        ({"metrics": ["\ud800"]}, "metrics", "use one of"),
        ({"dimensions": ["event:props:\ud800"]}, "dimensions", "use one of"),
        ({"dimensions": ["event:props:\0"]}, "dimensions", "use one of"),
        ({"filters": [["is", "visit:source", ["\ud800"]]]}, "filters", "write another"),
        ({"filters": [["is", "segment", ["7" * 5_000]]]}, "filters", "choose another"),
        ({"date_range": ["0001-01-01", "0001-01-02"]}, "date_range", "out of range"),
        ({"date_range": ["9999-12-30", "9999-12-31"]}, "date_range", "out of range"),
        (
            {"date_range": ["9998-12-31T00:00:00+00:00", "9998-12-31T23:59:59+00:00"]},
            "date_range",
            "out of range",
        ),
    ],
)
def test_an_error_names_the_field_and_the_remedy(asked_client, api, changes, field, remedy):
    _, site = asked_client
    reply = api.post(ask(site, **changes))
    assert reply.status_code == 400
    assert reply["Content-Type"] == PROBLEM
    problem = reply.json()
    assert problem["status"] == 400
    assert problem["errors"] == [{"field": field, "detail": problem["detail"]}]
    assert remedy in problem["detail"]
    assert problem["type"] == f"/api/v1/docs#problem-{problem['code']}"


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[]", 400), ("7", 400), ("[" * 5_000, 400), ('{"a": NaN}', 400), ("", 400)],
)
def test_what_is_no_question_is_refused(api, body, status):
    reply = api.post(body)
    assert reply.status_code == status
    assert reply["Content-Type"] == PROBLEM


def test_a_body_of_another_kind_or_length_is_refused(asked_client, api):
    _, site = asked_client
    too_long = api.post(ask(site, filters=[["is", "event:page", ["x" * 7_000] * 10]]))
    assert too_long.status_code == 413
    headers = {"Authorization": f"Bearer {api.secret}"}
    form = api.browser.post("/api/v1/query", {"site_id": site.key}, headers=headers)
    assert form.status_code == 415
    assert api.get("/api/v1/query").status_code == 405


def test_direct_visits_are_asked_for_and_told_by_their_name(asked_client, api):
    _, site = asked_client
    everything = api.post(ask(site, dimensions=["visit:source"])).json()["results"]
    direct = [row for row in everything if row["dimensions"] == [DIRECT]]
    filtered = api.post(ask(site, filters=[["is", "visit:source", [DIRECT]]])).json()["results"]
    assert len(direct) == 1
    assert direct[0]["metrics"] == filtered[0]["metrics"]


def test_pages_of_rows_follow_each_other(asked_client, api):
    _, site = asked_client
    body = ask(site, dimensions=["event:page"], metrics=["visitors", "pageviews"])
    whole = api.post(body | {"include": {"total_rows": True}}).json()
    rows = []
    for offset in range(0, whole["meta"]["total_rows"], 5):
        page = api.post(body | {"pagination": {"limit": 5, "offset": offset}}).json()
        assert len(page["results"]) <= 5
        rows += page["results"]
    assert rows == whole["results"]
    assert len(rows) == 12
    ordered = api.post(body | {"order_by": [["event:page", "asc"]]}).json()["results"]
    assert [row["dimensions"] for row in ordered] == sorted(row["dimensions"] for row in rows)


def test_time_labels_name_every_day_and_hour(asked_client, api):
    _, site = asked_client
    body = ask(
        site,
        date_range=["2026-10-25", "2026-11-03"],
        dimensions=["time:day"],
        include={"time_labels": True},
    )
    found = api.post(body).json()
    assert found["meta"]["time_labels"] == [f"2026-10-{day}" for day in range(25, 32)] + [
        f"2026-11-0{day}" for day in range(1, 4)
    ]
    days = [row["dimensions"][0] for row in found["results"]]
    assert days == sorted(days)
    assert set(days) < set(found["meta"]["time_labels"])
    body |= {"date_range": ["2026-11-01", "2026-11-01"], "dimensions": ["time:hour"]}
    labels = api.post(body).json()["meta"]["time_labels"]
    assert len(labels) == 24, "the hour that comes twice has one name"
    assert labels[:2] == ["2026-11-01 00:00:00", "2026-11-01 01:00:00"]


def test_named_ranges_end_today_on_the_sites_clock(asked_client, api):
    _, site = asked_client
    wanted = {
        "day": ("2026-11-20", "2026-11-20"),
        "7d": ("2026-11-14", "2026-11-20"),
        "28d": ("2026-10-24", "2026-11-20"),
        "30d": ("2026-10-22", "2026-11-20"),
        "91d": ("2026-08-22", "2026-11-20"),
        "month": ("2026-11-01", "2026-11-20"),
        "6mo": ("2026-06-01", "2026-11-20"),
        "12mo": ("2025-12-01", "2026-11-20"),
        "year": ("2026-01-01", "2026-11-20"),
        "all": ("2026-10-30", "2026-11-20"),
    }
    for name, (first, last) in wanted.items():
        told_range = api.post(ask(site, date_range=name)).json()["query"]["date_range"]
        assert [each[:10] for each in told_range] == [first, last], name
        assert told_range[1][10:] == "T23:59:59-05:00"


def test_hours_are_counted_as_asked_for(asked_client, api):
    _, site = asked_client
    hours = ["2026-10-31T10:00:00-04:00", "2026-10-31T13:59:59-04:00"]
    metrics = ["visits", "pageviews"]
    found = api.post(ask(site, date_range=hours, metrics=metrics)).json()
    day = ask(
        site,
        date_range=["2026-10-31", "2026-10-31"],
        metrics=metrics,
        dimensions=["time:hour"],
    )
    rows = api.post(day).json()["results"]
    inside = [row for row in rows if "10:00" <= row["dimensions"][0][11:16] <= "13:00"]
    sums = [sum(row["metrics"][number] for row in inside) for number in range(2)]
    assert found["results"][0]["metrics"] == sums
    assert sums[1] > 0
    filtered = api.post(
        ask(site, date_range=hours, metrics=metrics, filters=[["matches", "event:page", ["."]]])
    ).json()
    assert filtered["results"][0]["metrics"][1] == sums[1]
    last_day = api.post(ask(site, date_range="24h")).json()["query"]["date_range"]
    assert last_day == ["2026-11-19T08:00:00-05:00", "2026-11-20T07:59:59-05:00"]


def test_a_segment_stands_for_its_filters(asked_client, api):
    client, site = asked_client
    filters = [["is", "visit:device", ["phone"]], ["has_not_done", ["is", "event:page", ["/p1"]]]]
    with entered(client):
        segment = Segment.objects.create(
            site_id=site.pk, name="Phones", filters=filters, created_at=NOW
        )
    metrics = ["visitors", "visits"]
    by_segment = api.post(ask(site, metrics=metrics, filters=[["is", "segment", [segment.pk]]]))
    assert (
        by_segment.json()["results"]
        == (api.post(ask(site, metrics=metrics, filters=filters)).json()["results"])
    )
    assert by_segment.json()["query"]["filters"] == filters


def test_a_range_beyond_the_raw_rows_is_warned_of(asked_client, api):
    client, site = asked_client
    PrivacySettings.objects.filter(client=client).update(hits_retention_days=10)
    try:
        crossed = ask(site, dimensions=["visit:source", "visit:os"])
        warnings = api.post(crossed).json()["meta"]["metric_warnings"]
        assert "2026-11-11 only" in warnings["visitors"]["warning"]
        assert "metric_warnings" not in api.post(ask(site)).json()["meta"]
        assert "metric_warnings" not in api.post(crossed | {"date_range": "7d"}).json()["meta"]
    finally:
        PrivacySettings.objects.filter(client=client).update(hits_retention_days=759)


# --- keys


def test_a_key_is_worth_nothing_at_another_client(asked_client, api, client_b):
    _, secret_b = create_api_key(client_b, name="B", acting_user="tests")
    client, site = asked_client
    for key, host in ((api.secret, client_b), (secret_b, client)):
        reply = Api(host, key).post(ask(site))
        assert reply.status_code == 401
        assert reply["Content-Type"] == PROBLEM
        assert reply["WWW-Authenticate"].startswith("Bearer")
        assert site.name not in reply.content.decode()
    assert Api(client_b, secret_b).post(ask(site)).json()["errors"][0]["field"] == "site_id"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer nothing", "Basic abc", "Bearer " + "x" * 300]
)
def test_without_a_good_key_there_is_no_answer(asked_client, api, header):
    _, site = asked_client
    reply = api.post(ask(site), Authorization=header)
    assert reply.status_code == 401
    assert reply["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_or_expired_key_is_refused(asked_client):
    client, site = asked_client
    key, secret = create_api_key(client, name="Short", acting_user="tests")
    api = Api(client, secret)
    assert api.post(ask(site)).status_code == 200
    assert revoke_api_key(key, acting_user="tests")
    assert not revoke_api_key(key, acting_user="tests")
    assert api.post(ask(site)).status_code == 401
    _, secret = create_api_key(
        client,
        name="Ends",
        acting_user="tests",
        expires_at=NOW + dt.timedelta(hours=1),
        now=NOW - dt.timedelta(days=1),
    )
    assert find_api_key(secret, client, now=NOW) is not None
    assert find_api_key(secret, client, now=NOW + dt.timedelta(hours=1)) is None
    acts = AuditEntry.objects.filter(client_id=client.pk, details__key=key.pk)
    assert set(acts.values_list("act", flat=True)) == {"api_key.create", "api_key.revoke"}


def test_only_a_hash_of_the_secret_is_kept(asked_client):
    client, _ = asked_client
    key, secret = create_api_key(client, name="Hash", acting_user="tests")
    stored = ApiKey.objects.filter(pk=key.pk).values().get()
    assert secret not in json.dumps(stored, default=str)
    assert len(key.prefix) < len(secret) / 2
    entries = AuditEntry.objects.filter(client_id=client.pk).values_list("details", flat=True)
    assert secret not in json.dumps(list(entries))


def test_the_last_use_is_noted_once_a_minute(asked_client):
    client, _ = asked_client
    key, secret = create_api_key(client, name="Used", acting_user="tests", now=NOW)
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (90, 60)):
        find_api_key(secret, client, now=NOW + dt.timedelta(seconds=seconds))
        key.refresh_from_db()
        assert key.last_used_at == NOW + dt.timedelta(seconds=noted)


def test_a_key_of_some_sites_sees_no_other(new_client):
    client = new_client()
    first = site_of(client)
    second = Site.objects.create(
        client=client, key=new_site_key(), name="Second", hosts=["second.example"]
    )
    _, secret = create_api_key(client, name="One", acting_user="tests", sites=[second.pk])
    api = Api(client, secret)
    assert [each["id"] for each in api.get().json()["sites"]] == [second.key]
    assert api.post(ask(second)).status_code == 200
    assert api.post(ask(first)).json()["errors"][0]["field"] == "site_id"
    _, secret = create_api_key(client, name="All", acting_user="tests")
    assert len(Api(client, secret).get().json()["sites"]) == 2
    with pytest.raises(ApiKeyError, match="not a site of this client"):
        create_api_key(client, name="Theirs", acting_user="tests", sites=[999_999])


def test_a_key_may_ask_so_often_in_an_hour(asked_client, api, monkeypatch):
    _, site = asked_client
    reply = api.post(ask(site))
    assert reply["RateLimit-Limit"] == str(REQUESTS) == "600"
    assert reply["RateLimit-Remaining"] == "599"
    for _ in range(599):
        assert api.post("{").status_code == 400
    reply = api.post(ask(site))
    assert reply.status_code == 429
    assert reply["Content-Type"] == PROBLEM
    assert 0 < int(reply["Retry-After"]) <= 3601
    assert reply["RateLimit-Remaining"] == "0"
    other = create_api_key(asked_client[0], name="Another", acting_user="tests")[1]
    assert Api(asked_client[0], other).post(ask(site)).status_code == 200


# --- the threshold


def test_crosses_and_outcodes_of_few_visitors_are_folded_in_the_api_too(new_client):
    client = new_client(timezone_name=TIMEZONE)
    site = site_of(client)
    hits = []
    for number, (country, outcode, count) in enumerate(
        [("GB", "GB SW1A", 9), ("GB", "GB N1", 3), ("IE", "GB EC1", 2), ("FR", "", 2)]
    ):
        for visitor in range(count):
            at = NOW - dt.timedelta(minutes=visitor)
            hits.append(
                hit(
                    client.pk,
                    site.pk,
                    at,
                    number * 100 + visitor,
                    country=country,
                    outcode=outcode,
                    source="google",
                    browser="Firefox",
                )
            )
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=NOW)
    PrivacySettings.objects.filter(client=client).update(k_threshold=4)
    _, secret = create_api_key(client, name="k", acting_user="tests")
    api = Api(client, secret)

    def rows(**changes: Any) -> list[tuple[list[str], list[Any]]]:
        found = api.post(ask(site, **changes)).json()
        return [(row["dimensions"], row["metrics"]) for row in found["results"]]

    google = [["is", "visit:source", ["google"]]]
    assert rows(dimensions=["visit:country"]) == [(["GB"], [12]), (["FR"], [2]), (["IE"], [2])]
    assert rows(dimensions=["visit:outcode"]) == [(["GB SW1A"], [9]), (["(other)"], [5])]
    crossed = [(["GB", "google"], [12]), (["(other)", "(other)"], [4])]
    assert rows(dimensions=["visit:country", "visit:source"]) == crossed
    assert rows(dimensions=["visit:country"], filters=google) == [
        (["GB"], [12]),
        (["(other)"], [4]),
    ]
    few = [["is", "visit:outcode", ["GB N1"]]]
    assert rows(filters=few) == [([], [None])]
    assert rows(filters=few, dimensions=["time:day"]) == [(["2026-11-20"], [None])]
    french = [["is", "visit:country", ["FR"]]]
    assert rows(filters=french) == [([], [2])]
    assert rows(filters=[*french, *google]) == [([], [None])]
    assert rows(filters=french, dimensions=["visit:browser"]) == [(["(other)"], [None])]


# --- the reference


@pytest.mark.parametrize("person", ["manager_a", "viewer_a", "agency_owner"])
def test_members_read_the_reference_and_the_schema(client_a, request, person):
    user = request.getfixturevalue(person)
    browser = Browser(headers={"host": "alpha.localhost"})
    assert browser.get("/api/v1/docs").status_code == 302
    browser.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    session = browser.session
    session["outward_host"] = "alpha.localhost"
    session.save()
    page = browser.get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    for name in (*METRICS, *DIMENSIONS, *TIMES, PROPS):
        assert name in text, name
    assert "POST /api/v1/query" in text
    schema = browser.get("/api/v1/schema").json()
    assert schema["openapi"].startswith("3.")
    assert set(schema["paths"]) == {"/api/v1/query", "/api/v1/sites"}
    assert schema["paths"]["/api/v1/query"]["post"]["security"] == [{"key": []}]
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
