"""Pages of goals, funnels, journeys, retention, realtime, segments and annotations."""

import datetime as dt
import random
import re

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants.models import AuditEntry, Client, Membership, Role, Section, User
from tenants.schemas import entered
from tests.conftest import PASSWORD, site_of
from tests.tracking.analysed import busy_hits
from tests.tracking.traffic import hit
from tests.walking import browser_of
from tracking.analysis.conversions import get_conversions
from tracking.analysis.funnels import load_funnels
from tracking.analysis.goals import Rule, load_goals
from tracking.analysis.scope import Scope
from tracking.delivery.links import create_link
from tracking.models import Annotation, Goal, GoalKind, Segment
from tracking.reports.periods import Period, Preset, site_today
from tracking.rollups.run import roll_up_client
from tracking.writer.store import site_zones, store_hits

URLCONF = "agency.urls_client"


@pytest.fixture(scope="module")
def shop(new_client):
    """A client with traffic of the last weeks."""
    client = new_client("shop-pages", timezone_name="Europe/London")
    site, now = site_of(client), timezone.now()
    hits = busy_hits(
        random.Random(1), client, site.pk, now - dt.timedelta(days=28), hours=300, visitors=250
    )
    hits = [each for each in hits if each.at_us < now.timestamp() * 1_000_000]
    hits += [
        hit(client.pk, site.pk, now - dt.timedelta(minutes=3), number, path="/now", country="GB")
        for number in range(4)
    ]
    store_hits(client, hits, zones=site_zones(client))
    roll_up_client(client, now=now)
    return client


@pytest.fixture(scope="module")
def bare(new_client):
    """A client of which nothing is known yet."""
    return new_client("bare")


def member(client: Client, role: Role, **scope: object) -> User:
    name = f"{role}.{random.randrange(10**9)}@{client.slug}.example"
    user = User.objects.create_user(name, PASSWORD)
    Membership.objects.create(user=user, client=client, role=role, **scope)
    return user


@pytest.fixture(scope="module")
def manager(shop) -> Browser:
    return browser_of(member(shop, Role.MANAGER), "shop-pages.localhost")


@pytest.fixture(scope="module")
def viewer(shop) -> Browser:
    return browser_of(member(shop, Role.VIEWER), "shop-pages.localhost")


def url(client: Client, name: str, *args: int) -> str:
    return reverse(name, URLCONF, args=[site_of(client).pk, *args])


def text_of(reply) -> str:
    """The page's words, tags taken away."""
    page = re.sub(r"<[^>]+>", " ", reply.content.decode())
    return " ".join(page.replace("&nbsp;", " ").replace("&#x27;", "'").split())


def acts(client: Client) -> list[str]:
    return list(
        AuditEntry.objects.filter(client_id=client.pk)
        .exclude(act="client.enter")
        .order_by("pk")
        .values_list("act", flat=True)
    )


def last_30_days(client: Client) -> Scope:
    site = site_of(client)
    return Scope(site, Period.of(Preset.LAST_30_DAYS, site_today(site, timezone.now())))


GOALS = {
    "page": {"name": "Below A", "match": "/a/*"},
    "event": {"name": "Pro", "match": "Buy*", "property_name": "plan", "property_value": "pro"},
    "scroll": {"name": "Read", "match": "", "least": "50"},
    "engaged": {"name": "Stayed", "least": "30"},
    "outcode": {"name": "South-west", "match": "sw1a, gb sw2"},
}


@pytest.fixture(scope="module")
def goals(shop, manager) -> dict[str, int]:
    """A goal of each kind, added on the page; ids by name."""
    before = len(acts(shop))
    for kind, fields in GOALS.items():
        assert manager.get(url(shop, "goal_new"), {"kind": kind}).status_code == 200
        reply = manager.post(f"{url(shop, 'goal_new')}?kind={kind}", fields)
        assert reply.status_code == 302, text_of(reply)
    assert acts(shop)[before:] == ["goal.create"] * 5
    with entered(shop):
        return dict(Goal.objects.values_list("name", "pk"))


