"""Page addresses and names are stored clean: no query, no person, no inward postcode, no NUL."""

import re
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracking.masking import cut_postcodes, mask_personal
from tracking.outcode import UK_AREAS, UK_INWARD, UK_OUTWARD
from tracking.pages import (
    MAX_PATH_BYTES,
    BadUrlError,
    Utm,
    clean_target,
    clean_text,
    cut_bytes,
    read_url,
)

HOSTS = ("shop.example.com", "www.example.com:8080", "127.0.0.1:9000")


def path_of(url: str) -> str:
    return read_url(url, hosts=HOSTS).path


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://shop.example.com/tea", "", "/tea"),
        ("HTTPS://Shop.Example.COM:443/Tea/", "", "/Tea/"),
        ("http://www.example.com/", "www.example.com", "/"),
        ("https://shop.example.com", "", "/"),
        ("https://shop.example.com?x=1", "", "/"),
        ("https://shop.example.com#top", "", "/"),
        ("https://user:secret@shop.example.com/tea?x=1#top", "", "/tea"),
        ("https://elsewhere.example.org./a", "elsewhere.example.org", "/a"),
        ("http://127.0.0.1:8000/a", "127.0.0.1", "/a"),
        ("http://192.0.2.9/a", ":ip", "/a"),
        ("http://[2001:db8::9]:80/a", ":ip", "/a"),
        ("/tea?x=1", "", "/tea"),
        ("  /tea\n", "", "/tea"),
        ("//shop.example.com/tea", "", "/tea"),
        ("https:\\\\shop.example.com\\tea", "", "/tea"),
    ],
)
def test_a_url_becomes_host_and_path(url: str, host: str, path: str) -> None:
    page = read_url(url, hosts=HOSTS)
    assert (page.host, page.path) == (host, path)


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "tea", "ftp://shop.example.com/", "javascript:alert(1)", "data:,x", "https://"),
        *("https:///path", "mailto:someone@example.com", "https://exa mple.com/", "http://[::1/"),
        *("https://a\x00b.example/", "*", "localhost:8000/x"),
    ],
)
def test_what_is_no_page_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(
        BadUrlError, match=r"^not the address of a (web )?page: send a URL"
    ) as error:
        read_url(url, hosts=HOSTS)
    assert "example" not in str(error.value)
    assert error.value.code == "bad-url"


def test_campaign_parameters_are_read_before_the_query_is_dropped() -> None:
    page = read_url(
        "https://shop.example.com/tea?UTM_source=Google&utm_medium=cpc&utm_campaign=Green%20tea"
        "&utm_term=loose+leaf&utm_content=a%2Fb&gclid=CjwKCAjw&secret=1",
        hosts=HOSTS,
    )
    assert page.utm == Utm("Google", "cpc", "Green tea", "loose leaf", "a/b")
    assert page.click_id == "gclid"
    assert "CjwKCAjw" not in repr(page)
    assert "secret" not in repr(page)


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("ref=producthunt", "producthunt"),
        ("source=app&ref=producthunt", "app"),
        ("ref=producthunt&source=app&utm_source=x", "x"),
        ("utm_source=&ref=y", "y"),
        ("utm_source=first&utm_source=second", "first"),
        ("preference=1&resource=2", ""),
        ("ref=someone%40example.com", ":email"),
        ("ref=SW1A+1AA", "SW1A"),
        ("ref=%00", ""),
    ],
)
def test_ref_and_source_stand_in_for_the_campaign_source(query: str, source: str) -> None:
    assert read_url(f"/?{query}", hosts=HOSTS).utm.source == source


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/caf%c3%a9", "/café"),
        ("/café", "/café"),
        ("/cafe\u0301", "/café"),
        ("/%7euser/%41", "/~user/A"),
        ("/a%2fb%3fc%23d", "/a%2Fb%3Fc%23d"),
        ("/a%20b", "/a%20b"),
        ("/a b", "/a%20b"),
        ("/%e9t%e9", "/%E9t%E9"),
        ("/100%", "/100%25"),
        ("/%\x1f00", "/"),
        ("/%%300", "/%2500"),
        ("/a%00b\x00c\x1f\x7f\x9f", "/abc"),
        ("/a\ud800b", "/ab"),
        ("/a\u202eb\u200b", "/ab"),
        ("/a;jsessionid=0A1B2C/b", "/a/b"),
        ('/<b>"x"', "/%3Cb%3E%22x%22"),
        ("/a//b/../c", "/a//b/../c"),
    ],
)
def test_a_path_has_one_spelling(path: str, clean: str) -> None:
    assert path_of(f"https://shop.example.com{path}") == clean
    assert path_of(clean) == clean


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/reset/john.smith@example.com/x", "/reset/:email/x"),
        ("/reset/john%40example.com", "/reset/:email"),
        ("/reset/john%2540example.com", "/reset/:email"),
        ("/reset/o'brien+news@mail.example.co.uk", "/reset/:email"),
        ("/u/jörg@exämple.de", "/u/:email"),
        ("/u/john@192.0.2.1", "/u/:email"),
        ("/from/192.0.2.1", "/from/:ip"),
        ("/from/ip192.0.2.1:80", "/from/ip:ip:80"),
        ("/from%2C192.0.2.1", "/from,:ip"),
        ("/from%23192.0.2.1", "/from%23:ip"),
        ("/from%23.0.2.1", "/from%25:ip"),
        ("/from/192%2E0%2E2%2E1.html", "/from/:ip.html"),
        ("/from/2001:db8::1", "/from/:ip"),
        ("/from/fe:ff:fa:fb:fc:fd:fe:ff", "/from/:ip"),
        ("/from/2001%3Adb8%3A%3A1", "/from/:ip"),
        ("/from/[2001:db8:1:2:3:4:5:6]/x", "/from/[:ip]/x"),
        ("/from/ip:2001:db8::1", "/from/ip::ip"),
        ("/from/::ffff:192.0.2.1", "/from/:ip::ip"),
        ("/o/550e8400-e29b-41d4-a716-446655440000", "/o/:id"),
        ("/o/d41d8cd98f00b204e9800998ecf8427e/x", "/o/:id/x"),
        ("/o/aB3dE5gH7jK9mN1pQ3sT5vW7", "/o/:id"),
        ("/o/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sflKxwRJSM", "/o/:id"),
        ("/pay/4111111111111111", "/pay/:id"),
        ("/pay/4111-1111-1111-1111", "/pay/:id"),
        ("/call/+447700900123", "/call/:id"),
    ],
)
def test_persons_are_masked_in_a_path(path: str, clean: str) -> None:
    assert path_of(path) == clean


