"""What a client's settings mean, in plain words, made from the settings in force. Pure."""

from dataclasses import dataclass

from agency import figures
from tenants.models import CookieMode, IpMode, PrivacySettings, ZipMode
from tenants.privacy import Value

LABELS = {
    "ip_mode": "IP address",
    "ip_retention_days": "Keep encrypted addresses for",
    "keep_outcode": "Outward postcodes",
    "zip_mode": "US ZIP codes",
    "cookie_mode": "Cookie",
    "honour_gpc": "Global Privacy Control",
    "honour_dnt": "Do Not Track",
    "k_threshold": "Smallest group shown",
    "hits_retention_days": "Keep single hits for",
}
_DAYS = frozenset({"ip_retention_days", "hits_retention_days"})
_KEPT = "keep_outcode"
_CHOICES: dict[str, dict[str, str]] = {
    "ip_mode": {str(key): str(words) for key, words in IpMode.choices},
    "zip_mode": {str(key): str(words) for key, words in ZipMode.choices},
    "cookie_mode": {str(key): str(words) for key, words in CookieMode.choices},
}


@dataclass(frozen=True)
class Statement:
    """One kind of data: what is collected of it, and why."""

    title: str
    what: str
    why: str
    is_collected: bool = True


def value_words(name: str, value: Value) -> str:
    """A setting's value for people."""
    if name in _CHOICES:
        return _CHOICES[name].get(str(value), str(value))
    if name in _DAYS:
        return days(int(value))
    if isinstance(value, bool):
        return ("kept" if value else "not kept") if name == _KEPT else ("yes" if value else "no")
    return figures.counted(int(value), "visitor")


def days(count: int) -> str:
    """1 day, 30 days."""
    return figures.counted(count, "day")


def statements(settings: PrivacySettings) -> list[Statement]:
    """All that is collected, and what is not, in the order of a reader's interest."""
    return [
        Statement(
            "Pages and what happens on them",
            "The page's address without its query, when it was seen, how long and how far, the "
            "website that led there, campaign parameters, events and downloads.",
            "To know which pages are useful and where readers come from.",
        ),
        Statement(
            "Browser and language",
            "Kind of browser, system and device, and the language it asks for. The full text that "
            "a browser sends of itself is not stored.",
            "To make pages that work on what visitors use.",
        ),
        _visitor(settings),
        _address(settings),
        Statement(
            "Country and region",
            "Looked up from the address in memory; of this look-up only the country is stored, and "
            "its region where the agency's list of addresses knows regions. No town, no position.",
            "To know which markets are reached.",
        ),
        _postcode(settings),
        _signals(settings),
        _groups(settings),
        _retention(settings),
    ]


def _groups(settings: PrivacySettings) -> Statement:
    return Statement(
        "Small groups",
        f"Groups of fewer than {settings.k_threshold} visitors are folded into “other”, or not "
        "shown, where a figure is about an outward postcode or crosses two things, such as a page "
        "and a country; in funnels, journeys and returning visitors too. In pages, exports, mails, "
        "alerts and the API alike. One thing by itself, such as a country or a page, is shown "
        "with any number of visitors.",
        "So that neither a district nor a combination points at one person.",
    )


def _retention(settings: PrivacySettings) -> Statement:
    return Statement(
        "How long",
        f"Single hits, with the postcodes and addresses kept beside them, for "
        f"{days(settings.hits_retention_days)}; a daily job removes what is older, and what an "
        "import brings of older days once it is counted. Sums of days and hours, in which nobody "
        "can be found again, for as long as the contract lasts.",
        "Long enough to compare years, no longer.",
    )


def _visitor(settings: PrivacySettings) -> Statement:
    daily = (
        "Without a cookie, a visitor is a number made of address, browser and a secret of the day, "
        "which is destroyed 24 hours after the day: nobody can be known again on another day."
    )
    if settings.cookie_mode == CookieMode.NEVER:
        return Statement("Recognising visitors", f"{daily} No cookie is ever set.", "To count.")
    when = (
        "After a visitor has agreed in the banner"
        if settings.cookie_mode == CookieMode.CONSENT
        else "Under the client's documented exemption, without asking"
    )
    return Statement(
        "Recognising visitors",
        f"{daily} {when}, a cookie of this website alone holds a random number for at most 13 "
        "months; only a keyed hash of it is stored.",
        "To tell returning visitors from new ones.",
    )


def _address(settings: PrivacySettings) -> Statement:
    if settings.ip_mode == IpMode.NONE:
        return Statement("IP address", "Not kept in any form.", "It is not needed.", False)
    if settings.ip_mode == IpMode.TRUNCATED:
        return Statement(
            "IP address",
            "Cut to its network: the last 8 bits of an IPv4 address and the last 80 of an IPv6 "
            "address are dropped before it is stored.",
            "To recognise networks that send abuse.",
        )
    return Statement(
        "IP address",
        "Encrypted before it is stored, with a key of the day. The key is destroyed "
        f"{days(settings.ip_retention_days)} after that day: nobody can read the address then, in "
        "backups either. Until then it takes a recorded disclosure.",
        "To answer a lawful request about abuse or fraud.",
    )


def _postcode(settings: PrivacySettings) -> Statement:
    parts = []
    if settings.keep_outcode:
        parts.append(
            "of a postcode that a visitor types, the outward half, which names a district (SW1A, "
            "never SW1A 1AA)"
        )
    if settings.keep_outcode and settings.zip_mode == ZipMode.ZIP5:
        parts.append("of a US ZIP code its five digits")
    if settings.keep_outcode and settings.zip_mode == ZipMode.ZIP3:
        parts.append("of a US ZIP code its first three digits")
    if not parts:
        return Statement("Postcode", "Not kept, not even its outward half.", "Not needed.", False)
    text = "; ".join(parts)
    return Statement(
        "Postcode",
        f"{text[0].upper()}{text[1:]}. The rest never leaves the visitor's browser.",
        "To know which districts are reached.",
    )


def _signals(settings: PrivacySettings) -> Statement:
    honoured = [
        words
        for is_on, words in (
            (settings.honour_gpc, "Global Privacy Control"),
            (settings.honour_dnt, "Do Not Track"),
        )
        if is_on
    ]
    if not honoured:
        return Statement(
            "Browsers that ask not to be tracked",
            "Are counted like others.",
            "The client has decided so.",
        )
    return Statement(
        "Browsers that ask not to be tracked",
        f"Are not counted at all: {' and '.join(honoured)}.",
        "Because they ask.",
        False,
    )