def test_a_goal_of_each_kind_is_counted_on_the_page(shop, manager, goals):
    scope = last_30_days(shop)
    with entered(shop):
        found = get_conversions(scope, load_goals(scope.site), k=5)
    page = text_of(manager.get(url(shop, "goals")))
    for one in (each for each in found.goals if each.rule.name in goals):
        assert one.visitors > 0
        assert re.search(rf"{one.rule.name}.*? {one.visitors} .*? {one.conversions} ", page), (
            one.rule.name
        )
    assert "SW1A, GB SW2" in page


def test_a_goal_has_a_page_of_its_own_by_dimension(shop, manager, goals):
    page = manager.get(url(shop, "goal", goals["Below A"]))
    assert "Page /a/*" in text_of(page)
    tab = manager.get(
        url(shop, "goal", goals["Below A"]),
        {"dimension": "country"},
        headers={"hx-request": "true", "hx-request-type": "partial"},
    )
    assert "<html" not in tab.content.decode()
    assert "United Kingdom" in text_of(tab)


def test_goals_are_suggested_from_the_events_that_were_seen(shop, manager, viewer):
    page = manager.get(url(shop, "goals")).content.decode()
    (address,) = set(re.findall(r'href="([^"]*match=Ask[^"]*)"', page))
    form = text_of(manager.get(address.replace("&amp;", "&")))
    assert "Name of the event" in form
    assert 'value="Ask"' in manager.get(address.replace("&amp;", "&")).content.decode()
    assert "match=Ask" not in viewer.get(url(shop, "goals")).content.decode()


