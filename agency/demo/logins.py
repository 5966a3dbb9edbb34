"""The people of the demo: made once, shown on the log-in pages and by `make run`."""

import dataclasses

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password

from agency.demo.clients import DEMO_CLIENTS
from tenants.models import Client, Membership, Role, User

DEMO_PASSWORD = "outward and onward"  # noqa: S105 - shown to everybody; the demo is no production
MAIL_DOMAIN = "outward.example"
"""RFC 2606, 3: mail to it reaches nobody."""


STAFF = (
    ("owner", "Rowan Hale, owner of the agency", Role.OWNER),
    ("analyst", "Noor Aziz, analyst", Role.ANALYST),
    ("privacy", "Ines Duarte, privacy officer", Role.PRIVACY_OFFICER),
)
CLIENT_PLACES = (("manager", Role.MANAGER), ("viewer", Role.VIEWER))


@dataclasses.dataclass(frozen=True)
class Login:
    """A demo account."""

    email: str
    password: str
    who: str
    """Name and what they do."""
    url: str
    """Where they log in."""
    slug: str | None
    """Their client; None at the agency."""
    role: Role


def _planned() -> list[Login]:
    agency = f"http://{settings.AGENCY_HOST}:{settings.PORT}/"
    logins = [
        Login(f"{name}@{MAIL_DOMAIN}", DEMO_PASSWORD, who, agency, None, role)
        for name, who, role in STAFF
    ]
    for demo in DEMO_CLIENTS:
        url = f"http://{demo.slug}.{settings.BASE_DOMAIN}:{settings.PORT}/"
        logins += [
            Login(
                f"{place}@{demo.slug}.example",
                DEMO_PASSWORD,
                f"{name}, {does}",
                url,
                demo.slug,
                role,
            )
            for (place, role), (name, does) in zip(CLIENT_PLACES, demo.people, strict=True)
        ]
    return logins


def demo_logins() -> list[Login]:
    """Accounts of the demo that exist, the agency's first; none where it was not seeded."""
    planned = _planned()
    emails = [login.email for login in planned]
    existing = set(User.objects.filter(email__in=emails).values_list("email", flat=True))
    return [login for login in planned if login.email in existing]


def make_people(clients: dict[str, Client]) -> int:
    """Make the accounts that are missing, each with its membership; returns how many.

    `clients` by slug. A rerun makes none.
    """
    made = 0
    # One hash for all: it takes half a second, and they share the password anyway.
    password = make_password(DEMO_PASSWORD)
    for login in _planned():
        client = clients[login.slug] if login.slug else None
        user = User.objects.filter(email=login.email).first()
        if user is None:
            first, _, rest = login.who.partition(",")[0].partition(" ")
            user = User.objects.create(
                email=login.email, password=password, first_name=first, last_name=rest
            )
            made += 1
        EmailAddress.objects.get_or_create(
            user=user, email=user.email, defaults={"verified": True, "primary": True}
        )
        Membership.objects.get_or_create(user=user, client=client, defaults={"role": login.role})
    return made
