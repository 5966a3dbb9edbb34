"""Tamarind Ledger: bookkeeping software from Bengaluru. A time zone that ends on the half hour."""

from agency.demo.pages import Button, DemoClient, DemoPage, Download
from tracking.simulate.generic import ASSISTANTS, SEARCHES
from tracking.simulate.websites import Arrival, Rhythm


def _feature(slug: str, title: str, lead: str, body: tuple[str, ...], entry: float) -> DemoPage:
    return DemoPage(
        f"/product/{slug}",
        "item",
        title,
        lead,
        body=body,
        facts=(
            ("In plan", "All"),
            ("Set up in", "A morning"),
            ("Works with", "Your bank's export"),
        ),
        price="From ₹900 a month",
        buttons=(
            Button(
                "Start a trial",
                0.06,
                event="Start trial",
                props={"from": slug},
                says="Your trial ledger is ready.",
            ),
            Button(
                "Book a demo",
                0.035,
                event="Book demo",
                props={"from": slug},
                says="We call back within a working day.",
            ),
        ),
        entry=entry,
        pull=1.6,
        seconds=44,
    )


def _guide(slug: str, title: str, lead: str, body: tuple[str, ...], entry: float) -> DemoPage:
    return DemoPage(
        f"/guides/{slug}",
        "article",
        title,
        lead,
        body=body,
        cards=("/product/gst-returns", "/product/bank-matching", "/pricing"),
        buttons=(Button("Official notice", 0.1, href="https://www.gst.gov.in/"),),
        entry=entry,
        pull=0.9,
        seconds=120,
    )


_FEATURES = (
    _feature(
        "gst-returns",
        "GST returns",
        "Every invoice in the right box, and the box ticked on time.",
        (
            (
                "Tamarind reads your purchase register against the portal's, and shows the three "
                "lines that differ rather than the three thousand that do not."
            ),
        ),
        5,
    ),
    _feature(
        "bank-matching",
        "Bank matching",
        "Statements in, entries out. You decide only where there is something to decide.",
        ("Rules are written in plain words, and each entry says which rule made it.",),
        4,
    ),
    _feature(
        "stock",
        "Stock",
        "What is on the shelf, what it cost, and what it earns by standing there.",
        ("First in, first out, by batch and by warehouse. Counting is done on a phone.",),
        2,
    ),
)
_GUIDES = (
    _guide(
        "e-invoicing-in-plain-words",
        "E-invoicing in plain words",
        "Who must, from when, and what happens to the QR code.",
        (
            (
                "If your turnover passed the threshold in any year since 2017, you are in. It "
                "does not matter that it has fallen since."
            ),
            "The portal answers with a number and a signed code. Print both; keep the file.",
            "Corrections are made by a credit note, never by a second invoice of the same number.",
        ),
        16,
    ),
    _guide(
        "closing-the-year",
        "Closing the year in five days",
        "A calendar for March that leaves you April.",
        (
            (
                "Day one: banks. Day two: debtors, with a telephone. Day three: stock, with a "
                "torch. Day four: provisions. Day five: cake."
            ),
        ),
        9,
    ),
    _guide(
        "cash-book-to-ledger",
        "From cash book to ledger",
        "Moving twenty years of paper in a fortnight.",
        (
            (
                "Do not type the past. Type the balances, photograph the books, and start clean "
                "on the first of a month."
            ),
        ),
        6,
    ),
)

TAMARIND = DemoClient(
    slug="tamarind",
    name="Tamarind Ledger",
    tagline="Bookkeeping that balances by evening",
    timezone="Asia/Kolkata",
    locale="en-in",
    language="en-IN",
    currency="INR",
    accent_colour="#8a4b08",
    zip_mode="zip3",
    menu=(
        ("/product", "Product"),
        ("/pricing", "Pricing"),
        ("/guides", "Guides"),
        ("/contact", "Talk to us"),
    ),
    pages=(
        DemoPage(
            "/",
            "home",
            "Books that balance by evening",
            "Accounting for workshops, traders and clinics. Made in Bengaluru, in seven languages.",
            cards=tuple(page.path for page in _FEATURES),
            entry=22,
            pull=2,
            seconds=20,
        ),
        DemoPage(
            "/product",
            "list",
            "Product",
            "Three rooms, one ledger.",
            cards=tuple(page.path for page in _FEATURES),
            entry=6,
            pull=2.4,
            seconds=24,
        ),
        *_FEATURES,
        DemoPage(
            "/pricing",
            "item",
            "Pricing",
            "One price a company. Users are free, and so is leaving.",
            body=(
                "Billed monthly in rupees. Your data is yours as CSV, on any day, at no charge.",
            ),
            facts=(
                ("Shop", "₹900 a month"),
                ("Trader", "₹2,400 a month"),
                ("Group", "₹7,500 a month"),
            ),
            price="From ₹900 a month",
            buttons=(
                Button(
                    "Start a trial",
                    0.12,
                    event="Start trial",
                    props={"from": "pricing"},
                    says="Your trial ledger is ready.",
                ),
                Button("Rate card", 0.08, href="/downloads/rate-card.txt"),
            ),
            entry=6,
            pull=2.2,
            seconds=58,
        ),
        DemoPage(
            "/guides",
            "list",
            "Guides",
            "Written by accountants, checked by other accountants.",
            cards=tuple(page.path for page in _GUIDES),
            entry=3,
            pull=1.2,
            seconds=15,
        ),
        *_GUIDES,
        DemoPage(
            "/contact",
            "contact",
            "Talk to us",
            "Monday to Saturday, ten to seven. In Kannada, Tamil, Hindi, Marathi or English.",
            entry=1,
            pull=1.3,
            seconds=46,
        ),
    ),
    downloads=(
        Download(
            "/downloads/rate-card.txt",
            "text/plain",
            "Tamarind Ledger, rate card\nShop    900 a month\nTrader  2,400 a month\n"
            "Group   7,500 a month\n",
        ),
    ),
    postcode_label="Postcode of your office, if it is in the United Kingdom or the United States",
    postcode_example="EC2A 4NE",
    people=(("Ananya Rao", "leads marketing"), ("Vikram Shetty", "leads sales")),
    rhythm=Rhythm.OFFICE,
    visits_per_day=31,
    arrivals=(
        *SEARCHES,
        *SEARCHES,
        *ASSISTANTS,
        *ASSISTANTS,
        Arrival("", 16),
        Arrival("https://www.linkedin.com/", 8),
        Arrival("https://www.youtube.com/", 3, lands_on="/guides/closing-the-year"),
        Arrival("https://www.quora.com/", 2, lands_on="/guides/e-invoicing-in-plain-words"),
        Arrival("https://www.g2.com/", 3, lands_on="/pricing"),
        Arrival(
            "https://www.google.com/",
            9,
            query="utm_source=google&utm_medium=cpc&utm_campaign=gst-software&utm_term=gst+software",
            lands_on="/product/gst-returns",
        ),
        Arrival(
            "",
            10,
            query="utm_source=webinar&utm_medium=email&utm_campaign=year-end",
            weekdays=frozenset({2, 3}),
            lands_on="/guides/closing-the-year",
        ),
    ),
    countries={"IN": 84, "AE": 4, "SG": 3, "GB": 3, "US": 3, "AU": 1.5, "CA": 1},
    postcodes={"GB": ("EC2A", "HA1", "LE4"), "US": ("94107", "08830", "07302"), "AU": ("2000",)},
    lost_paths=("/blog", "/login.aspx"),
    phone_share=0.44,
    consent_share=0.42,
)
