"""manage.py create_client SLUG NAME HOST..."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.clients import ClientError, create_client


class Command(BaseCommand):
    """Make a client: schema, role, keys, domain, first site."""

    help = "Make a client: schema, database role, keys, domain and first site, or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Slug, name, hosts and what differs from the defaults."""
        parser.add_argument("slug", help="small letters, digits, hyphens; names host and schema")
        parser.add_argument("name", help="the client's name")
        parser.add_argument("hosts", nargs="+", help="host names of its website, main one first")
        parser.add_argument("--timezone", default="Europe/London")
        parser.add_argument("--locale", default="en-gb")
        parser.add_argument("--currency", default="GBP")
        parser.add_argument("--accent", default="#0b6b57", help="colour of its pages")
        parser.add_argument("--domain", default="", help="own host name, by CNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the client, print its snippet."""
        started = time.monotonic()
        try:
            client = create_client(
                options["slug"],
                name=options["name"],
                hosts=options["hosts"],
                acting_user="system:create_client",
                timezone_name=options["timezone"],
                locale=options["locale"],
                currency=options["currency"],
                accent_colour=options["accent"],
                own_domain=options["domain"],
            )
        except ClientError as error:
            raise CommandError(str(error)) from None
        site = client.sites.get()
        self.stdout.write(
            f"Made client {client.slug} in {time.monotonic() - started:.2f} s; "
            f"site {site.pk} has the key {site.key}."
        )
