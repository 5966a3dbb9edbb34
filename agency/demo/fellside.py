"""Fellside Outfitters: a shop for outdoor clothes in the Lake District. British, in pounds."""

from agency.demo.pages import Button, DemoClient, DemoPage, Download
from tracking.simulate.generic import ASSISTANTS, SEARCHES, SOCIAL
from tracking.simulate.websites import Arrival, Rhythm


def _product(
    slug: str, title: str, price: str, lead: str, facts: tuple[tuple[str, str], ...], entry: float
) -> DemoPage:
    return DemoPage(
        f"/shop/{slug}",
        "item",
        title,
        lead,
        body=(
            (
                "Cut and sewn in small runs in Kendal, then walked in for a season before it is "
                "sold. What wears out we mend; what cannot be mended we take back."
            ),
        ),
        facts=facts,
        price=price,
        buttons=(
            Button(
                "Add to basket",
                0.09,
                event="Add to basket",
                props={"product": slug},
                says="In your basket.",
            ),
            Button(
                "Reserve in store",
                0.03,
                event="Reserve in store",
                props={"product": slug},
                says="Kept for you for two days.",
            ),
            Button("Size guide", 0.07, href="/downloads/size-guide.csv"),
        ),
        entry=entry,
        pull=1.4,
        seconds=38,
    )


def _article(slug: str, title: str, lead: str, body: tuple[str, ...], entry: float) -> DemoPage:
    return DemoPage(
        f"/journal/{slug}",
        "article",
        title,
        lead,
        body=body,
        cards=("/shop/helm-waterproof", "/shop/tarn-fleece", "/shop/cairn-boots"),
        buttons=(
            Button(
                "Mountain forecast",
                0.12,
                href="https://www.metoffice.gov.uk/weather/specialist-forecasts/mountain",
            ),
        ),
        entry=entry,
        pull=0.8,
        seconds=95,
    )


_PRODUCTS = (
    _product(
        "helm-waterproof",
        "Helm waterproof",
        "£210",
        "Three layers, one storm. The jacket for a wind that has a name.",
        (
            ("Fabric", "Recycled polyamide, PFAS-free"),
            ("Weight", "485 g"),
            ("Water column", "20 m"),
        ),
        9,
    ),
    _product(
        "tarn-fleece",
        "Tarn fleece",
        "£95",
        "Warm when wet, dry by the second pot of tea.",
        (
            ("Fabric", "Recycled polyester, brushed"),
            ("Weight", "340 g"),
            ("Warmth", "Middle layer"),
        ),
        6,
    ),
    _product(
        "cairn-boots",
        "Cairn boots",
        "£185",
        "A boot that forgives scree, bog and the last mile of tarmac.",
        (("Upper", "Full-grain leather"), ("Weight", "1,240 g a pair"), ("Sole", "Can be renewed")),
        7,
    ),
    _product(
        "swale-trousers",
        "Swale trousers",
        "£88",
        "Stretch where a stile needs it.",
        (("Fabric", "Nylon and elastane"), ("Weight", "310 g"), ("Lengths", "Short to long")),
        3,
    ),
    _product(
        "borrow-beanie",
        "Borrow beanie",
        "£24",
        "Herdwick wool, from a flock that you can see from the shop.",
        (("Wool", "Herdwick and merino"), ("Weight", "70 g"), ("Made in", "Kendal")),
        2,
    ),
    _product(
        "ghyll-daypack",
        "Ghyll daypack",
        "£110",
        "Twenty-two litres for a flask, a map and a change of mind.",
        (("Volume", "22 l"), ("Weight", "690 g"), ("Rain", "Cover included")),
        3,
    ),
)
_ARTICLES = (
    _article(
        "helvellyn-in-november",
        "Helvellyn in November",
        "Striding Edge with frost on the slabs: when to go up, and when to have breakfast instead.",
        (
            (
                "The forecast gave us four hours. We took three of them, and spent the fourth on "
                "the descent by Swirral Edge, which in this light is the better half anyway."
            ),
            (
                "Start from Glenridding before eight. By ten the low sun is in your eyes on the "
                "ridge, and by two the frost comes back into the shade."
            ),
            (
                "Turn round at the Hole-in-the-Wall if the wind lifts your rucksack. The "
                "mountain has been there for 450 million years; it will keep."
            ),
        ),
        8,
    ),
    _article(
        "how-to-wash-a-waterproof",
        "How to wash a waterproof",
        "A jacket that leaks is mostly a jacket that is dirty.",
        (
            (
                "Close every zip. Wash at thirty degrees with soap, never with a softener, and "
                "rinse twice. Then warm it: heat brings the repellent finish back to the surface."
            ),
            "If water still soaks in, renew the finish. Once a season is enough for most of us.",
        ),
        12,
    ),
    _article(
        "five-walks-from-a-station",
        "Five walks from a station",
        "No car, no shuttle: ridges and tarns within an hour of a platform.",
        (
            (
                "Windermere to Orrest Head is the shortest and has the longest view. Oxenholme to "
                "Kendal by the Helm takes a morning."
            ),
            (
                "From Kents Bank the sands look near. They are not, and the tide is quick: take "
                "the guide."
            ),
        ),
        6,
    ),
)

