"""The clients and sites whose hits may be stored, as the writer knows them."""

import dataclasses
import time

from tenants.models import Client, Site

REFRESH_S = 60
"""How long a changed time zone may go unnoticed."""
UNKNOWN_S = 5
"""An unknown client is looked for once in so many seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class KnownClient:
    """A client, and the time zones of its sites by site id."""

    client: Client
    zones: dict[int, str]


class Directory:
    """All clients with all their sites; also inactive ones, whose last hits were accepted."""

    def __init__(self) -> None:
        self._clients: dict[int, KnownClient] = {}
        self._unknown: dict[tuple[int, int], float] = {}
        self._loaded_at = -float(REFRESH_S)

    def find(self, client_id: int, sites: set[int]) -> KnownClient | None:
        """The client, looked up anew when it or one of the sites is not known yet.

        Raises OperationalError when the database is away.
        """
        now = time.monotonic()
        known = self._clients.get(client_id)
        unknown = {(client_id, site) for site in sites if known is None or site not in known.zones}
        unasked = {
            pair for pair in unknown if now - self._unknown.get(pair, -UNKNOWN_S) >= UNKNOWN_S
        }
        if unasked or now - self._loaded_at > REFRESH_S:
            self.load()
            self._unknown = {
                **{pair: at for pair, at in self._unknown.items() if now - at < UNKNOWN_S},
                **dict.fromkeys(unasked, now),
            }
        return self._clients.get(client_id)

    def load(self) -> None:
        """Read all clients and sites: two queries."""
        clients = {client.pk: KnownClient(client, {}) for client in Client.objects.all()}
        for site_id, client_id, zone in Site.objects.values_list("pk", "client_id", "timezone"):
            if client_id in clients:
                clients[client_id].zones[site_id] = zone
        self._clients = clients
        self._loaded_at = time.monotonic()
