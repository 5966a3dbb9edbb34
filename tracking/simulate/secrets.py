"""Settings and keys of a client, as making its history needs them."""

import datetime as dt
import functools
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.crypto import NONCE_BYTES, associated_data
from tenants.keys import KeyDestroyedError, Purpose, get_key
from tenants.models import Client, PrivacySettings, Site
from tracking.simulate.history import DaySecrets, HistorySite


def history_site(client: Client, site: Site) -> HistorySite:
    """What `hits_of` needs for a site.

    Reads public tables now and the keys database later, once per day of history: call and use it
    outside the client's schema.
    """
    privacy = PrivacySettings.objects.get(client=client)
    return HistorySite(
        client_id=client.pk,
        site_id=site.pk,
        hosts=tuple(site.hosts),
        ip_mode=privacy.ip_mode,  # type: ignore[arg-type]  # a choice of IpMode, checked by the model
        keep_outcode=privacy.keep_outcode,
        zip_mode=privacy.zip_mode,  # type: ignore[arg-type]  # a choice of ZipMode, checked by the model
        cookie_secret=get_key(client.pk, Purpose.COOKIE, None).secret,
        secrets_of=functools.cache(functools.partial(_secrets_of, client.pk)),
    )


def _secrets_of(client_id: int, day: dt.date) -> DaySecrets:
    try:
        visitor = get_key(client_id, Purpose.VISITOR, day).secret
    except KeyDestroyedError:
        # An interrupted run that goes on a day later: nobody could recompute that day's visitors
        # anyway, so any secret that is forgotten afterwards serves.
        visitor = os.urandom(32)
    try:
        ip = get_key(client_id, Purpose.IP, day)
    except KeyDestroyedError:
        return DaySecrets(visitor, 0, lambda _raw_ip, _row_id: b"")
    return DaySecrets(visitor, ip.id, _sealer(client_id, ip.secret))


def _sealer(client_id: int, secret: bytes) -> Callable[[bytes, bytes], bytes]:
    cipher = AESGCM(secret)

    def seal(raw_ip: bytes, row_id: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        place = associated_data(client_id, "origins", "ip_sealed", row_id)
        return nonce + cipher.encrypt(nonce, raw_ip, place)

    return seal
