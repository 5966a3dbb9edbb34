"""User agents as browsers of 2025 and 2026 send them, with their rough shares.

Browsers have frozen most of the text (https://www.chromium.org/updates/ua-reduction/): what is
left to vary is the version, so a few forms with a range of versions make a day's variety.
"""

import random
from typing import Final

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0"

_DESKTOP: Final[tuple[tuple[float, str, int, int], ...]] = (
    # weight, form, lowest and highest version
    (46, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", 128, 142),
    (14, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36", 128, 142),
    (
        13,
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/{v}.3 Safari/605.1.15"
        ),
        16,
        19,
    ),
    (
        13,
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/{{v}}.0.0.0",
        128,
        142,
    ),
    (
        8,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
        128,
        145,
    ),
    (3, "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 128, 145),
    (2, f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_CHROME} Safari/537.36", 128, 142),
    (
        1,
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 OPR/1{{v}}.0.0.0",
        13,
        24,
    ),
)
_PHONE: Final[tuple[tuple[float, str, int, int], ...]] = (
    (
        47,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS {v}_3 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/{v}.3 Mobile/15E148 Safari/604.1"
        ),
        16,
        19,
    ),
    (36, f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36", 128, 142),
    (
        7,
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "SamsungBrowser/{v}.0 Chrome/125.0.0.0 Mobile Safari/537.36"
        ),
        24,
        29,
    ),
    (
        4,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) CriOS/{v}.0.6478.35 Mobile/15E148 Safari/604.1"
        ),
        128,
        142,
    ),
    (
        3,
        (
            "Mozilla/5.0 (iPad; CPU OS {v}_3 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/{v}.3 Mobile/15E148 Safari/604.1"
        ),
        15,
        18,
    ),
    (2, f"Mozilla/5.0 (Linux; Android 14; SM-X210) {_CHROME} Safari/537.36", 128, 142),
    (1, "Mozilla/5.0 (Android 14; Mobile; rv:{v}.0) Gecko/{v}.0 Firefox/{v}.0", 128, 145),
)
BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
        "+http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36"
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
        "+https://openai.com/gptbot)"
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "HeadlessChrome/131.0.0.0 Safari/537.36"
    ),
)
"""Crawlers that run scripts, and so reach a collector."""

_WEIGHTS = {phone: [row[0] for row in rows] for phone, rows in ((False, _DESKTOP), (True, _PHONE))}


def pick_agent(rng: random.Random, *, phone_share: float) -> str:
    """User agent of a person; newer versions are likelier."""
    phone = rng.random() < phone_share
    rows = _PHONE if phone else _DESKTOP
    _, form, lowest, highest = rng.choices(rows, _WEIGHTS[phone])[0]
    version = round(rng.triangular(lowest, highest, highest))
    return form.replace("{v}", str(version))


def pick_bot(rng: random.Random) -> str:
    """User agent of a crawler."""
    return rng.choice(BOTS)
