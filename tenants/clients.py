"""Making a client: schema, database role, keys, domain, settings and first site in one act."""

import re
import secrets
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from psycopg import sql

from tenants.audit import record_act
from tenants.changes import announce_change
from tenants.domains import clean_domain
from tenants.grants import grant_client_role
from tenants.keys import Purpose, destroy_client_keys, get_key
from tenants.keystore.models import DataKey
from tenants.migrating import migrate_schemas
from tenants.models import Client, Domain, Membership, PrivacySettings, Site, User
from tenants.schemas import in_public

LIFETIME_PURPOSES = (Purpose.COOKIE, Purpose.ACCOUNT, Purpose.BLIND_INDEX)
KEY_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""No letter or digit that is read as another."""
RESERVED_SLUGS = frozenset({"new", "public"})
"""Words that stand in addresses where a slug does, and the name of the shared schema."""


class ClientError(Exception):
    """A client cannot be made; `field` names the input to change."""

    code = "client"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def schema_of(slug: str) -> str:
    """Name of the client's schema; its role has the same name."""
    return "c_" + slug.replace("-", "_")


def new_site_key() -> str:
    """A public site key: 16 characters, 79 bits."""
    return "".join(secrets.choice(KEY_ALPHABET) for _ in range(16))


def create_client(
    slug: str,
    *,
    name: str,
    hosts: list[str],
    acting_user: str,
    site_name: str = "",
    timezone_name: str = "Europe/London",
    locale: str = "en-gb",
    currency: str = "GBP",
    accent_colour: str = "#0b6b57",
    own_domain: str = "",
    site_timezone: str = "",
    more_sites: Sequence[Site] = (),
    privacy: Mapping[str, str | int | bool] | None = None,
    made_by: User | None = None,
) -> Client:
    """Make a client with its first site; whole, or nothing is left.

    `more_sites` are unsaved, with name, hosts and time zone; `privacy` names settings that differ
    from the defaults; `made_by` sees the client also if they are staff of chosen clients. Raises
    ClientError naming the field when the slug or a domain is taken or malformed. Takes about a
    second: the schema is migrated inside the transaction.
    """
    if not in_public():
        raise RuntimeError("create_client works outside a client's schema only.")
    client = Client(
        slug=slug,
        name=name,
        schema_name=schema_of(slug),
        db_role=schema_of(slug),
        timezone=timezone_name,
        locale=locale,
        currency=currency,
        accent_colour=accent_colour,
    )
    site = Site(
        client=client,
        key=new_site_key(),
        name=site_name or name,
        hosts=[host.strip().lower() for host in hosts],
        timezone=site_timezone or timezone_name,
    )
    sites = [site, *more_sites]
    settings_of_client = PrivacySettings(client=client, **(privacy or {}))
    for each in sites[1:]:
        each.client, each.key = client, new_site_key()
    _check(client, sites, settings_of_client)
    try:
        with transaction.atomic():
            _store(client, sites, settings_of_client, own_domain, acting_user)
            if made_by is not None:
                _open_to(client, made_by)
    except BaseException:
        # The keys database has its own transactions: take back what was committed there.
        if client.pk is not None:
            DataKey.objects.filter(client_id=client.pk).delete()
        raise
    return client


def _check(client: Client, sites: Sequence[Site], privacy: PrivacySettings) -> None:
    if client.slug in RESERVED_SLUGS:
        raise ClientError("slug", f"{client.slug!r} has a meaning of its own: choose another.")
    try:
        client.clean_fields(exclude=["id"])
        for site in sites:
            site.clean_fields(exclude=["id", "client"])
            site.clean()
        privacy.clean_fields(exclude=["id", "client"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        field = {"schema_name": "slug", "db_role": "slug"}.get(field, field)
        raise ClientError(field, " ".join(messages)) from None


def _store(
    client: Client,
    sites: Sequence[Site],
    privacy: PrivacySettings,
    own_domain: str,
    acting_user: str,
) -> None:
    try:
        with transaction.atomic():
            client.save()
    except (IntegrityError, ValidationError):  # the library looks before it inserts
        raise ClientError("slug", f"{client.slug!r} is taken: choose another.") from None
    for site in sites:
        site.client = client
        site.save()
    privacy.client = client
    privacy.save()
    _store_domains(client, own_domain)
    create_role(client)
    create_schema(client)
    record_act(
        "client.create",
        acting_user=acting_user,
        client_id=client.pk,
        details={"slug": client.slug, "sites": [site.pk for site in sites]},
    )
    today = timezone.now().date()
    for purpose in LIFETIME_PURPOSES:
        get_key(client.pk, purpose, None)
    for purpose in (Purpose.IP, Purpose.VISITOR):
        get_key(client.pk, purpose, today)
    announce_change()


def _open_to(client: Client, person: User) -> None:
    """Put the client into the person's scope, where that is not every client."""
    staff = Membership.objects.filter(user=person, client=None, all_clients=False).first()
    if staff is not None:
        staff.clients.add(client)
        record_act(
            "membership.change",
            acting_user=person.email,
            details={"membership": staff.pk, "person": person.email, "client_added": client.pk},
        )


def _store_domains(client: Client, own_domain: str) -> None:
    names = [f"{client.slug}.{settings.BASE_DOMAIN}"]
    if own_domain:
        try:
            names.append(clean_domain(own_domain))
        except ValidationError as error:
            raise ClientError("domain", " ".join(error.messages)) from None
    for number, domain in enumerate(names):
        if domain == settings.AGENCY_HOST or Domain.objects.filter(domain=domain).exists():
            raise ClientError("domain", f"{domain!r} is taken: choose another.")
        Domain.objects.create(tenant=client, domain=domain, is_primary=number == 0)


def create_role(client: Client) -> None:
    """Make the client's database role and let the owner take it.

    LOGIN without a password: Citus takes no other with SET ROLE (design, rule 11), and nobody
    can log in with it.
    """
    names = {"role": sql.Identifier(client.db_role)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [client.db_role])
        if cursor.fetchone():
            raise ClientError("slug", f"the database already has a role {client.db_role!r}.")
        cursor.execute(sql.SQL("CREATE ROLE {role} LOGIN NOINHERIT").format(**names))
        if connection.connection.info.server_version >= 160000:
            # Since PostgreSQL 16 the maker of a role may not take it without this.
            grant = sql.SQL("GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
        else:
            grant = sql.SQL("GRANT {role} TO CURRENT_USER")
        cursor.execute(grant.format(**names))


def create_schema(client: Client) -> None:
    """Make and migrate the client's schema, and give its role its rights."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(client.schema_name)))
    migrate_schemas(schema_name=client.schema_name, verbosity=0)
    grant_client_role(client)


def delete_client(client: Client, *, acting_user: str) -> None:
    """Erase a client: destroy its keys first, then drop schema, role and rows.

    What is in backups is unreadable from the first step on.
    """
    destroy_client_keys(client.pk, timezone.now())
    names = {
        "schema": sql.Identifier(client.schema_name),
        "role": sql.Identifier(client.db_role),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {schema} CASCADE").format(**names))
        cursor.execute(sql.SQL("DROP ROLE IF EXISTS {role}").format(**names))
        record_act(
            "client.delete",
            acting_user=acting_user,
            client_id=client.pk,
            details={"slug": client.slug},
        )
        client.sites.all().delete()
        client.delete()
        announce_change()


def slug_from(text: str) -> str:
    """A slug made of a name: small letters, digits and hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    return slug if re.match(r"[a-z]", slug) else f"c-{slug}"[:40].rstrip("-")