@pytest.mark.parametrize(
    "path",
    [
        "/blog/2024/01/02/how-to-build-a-house-in-10-days",
        "/isbn/9780141439518",
        "/@john/status/1234567890123",
        "/npm/react@18.2.0/index.js",
        "/docs/v1.2.3/std::vector/Foo::Bar",
        "/1.3.6.1.4.1",
        "/news/uk-12345678",
        "/p/a1-2bb/q1-1aa/aaa-1aa",
        "/sw1a-1acc/xsw1a1aa/sw1a1aax",
        "/e1/n1/sw1a/b2b",
        "/aVeryLongCamelCaseNameWithoutAnyNumbersInIt",
    ],
)
def test_ordinary_paths_stay_as_they_are(path: str) -> None:
    assert path_of(path) == path


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("/delivery/SW1A-1AA", "/delivery/SW1A"),
        ("/search/SW1A%201AA", "/search/SW1A"),
        ("/search/sw1a%2B1aa/near", "/search/sw1a/near"),
        ("/search/sw1a+1aa", "/search/sw1a"),
        ("/search/sw1a_1aa", "/search/sw1a"),
        ("/search/sw1a1aa", "/search/sw1a"),
        ("/search/SW1A/1AA/x", "/search/SW1A/x"),
        ("/m1-1aa-and-e1-6an", "/m1-and-e1"),
        ("to%20SW1A%201AA", "to%20SW1A"),
        ("to%2520SW1A%25201AA", "to%2520SW1A"),
        ("Delivery to SW1A 1AA, please", "Delivery to SW1A, please"),
        ("SW1A\u00a01AA", "SW1A"),
        ("SW1A\u20131AA", "SW1A"),
        ("W1A1AA", "W1A"),
        ("GIR 0AA", "GIR"),
        ("SW1A 1AA 2BB", "SW1A"),
        ("m2-8gb", "m2"),
    ],
)
def test_of_a_postcode_in_a_text_only_the_outward_part_is_left(text: str, cut: str) -> None:
    assert cut_postcodes(text) == cut


def test_a_name_is_cut_at_a_character_and_cleaned() -> None:
    assert clean_text("  News\tletter \x00 é\u0301 ", 100) == "News letter é\u0301"
    assert clean_text("ééé", 5) == "éé"
    assert clean_text("call a.b@c.example from 192.0.2.1 in SW1A 1AA", 100) == (
        "call :email from :ip in SW1A"
    )
    assert clean_text("\x00\ud800", 10) == ""
    assert cut_bytes("a€", 3) == "a"


def test_an_address_at_the_cut_is_not_left_in_halves() -> None:
    assert clean_text("x" * 80 + " someone@example.com", 90) == "x" * 80 + " :email"
    assert clean_text("SW1A 1AAB", 8) == "SW1A"


