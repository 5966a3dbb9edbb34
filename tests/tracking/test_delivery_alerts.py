"""Alerts: begin once, last, end once; told in time, and not at night."""

import datetime as dt
import functools
import zoneinfo

import pytest

from tenants.models import Site
from tenants.schemas import entered
from tests.conftest import site_of
from tests.tracking.traffic import hit
from tracking.delivery.alerts import (
    acknowledge,
    apply_verdict,
    count_open_events,
    events_of,
    judge_alerts,
    loud_from,
    open_events,
    pause_alert,
)
from tracking.delivery.judging import State, Verdict, judge
from tracking.hits import Hit, Kind
from tracking.models import Alert, AlertEvent, AlertNotice, Goal
from tracking.models.delivery import About, AlertKind, Channel, DeliveryState
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

ZONE = zoneinfo.ZoneInfo("America/New_York")
NOW = dt.datetime(2026, 11, 18, 14, 30, tzinfo=ZONE).astimezone(dt.UTC)
"""A Wednesday afternoon; the clocks went back on 1 November, within the weeks compared."""


def visits(site, day, hours, each, **fields) -> list[Hit]:
    """`each` visits of one hit in each hour of a day on the site's clock."""
    zone = zoneinfo.ZoneInfo(site.timezone)
    return [
        hit(
            site.client_id,
            site.pk,
            dt.datetime.combine(day, dt.time(hour), zone) + dt.timedelta(seconds=20 * number),
            hash((day, hour, number)) % 2**62,
            **fields,
        )
        for hour in hours
        for number in range(each)
    ]


def stored(client, hits):
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=NOW)


@pytest.fixture
def make_site(new_client):
    """A client with four usual Wednesdays: ten visits in each hour from 8 to 17."""

    def make(*, today=(), weeks=4, **today_fields) -> Site:
        client = new_client(timezone_name="America/New_York")
        site = site_of(client)
        hits = [
            each
            for week in range(1, weeks + 1)
            for each in visits(
                site, dt.date(2026, 11, 18) - dt.timedelta(days=7 * week), range(8, 18), 10
            )
        ]
        for hours, number in today:
            hits += visits(site, dt.date(2026, 11, 18), hours, number, **today_fields)
        stored(client, hits)
        return site

    return make


def alert_of(site, kind, **fields) -> Alert:
    return Alert.objects.create(
        site_id=site.pk, name=str(kind), kind=kind, created_at=NOW, **{"user_ids": [7], **fields}
    )


def judged(site, kind, *, now=NOW, **fields) -> Verdict:
    client = site.client
    with entered(client):
        return judge(alert_of(site, kind, **fields), site, now, k=5)


def test_silence_in_hours_that_are_usually_busy_is_told(make_site):
    site = make_site(today=[(range(8, 11), 10)])
    verdict = judged(site, AlertKind.NO_HITS, hours=3, minimum=20)
    assert verdict.state is State.HOLDS
    assert verdict.numbers == {"hours": 3, "usual": 30.0}


def test_silence_at_night_is_not_judged(make_site):
    site = make_site(today=[(range(8, 11), 10)])
    night = dt.datetime(2026, 11, 18, 4, tzinfo=ZONE)
    assert judged(site, AlertKind.NO_HITS, hours=3, now=night).state is State.UNKNOWN


def test_one_hit_ends_the_silence(make_site):
    site = make_site(today=[([13], 1)])
    assert judged(site, AlertKind.NO_HITS, hours=3).state is State.OVER


