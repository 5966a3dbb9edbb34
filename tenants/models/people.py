"""People who log in, and what they may see."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models

from tenants.models.clients import Client


class Role(models.TextChoices):
    """What a member may do. An agency role reaches every client; a client role one client."""

    AGENCY = "agency", "Agency staff"
    CLIENT = "client", "Client"


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


class Membership(models.Model):
    """A user's role at the agency (no client), or at one client."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "client"], name="membership_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(role=Role.AGENCY, client__isnull=True)
                | models.Q(role=Role.CLIENT, client__isnull=False),
                name="membership_role_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"
