"""The look without a browser: components, graphics, navigation, what the bundles hold."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import ResolverMatch, reverse, set_urlconf

from agency.front_end import WORLD, build_front_end
from agency.glossary import GLOSSARY
from agency.navigation import (
    ACCOUNT,
    ACCOUNT_AT_CLIENT,
    AGENCY,
    REPORT,
    SETTINGS,
    Item,
    Navigation,
    navigation_of,
)
from agency.templatetags.look import bars, share_bar, sparkline
from agency.world_map import lighten
from tenants.models import Client, User
from tests.conftest import site_of

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "templates"
COMPONENTS = TEMPLATES / "components"
FRAME = {
    *("brand.html", "column.html", "masthead_right.html", "messages.html", "side_nav.html"),
    *("site_nav.html", "site_switcher.html"),
}
"""Parts of base templates and of other components, which pages do not include themselves."""


def test_the_manual_names_every_component_and_no_other() -> None:
    manual = (ROOT / "docs" / "look.md").read_text().partition("## Components")[2]
    named = set(re.findall(r"^\| `(\w+\.html)`", manual, re.MULTILINE))
    assert named == {path.name for path in COMPONENTS.glob("*.html")} - FRAME


def pages() -> list[Path]:
    """Templates of pages in our look; mails and the demo's own websites are other things."""
    return [
        path
        for path in TEMPLATES.rglob("*.html")
        if not {"email", "demo", "mail", "pdf"} & set(path.relative_to(TEMPLATES).parts)
        and "mail" not in path.stem
        and "pdf" not in path.stem
    ]


def test_no_page_has_script_or_style_of_its_own_or_asks_a_third_party() -> None:
    assert len(pages()) > 40
    for path in pages():
        text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"\sstyle\s*=", text), path
        assert not re.search(r"\son[a-z]+\s*=", text), path
        assert not re.search(r"\shx-on", text), path
        assert not re.search(r"<style|<script(?![^>]*(\ssrc=|application/json))", text), path
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path


def test_terms_that_pages_ask_for_are_in_the_glossary() -> None:
    asked = set()
    for path in pages():
        asked |= set(re.findall(r"term\.html\" with term=\"([\w-]+)\"", path.read_text()))
    for path in (ROOT / "agency").rglob("*.py"):
        asked |= set(re.findall(r"\bterm=\"([\w-]+)\"", path.read_text()))
    assert asked
    assert asked <= set(GLOSSARY)


def test_a_bundle_is_made_once_and_asks_nobody_else(tmp_path: Path) -> None:
    target = build_front_end(tmp_path / "front")
    names = {path.name for path in target.iterdir()}
    assert {"main.css", "main.js", "world.json"} <= names
    assert any(re.fullmatch(r"map-[0-9A-Z]{8}\.js", name) for name in names)
    made = (target / "main.js").stat().st_mtime_ns
    assert build_front_end(tmp_path / "front") == target
    assert (target / "main.js").stat().st_mtime_ns == made
    css = (target / "main.css").read_text()
    assert not re.search(r"url\(\"?(https?:)?//", css)
    assert "@import" not in css


def test_the_maps_countries_keep_their_shape() -> None:
    source = json.loads(WORLD.read_text())
    light = lighten(source)
    shapes = light["objects"]["countries"]["geometries"]
    codes = {shape["id"] for shape in shapes if "id" in shape}
    assert {"GB", "FR", "IN", "US", "NZ"} <= codes
    assert all(re.fullmatch(r"[A-Z]{2}", code) for code in codes)
    assert "AQ" not in codes
    assert len(json.dumps(light)) < len(json.dumps(source)) * 0.75
    turned = []
    for shape in shapes:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        for ring, *_ in polygons:
            before, after = (area(ring, topology) for topology in (source, light))
            # A ring that turned round would fill the rest of the globe.
            if before * after < 0:
                turned.append((shape.get("id"), before, after))
    assert turned == []


def area(ring: list[int], topology: dict[str, object]) -> float:
    """Signed, in square degrees."""
    points: list[tuple[float, float]] = []
    for number in ring:
        arc = decoded(number if number >= 0 else ~number, topology)
        points.extend(arc if number >= 0 else reversed(arc))
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2


def decoded(number: int, topology: dict[str, object]) -> list[tuple[float, float]]:
    transform, arcs = topology["transform"], topology["arcs"]
    x = y = 0
    points = []
    for step_x, step_y in arcs[number]:  # type: ignore[index]  # JSON
        x, y = x + step_x, y + step_y
        (scale_x, scale_y), (left, bottom) = transform["scale"], transform["translate"]  # type: ignore[index]  # JSON
        points.append((x * scale_x + left, y * scale_y + bottom))
    return points


def test_a_sparkline_breaks_at_gaps_and_reaches_the_top() -> None:
    svg = ElementTree.fromstring(sparkline([2, 4, None, 1], words="Visits & more"))
    lines = [line.get("points") for line in svg.findall("polyline")]
    assert lines == ["0.0,16.0 33.3,1.0", "100.0,23.5 100.0,23.5"]
    assert svg.get("aria-label") == "Visits & more"
    assert ElementTree.fromstring(sparkline([])).get("aria-hidden") == "true"
    assert "NaN" not in sparkline([0, 0])


