"""What the collector knows of clients: a snapshot of hosts, sites, settings and today's keys.

The snapshot is read in a thread, so requests never wait for a database. While the databases are
away the last snapshot stays in use and collection goes on.
"""

import dataclasses
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from consent.permissions import Signals, Verdict, decide
from tenants.crypto import SealError, associated_data
from tenants.keys import KeyDestroyedError, Purpose, SecretKey, get_key
from tenants.models import CookieMode, Domain, IpMode, PrivacySettings, Site, ZipMode
from tenants.providers import RootKeyError
from tracking.addresses import IpMode as AddressMode
from tracking.addresses import visitor_hasher
from tracking.collector.hosts import SiteHosts
from tracking.hits import origin_row_id
from tracking.outcode import ZipMode as CodeMode

logger = logging.getLogger(__name__)

REFRESH_S = 5.0
PREFETCH_S = 600
"""Tomorrow's keys are made this long before the UTC day ends, so no hit waits for them."""
DAY_S = 86_400

# The pure modules know no models: the same words, as they spell them.
_IP_MODES: dict[IpMode, AddressMode] = {
    IpMode.ENCRYPTED: "encrypted",
    IpMode.TRUNCATED: "truncated",
    IpMode.NONE: "none",
}
_ZIP_MODES: dict[ZipMode, CodeMode] = {
    ZipMode.ZIP5: "zip5",
    ZipMode.ZIP3: "zip3",
    ZipMode.NONE: "none",
}
_NO_ROW = origin_row_id(bytes(16), 0)
SIGNALS = tuple(Signals(bool(bits & 4), bool(bits & 2), bool(bits & 1)) for bits in range(8))
"""All combinations of gpc (4), dnt (2) and has_cookie (1), at the index of their bits."""


@dataclasses.dataclass(frozen=True, slots=True)
class DayKeys:
    """A client's keys of one UTC day."""

    visitor: bytes = dataclasses.field(repr=False)
    ip_key_id: int
    """0 when addresses are not encrypted."""
    ip_cipher: AESGCM | None = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class ClientConfig:
    """One client: what it lets us collect, and the keys to do it."""

    client_id: int
    ip_mode: AddressMode
    ip_place: bytes
    """Associated data of a sealed address, all but the row's id at its end."""
    keep_outcode: bool
    zip_mode: CodeMode
    honour_gpc: bool
    honour_dnt: bool
    cookie_mode: CookieMode
    verdicts: tuple[Verdict, ...]
    """Of each of SIGNALS."""
    cookie_secret: bytes = dataclasses.field(repr=False)
    days: dict[int, DayKeys] = dataclasses.field(repr=False)
    """By days since 1970: today, tomorrow when it is near, and yesterday's visitor key if it was
    used here, to know a retry over midnight again."""


@dataclasses.dataclass(frozen=True, slots=True)
class SiteConfig:
    """One active site."""

    site_id: int
    client: ClientConfig
    hosts: SiteHosts
    visitors: dict[int, Callable[[bytes, bytes], int]] = dataclasses.field(repr=False)
    """tracking.addresses.visitor_hasher of each day in `client.days`."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostConfig:
    """What one host name of a client serves."""

    client: ClientConfig
    sites: dict[str, SiteConfig]
    """By public key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """A snapshot; replaced as a whole, never changed."""

    hosts: dict[str, HostConfig]
    """By host name without port, in small letters."""
    read_at: float
    """time.time()."""
    fingerprint: object = None
    """Equal for two snapshots that say the same; the newer one then keeps the older one's hosts."""
    unusable: frozenset[int] = frozenset()
    """Clients whose keys cannot be had: destroyed, or wrapped with another root key."""


