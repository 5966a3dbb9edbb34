"""What the address of a report asks for, and what becomes of an address that makes no sense."""

import datetime as dt
from collections.abc import Callable

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.http import Http404, QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from agency.report_choices import Compare, default_step, filter_text, steps_for
from agency.views.reading import Reading, read_request
from tenants.access import May
from tenants.models import Client, Membership, Role, Section, Site, User
from tests.conftest import PASSWORD, site_of
from tracking.analysis.segments import create_segment
from tracking.query.buckets import UpTo
from tracking.query.model import Condition, Either, Every
from tracking.reports.periods import Period, Preset
from tracking.rollups.hours import to_us

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(scope="module")
def client(new_client: Callable[..., Client]) -> Client:
    return new_client("reading", timezone_name="UTC")


@pytest.fixture(scope="module")
def manager(client) -> User:
    user = User.objects.create_user("manager@reading.example", PASSWORD)
    Membership.objects.create(user=user, client=client, role=Role.MANAGER)
    return user


@pytest.fixture(scope="module")
def segment(client):
    filters = [["is", "visit:country", ["FR", "ES"]]]
    return create_segment(
        client, site_of(client), "South", filters, now=NOW, acting_user="tests", user_id=None
    )


@pytest.fixture
def read(client, manager):
    """Reads an address as the client's manager: `read("?period=7d")`."""

    def go(query: str = "", *, user: User = manager, **more) -> Reading:
        site: Site = more.pop("site", site_of(client))
        request = RequestFactory().get(f"/sites/{site.pk}/{query}")
        request.user, request.client = user, client  # type: ignore[attr-defined]  # middlewares do
        return read_request(request, site.pk, **more)

    return go


def days(first: tuple[int, int, int], last: tuple[int, int, int]) -> Period:
    return Period(dt.date(*first), dt.date(*last))


def until_noon(period: Period) -> UpTo:
    """What is compared with a period that ends today at noon."""
    noon = dt.datetime.combine(period.ends_on, dt.time(12), dt.UTC)
    return UpTo(period.starts_on, period.ends_on, to_us(noon), 12)


def test_without_a_word_it_is_the_last_30_days_beside_those_before_by_day(read):
    reading = read()
    assert reading.preset is Preset.LAST_30_DAYS
    assert reading.period == days((2026, 10, 25), (2026, 11, 23))
    assert reading.comparison == until_noon(days((2026, 9, 25), (2026, 10, 24)))
    assert (reading.step, reading.filters, reading.errors) == ("day", None, ())
    assert reading.query() == "?"


