import itertools
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.hit_maker import Labels, make_hit
from tracking.columns import columns_of
from tracking.hits import Hit, Kind, visit_id_of
from tracking.pings import MOST_PINGS, SIZE, has_ping
from tracking.plain_visits import cut_plain_visits
from tracking.sessions import OneByOne, Sessions, sessionise
from tracking.visits import GAP_US, LONGEST_US, NO_VISIT, Visit

MINUTE = 60
LABELS = Labels()


def cut_hits(hits: Sequence[Hit], *arguments: Any) -> Sessions:
    """The hits, in any order, as `sessionise` takes them."""
    return sessionise(columns_of(hits).in_order_of_time(), *arguments)


def cut(*hits: Hit, stored: list[Visit] | None = None) -> list[Visit]:
    """Visits after these hits, in order of start."""
    stored = stored or []
    found = cut_hits(hits, LABELS, stored)
    return sorted([*stored, *found.new], key=lambda visit: visit.started_us)


def rows_of(found: Sessions) -> list[Hit]:
    """The hits that are stored as rows."""
    return list(found.hits.take(found.is_row).hits())


def settle(visit: Visit) -> Visit:
    """The visit as the next batch reads it."""
    visit.first = None
    visit.before = None
    return visit


def test_a_gap_of_thirty_minutes_stays_in_the_visit_and_a_longer_one_ends_it() -> None:
    assert len(cut(make_hit(0), make_hit(30 * MINUTE))) == 1
    assert len(cut(make_hit(0), make_hit(30 * MINUTE + 0.000001))) == 2


def test_a_visit_knows_its_pages_and_times() -> None:
    (visit,) = cut(
        make_hit(60, path="/b"),
        make_hit(0, path="/a"),
        make_hit(90, path="/c", kind=Kind.NOT_FOUND),
    )
    assert (visit.pageviews, visit.events, visit.bounced) == (3, 0, False)
    assert (visit.entry, visit.exit) == (LABELS["/a"], LABELS["/c"])
    assert visit.last_us - visit.started_us == 90_000_000


def test_visitors_and_sites_are_kept_apart() -> None:
    assert len(cut(make_hit(0), make_hit(1, visitor=2), make_hit(2, site_id=2))) == 3


def test_a_bounce_is_one_page_view_without_an_interactive_event() -> None:
    event = Kind.EVENT
    assert cut(make_hit(0))[0].bounced
    assert cut(make_hit(0), make_hit(1, kind=event, interactive=False))[0].bounced
    assert not cut(make_hit(0), make_hit(1, kind=event))[0].bounced
    assert not cut(make_hit(0), make_hit(1, kind=Kind.OUTBOUND))[0].bounced
    assert not cut(make_hit(0), make_hit(1))[0].bounced
    assert not cut(make_hit(0, kind=event))[0].bounced


def test_engaged_time_adds_up_and_prolongs_the_visit() -> None:
    (visit,) = cut(
        make_hit(0),
        make_hit(20 * MINUTE, kind=Kind.ENGAGEMENT, engaged_s=100),
        make_hit(40 * MINUTE, kind=Kind.ENGAGEMENT, engaged_s=11),
    )
    assert (visit.engaged_s, visit.pageviews, visit.bounced) == (111, 1, True)
    assert visit.last_us - visit.started_us == 40 * MINUTE * 1_000_000


def test_a_tab_closed_in_the_evening_adds_its_seconds_without_stretching_the_visit() -> None:
    found = cut_hits(
        [make_hit(0), make_hit(8 * 3600, kind=Kind.ENGAGEMENT, engaged_s=9)], LABELS, []
    )
    (visit,) = found.new
    assert found.visits == [visit, visit]
    assert (visit.engaged_s, visit.last_us) == (9, visit.started_us)


def test_engagement_without_a_visit_of_the_last_day_belongs_to_none() -> None:
    found = cut_hits([make_hit(0, kind=Kind.ENGAGEMENT, engaged_s=9)], LABELS, [])
    assert (found.new, found.visits, NO_VISIT) == ([], [None], 0)
    found = cut_hits([make_hit(0), make_hit(24 * 3600, kind=Kind.ENGAGEMENT)], LABELS, [])
    assert found.visits[1] is None


