"""The overview without a browser: its numbers, what it leaves out, its tables and forms."""

import dataclasses
import datetime as dt
import json
import random
import re
import zoneinfo
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agency.report_panels import PANELS
from agency.report_rows import metric_words
from agency.report_tables import SPEC_OF, TOTALS
from agency.shared import let_in
from agency.wording import locale_of, period_words
from tenants.models import Client, Role, Section, Site
from tenants.schemas import entered
from tests.agency.delivery_stage import browser_of, person
from tests.conftest import site_of
from tests.tracking.analysed import busy_hits
from tracking.analysis.annotations import save_annotation
from tracking.analysis.definitions import save_goal
from tracking.analysis.goals import Rule
from tracking.delivery.links import create_link
from tracking.models import GoalKind
from tracking.query.model import Query
from tracking.query.run import run_query
from tracking.query.text import parse_filters
from tracking.reports.periods import Period, Preset, site_today
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

URLCONF = "agency.urls_client"
K = 5


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    """A client with traffic of four weeks, a goal and a remark."""
    client = new_client("overview", timezone_name="Europe/London")
    site, now = site_of(client), timezone.now()
    hits = busy_hits(
        random.Random(7), client, site.pk, now - dt.timedelta(days=27), hours=400, visitors=400
    )
    hits = [each for each in hits if each.at_us < now.timestamp() * 1_000_000]
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    save_goal(client, site, Rule("Read a", GoalKind.PAGE, "/a"), now=now, acting_user="the tests")
    save_annotation(
        client,
        site,
        site_today(site, now) - dt.timedelta(days=3),
        "Sale began",
        now=now,
        acting_user="the tests",
        user_id=None,
    )
    return client


@pytest.fixture(scope="module")
def site(client) -> Site:
    return site_of(client)


@pytest.fixture(scope="module")
def manager(client) -> Browser:
    return browser_of(client, person("manager@overview.example", client, Role.MANAGER))


def page_of(browser: Browser, path: str, **headers: str) -> str:
    reply = browser.get(path, headers=headers or None)
    assert reply.status_code == 200, reply.content.decode()[:600]
    return reply.content.decode()


def text_of(html: str) -> str:
    words = re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(words).split())


def figures_of(html: str) -> dict[str, str]:
    """Totals of the page by their names."""
    found = {}
    for part in html.split('<div class="figure">')[1:]:
        name = re.search(r'<a class="choose"[^>]*>([^<]+)<', part)
        value = re.search(r'<span class="value">([^<]+)<', part)
        assert name
        assert value
        found[name[1]] = value[1]
    return found


def rows_of(html: str, panel: str) -> dict[str, list[str]]:
    """Rows of a panel: name and cells."""
    part = html.split(f'id="panel-{panel}"', 1)[1].split("</section>", 1)[0]
    body = part.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = {}
    for row in body.split("<tr")[1:]:
        name = re.search(r'<span class="words">(.*?)</span>', row)
        assert name
        rows[unescape(name[1])] = re.findall(r"<td>([^<]*)</td>", row)
    return rows


def ask(client: Client, metrics: tuple[str, ...], dimensions: tuple[str, ...], **more):
    site = site_of(client)
    period = Period.of(Preset.LAST_30_DAYS, site_today(site, timezone.now()))
    query = Query(metrics, period.starts_on, period.ends_on, dimensions, **more)
    with entered(client):
        return run_query(site, query, k=K, now=timezone.now())


NAMES = (
    *("Visitors", "Visits", "Page views", "Views per visit"),
    *("Bounce rate", "Visit duration", "Engaged time"),
)
FILTERS: tuple[list[str], ...] = (
    [],
    ["is,visit:country,GB"],
    ["is,visit:source,google,news.example"],
    ["is_not,visit:country,IN", "contains,event:page,/a"],
    ["is,event:goal,Read a"],
    ["is,visit:source,"],
)


