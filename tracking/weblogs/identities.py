"""Keys of the days a log speaks of, and ids that follow from a line.

What a key is needed for and what is no longer allowed: a day whose IP retention has passed keeps
no address; a day whose visitor salt was destroyed gets a salt that lives in this process only,
so its visitors are counted and can never be joined with those counted before.
"""

import datetime as dt
import hashlib
import os

from tenants.keys import KeyDestroyedError, Purpose, SecretKey, get_key
from tracking.hits import uuid7_bytes
from tracking.weblogs.occurrences import Occurrences

DAY_US = 86_400_000_000
_DAYS_HELD = 62
"""Salts in memory: logs are nearly in order, and a follower must not keep what was destroyed."""
_EPOCH = dt.date(1970, 1, 1)


def day_of(day_number: int) -> dt.date:
    """UTC date of a count of days since 1970."""
    return _EPOCH + dt.timedelta(days=day_number)


class DayKeys:
    """Keys by UTC day, fetched once each.

    `ephemeral` makes none and stores none: for a dry run, whose visitors are nobody's.
    """

    def __init__(
        self, client_id: int, *, keeps_ip: bool, ip_retention_days: int, now: dt.datetime,
        ephemeral: bool,
    ) -> None:  # fmt: skip
        self._client_id = client_id
        self._keeps_ip = keeps_ip and not ephemeral
        self._oldest_ip_day = now.date() - dt.timedelta(days=ip_retention_days)
        self._ephemeral = ephemeral
        self._salts: dict[int, bytes] = {}
        self._ip_keys: dict[int, SecretKey | None] = {}

    def visitor_salt(self, day_number: int) -> bytes:
        """Secret of the day's visitor hashes."""
        salt = self._salts.get(day_number)
        if salt is None:
            salt = self._salts[day_number] = self._fetch_salt(day_number)
            if len(self._salts) > _DAYS_HELD:
                del self._salts[min(self._salts)]
        return salt

    def _fetch_salt(self, day_number: int) -> bytes:
        if self._ephemeral:
            return os.urandom(32)
        try:
            return get_key(self._client_id, Purpose.VISITOR, day_of(day_number)).secret
        except KeyDestroyedError:
            return os.urandom(32)

    def may_keep_ip(self, day_number: int) -> bool:
        """Whether the client's IP retention still covers the day."""
        return self._keeps_ip and day_of(day_number) >= self._oldest_ip_day

    def ip_key(self, day_number: int) -> SecretKey | None:
        """Key of the day's addresses; None when none may be kept any more."""
        if day_number not in self._ip_keys:
            self._ip_keys[day_number] = self._fetch_ip_key(day_number)
        return self._ip_keys[day_number]

    def _fetch_ip_key(self, day_number: int) -> SecretKey | None:
        if not self.may_keep_ip(day_number):
            return None
        try:
            return get_key(self._client_id, Purpose.IP, day_of(day_number))
        except KeyDestroyedError:
            return None


class LineIds:
    """Hit ids of lines: the same line of the same file has the same id at every reading.

    Keyed BLAKE2b with the client's blind-index key, so that a stored id tells nobody without the
    key whether a guessed line (with its address) was in the log.
    """

    def __init__(self, secret: bytes, site_id: int) -> None:
        self._base = hashlib.blake2b(
            key=secret, digest_size=10, salt=site_id.to_bytes(8, "big"), person=b"weblog.hit"
        )
        self._occurrences = Occurrences()

    def id_of(self, line: bytes, at_us: int) -> bytes:
        """UUIDv7 of the line and of how often it came before."""
        hashed = self._base.copy()
        hashed.update(line)
        digest = hashed.digest()
        count = self._occurrences.next(digest)
        if count:
            hashed.update(b"\n%d" % count)
            digest = hashed.digest()
        return uuid7_bytes(at_us, digest)