class KeyRing:
    """Unwrapped keys by client, purpose and epoch, so that a refresh asks for new ones only."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, Purpose, dt.date | None], SecretKey] = {}

    def key(self, client_id: int, purpose: Purpose, epoch: dt.date | None) -> SecretKey:
        """The key, made when it does not exist; raises KeyDestroyedError."""
        name = (client_id, purpose, epoch)
        if name not in self._keys:
            self._keys[name] = get_key(client_id, purpose, epoch)
        return self._keys[name]

    def find(self, client_id: int, purpose: Purpose, epoch: dt.date | None) -> SecretKey | None:
        """The key if it is on the ring."""
        return self._keys.get((client_id, purpose, epoch))

    def forget(self, *, before: dt.date, client_ids: Iterable[int]) -> None:
        """Drop keys of days before `before`, and of clients that are not among `client_ids`."""
        kept = frozenset(client_ids)
        self._keys = {
            name: key
            for name, key in self._keys.items()
            if name[0] in kept and (name[2] is None or name[2] >= before)
        }


def read_config(ring: KeyRing, now: dt.datetime) -> Config:
    """Read the snapshot: three queries, and one for each key that is not on the ring yet."""
    privacy = {row.client_id: row for row in PrivacySettings.objects.order_by("pk")}
    sites: dict[int, list[Site]] = {}
    for site in Site.objects.filter(is_active=True):
        sites.setdefault(site.client_id, []).append(site)
    domains = (
        Domain.objects.filter(tenant__is_active=True)
        .order_by("pk")
        .values_list("domain", "tenant_id")
    )
    names: dict[int, list[str]] = {}
    for name, client_id in domains:
        names.setdefault(client_id, []).append(name.lower())
    hosts: dict[str, HostConfig] = {}
    unusable = []
    for client_id, its_names in names.items():
        try:
            client = _read_client(privacy[client_id], ring, now)
        except (KeyDestroyedError, SealError, KeyError):
            # KeyError: the client was made between the queries; the next snapshot has it.
            unusable.append(client_id)
            continue
        its_sites = {
            site.key: SiteConfig(
                site.pk,
                client,
                SiteHosts(site.hosts),
                {day: visitor_hasher(keys.visitor, site.pk) for day, keys in client.days.items()},
            )
            for site in sites.get(client_id, [])
        }
        hosts.update(dict.fromkeys(its_names, HostConfig(client, its_sites)))
    ring.forget(before=now.date() - dt.timedelta(days=1), client_ids=names)
    fingerprint = (
        [_columns(row) for row in privacy.values()],
        [_columns(site) for of_client in sites.values() for site in of_client],
        names,
        {name: _key_ids(host.client) for name, host in hosts.items()},
    )
    return Config(hosts, now.timestamp(), fingerprint, frozenset(unusable))


def _columns(row: PrivacySettings | Site) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def _key_ids(client: ClientConfig) -> dict[int, int]:
    """Key of each day; the others last as long as the client."""
    return {day: keys.ip_key_id for day, keys in client.days.items()}


def _read_client(row: PrivacySettings, ring: KeyRing, now: dt.datetime) -> ClientConfig:
    mode = CookieMode(row.cookie_mode)
    cookie = b""
    if mode is not CookieMode.NEVER:
        cookie = ring.key(row.client_id, Purpose.COOKIE, None).secret
    return ClientConfig(
        client_id=row.client_id,
        ip_mode=_IP_MODES[IpMode(row.ip_mode)],
        ip_place=associated_data(row.client_id, "origins", "ip_sealed", _NO_ROW)[: -len(_NO_ROW)],
        keep_outcode=row.keep_outcode,
        zip_mode=_ZIP_MODES[ZipMode(row.zip_mode)],
        honour_gpc=row.honour_gpc,
        honour_dnt=row.honour_dnt,
        cookie_mode=mode,
        verdicts=tuple(
            decide(
                signals,
                honour_gpc=row.honour_gpc,
                honour_dnt=row.honour_dnt,
                cookie_mode=mode,
            )
            for signals in SIGNALS
        ),
        cookie_secret=cookie,
        days=_read_days(row, ring, now),
    )


def _read_days(row: PrivacySettings, ring: KeyRing, now: dt.datetime) -> dict[int, DayKeys]:
    today = now.date()
    days = [today]
    if (now + dt.timedelta(seconds=PREFETCH_S)).date() > today:
        days.append(today + dt.timedelta(days=1))
    keys = {_day_number(day): _read_day(row, ring, day) for day in days}
    yesterday = today - dt.timedelta(days=1)
    former = ring.find(row.client_id, Purpose.VISITOR, yesterday)
    if former is not None:
        # Only to know a retry over midnight again; nothing is sealed with a former day's key.
        keys[_day_number(yesterday)] = DayKeys(former.secret, 0, None)
    return keys


def _read_day(row: PrivacySettings, ring: KeyRing, day: dt.date) -> DayKeys:
    visitor = ring.key(row.client_id, Purpose.VISITOR, day).secret
    if row.ip_mode != IpMode.ENCRYPTED:
        return DayKeys(visitor, 0, None)
    ip = ring.key(row.client_id, Purpose.IP, day)
    return DayKeys(visitor, ip.id, AESGCM(ip.secret))


def _day_number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


class ConfigReader(threading.Thread):
    """Keeps the snapshot fresh: every REFRESH_S, at once after `wake`, and at a UTC day's start."""

    def __init__(self) -> None:
        super().__init__(name="collector-config", daemon=True)
        self.config = Config({}, 0.0)
        self.first_read = threading.Event()
        self._wake = threading.Event()
        self._ends = threading.Event()
        self._ring = KeyRing()

    def wake(self) -> None:
        """Read anew now; for any thread, never waits."""
        self._wake.set()

    def end(self) -> None:
        """End the thread within the query it is in."""
        self._ends.set()
        self._wake.set()

    def run(self) -> None:
        """Read until `end`."""
        while True:
            self._wake.clear()
            if self._ends.is_set():  # after the clearing: `end` sets it before it wakes
                break
            self._read()
            self._wake.wait(_wait_s(time.time()))
        connections.close_all()

    def _read(self) -> None:
        try:
            close_old_connections()
            config = read_config(self._ring, dt.datetime.now(dt.UTC))
            if config.unusable - self.config.unusable:
                ids = ", ".join(map(str, sorted(config.unusable)))
                logger.warning("Without usable keys, their hits are refused: clients %s.", ids)
            if config.fingerprint == self.config.fingerprint:
                # What was remembered of senders and pages under these hosts stays good.
                config = dataclasses.replace(config, hosts=self.config.hosts)
            self.config = config
            self.first_read.set()
        except (DatabaseError, RootKeyError) as error:
            # The type only: a driver's message may hold the address and the password.
            logger.warning(
                "The collector keeps its configuration, %d s old: %s",
                time.time() - self.config.read_at if self.config.read_at else 0,
                type(error).__name__,
            )
            connections.close_all()


def _wait_s(now: float) -> float:
    """Seconds to the next refresh: not beyond the UTC day's end, should its keys be missing."""
    return min(REFRESH_S, DAY_S - now % DAY_S + 0.01)
