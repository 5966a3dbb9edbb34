"""Harbour Playhouse: a city's theatre on the American east coast. In dollars, with ZIP codes."""

from agency.demo.pages import Button, DemoClient, DemoPage, Download
from tracking.simulate.generic import ASSISTANTS, SEARCHES, SOCIAL
from tracking.simulate.websites import Arrival, Rhythm


def _show(
    slug: str, title: str, dates: str, price: str, lead: str, body: tuple[str, ...], entry: float
) -> DemoPage:
    return DemoPage(
        f"/season/{slug}",
        "item",
        title,
        lead,
        body=body,
        facts=(("On stage", dates), ("Running time", "2 h 20 with an interval"), ("House", "Main")),
        price=price,
        buttons=(
            Button(
                "Choose seats",
                0.2,
                event="Choose seats",
                props={"show": slug},
                says="Seats are held for ten minutes.",
            ),
            Button("Add to calendar", 0.06, href="/downloads/season.ics"),
            Button("Trailer", 0.09, href="https://www.youtube.com/results"),
        ),
        entry=entry,
        pull=2,
        seconds=52,
    )


_SHOWS = (
    _show(
        "the-lighthouse-keepers",
        "The Lighthouse Keepers",
        "Now until December 20",
        "From $38",
        "Three men, one lamp, and a ship that does not answer.",
        (
            (
                "Written for this house and this harbor, and played without a break in the fog: "
                "the sea is on both sides of the stage."
            ),
            "Wednesday's performance is captioned. Saturday's matinee is relaxed.",
        ),
        10,
    ),
    _show(
        "a-winters-tale",
        "The Winter's Tale",
        "January 14 to February 8",
        "From $42",
        "Shakespeare's coldest court and warmest sheep-shearing, sixteen years apart.",
        (
            (
                "A jealous king, a statue, and the most famous stage direction in English. The "
                "bear is real in every sense that the fire marshal permits."
            ),
        ),
        5,
    ),
    _show(
        "salt-and-honey",
        "Salt & Honey",
        "February 20 to March 15",
        "From $34",
        "A new musical about a ferry, a bakery and forty years of apologies.",
        (
            (
                "Nine players, eleven instruments, one oven. Bring an appetite: the bread is baked "
                "during the second act."
            ),
        ),
        5,
    ),
    _show(
        "the-understudy",
        "The Understudy",
        "April 2 to April 26",
        "From $34",
        "On the night that she is needed, everybody else is missing.",
        ("A farce with eight doors, seven of which open.",),
        2,
    ),
)

