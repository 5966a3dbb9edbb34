"""People who log in, and what they may see."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models

from tenants.models.clients import Client, Site


class Role(models.TextChoices):
    """What a member is. The first three are the agency's, the others a client's.

    What a role may do is said in `tenants.access`.
    """

    OWNER = "owner", "Agency owner"
    ANALYST = "analyst", "Analyst"
    PRIVACY_OFFICER = "privacy_officer", "Privacy officer"
    MANAGER = "manager", "Manager"
    VIEWER = "viewer", "Viewer"


AGENCY_ROLES = frozenset({Role.OWNER, Role.ANALYST, Role.PRIVACY_OFFICER})
CLIENT_ROLES = frozenset({Role.MANAGER, Role.VIEWER})


class Section(models.TextChoices):
    """A part of a client's report that its people may be let into by itself."""

    OVERVIEW = "overview", "Overview"
    PAGES = "pages", "Pages"
    SOURCES = "sources", "Sources"
    PLACES = "places", "Places"
    DEVICES = "devices", "Devices"
    EVENTS = "events", "Events"
    GOALS = "goals", "Goals"
    FUNNELS = "funnels", "Funnels"
    JOURNEYS = "journeys", "Journeys"
    RETENTION = "retention", "Retention"
    REALTIME = "realtime", "Realtime"


class UserManager(BaseUserManager["User"]):
    """Creates users named by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a new user; raises ValueError without an address."""
        if not email:
            raise ValueError("email: a user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user who may use the admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person who logs in with an e-mail address."""

    username = None  # type: ignore[assignment]  # an e-mail address names the user instead
    email = models.EmailField(unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # other key field

    def __str__(self) -> str:
        return self.get_full_name() or self.email


class Scope(models.Model):
    """How much of what a role reaches is meant: all of it, or what is chosen.

    "Chosen" with nothing chosen is nothing: when the last chosen site goes, its viewer does not
    see the others instead.
    """

    role = models.CharField(max_length=16, choices=Role.choices)
    all_clients = models.BooleanField(default=True)
    """Of an agency role: every client, or `clients`."""
    clients = models.ManyToManyField(Client, related_name="+", blank=True)
    all_sites = models.BooleanField(default=True)
    """Of a client role: every site of the client, or `sites`."""
    sites = models.ManyToManyField(Site, related_name="+", blank=True)
    all_sections = models.BooleanField(default=True)
    """Of a client role: every section of the report, or `sections`."""
    sections = models.JSONField(default=list, blank=True)
    """Values of `Section`."""

    class Meta:
        abstract = True


_ROLE_FITS = models.Q(role__in=sorted(AGENCY_ROLES), client__isnull=True) | models.Q(
    role__in=sorted(CLIENT_ROLES), client__isnull=False
)
"""An agency role has no client, a client role has one."""


class Membership(Scope):
    """A user's role at the agency (no client), or at one client."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, related_name="memberships"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "client"], name="membership_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=_ROLE_FITS, name="membership_role_fits"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(Scope):
    """A membership offered to an e-mail address, until it is taken, withdrawn or too old."""

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, related_name="invitations"
    )
    email = models.EmailField()
    """In small letters."""
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    mailing = models.IntegerField(default=1)
    """Number of the last letter; the links of those before it are void."""
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["email", "client"],
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="invitation_open_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=_ROLE_FITS, name="invitation_role_fits"),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk} ({self.role})"