def test_a_site_in_its_first_week_has_nothing_usual(make_site):
    site = make_site(weeks=0, today=[(range(8, 10), 10)])
    for kind in (AlertKind.NO_HITS, AlertKind.FALL, AlertKind.RISE):
        assert judged(site, kind).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("each", "percent", "fall", "rise"),
    [
        (4, 50, State.HOLDS, State.OVER),
        (5, 50, State.HOLDS, State.OVER),
        (6, 50, State.OVER, State.OVER),
        (10, 50, State.OVER, State.OVER),
        (15, 50, State.OVER, State.HOLDS),
    ],
)
def test_today_is_compared_with_the_same_hours_of_the_same_weekday(
    make_site, each, percent, fall, rise
):
    site = make_site(today=[(range(8, 15), each)])
    down = judged(site, AlertKind.FALL, percent=percent, minimum=20)
    up = judged(site, AlertKind.RISE, percent=percent, minimum=20)
    assert (down.state, up.state) == (fall, rise)
    # Hours from 8 to 13 are over at half past two; the one under way is left out.
    assert down.numbers["visits"] == 6 * each
    assert down.numbers["usual"] == 60.0
    assert down.numbers["percent"] == round((each - 10) * 10, 1)
    assert down.numbers["until"] == "14:00"


def test_little_traffic_is_not_judged(make_site):
    site = make_site(today=[([8], 1)])
    assert judged(site, AlertKind.FALL, minimum=61).state is State.UNKNOWN
    assert judged(site, AlertKind.FALL, minimum=60).state is State.HOLDS


def test_weeks_before_the_first_day_do_not_count_as_empty_ones(make_site):
    site = make_site(weeks=2, today=[(range(8, 14), 10)])
    assert judged(site, AlertKind.FALL, minimum=20).numbers["usual"] == 60.0


def test_a_backlog_of_rollups_is_no_fall(make_site):
    site = make_site()
    hits = visits(site, dt.date(2026, 11, 18), range(8, 15), 10)
    store_hits(site.client, hits, zones=site_zones(site.client))
    verdict = judged(site, AlertKind.FALL, percent=30, minimum=20)
    assert (verdict.state, verdict.numbers["visits"]) == (State.OVER, 60)
    roll_up_client(site.client, now=NOW)
    assert judged(site, AlertKind.FALL, percent=30, minimum=20) == verdict


def burst(site, number, *, minutes_ago=30):
    return [
        hit(
            site.client_id,
            site.pk,
            NOW - dt.timedelta(minutes=minutes_ago, seconds=each),
            each + 1,
            kind=Kind.NOT_FOUND,
            path="/old",
        )
        for each in range(number)
    ]


def test_many_missing_pages_in_an_hour_are_a_burst(make_site):
    site = make_site()
    stored(site.client, burst(site, 30))
    assert judged(site, AlertKind.NOT_FOUND_BURST, count=31).state is State.OVER
    verdict = judged(site, AlertKind.NOT_FOUND_BURST, count=30, factor=3)
    assert verdict == Verdict(State.HOLDS, {"views": 30, "usual": 0.0})


def test_missing_pages_of_before_the_hour_are_what_is_usual(make_site):
    site = make_site()
    stored(site.client, burst(site, 30) + burst(site, 168 * 11, minutes_ago=300))
    verdict = judged(site, AlertKind.NOT_FOUND_BURST, count=10, factor=3)
    assert verdict == Verdict(State.OVER, {"views": 30, "usual": 11.0})
    assert judged(site, AlertKind.NOT_FOUND_BURST, count=10, factor=2).state is State.HOLDS


def test_a_goal_is_reached_when_enough_visits_did(make_site):
    site = make_site(today=[(range(8, 11), 2)], path="/thanks")
    with entered(site.client):
        goal = Goal.objects.create(
            site_id=site.pk, name="Thanked", kind="page", match="/thanks", created_at=NOW
        )
    goal_reached = functools.partial(judged, site, AlertKind.GOAL_REACHED, goal_id=goal.pk)
    assert goal_reached(count=7).state is State.OVER
    verdict = goal_reached(count=6)
    assert verdict.state is State.HOLDS
    assert verdict.numbers == {"conversions": 6, "wanted": 6, "day": "2026-11-18"}
    tomorrow = goal_reached(count=1, now=NOW + dt.timedelta(days=1))
    assert tomorrow.state is State.OVER