FELLSIDE = DemoClient(
    slug="fellside",
    name="Fellside Outfitters",
    tagline="Clothes for weather",
    timezone="Europe/London",
    locale="en-gb",
    language="en-GB",
    currency="GBP",
    accent_colour="#1f6f50",
    zip_mode="zip3",
    menu=(
        ("/shop", "Shop"),
        ("/journal", "Journal"),
        ("/stores", "Stores"),
        ("/contact", "Contact"),
    ),
    pages=(
        DemoPage(
            "/",
            "home",
            "Clothes for weather, not for forecasts",
            "Waterproofs, wool and boots, made in Kendal and mended for life.",
            cards=("/shop/helm-waterproof", "/shop/tarn-fleece", "/shop/cairn-boots"),
            entry=24,
            pull=2,
            seconds=16,
        ),
        DemoPage(
            "/shop",
            "list",
            "Shop",
            "Six things, made well. That is the whole shop.",
            cards=tuple(page.path for page in _PRODUCTS),
            entry=9,
            pull=3,
            seconds=26,
        ),
        *_PRODUCTS,
        DemoPage(
            "/journal",
            "list",
            "Journal",
            "Notes from above the tree line.",
            cards=tuple(page.path for page in _ARTICLES),
            entry=2,
            pull=1.2,
            seconds=14,
        ),
        *_ARTICLES,
        DemoPage(
            "/stores",
            "article",
            "Stores",
            "Kendal, Keswick and Sheffield.",
            body=(
                (
                    "Kendal, Highgate: Monday to Saturday, nine to half past five. The workshop is "
                    "behind the shop; knock."
                ),
                "Keswick, Packhorse Court: every day in the season.",
                "Sheffield, Ecclesall Road: Tuesday to Sunday.",
            ),
            buttons=(
                Button("Find us on the map", 0.3, href="https://www.openstreetmap.org/"),
                Button(
                    "Trains to Kendal", 0.08, href="https://www.nationalrail.co.uk/stations/kendal/"
                ),
            ),
            entry=4,
            pull=1,
            seconds=28,
        ),
        DemoPage(
            "/contact",
            "contact",
            "Ask the workshop",
            "Sizes, repairs, or whether it will rain. Somebody who sews will answer.",
            entry=1,
            pull=1.2,
            seconds=48,
        ),
    ),
    downloads=(
        Download(
            "/downloads/size-guide.csv",
            "text/csv",
            "size,chest_cm,waist_cm,arm_cm\nXS,84,70,60\nS,90,76,62\nM,98,84,64\nL,106,92,66\n"
            "XL,114,100,68\n",
        ),
    ),
    postcode_label="Postcode, for the nearest store",
    postcode_example="LA9 4AB",
    people=(("Isla Braithwaite", "runs the shop"), ("Tom Airey", "writes the journal")),
    rhythm=Rhythm.SHOP,
    visits_per_day=46,
    arrivals=(
        *SEARCHES,
        *ASSISTANTS,
        *SOCIAL,
        Arrival("", 20),
        Arrival("https://www.ukclimbing.com/", 3, lands_on="/journal/helvellyn-in-november"),
        Arrival("https://www.walkhighlands.co.uk/", 2),
        Arrival("https://www.youtube.com/", 2, lands_on="/journal/how-to-wash-a-waterproof"),
        Arrival("https://www.google.com/", 7, query="gclid=1", lands_on="/shop/helm-waterproof"),
        Arrival(
            "https://www.instagram.com/",
            5,
            query="utm_source=instagram&utm_medium=paid_social&utm_campaign=winter-layers"
            "&utm_content=reel",
            lands_on="/shop/tarn-fleece",
        ),
        Arrival(
            "",
            26,
            query="utm_source=newsletter&utm_medium=email&utm_campaign=friday-letter",
            weekdays=frozenset({4}),
        ),
        Arrival(
            "",
            6,
            query="utm_source=newsletter&utm_medium=email&utm_campaign=friday-letter",
            weekdays=frozenset({5}),
        ),
    ),
    countries={
        "GB": 82,
        "IE": 4,
        "US": 4,
        "DE": 3,
        "NL": 2,
        "FR": 1.5,
        "AU": 1,
        "CA": 1,
        "SE": 0.8,
    },
    postcodes={
        "GB": (
            *("LA9", "LA22", "CA12", "S11", "M20", "LA1", "LS6", "S7", "M21", "PR1", "CA11"),
            *("NE2", "DE4", "EH9", "BD23", "L18", "YO1", "DL8", "SK10", "G12", "BS6", "SW4"),
        ),
        "IE": ("D06", "T12", "H91"),
    },
    lost_paths=("/sale", "/shop/crag-gilet"),
    phone_share=0.62,
    consent_share=0.38,
)