@pytest.mark.parametrize("texts", FILTERS)
def test_numbers_of_the_page_are_those_of_the_query_engine(client, manager, texts):
    filters = parse_filters(texts)
    html = page_of(manager, "/?" + "&".join(f"f={text}" for text in texts))
    totals = ask(client, TOTALS, (), filters=filters).rows[0].metrics
    wanted = [metric_words(*each) for each in zip(TOTALS, totals, strict=True)]
    assert figures_of(html) == dict(zip(NAMES, wanted, strict=True))
    for panel, dimension in (
        *(("pages", "event:page"), ("sources", "visit:source")),
        *(("places", "visit:country"), ("events", "event:name")),
    ):
        result = ask(client, ("visitors", "percentage"), (dimension,), filters=filters)
        told = sorted(
            [metric_words("visitors", row.metrics[0]), metric_words("percentage", row.metrics[1])]
            for row in result.rows
            if not row.is_other
        )
        rows = {name: cells for name, cells in rows_of(html, panel).items() if name != "Other"}
        assert sorted(rows.values()) == told, panel


@pytest.mark.parametrize("texts", [[], ["is,visit:country,GB"]], ids=["all", "filtered"])
def test_a_period_that_ends_today_is_compared_up_to_the_hour(client, manager, site, texts):
    today = site_today(site, timezone.now())
    morning = dt.datetime.combine(today, dt.time(9, 10), zoneinfo.ZoneInfo(site.timezone))
    # The traffic begins 27 days ago and lasts 17: the day compared with has its share of it.
    period = Period(today - dt.timedelta(days=13), today)
    filters = "&".join(f"f={text}" for text in texts)
    query = f"/?from={period.starts_on}&to={period.ends_on}&{filters}"
    with time_machine.travel(morning, tick=False):
        html = page_of(manager, query)
        whole = page_of(manager, f"/?period=last-month&{filters}")
        custom = page_of(
            manager, f"{query}&compare=custom&compare_from=2026-01-01&compare_to=2026-01-07"
        )
    before = period.before()
    locale = locale_of(client.locale)
    words = f"compared with {period_words(before, locale)}, until 09:00"
    assert words in text_of(html)
    assert "until" not in text_of(whole).partition("compared with")[2][:60]
    assert "until" not in text_of(custom).partition("compared with")[2][:60]
    ends_before = dt.datetime.combine(before.ends_on, dt.time(9), zoneinfo.ZoneInfo(site.timezone))
    asked = Query(
        ("visits",),
        before.starts_on,
        before.ends_on,
        filters=parse_filters(texts),
        ends_before=ends_before.astimezone(dt.UTC),
    )
    with entered(client):
        result = run_query(site, asked, k=K, now=timezone.now())
        days = run_query(
            site, dataclasses.replace(asked, ends_before=None), k=K, now=timezone.now()
        )
    assert f"from {metric_words('visits', result.rows[0].metrics[0])}" in text_of(html)
    assert result.rows[0].metrics != days.rows[0].metrics