def test_the_preview_tells_what_the_goal_would_have_counted(shop, manager):
    rule, scope = Rule("", GoalKind.PAGE, "/a*"), last_30_days(shop)
    with entered(shop):
        wanted = get_conversions(scope, [rule], k=5).goals[0]
    address = f"{url(shop, 'goal_preview')}?kind=page"
    page = text_of(manager.get(f"{address}&match=/a*&name="))
    assert f"{wanted.visitors} visitors" in page
    assert f"{wanted.conversions} times" in page
    assert "/a/1" in page
    assert "Nobody reached it" in text_of(manager.get(f"{address}&match=/nowhere"))
    assert "Fill in the form" in text_of(manager.get(address))
    few = f"{url(shop, 'goal_preview')}?kind=outcode&match=GB ZE1"
    assert "Fewer than 5 visitors" in text_of(manager.get(few))


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("page", {"name": "X", "match": "thanks"}, "begins with a slash"),
        ("page", {"name": "", "match": "/x"}, "This field is required"),
        ("page", {"name": "Below A", "match": "/x"}, "has a goal of this name already"),
        ("event", {"name": "X", "match": "E", "property_value": "1"}, "Name the property"),
        ("outcode", {"name": "X", "match": "SW1A 1AA"}, "first half only: SW1A"),
        ("outcode", {"name": "X", "match": "GB LA1 4AB"}, "first half only: LA1"),
        ("outcode", {"name": "X", "match": " , "}, "at least one outcode"),
        ("scroll", {"name": "X", "least": "101"}, "less than or equal to 100"),
        ("engaged", {"name": "X", "least": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused_with_a_remedy(
    shop, manager, goals, kind, fields, words
):
    before = len(acts(shop))
    reply = manager.post(f"{url(shop, 'goal_new')}?kind={kind}", fields)
    assert reply.status_code == 422
    assert words in text_of(reply)
    assert len(acts(shop)) == before


def test_a_path_pasted_with_its_host_is_cut_to_the_path(shop, manager):
    manager.post(
        f"{url(shop, 'goal_new')}?kind=page",
        {"name": "Pasted", "match": "https://www.shop.example/thanks?order=1#top"},
    )
    with entered(shop):
        goal = Goal.objects.get(name="Pasted")
        assert goal.match == "/thanks"
    manager.post(url(shop, "goal_delete", goal.pk))


def test_a_goal_is_changed_archived_restored_and_deleted(shop, manager):
    manager.post(f"{url(shop, 'goal_new')}?kind=page", {"name": "Passing", "match": "/p"})
    with entered(shop):
        pk = Goal.objects.get(name="Passing").pk
    before = len(acts(shop))
    assert 'value="/p"' in manager.get(url(shop, "goal_edit", pk)).content.decode()
    manager.post(f"{url(shop, 'goal_edit', pk)}?kind=engaged", {"name": "Passed", "least": "9"})
    manager.post(url(shop, "goal_archive", pk))
    page = text_of(manager.get(url(shop, "goals")))
    assert page.index("Archived") < page.index("Passed 9s of engaged time")
    manager.post(url(shop, "goal_restore", pk))
    assert "Delete Passed?" in text_of(manager.get(url(shop, "goal_delete", pk)))
    manager.post(url(shop, "goal_delete", pk))
    assert manager.get(url(shop, "goal", pk)).status_code == 404
    assert acts(shop)[before:] == ["goal.change", "goal.archive", "goal.restore", "goal.delete"]


def steps(*rows: tuple[str, str], name: str = "") -> dict[str, str]:
    """A builder as it is sent: (what it asks for, path or name) for each step."""
    sent = {"name": name, "steps": str(len(rows))}
    for at, (asks, match) in enumerate(rows):
        sent |= {f"step{at}-asks": asks, f"step{at}-match": match}
    return sent


def values(reply) -> list[str]:
    """Values of the steps' paths and names, in order."""
    fields = re.findall(r'<input[^>]*name="step\d+-match"[^>]*>', reply.content.decode())
    return [(re.findall(r'value="([^"]*)"', field) or [""])[0] for field in fields]


def test_steps_are_added_removed_and_moved_without_losing_what_was_written(shop, manager):
    address = url(shop, "funnel_steps")
    sent = steps(("page", "/a"), ("event", "half writ"), ("page", "/c"), name="Way")

    def change(what: str):
        return manager.post(
            f"{address}?change={what}",
            sent,
            headers={"hx-request": "true", "hx-request-type": "partial"},
        )

    assert values(change("add")) == ["/a", "half writ", "/c", ""]
    assert values(change("remove-1")) == ["/a", "/c"]
    assert values(change("up-2")) == ["/a", "/c", "half writ"]
    assert values(change("down-0")) == ["half writ", "/a", "/c"]
    assert values(change("up-0")) == values(change("down-2")) == ["/a", "half writ", "/c"]
    assert values(change("sideways-7")) == ["/a", "half writ", "/c"]
    moved = change("up-1").content.decode()
    assert re.search(r'<option value="event" selected', moved.split('id="id_step1-asks"')[0])
    assert "<html" not in moved
    whole = manager.post(f"{address}?change=add", sent)
    assert 'value="Way"' in whole.content.decode()
    assert "<html" in whole.content.decode()


def test_a_funnel_is_built_drawn_changed_and_deleted(shop, manager, goals):
    before = len(acts(shop))
    sent = steps(("page", "/a*"), ("event", "Buy*"), (f"goal:{goals['Pro']}", ""), name="Buying")
    assert manager.post(url(shop, "funnel_new"), sent).status_code == 302
    site = site_of(shop)
    with entered(shop):
        shape = next(each for each in load_funnels(site) if each.name == "Buying")
    assert [rule.name for rule in shape.rules] == ["/a*", "Buy*", "Pro"]
    listed = text_of(manager.get(url(shop, "funnels")))
    assert "/a* → Buy* → Pro" in listed
    page = text_of(manager.get(url(shop, "funnel", shape.id)))
    assert "of the step before" in page
    assert "went no further" in page
    form = manager.get(url(shop, "funnel_edit", shape.id))
    assert values(form) == ["/a*", "Buy*", ""]
    again = steps(("page", "/b*"), ("page", "/a"), name="Buying less")
    assert manager.post(url(shop, "funnel_edit", shape.id), again).status_code == 302
    with entered(shop):
        names = {each.id: (each.name, len(each.rules)) for each in load_funnels(site)}
    assert names[shape.id] == ("Buying less", 2)
    manager.post(url(shop, "funnel_delete", shape.id))
    assert manager.get(url(shop, "funnel", shape.id)).status_code == 404
    assert acts(shop)[before:] == ["funnel.create", "funnel.change", "funnel.delete"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (steps(("page", "/a"), name="One"), "2 to 10 steps"),
        (steps(("page", "a"), ("page", "/b"), name="No slash"), "begins with a slash"),
        (steps(("page", "/a"), ("event", ""), name="No name"), "path or the event's name"),
        (steps(("page", "/a"), ("goal:999999", ""), name="No goal"), "Select a valid choice"),
        (steps(("page", "/a"), ("page", "/b")), "This field is required"),
    ],
)
def test_a_funnel_that_makes_no_sense_is_refused_with_a_remedy(shop, manager, sent, words):
    reply = manager.post(url(shop, "funnel_new"), sent)
    assert reply.status_code == 422
    assert words in text_of(reply)
    assert values(reply)[0] == sent["step0-match"]


def test_a_goal_that_a_funnel_needs_is_not_deleted_but_archived(shop, manager, goals):
    pk = goals["Stayed"]
    sent = steps(("page", "/"), (f"goal:{pk}", ""), name="Staying")
    manager.post(url(shop, "funnel_new"), sent)
    page = text_of(manager.get(url(shop, "goal_delete", pk)))
    assert "the funnel “Staying”" in page
    assert "Archive instead" in page
    manager.post(url(shop, "goal_delete", pk))
    with entered(shop):
        assert Goal.objects.filter(pk=pk).exists()


def test_viewers_read_and_do_not_change(shop, goals, viewer):
    pk = goals["Below A"]
    for name in ("goals", "funnels", "journeys", "retention", "realtime", "segments"):
        assert viewer.get(url(shop, name)).status_code == 200, name
    assert viewer.get(url(shop, "goal", pk)).status_code == 200
    before = len(acts(shop))
    for name in ("goal_new", "funnel_new", "funnel_steps", "segment_new", "annotation_new"):
        for method in (viewer.get, viewer.post):
            assert method(url(shop, name)).status_code == 403, name
    for name in ("goal_edit", "goal_archive", "goal_restore", "goal_delete"):
        assert viewer.post(url(shop, name, pk)).status_code == 403, name
    assert viewer.get(url(shop, "goal_preview")).status_code == 403
    assert len(acts(shop)) == before
    assert url(shop, "goal_new") not in viewer.get(url(shop, "goals")).content.decode()


def test_a_member_of_one_section_sees_that_one_only(shop):
    user = member(shop, Role.VIEWER, all_sections=False, sections=[Section.FUNNELS])
    browser = browser_of(user, "shop-pages.localhost")
    assert browser.get(url(shop, "funnels")).status_code == 200
    for name in ("goals", "journeys", "retention", "realtime", "segments", "annotations"):
        assert browser.get(url(shop, name)).status_code == 403, name


def test_journeys_step_on_from_page_to_page(shop, viewer):
    page = viewer.get(url(shop, "journeys"))
    assert "Entry page" in text_of(page)
    assert "Next page" not in text_of(page)
    part = viewer.get(
        url(shop, "journeys"),
        {"step": ["/a", "/"]},
        headers={"hx-request": "true", "hx-request-type": "partial"},
    )
    words = text_of(part)
    assert "<html" not in part.content.decode()
    assert words.index("Entry page") < words.index("Next page") < words.index("2 pages on")
    assert 'aria-current="step"' in part.content.decode()
    start = text_of(viewer.get(url(shop, "journeys"), {"start": "/a/1"}))
    assert re.search(r"Start \d+ visits", start)
    assert "Nobody saw this page" in text_of(viewer.get(url(shop, "journeys"), {"start": "/zz"}))


def test_retention_says_that_only_consenting_visitors_can_be_recognised(shop, viewer):
    page = text_of(viewer.get(url(shop, "retention")))
    assert "Only visitors who agreed to a cookie can be recognised" in page
    assert re.search(r"Week 1 Week 2", page)
    assert "%" in page
    short = text_of(viewer.get(url(shop, "retention"), {"period": "7d"}))
    assert "Two weeks at least" in short


def test_realtime_shows_the_last_half_hour_and_refreshes_its_inside(shop, viewer):
    page = viewer.get(url(shop, "realtime"))
    assert 'hx-trigger="every 5s"' in page.content.decode()
    part = viewer.get(
        url(shop, "realtime"), headers={"hx-request": "true", "hx-request-type": "partial"}
    )
    assert "<html" not in part.content.decode()
    words = text_of(part)
    assert re.search(r"4 visitors now", words)
    assert "/now" in words
    assert "United Kingdom" in words
    assert part.content.decode().count("<rect") >= 30


def test_realtime_counts_one_visitor_in_the_singular(new_client):
    client = new_client("one-now")
    site, now = site_of(client), timezone.now()
    seen = [hit(client.pk, site.pk, now - dt.timedelta(minutes=1), 1)]
    store_hits(client, seen, zones=site_zones(client))
    browser = browser_of(member(client, Role.VIEWER), "one-now.localhost")
    words = text_of(browser.get(url(client, "realtime")))
    assert "1 visitor now" in words
    assert "1 visit and 1 page view in 30 minutes" in words


def test_segments_are_kept_from_filters_renamed_and_deleted(shop, manager):
    before = len(acts(shop))
    filters = "f=is,visit:country,GB&f=contains,event:page,/a"
    address = f"{url(shop, 'segment_new')}?{filters}"
    assert "United Kingdom" in text_of(manager.get(address))
    assert manager.post(address, {"name": "British A"}).status_code == 302
    with entered(shop):
        segment = Segment.objects.get(name="British A")
        assert segment.filters == [
            ["is", "visit:country", ["GB"]],
            ["contains", "event:page", ["/a"]],
        ]
    assert "of this name already" in text_of(manager.post(address, {"name": "British A"}))
    listed = manager.get(url(shop, "segments")).content.decode()
    assert f"is%2Csegment%2C{segment.pk}" in listed
    manager.post(url(shop, "segment_edit", segment.pk), {"name": "Readers of A"})
    assert "Readers of A" in text_of(manager.get(url(shop, "segments")))
    filtered = text_of(manager.get(url(shop, "goals"), {"f": f"is,segment,{segment.pk}"}))
    assert "Readers of A" in filtered
    manager.post(url(shop, "segment_delete", segment.pk))
    assert manager.get(url(shop, "segment_edit", segment.pk)).status_code == 404
    assert acts(shop)[before:] == ["segment.create", "segment.rename", "segment.delete"]


def test_without_filters_there_is_nothing_to_keep(shop, manager):
    page = text_of(manager.get(url(shop, "segment_new")))
    assert "There is no filter to save" in page
    reply = manager.post(url(shop, "segment_new"), {"name": "Everybody"})
    assert reply.status_code == 422


def test_annotations_are_added_changed_and_deleted(shop, manager):
    before = len(acts(shop))
    assert (
        'value="2026-01-05"'
        in manager.get(url(shop, "annotation_new"), {"on": "2026-01-05"}).content.decode()
    )
    sent = {"on_date": "2026-01-05", "text": "Sale began"}
    assert manager.post(url(shop, "annotation_new"), sent).status_code == 302
    with entered(shop):
        pk = Annotation.objects.get(text="Sale began").pk
    manager.post(url(shop, "annotation_edit", pk), sent | {"text": "Sale ended"})
    page = text_of(manager.get(url(shop, "annotations")))
    assert "Sale ended" in page
    assert "5 Jan 2026" in page
    Client.objects.filter(pk=shop.pk).update(locale="en-US")
    assert "Jan 5, 2026" in text_of(manager.get(url(shop, "annotations")))
    Client.objects.filter(pk=shop.pk).update(locale=shop.locale)
    long = manager.post(url(shop, "annotation_new"), sent | {"text": "x" * 121})
    assert long.status_code == 422
    manager.post(url(shop, "annotation_delete", pk))
    assert manager.get(url(shop, "annotation_edit", pk)).status_code == 404
    assert acts(shop)[before:] == ["annotation.create", "annotation.change", "annotation.delete"]


def test_a_filtered_page_of_goals_hides_groups_below_k(shop, manager, goals):
    filters = {"f": ["is,visit:country,IN", "is,visit:source,news.example", "is,event:page,/d%"]}
    page = text_of(manager.get(url(shop, "goals"), filters))
    assert "fewer than 5" in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("goals", "No goals yet"),
        ("funnels", "No funnels yet"),
        ("journeys", "No visits in this period"),
        ("retention", "Nobody who can be recognised"),
        ("realtime", "Nobody in the last half hour"),
        ("segments", "No segments yet"),
        ("annotations", "No annotations yet"),
    ],
)
def test_empty_pages_teach_what_they_are_for(bare, name, words):
    browser = browser_of(member(bare, Role.MANAGER), "bare.localhost")
    page = browser.get(url(bare, name))
    assert page.status_code == 200
    assert words in text_of(page)