def test_bars_stand_on_the_floor_and_an_empty_minute_is_grey() -> None:
    svg = ElementTree.fromstring(bars([0, 5, 10], labels=["a", "b", "c"]))
    heights = [float(bar.get("height", "")) for bar in svg.findall("rect")]
    floors = {round(float(bar.get("y", "")) + float(bar.get("height", "")), 2) for bar in svg}
    assert heights == [0.6, 16.0, 32.0]
    assert floors == {32.0}
    assert [bar.get("class") for bar in svg] == ["is-none", "", ""]


@pytest.mark.parametrize(("share", "width"), [(37.5, "37.5%"), (-3, "0%"), (140, "100%")])
def test_a_bar_is_as_long_as_its_share(share: float, width: str) -> None:
    rect = ElementTree.fromstring(share_bar(share)).find("rect")
    assert rect is not None
    assert rect.get("width") == width


class Answer(forms.Form):
    """A field of each way of being tied to its words."""

    name = forms.CharField(help_text="As on letters.")
    mode = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    agreed = forms.BooleanField()


def test_errors_of_a_form_are_tied_to_their_fields() -> None:
    form = Answer({"name": ""})
    html = render_to_string("components/form.html", {"form": form}, RequestFactory().get("/"))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for wanted in re.findall(r'aria-describedby="([^"]+)"', html):
        assert set(wanted.split()) <= set(ids), wanted
    for target in re.findall(r'href="#([^"]+)"', html):
        assert target in ids
    assert 'name="csrfmiddlewaretoken"' in html
    assert "<legend>Mode" in html


def test_code_is_shown_and_never_run() -> None:
    template = engines["django"].from_string(
        '{% include "components/snippet.html" with text="<script>x</script>" name="n" only %}'
    )
    assert "<script>" not in template.render({})


def navigate(user: object, client: Client | None, page: str, **arguments: int) -> Navigation:
    request = RequestFactory().get("/", {"period": "7d", "page": "3"})
    request.user = user  # type: ignore[assignment]  # a user or nobody
    request.client = client  # type: ignore[attr-defined]  # HostMiddleware sets it
    urlconf = "agency.urls_client" if client else "agency.urls_agency"
    request.resolver_match = ResolverMatch(lambda: None, (), dict(arguments), page)
    set_urlconf(urlconf)
    try:
        return navigation_of(request)
    finally:
        set_urlconf(None)


def test_navigation_leads_nobody_anywhere(client_a: Client, stranger: User) -> None:
    assert navigate(AnonymousUser(), client_a, "log_in") == Navigation()
    assert navigate(stranger, client_a, "log_in") == Navigation()
    assert navigate(stranger, None, "log_in") == Navigation()


def test_a_manager_is_led_to_the_sections_with_the_period_kept(
    client_a: Client, manager_a: User
) -> None:
    site = site_of(client_a)
    found = navigate(manager_a, client_a, "report", site_id=site.pk)
    assert [link.words for link in found.main][:2] == ["Overview", "Realtime"]
    assert found.main[0].url == f"/sites/{site.pk}/?period=7d"
    assert [link.words for link in found.main if link.is_current] == ["Overview"]
    assert "People" in [link.words for link in found.settings]
    assert not found.is_staff


def test_who_may_see_realtime_only_is_led_there_only(
    client_a: Client, realtime_viewer_a: User
) -> None:
    found = navigate(realtime_viewer_a, client_a, "realtime")
    assert [link.words for link in found.main] == ["Realtime"]
    assert "People" not in [link.words for link in found.settings]


def test_staff_find_their_own_pages(agency_owner: User, analyst: User) -> None:
    words = [link.words for link in navigate(agency_owner, None, "style").main]
    assert {"Clients", "People", "Style"} <= set(words)
    assert "People" not in [link.words for link in navigate(analyst, None, "home").main]


@pytest.mark.parametrize(
    ("urlconf", "items"),
    [
        (settings.PUBLIC_SCHEMA_URLCONF, (*AGENCY, *ACCOUNT)),
        (settings.ROOT_URLCONF, (*REPORT, *SETTINGS, *ACCOUNT_AT_CLIENT)),
    ],
)
def test_every_item_of_the_navigation_has_its_page(urlconf: str, items: tuple[Item, ...]) -> None:
    for item in items:
        assert reverse(item.name, urlconf, args=[1] if item.of_site else [])


def test_who_may_see_everything_is_led_to_every_page(client_a: Client, agency_owner: User) -> None:
    found = navigate(agency_owner, client_a, "report")
    assert [link.words for link in found.main] == [item.words for item in REPORT]
    assert [link.words for link in found.settings] == [item.words for item in SETTINGS]
    assert [link.url for link in found.account][-1] == "/api/v1/docs"
    at_the_agency = navigate(agency_owner, None, "home")
    assert [link.words for link in at_the_agency.main] == [item.words for item in AGENCY]
    assert [link.words for link in at_the_agency.account] == [item.words for item in ACCOUNT]
