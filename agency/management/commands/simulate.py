"""manage.py simulate CLIENT: drive the running collector as the visitors of a website would."""

import asyncio
import contextlib
import ipaddress
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agency.demo.clients import find_demo_client
from tenants.models import Client, Site
from tracking.geo import GeoReader
from tracking.simulate.addresses import CountryAddresses
from tracking.simulate.driver import Account, Driver, Target
from tracking.simulate.generic import generic_website
from tracking.simulate.visits import VisitPlanner
from tracking.simulate.websites import Website


class Command(BaseCommand):
    """Send plausible traffic until stopped, or for some seconds; then say what became of it."""

    help = "Drive the running collector with plausible traffic for one client."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom, how much, how long."""
        parser.add_argument("client", help="the client's slug, such as fellside")
        parser.add_argument("--rate", type=float, default=50.0, help="hits a second (50)")
        parser.add_argument("--seconds", type=float, help="how long; without it until Ctrl-C")
        parser.add_argument(
            "--rhythm",
            action="store_true",
            help="let the rate follow the website's hour and weekday; --rate is then the mean",
        )
        parser.add_argument(
            "--url", help="where the collector answers (this machine, OUTWARD_PORT)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Drive, and print one line."""
        if not 0 < options["rate"] <= 100_000:
            raise CommandError("--rate: more than 0, at most 100000 hits a second.")
        client = Client.objects.filter(slug=options["client"]).first()
        if client is None:
            known = ", ".join(Client.objects.values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no client {options['client']!r}. There are: {known}")
        site = client.sites.filter(is_active=True).order_by("pk").first()
        if site is None:
            raise CommandError(f"{client.name} has no active site.")
        self._hint_at_proxies()
        driver = self._driver(client, site, options["url"])
        account = asyncio.run(
            _drive(driver, options["rate"], options["seconds"], options["rhythm"])
        )
        self.stdout.write(f"{client.slug}: {account.line()}")
        if account.failed == account.sent:
            raise CommandError("The collector gave no answer at all: is `make run` running?")

    def _driver(self, client: Client, site: Site, url: str | None) -> Driver:
        website = _website_of(client, site)
        addresses = CountryAddresses(GeoReader(settings.GEO_PATH), website.countries)
        target = Target(
            url=url or f"http://127.0.0.1:{settings.PORT}",
            client_host=f"{client.slug}.{settings.BASE_DOMAIN}:{settings.PORT}",
            site_key=site.key,
            site_host=site.main_host,
        )
        return Driver(
            VisitPlanner(website, seed=f"{client.slug}:live"),
            target,
            address_of=lambda person: addresses.address(person.country, person.number),
        )

    def _hint_at_proxies(self) -> None:
        here = ipaddress.ip_address("127.0.0.1")
        if not any(here in network for network in settings.TRUSTED_PROXIES):
            self.stderr.write(
                "Hint: the collector trusts no proxy, so all visitors have this machine's address: "
                "no countries, and one visitor for each user agent. To let the simulated addresses "
                "count, start it with OUTWARD_TRUSTED_PROXIES=127.0.0.0/8."
            )


def _website_of(client: Client, site: Site) -> Website:
    demo = find_demo_client(client.slug)
    if demo is not None and site.main_host == demo.site_host(settings.BASE_DOMAIN):
        return demo.website(settings.BASE_DOMAIN)
    region = client.locale.partition("-")[2].upper()
    return generic_website(
        host=site.main_host,
        timezone=site.timezone,
        country=region if len(region) == 2 else "GB",
    )


async def _drive(driver: Driver, rate: float, seconds: float | None, keeps_rhythm: bool) -> Account:
    """Drive until done or told to stop; either way the account is whole."""
    work = asyncio.create_task(driver.run(rate, seconds=seconds, keeps_rhythm=keeps_rhythm))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work
    return driver.account
