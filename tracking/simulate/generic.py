"""A website for clients of whom the model knows nothing more than host and time zone."""

from tracking.hits import Kind
from tracking.simulate.websites import Act, Arrival, Page, Rhythm, Website

SEARCHES = (
    Arrival("https://www.google.com/", 30),
    Arrival("https://www.bing.com/", 4),
    Arrival("https://duckduckgo.com/", 2),
    Arrival("https://www.ecosia.org/", 1),
)
ASSISTANTS = (
    Arrival("https://chatgpt.com/", 3),
    Arrival("https://www.perplexity.ai/", 1),
    Arrival("https://claude.ai/", 0.7),
    Arrival("https://gemini.google.com/", 0.8),
)
SOCIAL = (
    Arrival("https://www.facebook.com/", 5),
    Arrival("https://www.instagram.com/", 6),
    Arrival("https://www.reddit.com/", 2),
    Arrival("https://t.co/", 1),
)
DIRECT = (Arrival("", 24),)


def generic_website(*, host: str, timezone: str, country: str) -> Website:
    """Ten pages, the usual sources, half of the visitors from `country`."""
    others = {"GB": 10.0, "US": 14.0, "DE": 6.0, "FR": 5.0, "NL": 4.0, "IN": 6.0, "CA": 5.0}
    articles = tuple(
        Page(f"/articles/{name}", entry=4, seconds=55, links=("/articles", "/contact"))
        for name in ("getting-started", "what-it-costs", "questions", "a-year-on")
    )
    return Website(
        host=host,
        timezone=timezone,
        rhythm=Rhythm.OFFICE,
        visits_per_day=200,
        pages=(
            Page("/", entry=30, pull=3, seconds=18, links=("/products", "/articles", "/about")),
            Page("/products", entry=8, pull=3, seconds=35, links=("/contact", "/prices")),
            Page("/prices", entry=3, pull=2, seconds=40, links=("/contact",)),
            Page("/about", entry=2, seconds=25),
            Page("/articles", entry=2, seconds=15, links=tuple(page.path for page in articles)),
            *articles,
            Page(
                "/contact",
                entry=1,
                seconds=45,
                acts=(
                    Act(Kind.EVENT, "Enquiry", 0.2, gives_postcode=True),
                    Act(Kind.OUTBOUND, "https://www.openstreetmap.org/", 0.1),
                    Act(Kind.DOWNLOAD, f"https://{host}/files/brochure.pdf", 0.1),
                ),
            ),
            Page("/old-page", entry=0.5, pull=0.1, seconds=4, missing=True),
        ),
        arrivals=(
            *SEARCHES,
            *ASSISTANTS,
            *SOCIAL,
            *DIRECT,
            Arrival("", 4, query="utm_source=newsletter&utm_medium=email&utm_campaign=monthly"),
            Arrival("https://www.google.com/", 5, query="gclid=1"),
        ),
        countries=others | {country: 50.0},
        postcodes={"GB": ("SW1A", "M1", "LS1", "EH1"), "US": ("100", "902", "606")},
    )
