"""What the terms of the reports mean, in plain words: design section 3 told to readers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A term and what it means; `caution` says what it must not be taken for."""

    words: str
    meaning: str
    caution: str = ""


GLOSSARY: dict[str, Term] = {
    # totals
    "visitors": Term(
        "Visitors",
        "Distinct people in the period: those who agreed to a cookie count once, all others once "
        "a day.",
        "Without a cookie nobody can be known again on another day, so a period of many days "
        "counts them anew each day.",
    ),
    "visits": Term(
        "Visits",
        "Page views and events of one visitor with gaps of at most 30 minutes between them.",
    ),
    "pageviews": Term("Page views", "Pages shown. Loading a page again counts again."),
    "views-per-visit": Term("Views per visit", "Page views divided by visits."),
    "bounce-rate": Term(
        "Bounce rate",
        "Share of visits with one page view and nothing else: no event, no further page.",
        "A page that answers the question at once bounces too.",
    ),
    "visit-duration": Term(
        "Visit duration",
        "Time between the first and the last activity of a visit, on average.",
        "The time on the last page counts only as far as something happened there.",
    ),
    "engaged-time": Term(
        "Engaged time", "Seconds in which a page was visible and in use, per visit."
    ),
    "time-on-page": Term("Time on page", "Time until the next page view of the same visit."),
    "scroll-depth": Term("Scroll depth", "How far down the page its readers came, on average."),
    "live": Term("Visitors now", "Visitors who did something in the last five minutes."),
    "events": Term("Events", "What the website reports beside page views: a click, a form sent."),
    "change": Term(
        "Change",
        "Difference from the period that is compared, as a share of that period's figure. A period "
        "that ends today is compared with one that ends at the same hour.",
    ),
    # where from
    "source": Term(
        "Source",
        "The website that led here, told by the browser or by utm_source in the address.",
        "Direct or unknown: typed, bookmarked, from an app, or the browser told nothing.",
    ),
    "channel": Term(
        "Channel",
        "Kind of source: search, social, e-mail, paid, another website, or direct.",
    ),
    "campaign": Term(
        "Campaign", "What utm_ parameters in the address of the first page of a visit say."
    ),
    "entry-page": Term("Entry page", "The first page of a visit."),
    "exit-page": Term("Exit page", "The last page of a visit."),
    # places
    "country": Term(
        "Country",
        "Looked up from the network address while the request was in memory. The address itself is "
        "not part of the report.",
    ),
    "region": Term("Region", "Looked up like the country; only with a database of cities."),
    "outcode": Term(
        "Outcode",
        "The outward half of a postcode that a visitor gave: SW1A of SW1A 1AA. It names a "
        "district of some thousands of households, never a street.",
    ),
    "k-threshold": Term(
        "Smallest group",
        "Outcodes and combinations of two properties are shown only where at least this many "
        "visitors share them; smaller groups are folded into “other”.",
        "So nobody can be picked out by asking narrower and narrower questions.",
    ),
    # goals and ways
    "goal": Term("Goal", "Something a visit should lead to: a page, an event, enough reading."),
    "conversion-rate": Term(
        "Conversion rate", "Share of visitors who reached the goal, among all of the period."
    ),
    "group-conversion-rate": Term(
        "Conversion rate", "Share of visitors who reached the goal, among those of the same row."
    ),
    "funnel": Term(
        "Funnel",
        "Steps in order. A visit counts for a step when it took all steps before it, in order.",
    ),
    "journey": Term("Journey", "Pages in the order in which visits went from one to the next."),
    "retention": Term(
        "Retention",
        "Share of the visitors of a week who came back in later weeks.",
        "Only visitors who agreed to a cookie can be known again.",
    ),
    "segment": Term("Segment", "Filters saved under a name."),
    "annotation": Term("Annotation", "A remark on a day, shown in the charts: a launch, a sale."),
    "percentage": Term("Share", "Visitors of the row as a share of all visitors of the period."),
    # privacy
    "consent-rate": Term("Consent rate", "Share of visits whose visitor agreed to a cookie."),
    "gpc": Term(
        "GPC",
        "Global Privacy Control: a signal of the browser that asks not to be tracked.",
    ),
    "dnt": Term("DNT", "Do Not Track: an older signal of the browser with the same wish."),
    "ip-mode": Term(
        "Network address",
        "Kept encrypted for a while, cut to its network, or not at all. Nobody sees it in reports.",
    ),
    "cookie-mode": Term(
        "Cookie",
        "A random number kept by the browser for at most 13 months. Set only after consent.",
    ),
    "retention-period": Term(
        "Retention period", "After so many days the data is deleted, or its key is destroyed."
    ),
    "raw-rows": Term(
        "Single visits",
        "Visits as they were stored, before they are summed up. Filters need them; totals outlive "
        "them.",
    ),
    # agency
    "visitors-by-day": Term(
        "Visitors, summed by day",
        "Visitors of each day and website, added up.",
        "Who came on two days, or to two websites, counts twice: nobody is joined over them.",
    ),
    "open-alerts": Term(
        "Alerts", "Alerts whose condition holds now, at any of the client's websites."
    ),
    "last-hit": Term("Last hit", "When the website last sent a page view or an event."),
    "roll-up": Term(
        "Roll-up",
        "Sums over clients. Visitors of two clients are never joined: somebody who saw both "
        "counts twice.",
    ),
    "alert": Term("Alert", "A message when something happens, or fails to happen."),
    "dead-letter": Term("Dead letter", "An entry that could not be stored, kept with its reason."),
}


def find_term(slug: str) -> Term | None:
    """The entry of `bounce-rate`; None for a word that is not explained."""
    return GLOSSARY.get(slug)