def test_the_series_in_the_page_adds_up_to_its_visits(client, manager, site):
    html = page_of(manager, "/?metric=visits&compare=year")
    found = re.search(r'<script id="series-data"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert sum(data["datasets"][0]["data"]) == ask(client, ("visits",), ()).rows[0].metrics[0]
    assert [each["kind"] for each in data["datasets"]] == ["now", "before"]
    assert data["annotations"] == [{"index": 26, "text": "Sale began"}]
    assert data["unfinished"]
    again = manager.get(reverse("series", URLCONF, args=[site.pk]) + "?metric=visits&compare=year")
    assert again.json() == data


@pytest.mark.parametrize(
    ("by", "points"), [("day", 30), ("week", 5)], ids=["days", "weeks of 30 days"]
)
def test_the_series_has_a_point_for_each_step(manager, site, by, points):
    reply = manager.get(reverse("series", URLCONF, args=[site.pk]) + f"?by={by}")
    assert len(reply.json()["labels"]) in {points, points + 1}


def test_a_bounce_rate_is_drawn_in_percent(manager, site):
    data = manager.get(reverse("series", URLCONF, args=[site.pk]) + "?metric=bounce_rate").json()
    assert data["unit"] == "percent"
    assert all(value is None or 0 <= value <= 100 for value in data["datasets"][0]["data"])


def test_the_map_has_every_country(client, manager, site):
    data = manager.get(reverse("countries", URLCONF, args=[site.pk])).json()
    rows = ask(client, ("visitors",), ("visit:country",)).rows
    found = dict(zip(data["labels"], data["datasets"][0]["data"], strict=True))
    assert found == {row.dimensions[0]: row.metrics[0] for row in rows}


QUERIES = {"unfiltered": 22, "filtered": 56}
"""Statements of one page, those of the session, the navigation and transactions included. When
the page needs more, look first whether it must; then write the new number here."""


@pytest.mark.parametrize(
    ("name", "query"), [("unfiltered", "/"), ("filtered", "/?f=is,visit:country,GB")]
)
def test_the_page_takes_no_more_queries_than_it_did(manager, name, query):
    page_of(manager, query)
    with CaptureQueriesContext(connection) as queries:
        page_of(manager, query)
    told = "\n".join(each["sql"][:160] for each in queries)
    assert len(queries) <= QUERIES[name], (
        f"{len(queries)} queries instead of {QUERIES[name]}: see QUERIES.\n{told}"
    )


def test_a_row_filters_and_filters_no_more(manager):
    html = page_of(manager, "/")
    assert 'href="?f=is%2Cvisit%3Acountry%2CGB"' in html
    filtered = page_of(manager, "/?f=is,visit:country,GB")
    chips = filtered.split('aria-label="Filters in force"', 1)[1].split("</ul>", 1)[0]
    assert "Country is United Kingdom" in text_of(chips)
    assert list(rows_of(filtered, "places")) == ["United Kingdom"]
    row = filtered.split('id="panel-places"', 1)[1].split("<tbody>", 1)[1]
    assert re.search(r'<a class="over" href="\?" aria-current="true">', row)


def test_each_tab_is_a_page_and_a_part_of_it(manager, site):
    for panel in PANELS:
        for key in panel.keys:
            html = page_of(manager, f"/?{panel.key}={key}")
            assert f"table/{key}/" in html or "empty" in html
            part = manager.get(
                reverse("panel", URLCONF, args=[site.pk, key]),
                headers={"HX-Request": "true", "HX-Current-URL": "http://overview.localhost/"},
            )
            assert part.status_code == 200
            assert f'id="panel-{panel.key}"' in part.content.decode()
            shown = "/" if key == panel.keys[0] else f"/?{panel.key}={key}"
            assert part["HX-Replace-Url"].rstrip("?") == shown


def test_a_filter_keeps_the_tabs_that_are_open_by_then(manager):
    reply = manager.get(
        "/?f=is,visit:country,GB&pages=pages",
        headers={
            "HX-Request": "true",
            "HX-Boosted": "true",
            "HX-Current-URL": "http://overview.localhost/?pages=exit-pages",
        },
    )
    assert reply["HX-Push-Url"] == "/?f=is%2Cvisit%3Acountry%2CGB&pages=exit-pages"
    assert "table/exit-pages/" in reply.content.decode()


def test_names_that_do_not_exist_are_told_and_left_out(manager):
    words = text_of(page_of(manager, "/?metric=love&pages=outcodes&f=is,event:goal,Nobody"))
    assert "Metric: there is none of that name" in words
    assert "Pages: there is none of that name" in words
    assert "Filters left out: this site has no goal of that name" in words


def test_who_may_see_some_sections_sees_no_others(client, site):
    def browser(*sections: Section) -> Browser:
        name = "-".join(sections)
        scope = {"all_sections": False, "sections": list(sections)}
        return browser_of(client, person(f"{name}@overview.example", client, Role.VIEWER, **scope))

    of_pages = browser(Section.PAGES)
    html = page_of(of_pages, "/")
    panels = set(re.findall(r'id="panel-(\w+)"', html))
    assert panels == {"pages", "events"}, "events: pages that are missing"
    assert figures_of(html) == {}
    assert "series-data" not in html
    for name, args in (
        *(("panel", ["outcodes"]), ("table", ["outcodes"]), ("panel", ["sources"])),
        *(("series", []), ("countries", [])),
    ):
        assert of_pages.get(reverse(name, URLCONF, args=[site.pk, *args])).status_code == 403
    options = page_of(of_pages, reverse("filter", URLCONF, args=[site.pk]))
    assert "event:page" in options
    assert "visit:outcode" not in options
    of_goals = browser(Section.FUNNELS)
    assert of_goals.get(f"/sites/{site.pk}/").status_code == 403
    assert of_goals.get("/")["Location"].startswith(f"/sites/{site.pk}/funnels/")


def test_a_filter_on_what_may_not_be_seen_is_left_out(client):
    scope = {"all_sections": False, "sections": [Section.OVERVIEW, Section.PAGES]}
    browser = browser_of(client, person("narrow@overview.example", client, Role.VIEWER, **scope))
    words = text_of(page_of(browser, "/?f=is,visit:outcode,SW1A&f=is,event:page,/a"))
    assert "Filter left out: Outcode is not open to you" in words
    assert "Page is /a" in words


def test_the_whole_table_is_searched_sorted_and_led_back_from(client, manager, site):
    address = reverse("table", URLCONF, args=[site.pk, "pages"])
    names = re.compile(r'<span class="over"><a href="[^"]*">([^<]*)</a>')
    result = ask(client, ("visitors",), ("event:page",)).rows
    assert names.findall(page_of(manager, address)) == [row.dimensions[0] for row in result]
    rising = names.findall(page_of(manager, f"{address}?sort=visitors"))
    counts = {row.dimensions[0]: row.metrics[0] for row in result}
    assert [counts[name] for name in rising] == sorted(counts.values())
    assert set(names.findall(page_of(manager, f"{address}?q=A/"))) == {"/a/1", "/a/2"}
    none = page_of(manager, f"{address}?q=nowhere")
    assert "No row has “nowhere” in its name" in text_of(none)
    assert f'href="/sites/{site.pk}/?f=is%2Cevent%3Apage%2C%2Fa"' in page_of(manager, address)
    assert f"/sites/{site.pk}/export/pages.csv" in page_of(manager, address)
    part = page_of(manager, f"{address}?q=a", **{"HX-Request": "true", "HX-Target": "div#rows"})
    assert part.lstrip().startswith('<div id="rows"')


@pytest.mark.parametrize("key", [key for key in SPEC_OF if key != "days"])
def test_every_table_has_its_page(manager, site, key):
    page_of(manager, reverse("table", URLCONF, args=[site.pk, key]))


def test_the_form_of_a_filter_offers_values_and_leads_back(manager, site):
    address = reverse("filter", URLCONF, args=[site.pk])
    form = page_of(manager, f"{address}?dimension=visit:country&period=7d")
    assert 'value="GB"' in form
    assert "United Kingdom (" in form
    sent = f"{address}?period=7d&dimension=visit:country&op=is&values=GB&values=IN&apply=yes"
    assert manager.get(sent)["Location"] == (
        f"/sites/{site.pk}/?period=7d&f=is%2Cvisit%3Acountry%2CGB%2CIN"
    )
    typed = f"{address}?dimension=event:page&op=contains&typed=/a%0A/b&apply=yes"
    assert manager.get(typed)["Location"].endswith("f=contains~%2Cevent%3Apage%2C%2Fa%2C%2Fb")
    empty = manager.get(f"{address}?dimension=event:page&op=is&apply=yes")
    assert empty.status_code == 422
    assert "Choose a value, or write one" in empty.content.decode()
    edited = page_of(manager, f"{address}?f=is,visit:country,GB,FR&edit=is,visit:country,GB,FR")
    assert re.search(r'value="GB"[^>]*checked', edited)
    assert ">FR</textarea>" in edited.replace("\n", "")
    changed = manager.get(
        f"{address}?f=is,visit:country,GB&edit=is,visit:country,GB"
        "&dimension=visit:country&op=is_not&values=GB&apply=yes"
    )
    assert changed["Location"] == f"/sites/{site.pk}/?f=is_not%2Cvisit%3Acountry%2CGB"


def test_filters_are_alternatives_where_the_form_says_so(manager, site):
    address = reverse("filter", URLCONF, args=[site.pk])
    country, page = "is,visit:country,GB", "is,event:page,/a"
    both = f"{address}?{urlencode([('f', country), ('f', page)])}"
    assert "Alternative to: Country is United Kingdom" in page_of(manager, both)
    assert "With the other filters" not in page_of(manager, address)
    added = {"dimension": "visit:device", "op": "is", "typed": "phone", "apply": "yes"}
    sent = manager.get(f"{both}&{urlencode({**added, 'join': country})}")["Location"]
    assert filters_in(sent) == [
        ["or", [["is", "visit:country", ["GB"]], ["is", "visit:device", ["phone"]]]],
        page,
    ]
    text = parse_qs(urlsplit(sent).query)["f"][0]
    chips = text_of(page_of(manager, sent))
    assert "Country is United Kingdom or Device is Phone" in chips

    change = f"{address}?{urlencode([('f', text), ('f', page), ('edit', text)])}"
    form = page_of(manager, change)
    assert "Change the alternatives" in form
    left = re.findall(r'href="([^"]*)" aria-label="Remove alternative', form)
    assert [filters_in(unescape(one)) for one in left] == [
        ["is,visit:device,phone", page],
        [country, page],
    ]
    added = {"dimension": "visit:browser", "op": "is", "typed": "Firefox", "apply": "yes"}
    (grown, _) = filters_in(
        manager.get(f"{change}&{urlencode({**added, 'join': text})}")["Location"]
    )
    assert [each[1] for each in grown[1]] == ["visit:country", "visit:device", "visit:browser"]
    wrong = manager.get(f"{both}&{urlencode({**added, 'join': 'is,visit:os,Linux'})}")
    assert wrong.status_code == 422


def filters_in(address: str) -> list[Any]:
    texts = parse_qs(urlsplit(address).query)["f"]
    return [json.loads(each) if each.startswith("[") else each for each in texts]


def test_states_without_numbers_say_what_to_do(client, manager, new_client):
    nothing = text_of(page_of(manager, "/?from=2020-01-01&to=2020-01-02"))
    assert "Nothing in this period" in nothing
    assert "Show all time" in nothing
    no_match = text_of(page_of(manager, "/?f=is,event:page,/never"))
    assert "No visit matches these filters" in no_match
    assert "Remove all filters" in no_match
    fresh = new_client("overview-fresh")
    browser = browser_of(fresh, person("m@fresh.example", fresh, Role.MANAGER))
    waiting = page_of(browser, "/")
    assert "Waiting for the first page view" in waiting
    assert f"/sites/{site_of(fresh).pk}/install/" in waiting


def test_a_period_longer_than_single_visits_are_kept_says_so(client, manager):
    client.privacy.hits_retention_days = 10
    client.privacy.save()
    try:
        words = text_of(page_of(manager, "/?f=is,visit:country,GB"))
        assert "Not all of this period can be counted" in words
        assert "Not all of this period" not in text_of(page_of(manager, "/"))
    finally:
        client.privacy.hits_retention_days = 759
        client.privacy.save()


def test_numbers_dates_and_countries_are_written_as_the_client_writes_them(new_client):
    client = new_client("bericht", timezone_name="Europe/Berlin")
    Client.objects.filter(pk=client.pk).update(locale="de")
    site, now = site_of(client), timezone.now()
    hits = busy_hits(
        random.Random(3), client, site.pk, now - dt.timedelta(days=40), hours=80, visitors=300
    )
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    browser = browser_of(client, person("m@bericht.example", client, Role.MANAGER))
    html = page_of(browser, "/?period=90d&compare=none")
    assert "Vereinigtes Königreich" in rows_of(html, "places")
    wanted = period_words(Period.of(Preset.LAST_90_DAYS, site_today(site, now)), locale_of("de"))
    assert wanted in unescape(html)
    assert "," in figures_of(html)["Views per visit"]


def test_a_shared_link_opens_its_sections_and_nothing_else(client, site):
    now = timezone.now()
    with entered(client):
        link, _ = create_link(
            site, name="Board", sections=["overview", "pages"], created_by=None, now=now
        )
    browser = browser_of(client)
    address = reverse("shared_report", URLCONF, args=[link.pk])
    assert browser.get(address).status_code == 404
    request = browser.get("/log-in/").wsgi_request
    request.client = client  # type: ignore[attr-defined]  # HostMiddleware sets it
    let_in(request, link)
    request.session.save()
    browser.cookies[settings.SESSION_COOKIE_NAME] = request.session.session_key or ""
    html = page_of(browser, address)
    assert set(re.findall(r'id="panel-(\w+)"', html)) == {"pages", "events"}
    assert figures_of(html)
    assert f"/sites/{site.pk}/" not in html
    assert browser.get(f"{address}panel/sources/").status_code == 404
    assert page_of(browser, f"{address}table/pages/?f=contains,event:page,a")
    assert "Add a remark" not in html
    assert browser.get(f"/sites/{site.pk}/").status_code == 302


def test_goals_that_take_long_to_count_come_after_the_page(manager, monkeypatch):
    monkeypatch.setattr("agency.report_numbers.AT_ONCE", 10)
    html = page_of(manager, "/")
    part = html.split('id="panel-goals"', 1)[1].split("</section>", 1)[0]
    found = re.search(r'hx-get="([^"]+)" hx-trigger="load"', part)
    assert found
    assert "Read a" in rows_of(page_of(manager, unescape(found[1])), "goals")