@pytest.mark.parametrize(
    ("query", "period", "comparison"),
    [
        (
            "period=today",
            days((2026, 11, 23), (2026, 11, 23)),
            until_noon(days((2026, 11, 22), (2026, 11, 22))),
        ),
        (
            "period=7d",
            days((2026, 11, 17), (2026, 11, 23)),
            until_noon(days((2026, 11, 10), (2026, 11, 16))),
        ),
        (
            "period=month",
            days((2026, 11, 1), (2026, 11, 23)),
            until_noon(days((2026, 10, 1), (2026, 10, 23))),
        ),
        (
            "period=last-month",
            days((2026, 10, 1), (2026, 10, 31)),
            days((2026, 9, 1), (2026, 9, 30)),
        ),
        (
            "period=year",
            days((2026, 1, 1), (2026, 11, 23)),
            until_noon(days((2025, 1, 1), (2025, 11, 23))),
        ),
        (
            "period=12mo",
            days((2025, 12, 1), (2026, 11, 23)),
            until_noon(days((2024, 12, 1), (2025, 11, 23))),
        ),
        ("period=all", days((2026, 11, 23), (2026, 11, 23)), None),
        (
            "from=2024-02-01&to=2024-02-29&compare=year",
            days((2024, 2, 1), (2024, 2, 29)),
            days((2023, 2, 1), (2023, 2, 28)),
        ),
        ("from=2026-05-04&to=2026-05-10&compare=none", days((2026, 5, 4), (2026, 5, 10)), None),
        (
            "period=7d&compare=custom&compare_from=2026-01-01&compare_to=2026-01-07",
            days((2026, 11, 17), (2026, 11, 23)),
            days((2026, 1, 1), (2026, 1, 7)),
        ),
    ],
)
def test_periods_and_what_they_are_compared_with(read, query, period, comparison):
    reading = read(f"?{query}")
    assert (reading.period, reading.comparison) == (period, comparison)
    assert reading.errors == ()
    assert QueryDict(reading.query().removeprefix("?")) == QueryDict(query)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("period=fortnight", "Period: there is none"),
        ("from=2026-05-02&to=2026-05-01", "From comes after To: exchange"),
        ("from=yesterday&to=2026-05-01", "From: "),
        ("from=2026-05-01", "To: "),
        ("from=0001-01-01&to=0001-01-02", "From: Choose a year from 2000"),
        ("from=2000-01-01&to=2026-01-01", "ten years at most"),
        ("compare=moon", "Comparison: choose"),
        ("compare=custom&compare_from=2026-05-02&compare_to=x", "Comparison: To"),
        ("by=minute", "Step: choose"),
        ("by=hour", "Step: a period of 30 days is not shown by hour"),
        ("f=Google", "Filter left out: A filter needs an operator"),
        ("f=is,visit:shoe_size,43", "Filter left out"),
        ("f=near,visit:source,Google", "Filter left out"),
        ("segment=999", "Filter left out: there is no such segment"),
        ("segment=x", "Filter left out"),
        ("f=" + "%5B" * 400, "Filter left out"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_name_and_left_out(read, query, named):
    reading = read(f"?{query}")
    assert any(named in error for error in reading.errors), reading.errors
    assert reading.period == days((2026, 10, 25), (2026, 11, 23))
    assert (reading.compare, reading.step, reading.filters) == (Compare.PREVIOUS, "day", None)


@pytest.mark.parametrize(
    ("number", "steps", "usual"),
    [
        (1, ("hour",), "hour"),
        (2, ("hour", "day"), "hour"),
        (7, ("hour", "day"), "day"),
        (30, ("day", "week"), "day"),
        (92, ("day", "week", "month"), "day"),
        (180, ("day", "week", "month"), "week"),
        (365, ("day", "week", "month"), "month"),
        (3000, ("week", "month"), "month"),
    ],
)
def test_only_steps_that_make_sense_are_offered(number, steps, usual):
    period = Period(TODAY - dt.timedelta(days=number - 1), TODAY)
    assert steps_for(period) == steps
    assert default_step(period) == usual


@given(st.integers(1, 3700))
def test_the_usual_step_is_always_among_those_offered(number):
    period = Period(TODAY - dt.timedelta(days=number - 1), TODAY)
    assert default_step(period) in steps_for(period)


def test_filters_are_joined_in_the_order_of_the_address_each_once(read):
    source = "f=is,visit:source,Google,Bing"
    reading = read(f"?{source}&f=contains~,event:page,blog&{source}")
    assert reading.filters == Every(
        (
            Condition("is", "visit:source", ("Google", "Bing")),
            Condition("contains", "event:page", ("blog",), case_sensitive=False),
        )
    )
    assert [(each.name, each.words) for each in reading.chosen] == [
        ("Source", "is Google or Bing"),
        ("Page", "contains “blog”"),
    ]


def test_a_filter_joins_others_but_takes_the_place_of_its_like(read):
    reading = read("?period=7d&f=is,visit:country,GB")
    joined = QueryDict(reading.with_filter("visit:source", "a,b\\c").removeprefix("?"))
    assert joined.getlist("f") == ["is,visit:country,GB", r"is,visit:source,a\,b\\c"]
    assert joined["period"] == "7d"
    instead = QueryDict(reading.with_filter("visit:country", "FR").removeprefix("?"))
    assert instead.getlist("f") == ["is,visit:country,FR"]
    besides = QueryDict(reading.with_filter("visit:country", "FR", op="is_not").removeprefix("?"))
    assert besides.getlist("f") == ["is,visit:country,GB", "is_not,visit:country,FR"]
    assert reading.is_chosen("visit:country", "GB")
    assert not reading.is_chosen("visit:country", "FR")


def test_a_filter_is_taken_away_by_its_text(read):
    reading = read("?f=is,visit:country,GB&f=is,visit:device,phone")
    left = QueryDict(reading.without_filter("is,visit:country,GB").removeprefix("?"))
    assert left.getlist("f") == ["is,visit:device,phone"]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_value_can_be_filtered_on(value):
    text = filter_text("event:page", value)
    again = QueryDict(mutable=True)
    again.setlist("f", [text])
    from_address = QueryDict(again.urlencode()).getlist("f")
    assert from_address == [text]


@pytest.mark.parametrize("query", ["?segment={}", "?f=is,segment,{}"])
def test_a_segment_stands_for_its_filters_and_keeps_its_name(read, segment, query):
    reading = read(query.format(segment.pk))
    assert reading.filters == Condition("is", "visit:country", ("FR", "ES"))
    assert [(each.name, each.words) for each in reading.chosen] == [("Segment", "South")]
    assert QueryDict(reading.query().removeprefix("?")).getlist("f") == [f"is,segment,{segment.pk}"]


def test_a_combined_filter_is_told_in_words(read):
    either = '["is","visit:source",["Google"]],["not",["is","visit:device",["tv"]]]'
    reading = read(f'?f=["or",[{either}]]')
    assert isinstance(reading.filters, Either)
    assert reading.chosen[0].words == "Source is Google or (not Device is TV)"


def test_a_change_of_period_drops_a_step_that_may_not_fit(read):
    reading = read("?period=7d&by=hour&compare=year&f=is,visit:country,GB")
    other = QueryDict(reading.with_period(Preset.LAST_12_MONTHS).removeprefix("?"))
    assert dict(other.lists()) == {
        "period": ["12mo"],
        "compare": ["year"],
        "f": ["is,visit:country,GB"],
    }


def test_a_pages_own_names_stay_on_it_and_on_no_other(read):
    reading = read("?tab=exit&f=is,visit:country,GB&nonsense=1", kept=("tab",))
    assert QueryDict(reading.query().removeprefix("?")).dict() == {
        "f": "is,visit:country,GB",
        "tab": "exit",
    }
    assert "tab" not in reading.url("goals")


def test_what_the_reader_may_not_see_ends_the_request(client, manager, read, new_client):
    viewer = User.objects.create_user("pages@reading.example", PASSWORD)
    Membership.objects.create(
        user=viewer,
        client=client,
        role=Role.VIEWER,
        all_sections=False,
        sections=[Section.PAGES],
    )
    assert read(user=viewer, section=Section.PAGES).sections == {Section.PAGES}
    with pytest.raises(PermissionDenied):
        read(user=viewer, section=Section.PLACES)
    with pytest.raises(PermissionDenied):
        read(user=viewer).check(Section.PLACES, Section.SOURCES)
    with pytest.raises(PermissionDenied):
        read(user=viewer, may=May.EDIT_REPORTS)
    with pytest.raises(Http404):
        read(site=site_of(new_client()))
