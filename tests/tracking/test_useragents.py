"""Browsers, systems and devices are named without versions, and bots are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.useragents import bot_name, read_agent

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
    " AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
CHROME = f"{WINDOWS} {WEBKIT} Chrome/126.0.0.0 Safari/537.36"

PEOPLE = [
    (CHROME, "Chrome", "Windows", "desktop"),
    (f"{CHROME} Edg/126.0.0.0", "Edge", "Windows", "desktop"),
    (f"{CHROME} OPR/112.0.0.0", "Opera", "Windows", "desktop"),
    (f"{WINDOWS[:-1]}; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "Windows", "desktop"),
    (
        "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Internet Explorer",
        "Windows",
        "desktop",
    ),
    (
        f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
        "Safari",
        "macOS",
        "desktop",
    ),
    (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/126.0.0.0 Safari/537.36",
        "Chrome",
        "ChromeOS",
        "desktop",
    ),
    (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "Firefox",
        "Linux",
        "desktop",
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "Firefox",
        "Linux",
        "desktop",
    ),
    (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari", "iOS", "phone"),
    (f"{IPHONE} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "Chrome", "iOS", "phone"),
    (f"{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "Firefox", "iOS", "phone"),
    (f"{IPHONE} Version/17.5 EdgiOS/126 Mobile/15E148 Safari/604.1", "Edge", "iOS", "phone"),
    (f"{IPHONE} Mobile/21F79 [FBAN/FBIOS;FBAV/468.0.0.0]", "Facebook", "iOS", "phone"),
    (f"{IPHONE} Mobile/21F79 Instagram 335.0.0.0", "Instagram", "iOS", "phone"),
    (
        (
            "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/16.5 Mobile/15E148 Safari/604.1"
        ),
        "Safari",
        "iOS",
        "tablet",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36",
        "Chrome",
        "Android",
        "phone",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/126.0.0.0 Safari/537.36",
        "Chrome",
        "Android",
        "tablet",
    ),
    (
        (
            f"Mozilla/5.0 (Linux; Android 13; SM-S911B) {WEBKIT} SamsungBrowser/23.0"
            " Chrome/115.0.0.0 Mobile Safari/537.36"
        ),
        "Samsung Internet",
        "Android",
        "phone",
    ),
    (
        f"Mozilla/5.0 (Linux; Android 9; CUBOT X30) {WEBKIT} Chrome/100.0 Mobile Safari/537.36",
        "Chrome",
        "Android",
        "phone",
    ),
    (
        (
            f"Mozilla/5.0 (Linux; Android 9; AFTKA) {WEBKIT} Silk/108.4 like Chrome/108.0"
            " Safari/537.36"
        ),
        "Amazon Silk",
        "Android",
        "tv",
    ),
    (
        (
            f"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) {WEBKIT} SamsungBrowser/2.2 Chrome/63.0 TV"
            " Safari/537.36"
        ),
        "Samsung Internet",
        "Tizen",
        "tv",
    ),
    (
        f"{WINDOWS[:-1]}; Xbox; Xbox Series X) {WEBKIT} Chrome/126.0 Safari/537.36 Edg/126.0",
        "Edge",
        "Windows",
        "console",
    ),
    (
        (
            "Mozilla/5.0 (PlayStation 5 3.11) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/14.0"
            " Safari/605.1.15"
        ),
        "Safari",
        "",
        "console",
    ),
    ("something else", "", "", "other"),
]


@pytest.mark.parametrize(("user_agent", "browser", "os", "device"), PEOPLE)
def test_a_browser_is_named_without_its_version(
    user_agent: str, browser: str, os: str, device: str
) -> None:
    assert read_agent(user_agent) == (browser, os, device)


@pytest.mark.parametrize("user_agent", [each[0] for each in PEOPLE[:-1]])
def test_a_person_is_no_bot(user_agent: str) -> None:
    assert bot_name(user_agent) is None


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("", "no user agent"),
        ("   ", "no user agent"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bingbot"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "python-requests"),
        ("GPTBot/1.2", "GPTBot"),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "ClaudeBot"),
        ("meta-externalagent/1.1 (+https://developers.facebook.com/docs)", "meta-externalagent"),
        ("node", "node"),
        (
            f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/126.0.0.0 Safari/537.36",
            "Headless",
        ),
        ("Mozilla/5.0 (compatible; brandnewbot/0.1)", "brandnewbot"),
    ],
)
def test_a_bot_is_named(user_agent: str, name: str) -> None:
    assert bot_name(user_agent) == name


def test_a_bot_after_a_person_does_not_lend_its_name() -> None:
    assert bot_name("Googlebot/2.1") == "Googlebot"
    assert bot_name(f"{CHROME} ") is None


@given(st.text(max_size=700))
def test_any_text_can_be_a_user_agent(user_agent: str) -> None:
    assert read_agent(user_agent).device in {
        *("desktop", "phone", "tablet", "tv", "console", "other")
    }
    assert bot_name(user_agent) != ""
