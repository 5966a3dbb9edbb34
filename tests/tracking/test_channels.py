"""A visit is credited to the source and channel a marketer would name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.channels import classify
from tracking.pages import CLICK_IDS, Utm, read_url
from tracking.sources import BRANDS, CLICKS, SOURCES, Channel, Medium

OWN = ("shop.example.com", "www.example.com:8080")


def won(
    referrer: str = "", utm: Utm | None = None, click_id: str = "", own: tuple[str, ...] = OWN
) -> tuple[str, str]:
    source, channel = classify(referrer, own, utm or Utm(), click_id=click_id)
    return source, channel


@pytest.mark.parametrize(
    ("referrer", "source", "channel"),
    [
        ("", "", "Direct"),
        ("about:blank", "", "Direct"),
        ("file:///home/x", "", "Direct"),
        ("not a url", "", "Direct"),
        ("https://[::1", "", "Direct"),
        ("https://www.google.com/", "Google", "Organic search"),
        ("https://www.google.co.uk/search?q=tea", "Google", "Organic search"),
        ("https://google.com.au", "Google", "Organic search"),
        ("https://www.google.de/", "Google", "Organic search"),
        ("http://WWW.BING.COM/search", "Bing", "Organic search"),
        ("https://duckduckgo.com/", "DuckDuckGo", "Organic search"),
        ("https://uk.search.yahoo.com/", "Yahoo", "Organic search"),
        ("https://yandex.com.tr/", "Yandex", "Organic search"),
        ("https://www.ecosia.org/", "Ecosia", "Organic search"),
        ("https://l.facebook.com/l.php", "Facebook", "Organic social"),
        ("https://lm.facebook.com/", "Facebook", "Organic social"),
        ("https://t.co/abc", "X", "Organic social"),
        ("https://www.linkedin.com/", "LinkedIn", "Organic social"),
        ("https://old.reddit.com/r/tea", "Reddit", "Organic social"),
        ("https://www.pinterest.co.uk/", "Pinterest", "Organic social"),
        ("https://m.youtube.com/", "YouTube", "Organic video"),
        ("https://mail.google.com/mail", "Gmail", "E-mail"),
        ("https://uk.mail.yahoo.com/", "Yahoo Mail", "E-mail"),
        ("https://eur01.safelinks.protection.outlook.com/", "Outlook", "E-mail"),
        ("https://chatgpt.com/", "ChatGPT", "AI assistants"),
        ("https://chat.openai.com/", "ChatGPT", "AI assistants"),
        ("https://www.perplexity.ai/", "Perplexity", "AI assistants"),
        ("https://claude.ai/", "Claude", "AI assistants"),
        ("https://gemini.google.com/", "Gemini", "AI assistants"),
        ("https://copilot.microsoft.com/", "Copilot", "AI assistants"),
        ("https://news.google.co.uk/", "Google News", "Referral"),
        ("https://sites.google.com/x", "sites.google.com", "Referral"),
        ("https://en.wikipedia.org/wiki/Tea", "Wikipedia", "Referral"),
        ("https://www.partner.co.uk:8443/links", "partner.co.uk", "Referral"),
        ("https://notgoogle.com/", "notgoogle.com", "Referral"),
        ("https://google.com.evil.example/", "google.com.evil.example", "Referral"),
        ("android-app://com.google.android.gm/", "Gmail", "E-mail"),
        ("android-app://com.google.android.googlequicksearchbox/", "Google", "Organic search"),
        ("android-app://com.linkedin.android/", "LinkedIn", "Organic social"),
        ("android-app://org.example.reader/", "org.example.reader", "Referral"),
    ],
)
def test_a_referrer_gives_a_clean_name_and_its_channel(
    referrer: str, source: str, channel: str
) -> None:
    assert won(referrer) == (source, channel)


@pytest.mark.parametrize(
    "referrer",
    ["https://shop.example.com/basket", "https://example.com/", "https://www.example.com/a"],
)
def test_coming_from_an_own_host_is_direct(referrer: str) -> None:
    assert won(referrer) == ("", "Direct")


def test_another_host_of_the_same_domain_is_a_referral() -> None:
    assert won("https://blog.example.com/") == ("blog.example.com", "Referral")


@pytest.mark.parametrize(
    "referrer", ["http://192.0.2.7/x", "http://[2001:db8::7]:80/", "http://u:p@192.0.2.7/"]
)
def test_a_referrer_that_is_an_address_is_not_kept(referrer: str) -> None:
    assert won(referrer) == (":ip", "Referral")


@pytest.mark.parametrize(
    ("utm", "source", "channel"),
    [
        (Utm("google", "cpc"), "Google", "Paid search"),
        (Utm("Google", "CPC"), "Google", "Paid search"),
        (Utm("bing", "ppc"), "Bing", "Paid search"),
        (Utm("brand-x", "paid_search"), "brand-x", "Paid search"),
        (Utm("facebook", "cpc"), "Facebook", "Paid social"),
        (Utm("ig", "paid-social"), "Instagram", "Paid social"),
        (Utm("partner", "cpc"), "partner", "Paid other"),
        (Utm("youtube", "cpv"), "YouTube", "Paid other"),
        (Utm("taboola", "paid"), "taboola", "Paid other"),
        (Utm("", "cpc"), "", "Paid other"),
        (Utm("newsletter", "email"), "Newsletter", "E-mail"),
        (Utm("june", "E-Mail"), "june", "E-mail"),
        (Utm("mailchimp"), "Mailchimp", "E-mail"),
        (Utm("linkedin", "social"), "LinkedIn", "Organic social"),
        (Utm("linkedin.com"), "LinkedIn", "Organic social"),
        (Utm("www.facebook.com"), "Facebook", "Organic social"),
        (Utm("chatgpt.com"), "ChatGPT", "AI assistants"),
        (Utm("times", "banner"), "times", "Display"),
        (Utm("awin", "affiliate"), "awin", "Affiliates"),
        (Utm("reminder", "sms"), "reminder", "Messages"),
        (Utm("google", "organic"), "Google", "Organic search"),
        (Utm("partner", "referral"), "partner", "Referral"),
        (Utm("poster", "qr"), "poster", "Other campaigns"),
        (Utm("partner"), "partner", "Referral"),
        (Utm("", "", "summer"), "", "Direct"),
    ],
)
def test_a_campaign_gives_source_and_channel(utm: Utm, source: str, channel: str) -> None:
    assert won("", utm) == (source, channel)


def test_the_campaign_source_wins_over_the_referrer() -> None:
    assert won("https://l.facebook.com/", Utm("newsletter", "email")) == ("Newsletter", "E-mail")
    assert won("https://www.google.com/", Utm("facebook")) == ("Facebook", "Organic social")


def test_a_campaign_medium_alone_takes_its_source_from_the_referrer() -> None:
    assert won("https://www.google.com/", Utm("", "cpc")) == ("Google", "Paid search")


@pytest.mark.parametrize(
    ("referrer", "utm", "click_id", "source", "channel"),
    [
        ("https://www.google.com/", Utm(), "gclid", "Google", "Paid search"),
        ("", Utm(), "gclid", "Google", "Paid search"),
        ("https://partner.example.org/", Utm(), "gclid", "Google", "Paid search"),
        ("", Utm("summer"), "gclid", "summer", "Paid search"),
        ("", Utm(), "dclid", "Google", "Display"),
        ("https://www.bing.com/", Utm(), "msclkid", "Bing", "Paid search"),
        ("", Utm(), "ttclid", "TikTok", "Paid social"),
        ("", Utm(), "li_fat_id", "LinkedIn", "Paid social"),
        ("https://shop.example.com/", Utm(), "gclid", "Google", "Paid search"),
        ("", Utm("news", "email"), "gclid", "news", "E-mail"),
        ("", Utm(), "mc_cid", "Mailchimp", "E-mail"),
        ("", Utm(), "nonsense", "", "Direct"),
    ],
)
def test_a_click_parameter_marks_paid(
    referrer: str, utm: Utm, click_id: str, source: str, channel: str
) -> None:
    assert won(referrer, utm, click_id) == (source, channel)


def test_facebook_adds_its_click_parameter_to_unpaid_links_too() -> None:
    assert won("", Utm(), "fbclid") == ("Facebook", "Organic social")
    assert won("https://partner.example.org/", Utm(), "fbclid")[0] == "partner.example.org"
    assert won("", Utm("facebook", "paid"), "fbclid") == ("Facebook", "Paid social")


def test_the_landing_page_and_the_channel_agree_on_click_parameters() -> None:
    assert set(CLICKS) == CLICK_IDS
    page = read_url("https://shop.example.com/?utm_source=fb&utm_medium=cpc&fbclid=x", hosts=OWN)
    assert won("", page.utm, page.click_id) == ("Facebook", "Paid social")


def test_the_table_of_sources_is_sound() -> None:
    assert len(SOURCES) > 300
    for key, source in [*SOURCES.items(), *BRANDS.items()]:
        assert key == key.lower().strip(), key
        assert not key.startswith("www."), key
        assert source.name, key
        assert source.name == source.name.strip(), key
    names = [(source.name, source.medium) for source in SOURCES.values()]
    for name in {name for name, _ in names}:
        assert len({medium for each, medium in names if each == name}) == 1, name
    assert {source.medium for source in SOURCES.values()} == set(Medium)


@given(
    st.one_of(st.text(max_size=50), st.from_regex(r"(https?|android-app)://[a-z.]{1,20}/.{0,20}")),
    st.builds(Utm, st.text(max_size=10), st.text(max_size=10)),
    st.sampled_from(["", *sorted(CLICK_IDS)]),
)
def test_any_referrer_has_a_channel_and_only_direct_may_lack_a_source(
    referrer: str, utm: Utm, click_id: str
) -> None:
    source, channel = won(referrer, utm, click_id)
    assert channel in set(Channel)
    assert type(channel) is str
    assert "?" not in source or "?" in utm.source
    if channel == "Direct" and not utm.medium:
        assert source == ""
