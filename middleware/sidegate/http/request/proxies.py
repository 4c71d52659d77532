"""Proxies: which part of X-Forwarded-For is believed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

IP: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_HOPS = 32  # a real chain has two or three; the walk from the right ends there
MAX_ADDRESS = 64  # characters; the longest is 45, with quotes, brackets and port 54
MAX_ADDRESSES = 16_384  # cached: 3 MB; an address costs 3 µs to parse and 0.1 µs to find again
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose word is taken, by count or by network.

    X-Forwarded-For is a list to which each proxy appends the address it was called from, so the
    right end was written by the nearest proxy and anything further left may be the client's own
    invention. Several lines are one list, in order; empty entries don't count.

    - Neither count nor networks: the peer is the client, X-Forwarded-For is ignored.
    - `hops` = n: the client is the n-th entry from the right. Is the list shorter, the request
      did not come through all proxies, and the peer is the client. Use it only where nobody can
      reach the app around the proxies.
    - `networks`: from the peer leftwards, the first address outside the networks is the client;
      are all of them inside, the leftmost. A peer outside is the client itself. A peer on a Unix
      socket has no address; "unix:" among the networks trusts it.
    - An entry that is no address ("unknown", "_hidden", garbage) says nothing, and its right
      neighbour, the last one that was vouched for, is the client. Quotes, brackets and ports
      are taken off: "192.0.2.1:567", "[2001:db8::1]:80".
    """

    hops: int = 0
    networks: tuple[Network, ...] = ()
    unix: bool = False

    def client(self, peer: str, forwarded: str) -> str:
        """Return the address of the client by X-Forwarded-For, "" when it has none."""
        entries = [entry for entry in _last(forwarded) if entry.strip()]
        return self.client_by(peer, entries)

    def client_by(self, peer: str, entries: list[str]) -> str:
        """Return the address of the client by the addresses that proxies noted, oldest first."""
        if self.hops:
            return self._by_count(peer, entries)
        return self._by_network(peer, entries)

    def trusts(self, peer: str) -> bool:
        """Tell whether what a peer says of its client is believed."""
        if self.hops:
            return True
        if not (peer and self.networks):
            return self.unix and not peer
        return self._trusts(parse_ip(peer))

    def _by_count(self, peer: str, entries: list[str]) -> str:
        if len(entries) < self.hops:
            return peer
        for entry in entries[-self.hops :]:
            if address := canonical(entry):
                return address
        return peer

    def _by_network(self, peer: str, entries: list[str]) -> str:
        client = peer
        trusted = self.trusts(peer)
        while trusted and entries:
            address = parse_ip(entries.pop())
            if address is None:
                break
            client = str(address)
            trusted = self._trusts(address)
        return client

    def _trusts(self, address: IP | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


NO_PROXIES = Proxies()


def forwarded_for(field: str) -> list[str]:
    """Return the addresses that the field Forwarded (RFC 7239) has, oldest first.

    An element whose `for` is missing, hidden or given twice stands as "": its proxy did append
    it, so it counts. A comma ends an element even in quotes: no address has one, and a client
    that opens a quote must not swallow what proxies append.
    """
    return [_node(element) for element in _last(field) if element.strip()]


def _node(element: str) -> str:
    nodes = [value for name, value in _PAIR.findall(element) if name.lower() == "for"]
    return nodes[0].strip().strip('"') if len(nodes) == 1 else ""


def _last(field: str) -> list[str]:
    return field.rsplit(",", MAX_HOPS)[-MAX_HOPS:]


_PAIR = re.compile(r'(?:^|;)\s*([^=;\s]+)\s*=\s*("[^"]*"|[^;]*)')


def parse_proxies(trusted: object) -> Proxies:
    """Return the proxies that the option `trusted_proxies` names: a count, or networks.

    ValueError for anything else.
    """
    if isinstance(trusted, int):
        if isinstance(trusted, bool) or not 0 <= trusted <= MAX_HOPS:
            raise ValueError(f"trusted_proxies={trusted!r}: must be a count from 0 to {MAX_HOPS}")
        return Proxies(hops=trusted) if trusted else NO_PROXIES
    if isinstance(trusted, bytes) or not isinstance(trusted, Iterable):
        raise ValueError(  # noqa: TRY004 - options raise ValueError by house rule
            f"trusted_proxies={trusted!r:.80}: expected a count, or a list of networks"
        )
    names: list[object] = [trusted] if isinstance(trusted, str) else [*trusted]
    networks = tuple(_network(name) for name in names if name != UNIX)
    return Proxies(networks=networks, unix=UNIX in names) if names else NO_PROXIES


def _network(name: object) -> Network:
    try:
        return ip_network(str(name))  # an integer would be taken for an address
    except ValueError as error:
        raise ValueError(f"trusted_proxies: {name!r} is no network: {error}") from None


def parse_ip(entry: str) -> IP | None:
    """Return the address in an entry of X-Forwarded-For, None if there is none.

    An IPv4 address inside an IPv6 one is given as IPv4, see `embedded`; a zone (%eth0) is dropped.
    """
    text = entry.strip().strip('"')
    return _parse(text) if len(text) <= MAX_ADDRESS else None


def canonical(entry: str) -> str:
    """Return the address in an entry as text, "" if there is none."""
    return _written(entry) if len(entry) <= MAX_ADDRESS else ""


@lru_cache(maxsize=MAX_ADDRESSES)
def _written(entry: str) -> str:
    address = parse_ip(entry)
    return "" if address is None else str(address)


@lru_cache(maxsize=MAX_ADDRESSES)
def _parse(text: str) -> IP | None:
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return embedded(address) or IPv6Address(int(address))


def embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address of a client that reaches an IPv6 service by translation, or None.

    Mapped ::ffff:0:0/96 (RFC 4291), translated ::ffff:0:0:0/96 (RFC 7915 and 2765), NAT64
    64:ff9b::/96 (RFC 6052) and 64:ff9b:1::/48 (RFC 8215), which have it in their last 32 bits,
    and 6to4 2002::/16 (RFC 3056). Whoever has the IPv4 address has all of its IPv6 addresses.
    """
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


_TRANSLATED = tuple(
    map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)


def _without_port(text: str) -> str:
    host, bracket, port = text.removeprefix("[").partition("]")
    if text.startswith("["):
        return host if bracket and _is_port(port) else ""
    host, colon, port = text.partition(":")
    return host if "." in host and _is_port(colon + port) else text


def _is_port(text: str) -> bool:
    return not text or re.fullmatch(r":[0-9]{1,5}", text) is not None