def test_a_visit_that_never_pauses_is_cut_after_a_day() -> None:
    visits = cut(*(make_hit(number * 20 * MINUTE) for number in range(74)))
    assert [visit.pageviews for visit in visits] == [72, 2]


def test_a_late_hit_joins_the_visit_that_it_precedes_and_changes_neither_start_nor_entry() -> None:
    (visit,) = cut(make_hit(10 * MINUTE, path="/second"))
    started_us, entry = visit.started_us, visit.entry
    visits = cut(make_hit(0, path="/first"), stored=[settle(visit)])
    assert visits == [visit]
    assert (visit.started_us, visit.entry, visit.exit) == (started_us, entry, entry)
    assert (visit.pageviews, visit.bounced) == (2, False)


def test_a_late_hit_between_two_visits_joins_the_earlier_and_leaves_them_two() -> None:
    first, second = cut(make_hit(0), make_hit(40 * MINUTE))
    visits = cut(make_hit(20 * MINUTE), stored=[settle(first), settle(second)])
    assert [visit.pageviews for visit in visits] == [2, 1]
    assert first.before == (first.started_us, 1, 0, 0, 0)
    assert second.before is None


def test_the_id_of_a_visit_is_its_second_and_the_first_hits_last_bits() -> None:
    hit = make_hit(0)
    number = visit_id_of(hit.id, hit.at_us)
    assert [visit.id for visit in cut(hit)] == [number]
    assert 0 < number < 2**63
    assert number >> 31 == hit.at_us // 1_000_000
    assert number & 0x7FFFFFFF == int.from_bytes(hit.id[-4:], "big") & 0x7FFFFFFF


def test_a_ping_is_found_where_pings_begin_only() -> None:
    one, two = bytes(range(SIZE)), bytes(range(SIZE, 2 * SIZE))
    between = (one + two)[3 : 3 + SIZE]
    assert not has_ping(one + two, between)
    assert has_ping(one + two + between, between)
    assert has_ping(one + two, one)
    assert has_ping(one + two, two)


def test_seconds_stop_at_what_their_column_holds() -> None:
    most = 2**31 - 1
    (begun,) = cut(make_hit(0, engaged_s=most), make_hit(1, engaged_s=5))
    assert begun.engaged_s == most
    (stored,) = cut(make_hit(0))
    settle(stored).engaged_s = most - 2
    ping = make_hit(5, kind=Kind.ENGAGEMENT, engaged_s=5)
    assert cut(ping, stored=[stored]) == [stored]
    assert stored.engaged_s == most


# --- properties

steps = st.integers(0, 45 * 60)
kinds = st.sampled_from(list(Kind))


@st.composite
def histories(draw: st.DrawFn) -> list[Hit]:
    """Hits of a few visitors in order of time, with pauses around the limit."""
    at_s = 0
    hits = []
    for _ in range(draw(st.integers(1, 25))):
        at_s += draw(st.one_of(steps, st.just(0), st.just(30 * MINUTE), st.just(13 * 3600)))
        hits.append(
            make_hit(
                at_s,
                visitor=draw(st.integers(1, 2)),
                kind=draw(kinds),
                path=draw(st.sampled_from(["/a", "/b", "/c"])),
                interactive=draw(st.booleans()),
                engaged_s=draw(st.integers(0, 60)),
            )
        )
    return hits


def summary(visits: list[Visit]) -> list[tuple[object, ...]]:
    return sorted(
        (
            v.id,
            v.visitor,
            v.started_us,
            v.last_us,
            v.pageviews,
            v.events,
            v.engaged_s,
            v.entry,
            v.exit,
            v.bounced,
            v.pings,
        )
        for v in visits
    )


@given(histories(), st.data())
def test_it_does_not_matter_how_hits_in_order_are_cut_into_batches(
    hits: list[Hit], data: st.DataObject
) -> None:
    whole = cut_hits(hits, LABELS)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(hits)), max_size=6)))
    visits: list[Visit] = []
    assigned: list[int] = []
    rows: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(hits)], strict=True):
        part = cut_hits(hits[start:end], LABELS, visits)
        assigned += [visit.id if visit else NO_VISIT for visit in part.visits]
        rows += [hit.id for hit in rows_of(part)]
        visits = [settle(visit) for visit in [*visits, *part.new]]
    assert rows == [hit.id for hit in rows_of(whole)]
    assert summary(visits) == summary(whole.new)
    assert assigned == [visit.id if visit else NO_VISIT for visit in whole.visits]


