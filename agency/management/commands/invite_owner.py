"""manage.py invite_owner EMAIL: the first owner of a new agency, whom nobody is there to invite."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from agency.addresses import origin_of
from tenants.people import INVITATION_DAYS, PeopleError, invitation_token, invite_first_owner


class Command(BaseCommand):
    """Print a link by which the first owner makes their account; safe to run again."""

    help = "Invite the first owner of the agency."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whom."""
        parser.add_argument("email", help="e-mail address, by which they will log in")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link: whoever runs this may be the owner, before there is a mail server."""
        try:
            validate_email(options["email"])
            invitation = invite_first_owner(options["email"], now=timezone.now())
        except ValidationError:
            raise CommandError("This is no e-mail address: write it as ann@example.com.") from None
        except PeopleError as error:
            raise CommandError(str(error)) from None
        path = reverse(
            "accept_invitation",
            kwargs={"token": invitation_token(invitation)},
            urlconf=settings.PUBLIC_SCHEMA_URLCONF,
        )
        self.stdout.write(
            f"Good for {INVITATION_DAYS} days and one use: {origin_of(None, None)}{path}"
        )