def shared(client: Client, *sections: Section) -> tuple[Browser, int]:
    """A reader who came by a shared link, and the link's number."""
    site = site_of(client)
    with entered(client):
        link, token = create_link(
            site,
            name="For the board",
            sections=list(sections),
            password="",
            is_embed=False,
            frame_hosts=[],
            expires_at=None,
            created_by=None,
            now=timezone.now(),
        )
    browser = Browser(headers={"host": f"{client.slug}.localhost"})
    assert browser.get(reverse("share", URLCONF, args=[token])).status_code == 302
    return browser, link.pk


def test_a_shared_link_opens_the_pages_of_its_sections(shop, goals):
    browser, link = shared(shop, Section.GOALS, Section.FUNNELS)

    def status(name: str, *args: int) -> int:
        return browser.get(reverse(f"shared_{name}", URLCONF, args=[link, *args])).status_code

    assert status("goals") == status("funnels") == status("goal", goals["Below A"]) == 200
    assert status("journeys") == status("retention") == status("realtime") == 404
    page = browser.get(reverse("shared_goals", URLCONF, args=[link])).content.decode()
    assert f"/shared/{link}/goals/{goals['Below A']}/" in page
    assert f"/shared/{link}/funnels/" in page
    assert "/sites/" not in page


def test_a_shared_link_without_the_overview_begins_with_its_first_page(shop):
    browser, link = shared(shop, Section.RETENTION)
    reply = browser.get(reverse("shared_report", URLCONF, args=[link]))
    assert reply["Location"].startswith(f"/shared/{link}/retention/")
    assert browser.get(reply["Location"]).status_code == 200


@pytest.mark.parametrize("name", ["goals", "funnels", "journeys", "retention"])
def test_a_filter_that_cannot_be_asked_is_left_out_and_told(shop, viewer, name):
    page = viewer.get(url(shop, name), {"f": "is,event:goal,Gone long ago"})
    assert page.status_code == 200
    assert "Filters left out" in text_of(page)


def test_things_of_another_site_are_absent(shop, bare, goals):
    pk = goals["Below A"]
    browser = browser_of(member(bare, Role.MANAGER), "bare.localhost")
    assert browser.get(url(bare, "goal", pk)).status_code == 404
    assert browser.post(url(bare, "goal_delete", pk)).status_code == 404
    assert browser.get(url(shop, "goals")).status_code == 404