quiet_steps = st.one_of(st.integers(1, 20 * 60), st.integers(29 * 60, 32 * 60))


@st.composite
def quiet_histories(draw: st.DrawFn) -> list[Hit]:
    """Hits of visitors with whom little is special, and now and then something is."""
    at_s, hits = 0, []
    for _ in range(draw(st.integers(1, 60))):
        at_s += draw(quiet_steps)
        likely = [Kind.PAGEVIEW, Kind.ENGAGEMENT, Kind.ENGAGEMENT, *Kind]
        hits.append(
            make_hit(
                at_s,
                visitor=draw(st.integers(-3, 3)),
                site_id=draw(st.sampled_from([1, 1, 1, 2])),
                kind=draw(st.sampled_from(likely)),
                path=draw(st.sampled_from(["/a", "/b", "/c"])),
                interactive=draw(st.booleans()),
                engaged_s=draw(st.integers(0, 60)),
                scroll=draw(st.integers(0, 100)),
                host=draw(st.sampled_from(["", "", "", "", "", "www.example"])),
            )
        )
    return hits


def by_visitor(visits: list[Visit]) -> dict[tuple[int, int], list[Visit]]:
    found: dict[tuple[int, int], list[Visit]] = {}
    for visit in sorted(visits, key=lambda visit: visit.started_us):
        found.setdefault((visit.site_id, visit.visitor), []).append(visit)
    return found


def compare(*parts: list[Hit]) -> list[Visit]:
    """Hits, in order of time, cut into visits all at once and one by one: the same visits."""
    visits: list[Visit] = []
    one_by_one: list[Visit] = []
    for part in parts:
        together = cut_hits(part, LABELS, visits)
        cut = OneByOne(by_visitor(one_by_one), LABELS)
        places = [cut.add(hit) for hit in part]
        kept = [
            (hit.id, visit.id if visit else NO_VISIT, is_row)
            for hit, (visit, is_row, is_stored) in zip(part, places, strict=True)
            if not is_stored
        ]
        assert kept == [
            (hit.id, visit.id if visit else NO_VISIT, is_row)
            for hit, visit, is_row in zip(
                together.hits.hits(), together.visits, together.is_row.tolist(), strict=True
            )
        ]
        starts = [visit.started_us for visit in together.new]
        assert starts == sorted(starts)
        for ours, theirs in ((together.new, cut.new), (together.changed, cut.changed)):
            assert {visit.id: (visit.first, visit.before) for visit in ours} == {
                visit.id: (visit.first, visit.before) for visit in theirs
            }
        visits = [settle(visit) for visit in [*visits, *together.new]]
        one_by_one = [settle(visit) for visit in [*one_by_one, *cut.new]]
        assert summary(visits) == summary(one_by_one)
    return sorted(visits, key=lambda visit: visit.started_us)


@given(st.one_of(quiet_histories(), histories()), st.data())
def test_all_at_once_or_one_by_one_is_the_same(hits: list[Hit], data: st.DataObject) -> None:
    half = data.draw(st.integers(0, len(hits)))
    compare(hits[:half], hits[half:])


@pytest.mark.parametrize("half", [0, 1, 40, 71, 72, 73])
def test_a_day_ends_a_visit_all_at_once_too(half: int) -> None:
    for count in (73, 75):
        hits = [make_hit(number * 20 * MINUTE) for number in range(count)]
        visits = compare(hits[:half], hits[half:])
        assert [visit.pageviews for visit in visits] == [72, count - 72]


@pytest.mark.parametrize("half", [0, 1, 30, MOST_PINGS, MOST_PINGS + 1])
def test_so_many_pings_are_kept_all_at_once_too(half: int) -> None:
    for count in (MOST_PINGS, MOST_PINGS + 1):
        pings = [make_hit(second, kind=Kind.ENGAGEMENT) for second in range(1, count + 1)]
        hits = [make_hit(0), *pings]
        (visit,) = compare(hits[:half], hits[half:])
        assert len(visit.pings) == MOST_PINGS * SIZE