@pytest.mark.parametrize(
    ("visitors", "state"), [(4, State.OVER), (5, State.HOLDS)], ids=["fewer than k", "k"]
)
def test_a_goal_on_outcodes_is_told_of_k_visitors_at_least(make_site, visitors, state):
    """Not of k visits: one person who comes again and again is one person."""
    site = make_site(weeks=0)
    day = dt.datetime(2026, 11, 18, 8, tzinfo=ZONE).astimezone(dt.UTC)
    hits = [
        hit(site.client_id, site.pk, day + dt.timedelta(hours=hour), number, outcode="GB SW1A")
        for hour in range(3)
        for number in range(1, visitors + 1)
    ]
    stored(site.client, hits)
    with entered(site.client):
        goal = Goal.objects.create(
            site_id=site.pk, name="Westminster", kind="outcode", match="SW1A", created_at=NOW
        )
    for count in (1, 5, 3 * visitors):
        verdict = judged(site, AlertKind.GOAL_REACHED, goal_id=goal.pk, count=count)
        assert verdict.state is state
    verdict = judged(site, AlertKind.GOAL_REACHED, goal_id=goal.pk, count=3 * visitors + 1)
    assert verdict.state is State.OVER


def test_a_goal_that_is_gone_is_never_reached(make_site):
    site = make_site(weeks=0)
    assert judged(site, AlertKind.GOAL_REACHED, goal_id=12345, count=1).state is State.OVER
    assert judged(site, AlertKind.GOAL_REACHED, goal_id=None, count=1).state is State.OVER


# --- events and notices


@pytest.fixture(scope="module")
def client(new_client):
    return new_client(timezone_name="America/New_York")


@pytest.fixture(scope="module")
def site(client):
    return site_of(client)


HOLDS, OVER = Verdict(State.HOLDS, {"hours": 3, "usual": 30.0}), Verdict(State.OVER)
UNKNOWN = Verdict(State.UNKNOWN)


def notices(alert) -> list[tuple[str, str, int | None]]:
    rows = AlertNotice.objects.filter(event__alert=alert).order_by("pk")
    return list(rows.values_list("channel", "about", "user_id"))


def test_one_event_while_it_lasts_and_one_notice_at_each_end(client, site):
    with entered(client):
        alert = alert_of(site, AlertKind.NO_HITS, webhook_url="https://hook.example/")
        assert apply_verdict(alert, site, HOLDS, NOW) == (About.BEGAN,)
        for minutes in (1, 2, 60):
            later = NOW + dt.timedelta(minutes=minutes)
            assert apply_verdict(alert, site, HOLDS, later) == ()
            assert apply_verdict(alert, site, UNKNOWN, later) == ()
        assert [event.alert for event in open_events(site)] == [alert]
        assert count_open_events() == len(open_events()) == 1
        AlertNotice.objects.update(state=DeliveryState.SENT)
        end = NOW + dt.timedelta(hours=2)
        assert apply_verdict(alert, site, OVER, end) == (About.ENDED,)
        assert apply_verdict(alert, site, OVER, end) == ()
        assert open_events(site) == []
        (event,) = events_of(alert)
        assert (event.began_at, event.ended_at, event.what) == (NOW, end, HOLDS.numbers)
        assert notices(alert) == [
            ("email", "began", 7),
            ("webhook", "began", None),
            ("email", "ended", 7),
            ("webhook", "ended", None),
        ]


def test_nothing_begins_on_too_little_to_judge_by(client, site):
    with entered(client):
        alert = alert_of(site, AlertKind.FALL)
        assert apply_verdict(alert, site, UNKNOWN, NOW) == ()
        assert events_of(alert) == []
        alert.refresh_from_db()
        assert alert.judged_at == NOW


def test_what_ends_before_it_was_told_is_told_once(client, site):
    with entered(client):
        alert = alert_of(
            site, AlertKind.NO_HITS, quiet_from=dt.time(14), quiet_to=dt.time(16), user_ids=[7, 8]
        )
        apply_verdict(alert, site, HOLDS, NOW)
        apply_verdict(alert, site, OVER, NOW + dt.timedelta(minutes=10))
        assert notices(alert) == [("email", "began", 7), ("email", "began", 8)]
        ends = NOW.astimezone(ZONE).replace(hour=16, minute=0)
        when = AlertNotice.objects.filter(event__alert=alert).values_list("next_try_at", flat=True)
        assert set(when) == {ends}