def test_a_long_path_is_cut_at_a_character_and_not_within_an_encoded_byte() -> None:
    assert path_of("/" + "é" * 2000) == "/" + "é" * 499
    assert len(path_of("/" + "%2F" * 2000).encode()) <= MAX_PATH_BYTES
    assert path_of("/a" + "%2F" * 2000) == "/a" + "%2F" * 332


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Partner.example.org/a/b?token=1#c", "https://partner.example.org/a/b"),
        ("http://user:pw@partner.example.org:8080/", "http://partner.example.org/"),
        ("https://partner.example.org", "https://partner.example.org/"),
        ("//cdn.example.org/x.pdf", "https://cdn.example.org/x.pdf"),
        ("/files/price-list.pdf?v=2", "/files/price-list.pdf"),
        ("files/list.pdf", "/files/list.pdf"),
        ("mailto:someone@example.com", "mailto:"),
        ("tel:+447700900123", "tel:"),
        ("javascript:alert(1)", "javascript:"),
        ("http://192.0.2.1/x", "http://:ip/x"),
        ("https://x.example/SW1A1AA/someone@example.com", "https://x.example/SW1A/:email"),
        ("", ""),
        ("https://", ""),
    ],
)
def test_a_target_keeps_scheme_host_and_path(url: str, target: str) -> None:
    assert clean_target(url) == target


outward_codes = st.from_regex(UK_OUTWARD, fullmatch=True).filter(
    lambda code: code == "GIR" or re.split("[0-9]", code)[0] in UK_AREAS
)
separators = st.sampled_from(["", " ", "-", "+", "_", "%20", "%2B", "/", "  ", "\u00a0"])
SEEN = re.compile(
    rf"(?<![0-9A-Za-z])({UK_OUTWARD})[ +_./-]?{UK_INWARD}(?![0-9A-Za-z])", re.IGNORECASE
)


@given(
    st.sampled_from(["/", "/to/", "/to-", "/to%20", "/é/"]),
    outward_codes,
    separators,
    st.from_regex(UK_INWARD, fullmatch=True),
    st.sampled_from(["", "/", "/x", "-x", "%20x", ".html"]),
    st.booleans(),
)
def test_no_whole_postcode_survives_in_path_name_or_target(
    before: str, outward: str, between: str, inward: str, after: str, small: bool
) -> None:
    code = f"{outward}{between}{inward}"
    text = f"{before}{code.lower() if small else code}{after}"
    for clean in (path_of(text), clean_text(text, 500), clean_target(f"https://x.example{text}")):
        assert not re.search(f"{outward}.{{0,6}}{inward}", clean, re.IGNORECASE)
        assert outward.lower() in clean.lower()


@given(
    st.sampled_from(["/", "/ip/", "/ip=", "/x%20", "/x%23", "/a,"]),
    st.ip_addresses().filter(lambda address: str(address) != "::"),
    st.sampled_from(["", "/x", ":80/", "%20", "]", ",a"]),
)
@example("/", ip_address("::1"), "")
@example("/x%20", ip_address("201.2.3.4"), "")
def test_no_address_survives_in_path_name_or_target(
    before: str, address: object, after: str
) -> None:
    text = f"{before}{address}{after}"
    for clean in (path_of(text), clean_text(text, 500), clean_target(f"https://x.example{text}")):
        assert str(address) not in clean
        assert ":ip" in clean


@given(st.emails().filter(lambda email: "/" not in email))
def test_no_email_survives(email: str) -> None:
    local, _, domain = email.partition("@")
    for clean in (clean_text(f"to {email}", 500), clean_text(f"to {local}%40{domain}", 500)):
        assert email not in clean
        assert f"{local[-1]}@" not in clean
        assert ":email" in clean


texts = st.one_of(
    st.text(max_size=60),
    st.text("SW1A/%20BME-é\x00 \ud800.:@", max_size=60),
    st.lists(
        st.sampled_from(
            ["SW1A", "1AA", "M1", " ", "-", "%20", "/", "1.2.3.4", "::", "a@b.example", "x", "%"]
        ),
        max_size=12,
    ).map("".join),
)


@given(texts, st.integers(0, 40))
def test_a_name_is_always_fit_to_store(text: str, max_bytes: int) -> None:
    clean = clean_text(text, max_bytes)
    assert len(clean.encode("utf-8")) <= max_bytes
    assert "\x00" not in clean
    seen = [re.split("[0-9]", found[1].upper())[0] for found in SEEN.finditer(clean)]
    assert not UK_AREAS.intersection(seen)


@given(texts)
def test_a_path_is_always_fit_to_store_and_cleaning_twice_changes_nothing(text: str) -> None:
    clean = path_of("/x" + text)
    assert clean.startswith("/")
    assert len(clean.encode("utf-8")) <= MAX_PATH_BYTES
    assert "?" not in clean
    assert "#" not in clean
    assert path_of(clean) == clean
    assert mask_personal(mask_personal(text)) == mask_personal(text)


@given(texts)
def test_any_text_is_a_page_or_refused(text: str) -> None:
    try:
        page = read_url(text, hosts=HOSTS)
    except BadUrlError:
        return
    assert page.path.startswith("/")
    assert clean_target(text) == clean_target(text).strip()