@pytest.mark.parametrize(
    ("later", "bounced"),
    [
        ([make_hit(9)], False),
        ([make_hit(9, kind=Kind.EVENT)], False),
        ([make_hit(9, kind=Kind.EVENT, interactive=False)], True),
        ([make_hit(9, kind=Kind.ENGAGEMENT)], True),
    ],
)
def test_what_comes_later_ends_a_bounce_all_at_once_too(later: list[Hit], bounced: bool) -> None:
    assert [visit.bounced for visit in compare([make_hit(0)], later)] == [bounced]


def test_a_visit_of_a_page_that_comes_late_has_a_page() -> None:
    visits = compare(
        [make_hit(0, kind=Kind.EVENT)],
        [make_hit(9, path="/first"), make_hit(12, path="/last")],
    )
    assert [(visit.entry, visit.exit) for visit in visits] == [(LABELS["/first"], LABELS["/last"])]


def test_nearly_all_visitors_are_done_at_once() -> None:
    hits = [
        make_hit(60 * number, visitor=visitor, kind=kind)
        for visitor in range(20)
        for number, kind in enumerate([Kind.PAGEVIEW, Kind.ENGAGEMENT, Kind.EVENT] * 3)
    ]
    hits[-1] = make_hit(60 * 60, visitor=19, kind=Kind.ENGAGEMENT)  # after a pause
    columns = columns_of(hits).in_order_of_time()
    found = cut_plain_visits(columns, columns.path_labels(LABELS), {})
    assert {hit.visitor for hit in columns.take(~found.is_plain).hits()} == {19}
    assert (len(found.new), found.changed) == (19, [])


@given(histories(), st.randoms())
def test_the_order_in_a_batch_matters_only_between_hits_of_one_moment(
    hits: list[Hit], random: Random
) -> None:
    distinct = list({(hit.visitor, hit.at_us): hit for hit in hits}.values())
    shuffled = list(distinct)
    random.shuffle(shuffled)
    assert summary(cut_hits(shuffled, LABELS).new) == summary(cut_hits(distinct, LABELS).new)


@given(histories())
def test_a_ping_is_taken_once_and_every_other_hit_has_a_row(hits: list[Hit]) -> None:
    whole = cut_hits(hits, LABELS)
    before = summary(whole.new)
    kept = sum(len(visit.pings) for visit in whole.new) // SIZE
    assert len(rows_of(whole)) + kept == len(hits)
    assert all(hit in rows_of(whole) for hit in hits if hit.kind != Kind.ENGAGEMENT)
    in_rows = {hit.id for hit in rows_of(whole)}
    pings = [hit for hit in hits if hit.id not in in_rows]
    again = cut_hits(pings, LABELS, [settle(visit) for visit in whole.new])
    assert (len(again.hits), again.changed) == (0, [])
    assert summary(whole.new) == before


@given(histories())
def test_every_visit_keeps_the_gap_and_every_hit_is_counted_once(hits: list[Hit]) -> None:
    found = cut_hits(hits, LABELS)
    members: dict[int, list[Hit]] = {}
    for hit, visit in zip(found.hits.hits(), found.visits, strict=True):
        assert visit is not None or hit.kind == Kind.ENGAGEMENT
        if visit is not None:
            members.setdefault(visit.id, []).append(hit)
    assert sorted(members) == sorted(visit.id for visit in found.new)
    for visit in found.new:
        own = members[visit.id]
        active = [hit for hit in own if hit.at_us <= visit.last_us]
        times = [hit.at_us for hit in active]
        assert times[0] == visit.started_us
        assert times[-1] == visit.last_us < visit.started_us + LONGEST_US
        assert all(b - a <= GAP_US for a, b in itertools.pairwise(times))
        pages = [hit for hit in own if hit.kind in {Kind.PAGEVIEW, Kind.NOT_FOUND}]
        rows = [hit for hit in own if hit.kind == Kind.ENGAGEMENT]
        assert visit.pageviews == len(pages)
        assert visit.events == len(own) - len(pages) - len(rows)
        assert visit.engaged_s == sum(hit.engaged_s for hit in own)