HARBOUR = DemoClient(
    slug="harbour",
    name="Harbour Playhouse",
    tagline="A theater at the end of the pier since 1911",
    timezone="America/New_York",
    locale="en-us",
    language="en-US",
    currency="USD",
    accent_colour="#a3243b",
    zip_mode="zip5",
    menu=(
        ("/season", "Season"),
        ("/visit", "Your visit"),
        ("/support", "Support"),
        ("/contact", "Box office"),
    ),
    pages=(
        DemoPage(
            "/",
            "home",
            "The lights go down at half past seven",
            "Four plays and a musical, at the end of the pier.",
            cards=tuple(page.path for page in _SHOWS[:3]),
            entry=30,
            pull=2,
            seconds=15,
        ),
        DemoPage(
            "/season",
            "list",
            "The season",
            "From the first frost to the first ferry.",
            cards=tuple(page.path for page in _SHOWS),
            entry=12,
            pull=3,
            seconds=24,
        ),
        *_SHOWS,
        DemoPage(
            "/visit",
            "article",
            "Your visit",
            "How to come, where to eat, and what to do about your coat.",
            body=(
                (
                    "The tram stops at Pier Street, two minutes from the door. There is no car "
                    "park, and there will not be one."
                ),
                (
                    "The bar opens an hour before the curtain. Orders for the interval are taken "
                    "until the second bell."
                ),
                (
                    "Step-free from the street to rows F to M. Assistive listening at the "
                    "cloakroom, free of charge."
                ),
            ),
            cards=("/season", "/contact"),
            buttons=(
                Button("Map", 0.25, href="https://www.openstreetmap.org/"),
                Button("Tram timetable", 0.18, href="https://www.mbta.com/schedules"),
            ),
            entry=7,
            pull=1.6,
            seconds=40,
        ),
        DemoPage(
            "/visit/school-groups",
            "article",
            "School groups",
            "Matinees on Thursdays, and a morning backstage.",
            body=(
                (
                    "Ten dollars a seat, teachers free. The workshop before the play is led by the "
                    "players themselves."
                ),
            ),
            buttons=(Button("Teachers' pack", 0.2, href="/downloads/teachers-pack.txt"),),
            entry=2,
            pull=0.6,
            seconds=60,
        ),
        DemoPage(
            "/support",
            "article",
            "Support the house",
            "Tickets pay for the plays. Friends pay for the roof.",
            body=(
                (
                    "The roof of 1911 has outlived six directors. Friends of the Playhouse have "
                    "paid for every slate of it."
                ),
            ),
            buttons=(
                Button(
                    "Become a friend",
                    0.08,
                    event="Become a friend",
                    props={"level": "slate"},
                    says="Thank you. The roof thanks you too.",
                ),
            ),
            entry=2,
            pull=0.8,
            seconds=45,
        ),
        DemoPage(
            "/contact",
            "contact",
            "Box office",
            "Noon to eight, Tuesday to Sunday. Or write, and we answer before the next curtain.",
            entry=3,
            pull=1.3,
            seconds=50,
        ),
    ),
    downloads=(
        Download(
            "/downloads/season.ics",
            "text/calendar",
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Harbour Playhouse//Demo//EN\r\n"
            "BEGIN:VEVENT\r\nUID:keepers@harbour.example\r\nDTSTAMP:20260101T000000Z\r\n"
            "DTSTART:20261205T003000Z\r\nSUMMARY:The Lighthouse Keepers\r\nEND:VEVENT\r\n"
            "END:VCALENDAR\r\n",
        ),
        Download(
            "/downloads/teachers-pack.txt",
            "text/plain",
            "Before the play: what is a lighthouse for, if nobody answers?\n"
            "After the play: who kept the light?\n",
        ),
    ),
    postcode_label="ZIP code, so that we know how far you come",
    postcode_example="02110",
    people=(("Marguerite Oyelaran", "runs the house"), ("Ben Castellano", "sells the seats")),
    rhythm=Rhythm.VENUE,
    visits_per_day=38,
    arrivals=(
        *SEARCHES,
        *ASSISTANTS,
        *SOCIAL,
        Arrival("", 26),
        Arrival("https://www.bostonglobe.com/", 5, lands_on="/season/the-lighthouse-keepers"),
        Arrival("https://www.timeout.com/", 4, lands_on="/season"),
        Arrival("https://www.tripadvisor.com/", 2, lands_on="/visit"),
        Arrival("https://www.google.com/", 4, query="gclid=1", lands_on="/season"),
        Arrival(
            "https://www.facebook.com/",
            6,
            query="utm_source=facebook&utm_medium=cpc&utm_campaign=keepers-last-weeks",
            lands_on="/season/the-lighthouse-keepers",
        ),
        Arrival(
            "",
            18,
            query="utm_source=mailing&utm_medium=email&utm_campaign=this-week-on-stage",
            weekdays=frozenset({1}),
        ),
        Arrival("", 3, query="utm_source=poster&utm_medium=qr&utm_campaign=tram-stop"),
    ),
    countries={"US": 88, "CA": 5, "GB": 3, "DE": 1, "FR": 1, "MX": 1, "IE": 0.6},
    postcodes={
        "US": (
            *("02110", "02139", "02116", "02215", "02130", "02445", "02143", "02127", "02118"),
            *("01970", "02364", "02360", "02840", "03801", "02906", "01002", "04101", "10025"),
        ),
        "CA": ("H2X", "M5V"),
        "GB": ("SW1A", "N1"),
    },
    lost_paths=("/season/2019", "/tickets.php"),
    phone_share=0.66,
    consent_share=0.31,
)
