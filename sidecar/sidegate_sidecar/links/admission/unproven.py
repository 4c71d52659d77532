"""Connections that have proved nothing yet: how many there may be, and which one has to go. Pure.

Strangers can open connections as fast as they like, so what they may hold has a place of its own,
in which they push out each other and nobody else. A newcomer is always let in: in a pool that is
full somebody is about to show a secret, and nobody can tell who. It is the oldest connection of
the address with the most that goes, so an honest one, alone at its address, stays while any
address has two; from as many addresses as there are places, it has the time in which that many
connect. This machine has places of its own, for probes and for the apps beside a sidecar.
"""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Connection = TypeVar("Connection", bound=Hashable)

LOCAL = "local"
"""The origin of what comes from this machine."""

# At 4,000 new connections a second from as many addresses, each has 60 ms: a handshake over a
# network of 20 ms there and back. 256 take 1 MB, with TLS 16 MB.
MAX_CONNECTIONS = 256
MAX_AT_AN_ORIGIN = 64  # a quarter: a thousand apps behind one address, that start in one second
MAX_LOCAL = 64  # beside the others: only this machine can take them
IPV6_PREFIX = 64  # bits: what one host of IPv6 has for itself


def origin(host: str) -> str:
    """Return what counts as one address: an IPv4 address, an IPv6 network of /64, or LOCAL.

    `host` is a numeric address, or empty for a Unix socket.
    """
    if not host or host.startswith("127."):
        return LOCAL
    if ":" not in host:  # as the system writes it; to parse it takes 10 µs
        return host
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return LOCAL
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


class Unproven(Generic[Connection]):
    """The connections of a listener whose other side has proved nothing, by where they come from.

    Whoever accepts a connection calls `admit`, and closes the one that it returns; `remove` is
    called once the connection has proved itself, or is closed.
    """

    def __init__(
        self,
        max_connections: int = MAX_CONNECTIONS,
        max_at_an_origin: int = MAX_AT_AN_ORIGIN,
        max_local: int = MAX_LOCAL,
        origin_of: Callable[[str], str] = origin,
    ) -> None:
        self.max_connections = max_connections
        self.max_at_an_origin = max_at_an_origin
        self.max_local = max_local
        self.displaced = 0  # connections that had to go
        self._origin_of = origin_of
        self._origins: dict[Connection, str] = {}
        self._ages: dict[str, dict[Connection, None]] = {}  # by origin; the oldest comes first
        self._by_size: dict[int, dict[str, None]] = {}  # strangers' origins, by how many they have
        self._largest = 0  # of these sizes, at least

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._origins

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._origins)

    def admit(self, connection: Connection, host: str) -> Connection | None:
        """Count a new connection in; return the one to close for it, None if there is room."""
        place = self._origin_of(host)
        self._origins[connection] = place
        ages = self._ages.setdefault(place, {})
        ages[connection] = None
        self._resize(place, len(ages) - 1, len(ages))
        payer = self._payer(place)
        return None if payer is None else self._displace(payer)

    def displace(self) -> Connection | None:
        """Return one to close for want of something else than places; None if there is none."""
        return self._displace(self._fullest()) if self._ages else None

    def _displace(self, payer: str) -> Connection:
        oldest = next(iter(self._ages[payer]))
        self.remove(oldest)
        self.displaced += 1
        return oldest

    def remove(self, connection: Connection) -> None:
        """Count a connection out, if it is here."""
        place = self._origins.pop(connection, None)
        if place is None:
            return
        ages = self._ages[place]
        del ages[connection]
        self._resize(place, len(ages) + 1, len(ages))
        if not ages:
            del self._ages[place]

    def _resize(self, place: str, before: int, size: int) -> None:
        """File an origin under how many it has now: so the fullest is found without a search."""
        if place == LOCAL:
            return
        if before:
            del self._by_size[before][place]
        if size:
            self._by_size.setdefault(size, {})[place] = None
            self._largest = max(self._largest, size)

    def _payer(self, place: str) -> str | None:
        """Return at which origin one has to go now that `place` has one more."""
        here = len(self._ages[place])
        if place == LOCAL:
            return LOCAL if here > self.max_local else None
        if here > self.max_at_an_origin:
            return place
        local = len(self._ages.get(LOCAL, ()))
        return self._fullest() if len(self) - local > self.max_connections else None

    def _fullest(self) -> str:
        """Return the origin with the most connections; of several, the first to have that many.

        This machine's only when nobody else has any.
        """
        while self._largest and not self._by_size.get(self._largest):
            self._by_size.pop(self._largest, None)
            self._largest -= 1
        return next(iter(self._by_size[self._largest])) if self._largest else LOCAL