def test_a_goal_is_an_event_of_its_day(client, site):
    with entered(client):
        alert = alert_of(site, AlertKind.GOAL_REACHED)
        today = Verdict(State.HOLDS, {"day": "2026-11-18"})
        tomorrow = Verdict(State.HOLDS, {"day": "2026-11-19"})
        assert apply_verdict(alert, site, today, NOW) == (About.BEGAN,)
        assert apply_verdict(alert, site, today, NOW) == ()
        assert apply_verdict(alert, site, tomorrow, NOW + dt.timedelta(days=1)) == (
            About.ENDED,
            About.BEGAN,
        )
        assert notices(alert) == [("email", "began", 7)] * 2
        pause_alert(alert, NOW, is_paused=True)


def test_a_paused_alert_is_over_and_silent(client, site):
    with entered(client):
        alert = alert_of(site, AlertKind.RISE)
        apply_verdict(alert, site, HOLDS, NOW)
        pause_alert(alert, NOW, is_paused=True)
        assert open_events(site) == []
        states = AlertNotice.objects.filter(event__alert=alert).values_list("state", flat=True)
        assert set(states) == {DeliveryState.DROPPED}
        assert apply_verdict(alert, site, HOLDS, NOW) == ()
        pause_alert(alert, NOW, is_paused=False)
        assert apply_verdict(alert, site, HOLDS, NOW) == (About.BEGAN,)
        apply_verdict(alert, site, OVER, NOW)


def test_an_event_is_acknowledged_by_the_first_who_does(client, site):
    with entered(client):
        alert = alert_of(site, AlertKind.RISE)
        apply_verdict(alert, site, HOLDS, NOW)
        (event,) = events_of(alert)
        assert acknowledge(event, user_id=1, now=NOW)
        assert not acknowledge(event, user_id=2, now=NOW)
        event.refresh_from_db()
        assert event.acknowledged_by == 1
        apply_verdict(alert, site, OVER, NOW)


def test_a_round_judges_every_alert_of_the_client(make_site):
    site = make_site(today=[(range(8, 11), 10)])
    with entered(site.client):
        alert_of(site, AlertKind.NO_HITS, hours=3, minimum=20)
        alert_of(site, AlertKind.RISE, minimum=20)
        alert_of(site, AlertKind.NO_HITS, is_paused=True, minimum=1)
        result = judge_alerts([site], k=5, now=NOW)
        assert (result.alerts, result.began, result.ended) == (2, 1, 0)
        assert judge_alerts([site], k=5, now=NOW).began == 0
        assert AlertEvent.objects.get().alert.kind == AlertKind.NO_HITS
        assert AlertNotice.objects.get().channel == Channel.EMAIL


@pytest.mark.parametrize(
    ("begin", "end", "at", "expected"),
    [
        ("22:00", "07:00", "21:59", "18 21:59"),
        ("22:00", "07:00", "22:00", "19 07:00"),
        ("22:00", "07:00", "03:00", "18 07:00"),
        ("22:00", "07:00", "07:00", "18 07:00"),
        ("12:00", "13:00", "12:30", "18 13:00"),
        ("12:00", "13:00", "13:00", "18 13:00"),
        ("09:00", "09:00", "09:00", "18 09:00"),
    ],
)
def test_quiet_hours_are_the_sites_and_may_cross_midnight(begin, end, at, expected):
    alert = Alert(quiet_from=dt.time.fromisoformat(begin), quiet_to=dt.time.fromisoformat(end))
    now = dt.datetime.combine(dt.date(2026, 11, 18), dt.time.fromisoformat(at), ZONE)
    loud = loud_from(alert, "America/New_York", now.astimezone(dt.UTC))
    assert f"{loud.astimezone(ZONE):%d %H:%M}" == expected


def test_without_quiet_hours_notices_go_out_at_once():
    assert loud_from(Alert(), "America/New_York", NOW) == NOW
